import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Attachment, DiskSpec, IsoSpec, MachineSpec, NicSpec } from '@pileus/core/strategy';
import { describeHypervisor, type HypervisorHarness } from '@pileus/core/testing';
import { CephGuest } from '../../../../test/acceptance/storage/ceph-guest.ts';
import { virsh } from '../../../../test/lab/guest-domain.ts';
import { buildGuestImage, haltImage } from '../../../../tools/guest/image.ts';
import { CephCluster } from '../../../../tools/system/ceph-cluster.ts';
import { run } from '../../../../tools/system/command.ts';
import { CACHE_DIR } from '../../../../tools/system/ensure.ts';
import { FULL, inSlice } from '../../../../tools/test/slice.ts';
import { deviceName } from '../../src/hypervisor/disk-xml.ts';
import { kvm } from '../../src/index.ts';
import { LabBackend, required } from './lab-host.ts';

const MIB = 2 ** 20;

describeHypervisor('kvm on a real libvirtd', {
  // The kernel of the test machine has no traffic shaping, and the lab no control groups: see limits.test.ts.
  features: [
    'hotplug',
    'drive',
    'diskBackup',
    'diskCopy',
    'migration',
    'quiesce',
    'usage',
    'resize',
    'growDisk',
    'secrets',
    'diskLimits',
    'serial',
    'vnc',
    'watch',
  ],
  // Each of these boots a guest, and some wait for it to let go of a disk: in a full run only.
  select: (id) => (FULL || !/^(drive\.|resize\.growDisk|secrets\.)/.test(id)) && inSlice(6)(id),
  makeHarness: async (): Promise<HypervisorHarness> => {
    const backend = await LabBackend.up({ hosts: 2 });
    const [ceph, guest, data] = await Promise.all([
      CephCluster.start({ store: 'memstore', address: backend.lab.address }),
      buildGuestImage({ cacheDir: CACHE_DIR, log: () => {} }),
      haltImage({ cacheDir: CACHE_DIR }),
    ]);
    const dir = join(backend.lab.sharedDir, 'disks');
    await mkdir(dir);
    await writeFile(join(dir, 'net.xml'), "<network><name>test</name><bridge name='test0'/></network>");
    for (const host of backend.lab.hosts) {
      await virsh(host, 'net-define', join(dir, 'net.xml'));
      await virsh(host, 'net-start', 'test');
    }
    const vncSocketDir = join(backend.lab.sharedDir, 'vnc');
    await mkdir(vncSocketDir);
    const factory = required(kvm({ virtType: 'tcg', cpuShares: false, nicLimits: false, vncSocketDir }).strategies.hypervisor);
    const target = { hostId: 'h2', uri: `qemu+unix:///system?socket=${backend.lab.host(1).socketPath}` };
    const drivers = [factory.open(backend.host), factory.open(target)];
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
    const base = async () =>
      ({
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
        nics: [await nic(0)],
      }) as const;
    const sealed = async (slot: number, ...content: readonly string[]) => {
      const volumeId = randomUUID();
      const { name: user, key: value } = await ceph.addUser(`disk-${volumeId}`);
      await (content.length === 0
        ? ceph.rbd('create', `rbd/${volumeId}`, '--size=8M')
        : ceph.rbd('import', '--no-progress', ...content, `rbd/${volumeId}`));
      const [secretRef, monitors] = [`ceph of ${user}`, ceph.monitors];
      const attachment = { type: 'rbd', pool: 'rbd', image: volumeId, monitors, user, secretRef } as const;
      return { disk: { volumeId, attachment, slot, readOnly: false }, secretRef, value };
    };
    return Object.assign(backend, {
      close: async () => {
        for (const driver of drivers) await driver.close();
        await backend.lab.down();
        await ceph[Symbol.asyncDispose]();
      },
      open: async () => factory.open(backend.host),
      machine: async (): Promise<MachineSpec> => ({ ...(await base()), disks: [await disk(0, guest)] }),
      // In a form that can have trails.
      disk: async (slot: number) => {
        const path = join(dir, `${randomUUID()}.qcow2`);
        await run(['qemu-img', 'convert', '-O', 'qcow2', data.path, path]);
        return disk(slot, { path, format: 'qcow2' });
      },
      iso: async (): Promise<IsoSpec> => {
        const imageId = randomUUID();
        const path = join(dir, `image-${imageId}.raw`);
        await writeFile(path, Buffer.alloc(MIB, imageId));
        return { imageId, attachment: { type: 'file', path, format: 'raw' } };
      },
      place: async ({ attachment }: DiskSpec): Promise<Attachment> => {
        if (attachment.type !== 'file') throw new Error(`a disk of type ${attachment.type}`);
        const path = join(dir, randomUUID());
        const { 'virtual-size': sizeBytes } = JSON.parse(
          await run(['qemu-img', 'info', '--force-share', '--output=json', attachment.path]),
        );
        await run(['qemu-img', 'create', '-q', '-f', 'qcow2', path, String(sizeBytes)]);
        return { type: 'file', path, format: 'qcow2' };
      },
      sealedDisk: (slot: number) => sealed(slot),
      elsewhere: async () => ({ driver: factory.open(target), endpoint: target, home: backend.host }),
      portable: async (): Promise<MachineSpec> => {
        const raw = join(dir, 'guest.raw');
        await run(['qemu-img', 'convert', '-O', 'raw', guest.path, raw]);
        const { disk, secretRef, value } = await sealed(0, raw);
        const call = { requestId: 'test', signal: new AbortController().signal, timeoutMs: 60_000 };
        for (const driver of drivers) await driver.secrets?.put(secretRef, value, call);
        return { ...(await base()), disks: [disk], record: 'a record' };
      },
      guestDiskBytes: (id: string, { slot }: DiskSpec) => new CephGuest(backend.labHost, id).diskBytes(deviceName('virtio', slot)),
      tear: async (id: string, { attachment }: DiskSpec) => {
        if (attachment.type !== 'file') throw new Error(`a disk of type ${attachment.type}`);
        await backend.virsh('detach-disk', id, attachment.path, '--live');
      },
      nic,
      // The guest's agent is the last thing that it starts.
      booted: async (id: string) => {
        await new CephGuest(backend.labHost, id).booted();
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
