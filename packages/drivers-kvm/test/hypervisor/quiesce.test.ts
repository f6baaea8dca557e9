import { randomUUID } from 'node:crypto';
import { copyFile, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Call, DiskSpec, HypervisorDriver } from '@pileus/core/strategy';
import { expect } from 'chai';
import { CephGuest } from '../../../../test/acceptance/storage/ceph-guest.ts';
import { until } from '../../../../test/lab/waiting.ts';
import { buildGuestImage } from '../../../../tools/guest/image.ts';
import { run } from '../../../../tools/system/command.ts';
import { CACHE_DIR } from '../../../../tools/system/ensure.ts';
import { kvm } from '../../src/index.ts';
import { LabBackend, required } from '../conformance/lab-host.ts';

const MIB = 2 ** 20;
const call = (timeoutMs = 60_000): Call => ({ requestId: 'test', signal: new AbortController().signal, timeoutMs });
/** Numbers, each on the disk before the next, for ever. */
const WRITE = 'n=0; while :; do n=$((n+1)); echo $n >/mnt/count && sync /mnt/count && echo $n >/run/written; usleep 20000; done';

describe('file systems of a guest that is asked to freeze them', function () {
  this.timeout(600_000);
  const id = randomUUID();
  let backend: LabBackend;
  let driver: HypervisorDriver;
  let guest: CephGuest;
  let dataPath: string;
  let copies = 0;

  const opened = () => required(kvm({ virtType: 'tcg' }).strategies.hypervisor).open(backend.host);
  const quiesce = (from = driver) => from.quiesce ?? expect.fail('the driver asks no agents');
  const mayBeFrozen = async () => (await driver.machines.inspect(id, call()))?.mayBeFrozen;
  /** The last number that is on the disk now, and whether its journal would have to be played. */
  const onDisk = async () => {
    copies += 1;
    const copy = join(backend.lab.sharedDir, `copy-${copies}`);
    await copyFile(dataPath, copy);
    return {
      isClean: !(await run(['dumpe2fs', '-h', copy])).includes('needs_recovery'),
      count: Number(await run(['debugfs', '-R', 'cat count', copy])),
    };
  };
  const answered = (work: Promise<unknown>) =>
    work.then(
      () => true as const,
      () => undefined,
    );
  /** Waits until the guest has written more than it had. */
  const goesOn = async () => {
    const before = Number(await guest.run('cat', '/run/written'));
    await until('the guest to write on', async () => Number(await guest.run('cat', '/run/written')) > before || undefined);
  };

  before(async () => {
    backend = await LabBackend.up();
    driver = opened();
    const image = await buildGuestImage({ cacheDir: CACHE_DIR, log: () => {} });
    const disk = async (slot: number, source: string, format: 'qcow2' | 'raw'): Promise<DiskSpec> => {
      const volumeId = randomUUID();
      const path = join(backend.lab.sharedDir, volumeId);
      await copyFile(source, path);
      return { volumeId, attachment: { type: 'file', path, format }, slot, readOnly: false };
    };
    const empty = join(backend.lab.sharedDir, 'empty');
    await using file = await open(empty, 'w');
    await file.truncate(16 * MIB);
    await run(['mkfs.ext4', '-q', empty]);
    const data = await disk(1, empty, 'raw');
    dataPath = data.attachment.type === 'file' ? data.attachment.path : '';
    await driver.machines.define(
      {
        ...{ id, name: 'm', owner: 'o', vcpus: 1, vcpusMax: 1, memoryBytes: 96 * MIB, memoryBytesMax: 96 * MIB },
        ...{ guestOs: 'linux', firmware: 'bios', diskBus: 'virtio' },
        disks: [await disk(0, image.path, image.format), data],
        nics: [],
      },
      call(),
    );
    await driver.power.start(id, call());
  });

  after(async () => {
    await driver?.close();
    await backend?.close();
  });

  it('without an agent that answers yet, or without a file system of a disk, there is nothing to freeze, and nothing is left of it', async () => {
    const refusal = () =>
      quiesce()
        .freeze(id, call())
        .then(
          () => 'frozen',
          (error) => driver.classify(error),
        );
    expect(await refusal()).to.equal('unsupported');
    expect(await mayBeFrozen()).to.equal(undefined);
    guest = await new CephGuest(backend.labHost, id).booted();
    expect(await refusal()).to.equal('unsupported');
    expect(await mayBeFrozen()).to.equal(undefined);
  });

  it('are clean and the same on the disk for as long as they are held, and go on after', async () => {
    await guest.shell('mkdir -p /mnt && mount -t ext4 /dev/vdb /mnt');
    await guest.begin(WRITE);
    await until('writes', async () => Number((await guest.attempt('cat', '/run/written')).output) > 5 || undefined);
    expect((await onDisk()).isClean, 'mounted and written to').to.equal(false);
    for (let round = 0; round < 2; round += 1) await quiesce().freeze(id, call());
    expect(await mayBeFrozen()).to.equal(true);
    const first = await onDisk();
    expect(first.isClean).to.equal(true);
    expect(first.count).to.be.above(5);
    expect(await onDisk()).to.deep.equal(first);
    expect(await quiesce().thaw(id, call())).to.equal(true);
    expect(await quiesce().thaw(id, call())).to.equal(false);
    expect(await mayBeFrozen()).to.equal(undefined);
    await goesOn();
  });

  it('are thawed by another process when the one that froze them is gone', async () => {
    await quiesce().freeze(id, call());
    await driver.close();
    driver = opened();
    expect(await mayBeFrozen()).to.equal(true);
    expect(await quiesce().thaw(id, call())).to.equal(true);
    await goesOn();
  });

  it('show that they may be frozen while a call that was given up may land, and can be thawed then', async () => {
    await backend.freeze();
    const lost = await quiesce()
      .freeze(id, call(500))
      .then(
        () => 'frozen',
        (error) => driver.classify(error),
      );
    await backend.thaw();
    expect(lost).to.be.oneOf(['unknown_outcome', 'unavailable']);
    // Libvirtd may have to be started again; what it was sent lands, or it does not.
    await until('libvirtd', () => answered(backend.settle()));
    await until('the guest', () => answered(quiesce().thaw(id, call())));
    await goesOn();
  });

  it('are out of reach while the agent is not there: the machine shows it until it is', async () => {
    await quiesce().freeze(id, call());
    await driver.power.suspend(id, call());
    expect(await quiesce().thaw(id, call()), 'a guest that is paused cannot be asked').to.equal(false);
    expect(await mayBeFrozen()).to.equal(true);
    await driver.power.resume(id, call());
    expect(await quiesce().thaw(id, call())).to.equal(true);
    await goesOn();
  });

  it('end with the machine', async () => {
    await quiesce().freeze(id, call());
    await driver.power.powerOff(id, call());
    expect(await mayBeFrozen()).to.equal(undefined);
    expect(await quiesce().thaw(id, call())).to.equal(false);
  });
});
