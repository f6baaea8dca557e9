import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Attachment, Call, DiskSpec, HypervisorDriver, StorageDriver } from '@pileus/core/strategy';
import { expect } from 'chai';
import { CephGuest } from '../../../test/acceptance/storage/ceph-guest.ts';
import { until } from '../../../test/lab/waiting.ts';
import { run } from '../../../tools/system/command.ts';
import { FULL } from '../../../tools/test/slice.ts';
import { kvm } from '../src/index.ts';
import { LabBackend, required } from './conformance/lab-host.ts';
import { putGuestImage } from './put-guest-image.ts';

const MIB = 2 ** 20;
const WORD = 'what-nobody-else-may-read';
const sha1 = (bytes: Uint8Array) => createHash('sha1').update(bytes).digest('hex');
const call = (): Call => ({ requestId: 'test', signal: new AbortController().signal, timeoutMs: 180_000 });

describe('a guest on encrypted disks', function () {
  this.timeout(600_000);
  const key = randomBytes(32).toString('base64');
  const [rootId, dataId, id] = [randomUUID(), randomUUID(), randomUUID()];
  let imageId: string;
  let backend: LabBackend;
  let hypervisor: HypervisorDriver;
  let storage: StorageDriver;
  let other: StorageDriver;
  /** Where the second disk is. */
  let dataPool: StorageDriver;
  let guest: CephGuest;
  let data: DiskSpec;

  const encryption = () => storage.encryption ?? expect.fail('the driver encrypts nothing');
  const contentsOf = (driver: StorageDriver) => driver.encryption?.contents ?? expect.fail('the driver reads nothing by keys');
  const filled = randomBytes(8 * MIB).fill(0, MIB, 3 * MIB);
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
    const open = (name: string) =>
      required(strategies.storage).open({
        ...{ poolId: randomUUID(), scope: 'host', host },
        settings: { path: join(backend.lab.sharedDir, name) },
      });
    hypervisor = required(strategies.hypervisor).open(host);
    [storage, other] = [open('pool'), open('other')];
    dataPool = storage;
    for (const each of [storage, other]) await each.ensurePool(call());
    imageId = await putGuestImage(storage, call());
    await encryption().create({ id: rootId, sizeBytes: 64 * MIB, imageId, key }, call());
    await encryption().create({ id: dataId, sizeBytes: 8 * MIB, key, toFill: true }, call());
    await contentsOf(storage).write({ volumeId: dataId, key }, 0, filled, call());
  });

  after(async () => {
    for (const driver of [hypervisor, storage, other]) await driver?.close();
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

  it('reads what was written by the key before, and what it wrote; its host has nothing but ciphertext', async () => {
    data = await disk(dataId, 1, key);
    await hypervisor.hotplug?.attachDisk(id, data, call());
    await until('the disk in the guest', async () => (await guest.attempt('test', '-b', '/dev/vdb')).exitCode === 0 || undefined);
    expect(await guest.shell('sha1sum </dev/vdb')).to.include(sha1(filled));
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

  // Some seconds of a processor for each header that is made.
  if (FULL)
    it('goes on while an encrypted disk of its own moves to another pool, where it is ciphertext of the same key', async () => {
      const copies = hypervisor.diskCopy ?? expect.fail('the driver copies no disks');
      await other.encryption?.create({ id: dataId, sizeBytes: 16 * MIB, key }, call());
      const to = await other.volumes.attach(dataId, backend.host, call());
      const ref = to.encryption?.secretRef ?? expect.fail('it is not encrypted');
      expect(ref).not.to.equal(encryption().secretRef(dataId));
      await secrets().put(ref, key, call(), 'luks');
      await copies.copy(id, dataId, to, {}, call());
      await guest.shell(`echo ${WORD} | dd of=/dev/vdb bs=512 seek=20000 conv=sync,fsync 2>/dev/null`);
      await hypervisor.power.suspend(id, call());
      await until('both to be alike', async () => (await copies.look(id, dataId, to, call())) === 'both' || undefined);
      await copies.pivot(id, dataId, to, call());
      await hypervisor.power.resume(id, call());
      await storage.volumes.release(dataId, backend.host, call());
      await secrets().delete(encryption().secretRef(dataId), call());
      await storage.volumes.delete(dataId, call());
      for (const at of [12000, 20000])
        expect(await guest.shell(`dd if=/dev/vdb bs=512 skip=${at} count=1 iflag=direct 2>/dev/null | tr -d "\\000"`)).to.equal(WORD);
      expect((await readFile(fileOf(to))).includes(WORD)).to.equal(false);
      const definition = await backend.virsh('dumpxml', id, '--inactive');
      expect(definition).to.include(fileOf(to)).and.not.to.include(fileOf(data.attachment));
      expect(definition.match(/<encryption format='luks'/g)).to.have.length(2);
      data = { ...data, attachment: to };
      dataPool = other;
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

  it('is off, and what it had is read by the key, what its image shows too', async () => {
    const disks = [
      { device: 'vda', volumeId: rootId, driver: storage },
      ...(FULL ? [{ device: 'vdb', volumeId: dataId, driver: dataPool }] : []),
    ];
    const seen = await Promise.all(disks.map(({ device }) => guest.shell(`sync; head -c ${8 * MIB} /dev/${device} | sha1sum`)));
    await hypervisor.power.powerOff(id, call());
    for (const [at, { device, volumeId, driver }] of disks.entries()) {
      const bytes = Buffer.from(await contentsOf(driver).read({ volumeId, key }, 0, 8 * MIB, call()));
      expect(seen[at], device).to.include(sha1(bytes));
      expect(bytes.indexOf(WORD), device).to.equal(12000 * 512);
    }
  });

  it('leaves nothing', async () => {
    await hypervisor.hotplug?.detachDisk(id, dataId, call());
    await hypervisor.machines.remove(id, call());
    for (const [driver, volumeId] of [
      [storage, rootId],
      [dataPool, dataId],
    ] as const) {
      await driver.volumes.release(volumeId, backend.host, call());
      await secrets().delete(driver.encryption?.secretRef(volumeId) ?? expect.fail('it encrypts nothing'), call());
      await driver.volumes.delete(volumeId, call());
    }
    expect((await backend.virsh('secret-list')).trim()).to.equal('');
    await storage.images.delete(imageId, call());
    for (const name of ['pool', 'other']) expect(await readdir(join(backend.lab.sharedDir, name)), name).to.deep.equal([]);
  });
});
