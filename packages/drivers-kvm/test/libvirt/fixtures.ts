/** Small things that the tests on a real libvirtd share. */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  type LibvirtConnection,
  type LibvirtEvent,
  LibvirtHost,
  type LibvirtHostOptions,
  type StoragePool,
  type StorageVolume,
} from '@pileus/drivers-kvm/libvirt';
import type { PrivateHost } from './private-host.ts';

export const domainUuid = '01900000-0000-7000-8000-000000000001';

export function connectTo(host: PrivateHost, options: Partial<LibvirtHostOptions> = {}): LibvirtHost {
  return new LibvirtHost({ address: { kind: 'unix', path: host.socketPath }, ...options });
}

/** A machine of 16 MB that needs no KVM and has no disk unless one is given. */
export function domainXml(
  options: { readonly disk?: string; readonly screen?: boolean; readonly uuid?: string; readonly name?: string } = {},
): string {
  const { disk, screen = false, uuid = domainUuid, name = 'tiny' } = options;
  const disks =
    disk === undefined
      ? ''
      : `<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${disk}'/><target dev='hda' bus='ide'/></disk>`;
  return `<domain type='qemu'>
    <name>${name}</name><uuid>${uuid}</uuid><memory unit='MiB'>16</memory><vcpu>1</vcpu>
    <os><type arch='x86_64' machine='pc'>hvm</type></os>
    <devices>${disks}<serial type='pty'/><console type='pty'/><memballoon model='none'/>${screen ? "<video><model type='vga'/></video>" : ''}</devices>
  </domain>`;
}

/**
 * A disk whose boot sector prints 'R' on the first serial port and then echoes what comes in. By byte: cli; dx = 3F8h; al = 'R'; out;
 * wait: dx = 3FDh; poll: in; test al, 1; jz poll; dx = 3F8h; in; out; jmp wait.
 */
export async function writeEchoDisk(host: PrivateHost): Promise<string> {
  const disk = Buffer.alloc(1 << 20);
  Buffer.from('fabaf803b052eebafd03eca80174fbbaf803eceeebf1', 'hex').copy(disk);
  disk.writeUInt16LE(0xaa55, 510);
  await writeFile(path.join(host.directory, 'lib/images/echo.img'), disk);
  return '/var/lib/libvirt/images/echo.img';
}

/** A running directory pool named `name`. */
export async function createPool(libvirt: LibvirtHost, name = 'pool'): Promise<StoragePool> {
  const xml = `<pool type='dir'><name>${name}</name><target><path>/var/lib/libvirt/${name}</path></target></pool>`;
  const pool = await libvirt.api.storagePoolDefineXml({ xml });
  await libvirt.api.storagePoolBuild({ pool });
  await libvirt.api.storagePoolCreate({ pool });
  return pool;
}

export function createVolume(libvirt: LibvirtHost, pool: StoragePool, name: string, sizeBytes: number): Promise<StorageVolume> {
  const xml = `<volume><name>${name}</name><capacity unit='bytes'>${sizeBytes}</capacity><target><format type='raw'/></target></volume>`;
  return libvirt.api.storageVolCreateXml({ pool, xml });
}

/** What a promise that must reject rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('the promise was expected to reject');
}

/**
 * Plays something to its end, from its beginning when libvirtd crashed in the midst of it: 9.0 now and then does after a freeze, and is started again. What fails
 * while libvirtd lives on, fails.
 */
export async function unlessCrashed(host: PrivateHost, play: () => Promise<void>): Promise<void> {
  for (let attemptsLeft = 2; ; attemptsLeft -= 1) {
    const life = await host.life();
    try {
      await play();
      return;
    } catch (error) {
      // Returns when it serves: then it is known whether it is the same.
      await host.command('thaw');
      if (attemptsLeft === 0 || (await host.life()) === life) throw error;
      process.stderr.write(`libvirtd has crashed, and it is played again: ${error}\n`);
    }
  }
}

/** Collects events; `until` resolves with the first that matches, whether it came already or is still to come. */
export function record(libvirt: LibvirtHost | LibvirtConnection): {
  readonly events: LibvirtEvent[];
  until(matches: (event: LibvirtEvent) => boolean): Promise<LibvirtEvent>;
} {
  const events: LibvirtEvent[] = [];
  const changed = new EventTarget();
  libvirt.subscribe((event) => {
    events.push(event);
    changed.dispatchEvent(new Event('event'));
  });
  return {
    events,
    async until(matches) {
      for (;;) {
        const found = events.find(matches);
        if (found !== undefined) return found;
        await once(changed, 'event');
      }
    },
  };
}
