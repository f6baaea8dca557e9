import { createHash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Call, HypervisorDriver, NetworkDriver, StorageDriver } from '@pileus/core/strategy';
import { expect } from 'chai';
import { CephGuest } from '../../../test/acceptance/storage/ceph-guest.ts';
import { until } from '../../../test/lab/waiting.ts';
import { kvm } from '../src/index.ts';
import { readUntil } from './byte-stream.ts';
import { LabBackend, required } from './conformance/lab-host.ts';
import { putGuestImage } from './put-guest-image.ts';

const MIB = 2 ** 20;
const call = (): Call => ({ requestId: 'test', signal: new AbortController().signal, timeoutMs: 60_000 });

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

describe('a guest on the three drivers of one host', function () {
  this.timeout(240_000);
  let backend: LabBackend;
  let hypervisor: HypervisorDriver;
  let storage: StorageDriver;
  let networks: NetworkDriver;

  before(async () => {
    backend = await LabBackend.up();
    const { strategies } = kvm({ virtType: 'tcg' });
    const { host } = backend;
    hypervisor = required(strategies.hypervisor).open(host);
    const settings = { path: join(backend.lab.sharedDir, 'pool') };
    storage = required(strategies.storage).open({ poolId: randomUUID(), scope: 'host', host, settings });
    networks = required(strategies.network).open({ host });
  });

  after(async () => {
    for (const driver of [hypervisor, storage, networks]) await driver?.close();
    await backend?.close();
  });

  /** A driver of the guest that takes hold of its bus resets what is on it: the tray is closed then, and libvirt takes it for open. */
  async function closeTrayUnheard(machineId: string, guest: CephGuest): Promise<void> {
    const open = { execute: 'blockdev-open-tray', arguments: { id: 'scsi0-0-2-0', force: true } };
    const takenForOpen = async () => (await backend.virsh('dumpxml', machineId)).includes("tray='open'") || undefined;
    await backend.virsh('qemu-monitor-command', machineId, JSON.stringify(open));
    await until('libvirt to hear of it', takenForOpen);
    await guest.shell(
      'cd /sys/bus/virtio/drivers/virtio_scsi && for each in virtio*; do echo $each >unbind; echo $each >bind; done; test -e /dev/sr0 || sleep 1',
    );
    expect(await takenForOpen()).to.equal(true);
  }

  /** What is in the drive is what the pool has, as the guest reads it; what the guest has open is ejected by force alone. Its id, with the drive empty. */
  async function readsIso(machineId: string): Promise<string> {
    const { drive } = hypervisor;
    if (drive === undefined) throw new Error('the driver has no drives');
    const guest = await new CephGuest(backend.labHost, machineId).booted();
    const imageId = randomUUID();
    const bytes = Buffer.alloc(256 * 1024, `ISO ${imageId} `);
    const content = { sizeBytes: bytes.length, open: () => once(bytes) };
    await storage.images.put({ id: imageId, format: 'raw', virtualSizeBytes: bytes.length, content }, call());
    const attachment = (await storage.images.attach?.(imageId, call())) ?? expect.fail('the pool shows no images');
    const digest = createHash('sha1').update(bytes).digest('hex');
    const read = async () => (await guest.attempt('sh', '-c', 'sha1sum </dev/sr0')).output.split(' ')[0];
    expect(await read(), 'nothing is in the drive').not.to.equal(digest);
    for (const next of [randomUUID(), imageId]) {
      await closeTrayUnheard(machineId, guest);
      await drive.insert(machineId, { imageId: next, attachment }, call());
    }
    await until('the guest to read the ISO', async () => (await read()) === digest || undefined);
    // The kernel locks the tray for who has the disc open.
    await guest.begin('exec 3</dev/sr0 && touch /run/held && sleep 1000');
    await until('the guest to hold the ISO', async () => (await guest.attempt('test', '-e', '/run/held')).exitCode === 0 || undefined);
    expect(await drive.eject(machineId, false, call()).then(() => 'open', hypervisor.classify)).to.equal('conflict');
    expect((await hypervisor.machines.inspect(machineId, call()))?.isoId).to.equal(imageId);
    await drive.eject(machineId, true, call());
    expect((await hypervisor.machines.inspect(machineId, call()))?.isoId).to.equal(undefined);
    await until('the guest to find nothing', async () => (await read()) !== digest || undefined);
    return imageId;
  }

  it('boots from a clone of an image, answers on the address of its port, reads the ISO in its drive, and leaves nothing', async () => {
    const [volumeId, networkId, nicId, id] = [1, 2, 3, 4].map(() => randomUUID()) as [string, string, string, string];
    await storage.ensurePool(call());
    const imageId = await putGuestImage(storage, call());
    await storage.volumes.create({ id: volumeId, sizeBytes: 64 * MIB, imageId }, call());
    const attachment = await storage.volumes.attach(volumeId, backend.host, call());
    const subnet = { id: randomUUID(), cidr: '10.84.0.0/24', gateway: '10.84.0.1', dnsServers: [] };
    await networks.ensureNetwork({ id: networkId, name: 'n', owner: 'o', mode: 'nat', subnets: [subnet] }, call());
    const mac = '52:54:00:84:00:09';
    const plug = await networks.ensurePort(
      { nicId, networkId, mac, addresses: ['10.84.0.9'], subnetIds: [subnet.id], hostname: 'web', owner: 'o' },
      call(),
    );

    const size = { vcpus: 1, vcpusMax: 2, memoryBytes: 96 * MIB, memoryBytesMax: 128 * MIB };
    const profile = { guestOs: 'linux', firmware: 'bios', diskBus: 'virtio' } as const;
    const disks = [{ volumeId, attachment, slot: 0, readOnly: false }];
    await hypervisor.machines.define(
      { id, name: 'm', owner: 'o', ...size, ...profile, disks, nics: [{ nicId, mac, plug, slot: 0 }] },
      call(),
    );
    await hypervisor.power.start(id, call());
    const console = (await hypervisor.consoles?.serial?.(id, call())) ?? expect.fail('the driver offers no such console');
    const answer = await until('the guest to answer', () => backend.labHost.httpGet('http://10.84.0.9/').catch(() => undefined));
    expect(JSON.parse(answer).nics).to.deep.equal([{ name: 'eth0', mac, address: '10.84.0.9/24' }]);
    // Its shell comes last, and does not hear what was said before.
    const writer = console.writable.getWriter();
    const asking = setInterval(() => void writer.write(Buffer.from('echo six times seven: $((6 * 7))\n')).catch(() => undefined), 1_000);
    await readUntil(console, 'six times seven: 42').finally(() => clearInterval(asking));

    const isoId = await readsIso(id);
    await hypervisor.machines.remove(id, call());
    await storage.images.delete(isoId, call());
    await networks.deletePort({ nicId, networkId }, call());
    await networks.deleteNetwork(networkId, call());
    await storage.volumes.release(volumeId, backend.host, call());
    await storage.volumes.delete(volumeId, call());
    await storage.images.delete(imageId, call());
    expect((await backend.virsh('list', '--all', '--name')).trim()).to.equal('');
    expect((await backend.virsh('net-list', '--all', '--name')).trim()).to.equal('');
    const [pool] = (await backend.virsh('pool-list', '--all', '--name')).trim().split('\n');
    expect((await backend.virsh('vol-list', pool ?? '')).trim()).to.equal('');
  });
});
