import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Attachment, Call, DiskBackupBegun, Extent, HypervisorDriver, StorageDriver } from '@pileus/core/strategy';
import { expect } from 'chai';
import { run } from '../../../tools/system/command.ts';
import { FULL } from '../../../tools/test/slice.ts';
import { kvm } from '../src/index.ts';
import { LabBackend, required } from './conformance/lab-host.ts';

const MIB = 2 ** 20;
const DISK_BYTES = 24 * MIB;
const CLUSTER_BYTES = 65_536;
const ROOM = { roomBytes: 1024 * MIB };
const call = (more: Partial<Call> = {}): Call => ({
  requestId: randomUUID(),
  signal: new AbortController().signal,
  timeoutMs: 120_000,
  ...more,
});

describe('copies of disks of machines that are on', function () {
  this.timeout(300_000);
  const id = randomUUID();
  const [rootId, volumeId] = [randomUUID(), randomUUID()];
  let backend: LabBackend;
  let hypervisor: HypervisorDriver;
  let storage: StorageDriver;
  let path: string;
  /** What the disk has. */
  const disk = Buffer.alloc(DISK_BYTES);
  /** What was backed up, by its trail. */
  const backups = new Map<string, Buffer>();

  const part = () => hypervisor.diskBackup ?? expect.fail('the driver copies no disks at one instant');
  const contents = () => storage.contents ?? expect.fail('the driver reads no contents');
  const fault = (work: Promise<unknown>) =>
    work.then(
      () => 'no fault',
      (error: unknown) => hypervisor.classify(error),
    );
  /** As the guest's own writes: through the device, above what QEMU puts under it for a copy. */
  const io = async (command: string) => {
    const answer = await backend.virsh(
      'qemu-monitor-command',
      id,
      '--hmp',
      `qemu-io -d /machine/peripheral/ua-vol-${volumeId}/virtio-backend "${command}"`,
    );
    expect(answer, command).to.not.match(/fail|error|No such|not found/i);
  };
  const write = async () => {
    const offset = 512 * randomInt(DISK_BYTES / 512 - 512);
    const length = 512 * (1 + randomInt(256));
    const byte = randomInt(256);
    const kind = randomInt(8);
    if (kind === 0) {
      // What is discarded reads as zeroes by whole clusters.
      const at = CLUSTER_BYTES * randomInt(DISK_BYTES / CLUSTER_BYTES - 8);
      await io(`discard ${at} ${4 * CLUSTER_BYTES}`);
      disk.fill(0, at, at + 4 * CLUSTER_BYTES);
    } else if (kind === 1) {
      await io(`write -z ${offset} ${length}`);
      disk.fill(0, offset, offset + length);
    } else {
      await io(`write -q -P ${byte} ${offset} ${length}`);
      disk.fill(byte, offset, offset + length);
    }
  };
  const writes = async (count: number) => {
    for (let done = 0; done < count; done += 1) await write();
  };
  const place = async (scratchId: string): Promise<Attachment> => {
    await storage.volumes.create({ id: scratchId, sizeBytes: DISK_BYTES }, call());
    return storage.volumes.attach(scratchId, backend.host, call());
  };
  const all = async (scratchId: string) => {
    const read = call();
    return Buffer.concat([
      await contents().read({ volumeId: scratchId }, 0, 8 * MIB, read),
      await contents().read({ volumeId: scratchId }, 8 * MIB, 8 * MIB, read),
      await contents().read({ volumeId: scratchId }, 16 * MIB, 8 * MIB, read),
    ]);
  };
  const written = async (scratchId: string) => {
    const found: Extent[] = [];
    const verb = contents().written ?? expect.fail('the pool does not tell where it was written');
    for await (const each of verb(scratchId, { offsetBytes: 0, lengthBytes: DISK_BYTES }, call())) found.push(each);
    return found;
  };

  interface Made {
    readonly begun: DiskBackupBegun;
    readonly bytes: Buffer;
    readonly readBytes: number;
  }
  /** One, with writes behind its instant, compared byte by byte with what the disk had. */
  const backUp = async (trail: string, since?: string): Promise<Made> => {
    const to = await place(trail);
    const wanted = { volumeId, to, trail, ...ROOM, ...(since === undefined ? {} : { since }) };
    const begun = await part().begin(id, wanted, call());
    const expected = Buffer.from(disk);
    await writes(3);
    await part().finish(id, volumeId, to, call());
    const found = await written(trail);
    const copy = await all(trail);
    const bytes =
      begun.isPart && since !== undefined ? Buffer.from(backups.get(since) ?? expect.fail('no such backup')) : Buffer.alloc(DISK_BYTES);
    for (const { offsetBytes, lengthBytes, hasData } of found) {
      if (hasData) copy.copy(bytes, offsetBytes, offsetBytes, offsetBytes + lengthBytes);
      else bytes.fill(0, offsetBytes, offsetBytes + lengthBytes);
    }
    for (let at = 0; at < DISK_BYTES; at += CLUSTER_BYTES)
      if (bytes.compare(expected, at, at + CLUSTER_BYTES, at, at + CLUSTER_BYTES) !== 0)
        expect.fail(`${begun.isPart ? 'part' : 'all'}: the cluster at ${at} differs`);
    backups.set(trail, bytes);
    await storage.volumes.delete(trail, call());
    return { begun, bytes, readBytes: found.reduce((sum, each) => sum + each.lengthBytes, 0) };
  };

  before(async () => {
    backend = await LabBackend.up();
    const { strategies } = kvm({ virtType: 'tcg' });
    hypervisor = required(strategies.hypervisor).open(backend.host);
    path = join(backend.lab.sharedDir, 'pool');
    storage = required(strategies.storage).open({ poolId: randomUUID(), scope: 'host', host: backend.host, settings: { path } });
    await storage.ensurePool(call());
    for (const each of [rootId, volumeId]) await storage.volumes.create({ id: each, sizeBytes: DISK_BYTES }, call());
    const disks = await Promise.all(
      [rootId, volumeId].map(async (each, slot) => ({
        volumeId: each,
        attachment: await storage.volumes.attach(each, backend.host, call()),
        slot,
        readOnly: false,
      })),
    );
    const size = { vcpus: 1, vcpusMax: 1, memoryBytes: 64 * MIB, memoryBytesMax: 64 * MIB };
    const guest = { guestOs: 'linux', firmware: 'bios', diskBus: 'virtio' } as const;
    await hypervisor.machines.define({ id, name: 'm', owner: 'o', ...size, ...guest, disks, nics: [] }, call());
    await hypervisor.power.start(id, call());
    await hypervisor.power.suspend(id, call());
  });

  after(async () => {
    for (const driver of [hypervisor, storage]) await driver?.close();
    await backend?.close();
  });

  it('have all that was there at their instant, and of what was written since an earlier one nothing else', async () => {
    await writes(40);
    const first = randomUUID();
    const { begun } = await backUp(first);
    expect(begun).to.deep.equal({ isPart: false, hasTrail: true });
    await writes(5);
    const second = randomUUID();
    const made = await backUp(second, first);
    expect(made.begun).to.deep.equal({ isPart: true, hasTrail: true });
    expect(made.readBytes).to.be.within(1, 4 * MIB);
    expect([...(await part().trails(id, volumeId, call()))].sort()).to.deep.equal([first, second].sort());
    // Each trail stands by itself.
    await part().keepTrails(id, volumeId, [second], call());
    const third = randomUUID();
    expect((await backUp(third, first)).begun.isPart).to.equal(false);
    expect((await backUp(randomUUID(), second)).begun.isPart).to.equal(true);
    expect((await backUp(randomUUID(), third)).begun.isPart).to.equal(true);
  });

  it('leave nothing', async () => {
    await part().keepTrails(id, volumeId, [], call());
    expect(await backend.virsh('checkpoint-list', id, '--name')).to.match(/^\s*$/);
    expect((await readdir(path)).sort()).to.deep.equal([rootId, volumeId].map((each) => `volume-${each}.qcow2`).sort());
    void [fault, run, randomBytes, FULL];
  });
});
