import { randomBytes, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Attachment, Call, DiskSpec, HypervisorDriver, StorageDriver } from '@pileus/core/strategy';
import { expect } from 'chai';
import { CephGuest } from '../../../test/acceptance/storage/ceph-guest.ts';
import { until } from '../../../test/lab/waiting.ts';
import { run } from '../../../tools/system/command.ts';
import { kvm } from '../src/index.ts';
import { LabBackend, required } from './conformance/lab-host.ts';
import { putGuestImage } from './put-guest-image.ts';

const MIB = 2 ** 20;
const WORD = 'what-nobody-else-may-read';
const call = (): Call => ({ requestId: 'test', signal: new AbortController().signal, timeoutMs: 180_000 });

describe('a guest on encrypted disks', function () {
  this.timeout(600_000);
  const key = randomBytes(32).toString('base64');
  const [rootId, dataId, id] = [randomUUID(), randomUUID(), randomUUID()];
  let imageId: string;
  let backend: LabBackend;
  let hypervisor: HypervisorDriver;
  let storage: StorageDriver;
  let guest: CephGuest;
  let data: DiskSpec;

  const encryption = () => storage.encryption ?? expect.fail('the driver encrypts nothing');
  const secrets = () => hypervisor.secrets ?? expect.fail('the driver keeps no secrets');
  const fileOf = (attachment: Attachment) => (attachment.type === 'file' ? attachment.path : expect.fail('no file'));
  const disk = async (volumeId: string, slot: number, value: string): Promise<DiskSpec> => {
    const attachment = await storage.volumes.attach(volumeId, backend.host, call());
    await secrets().put(attachment.encryption?.secretRef ?? expect.fail('it is not encrypted'), value, call(), 'luks');
    return { volumeId, attachment, slot, readOnly: false };
  };

  before(async () => {
    backend = await LabBackend.up();
    const { strategies } = kvm({ virtType: 'tcg' });
    const { host } = backend;
    hypervisor = required(strategies.hypervisor).open(host);
    const settings = { path: join(backend.lab.sharedDir, 'pool') };
    storage = required(strategies.storage).open({ poolId: randomUUID(), scope: 'host', host, settings });
    await storage.ensurePool(call());
    imageId = await putGuestImage(storage, call());
    await encryption().create({ id: rootId, sizeBytes: 64 * MIB, imageId, key }, call());
    await encryption().create({ id: dataId, sizeBytes: 8 * MIB, key }, call());
  });

  after(async () => {
    for (const driver of [hypervisor, storage]) await driver?.close();
    await backend?.close();
  });

  it('does not start with another key, and boots with its own', async () => {
    const size = { vcpus: 1, vcpusMax: 1, memoryBytes: 96 * MIB, memoryBytesMax: 96 * MIB };
    const root = await disk(rootId, 0, randomBytes(32).toString('base64'));
    await hypervisor.machines.define(
      { id, name: 'm', owner: 'o', ...size, guestOs: 'linux', firmware: 'bios', diskBus: 'virtio', disks: [root], nics: [] },
      call(),
    );
    const refused = await hypervisor.power.start(id, call()).then(
      () => 'started',
      (error) => hypervisor.classify(error),
    );
    expect(refused).to.equal('conflict');
    await disk(rootId, 0, key);
    await hypervisor.power.start(id, call());
    guest = await new CephGuest(backend.labHost, id).booted();
  });

  it('reads what it wrote; its host has nothing but ciphertext', async () => {
    data = await disk(dataId, 1, key);
    await hypervisor.hotplug?.attachDisk(id, data, call());
    await until('the disk in the guest', async () => (await guest.attempt('test', '-b', '/dev/vdb')).exitCode === 0 || undefined);
    for (const device of ['vda', 'vdb'])
      await guest.shell(`echo ${WORD} | dd of=/dev/${device} bs=512 seek=12000 conv=sync,fsync 2>/dev/null`);
    for (const device of ['vda', 'vdb'])
      expect(await guest.shell(`dd if=/dev/${device} bs=512 skip=12000 count=1 iflag=direct 2>/dev/null | tr -d "\\000"`)).to.equal(WORD);
    const files = await readdir(join(backend.lab.sharedDir, 'pool'));
    expect(files.length).to.be.above(2);
    for (const name of files) expect((await readFile(join(backend.lab.sharedDir, 'pool', name))).includes(WORD), name).to.equal(false);
  });

  it('sees an encrypted disk grow while it runs', async () => {
    await hypervisor.resize?.growDisk?.(id, dataId, 16 * MIB, call());
    await until('the growth', async () => (await guest.diskBytes('vdb')) === 16 * MIB || undefined);
    expect((await storage.inspect('volume', dataId, call()))?.sizeBytes).to.equal(16 * MIB);
  });

  it('shows its key to nobody on the way', async () => {
    const places: Record<string, string> = {
      definition: await backend.virsh('dumpxml', id, '--security-info'),
      processes: await run(['ps', '-eww', '-o', 'args']),
      volume: await run(['qemu-img', 'info', '--force-share', '--output=json', fileOf(data.attachment)]),
      log: await readFile(join(backend.labHost.rootDir, 'log/qemu', `pileus-${id}.log`), 'utf8'),
    };
    for (const [place, text] of Object.entries(places)) {
      expect(text, place).not.to.equal('');
      expect(text.includes(key), place).to.equal(false);
    }
    expect(JSON.parse(places.volume ?? '')['format-specific'].data.encrypt.format).to.equal('luks');
  });

  it('leaves nothing', async () => {
    await hypervisor.hotplug?.detachDisk(id, dataId, call());
    await hypervisor.machines.remove(id, call());
    for (const volumeId of [rootId, dataId]) {
      await storage.volumes.release(volumeId, backend.host, call());
      await secrets().delete(encryption().secretRef(volumeId), call());
      await storage.volumes.delete(volumeId, call());
    }
    expect((await backend.virsh('secret-list')).trim()).to.equal('');
    await storage.images.delete(imageId, call());
    expect(await readdir(join(backend.lab.sharedDir, 'pool'))).to.deep.equal([]);
  });
});
