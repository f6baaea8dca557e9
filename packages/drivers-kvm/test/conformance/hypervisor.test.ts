import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DiskSpec, MachineSpec, NicSpec } from '@pileus/core/strategy';
import { describeHypervisor, type HypervisorHarness } from '@pileus/core/testing';
import { buildGuestImage, haltImage } from '../../../../tools/guest/image.ts';
import { CACHE_DIR } from '../../../../tools/system/ensure.ts';
import { inSlice } from '../../../../tools/test/slice.ts';
import { kvm } from '../../src/index.ts';
import { LabBackend, required } from './lab-host.ts';

const MIB = 2 ** 20;

describeHypervisor('kvm on a real libvirtd', {
  // The kernel of the test machine has no traffic shaping, and the lab no control groups: see limits.test.ts.
  features: ['hotplug', 'resize', 'diskLimits', 'serial', 'vnc', 'watch'],
  select: inSlice(4),
  makeHarness: async (): Promise<HypervisorHarness> => {
    const [backend, guest, data] = await Promise.all([
      LabBackend.up(),
      buildGuestImage({ cacheDir: CACHE_DIR, log: () => {} }),
      haltImage({ cacheDir: CACHE_DIR }),
    ]);
    const dir = join(backend.lab.sharedDir, 'disks');
    await mkdir(dir);
    await writeFile(join(dir, 'net.xml'), "<network><name>test</name><bridge name='test0'/></network>");
    await backend.virsh('net-define', join(dir, 'net.xml'));
    await backend.virsh('net-start', 'test');
    const vncSocketDir = join(backend.lab.sharedDir, 'vnc');
    await mkdir(vncSocketDir);
    const factory = required(kvm({ virtType: 'tcg', cpuShares: false, nicLimits: false, vncSocketDir }).strategies.hypervisor);
    let nics = 0;

    const disk = async (slot: number, image: { readonly path: string; readonly format: 'raw' | 'qcow2' }): Promise<DiskSpec> => {
      const volumeId = randomUUID();
      const path = join(dir, volumeId);
      await copyFile(image.path, path);
      return { volumeId, attachment: { type: 'file', path, format: image.format }, slot, readOnly: false };
    };
    const nic = async (slot: number): Promise<NicSpec> => {
      nics += 1;
      const mac = `52:54:00:81:00:${nics.toString(16).padStart(2, '0')}`;
      return { nicId: randomUUID(), mac, plug: { type: 'libvirtNetwork', network: 'test' }, slot };
    };
    return Object.assign(backend, {
      open: async () => factory.open(backend.host),
      machine: async (): Promise<MachineSpec> => ({
        id: randomUUID(),
        name: 'A machine: <&>',
        owner: randomUUID(),
        vcpus: 1,
        vcpusMax: 2,
        memoryBytes: 96 * MIB,
        memoryBytesMax: 128 * MIB,
        guestOs: 'linux',
        firmware: 'bios',
        diskBus: 'virtio',
        disks: [await disk(0, guest)],
        nics: [await nic(0)],
      }),
      disk: (slot: number) => disk(slot, data),
      tear: async (id: string, { attachment }: DiskSpec) => {
        if (attachment.type !== 'file') throw new Error(`a disk of type ${attachment.type}`);
        await backend.virsh('detach-disk', id, attachment.path, '--live');
      },
      nic,
      // The guest's agent is the last thing that it starts.
      booted: async (id: string) => {
        const ping = () => backend.virsh('qemu-agent-command', id, '{"execute":"guest-ping"}', '--timeout', '2');
        while (!(await ping().then(Boolean, () => false))) await sleep(100);
      },

      foreignMachine: async () => {
        const id = randomUUID();
        const path = join(dir, 'foreign.xml');
        await writeFile(
          path,
          `<domain type='qemu'><name>foreign</name><uuid>${id}</uuid><memory unit='MiB'>32</memory><os><type arch='x86_64'>hvm</type></os></domain>`,
        );
        await backend.virsh('define', path);
        return id;
      },
    });
  },
});
