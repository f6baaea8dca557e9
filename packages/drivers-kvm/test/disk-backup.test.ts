import { randomInt, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Attachment, Call, DiskBackupBegun, Extent, HypervisorDriver, StorageDriver } from '@pileus/core/strategy';
import { expect } from 'chai';
import { until } from '../../../test/lab/waiting.ts';
import { attempt, run } from '../../../tools/system/command.ts';
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
  const start = async () => {
    await hypervisor.power.start(id, call());
    await hypervisor.power.suspend(id, call());
  };
  const killQemu = async (flushes = true) => {
    // What a guest has not flushed may be lost with it.
    if (flushes) await io('flush');
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (command.includes('qemu-system') && command.includes(`-uuid\0${id}`)) process.kill(Number(pid), 'SIGKILL');
    }
    await until('the machine to be off', async () => (await hypervisor.machines.inspect(id, call()))?.power !== 'paused' || undefined);
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
    await start();
  });

  after(async () => {
    for (const driver of [hypervisor, storage]) await driver?.close();
    await backend?.close();
  });

  it('have all that was there at their instant, and of what was written since an earlier one nothing else', async () => {
    await writes(FULL ? 40 : 12);
    const first = randomUUID();
    const { begun } = await backUp(first);
    expect(begun).to.include({ isPart: false, hasTrail: true });
    await writes(5);
    const second = randomUUID();
    const made = await backUp(second, first);
    expect(made.begun).to.include({ isPart: true, hasTrail: true });
    expect(made.readBytes).to.be.within(1, 4 * MIB);
    expect([...(await part().trails(id, volumeId, call()))].sort()).to.deep.equal([first, second].sort());
    // Each trail stands by itself.
    await part().keepTrails(id, volumeId, [second], call());
    const third = randomUUID();
    expect((await backUp(third, first)).begun.isPart).to.equal(false);
    expect((await backUp(randomUUID(), second)).begun.isPart).to.equal(true);
    expect((await backUp(randomUUID(), third)).begun.isPart).to.equal(true);
  });

  it('miss nothing, whatever becomes of the machine and of libvirt between them', async () => {
    const events: Readonly<Record<string, () => Promise<unknown>>> = {
      nothing: async () => {},
      // QEMU keeps the trails in the file when it ends well.
      'power off': async () => {
        await hypervisor.power.powerOff(id, call());
        await start();
      },
      'libvirtd killed': async () => {
        await backend.labHost.killDaemon();
        await backend.labHost.startDaemon();
      },
      reset: () => hypervisor.power.reset(id, call()),
      'a copy cancelled': async () => {
        const scratchId = randomUUID();
        await part().begin(id, { volumeId, to: await place(scratchId), trail: scratchId, ...ROOM }, call());
        await write();
        await part().cancel(id, volumeId, scratchId, call());
        await storage.volumes.delete(scratchId, call());
      },
      'QEMU killed': async () => {
        await killQemu();
        await start();
      },
    };
    // The others take their time: of the full run.
    const names = FULL ? Object.keys(events) : ['power off', 'QEMU killed'];
    let last = randomUUID();
    await backUp(last);
    for (let round = 0; round < (FULL ? 40 : names.length); round += 1) {
      const name = FULL ? (names[randomInt(names.length)] ?? '') : (names[round] ?? '');
      await writes(2);
      await events[name]?.();
      await writes(2);
      const next = randomUUID();
      const { begun } = await backUp(next, last).catch((cause: unknown) => {
        throw new Error(`after ${name}`, { cause });
      });
      expect(begun, name).to.include({ isPart: name !== 'QEMU killed', hasTrail: true });
      await part().keepTrails(id, volumeId, [next], call());
      last = next;
    }
    expect(await part().trails(id, volumeId, call())).to.deep.equal([last]);
  });

  it('that break off with QEMU are told so, or are whole; and none is begun without room for it', async () => {
    const none = randomUUID();
    const tooSmall = { volumeId, to: await place(none), trail: none, roomBytes: MIB };
    await writes(10);
    expect(await fault(part().begin(id, tooSmall, call()))).to.equal('exhausted');
    await storage.volumes.delete(none, call());
    expect(await part().trails(id, volumeId, call())).to.not.include(none);
    for (let round = 0; round < (FULL ? 10 : 1); round += 1) {
      const trail = randomUUID();
      const to = await place(trail);
      await io(`write -q -P ${1 + round} 0 16M`);
      disk.fill(1 + round, 0, 16 * MIB);
      await io('flush');
      await part().begin(id, { volumeId, to, trail, ...ROOM }, call());
      await killQemu(false);
      const told = await fault(part().finish(id, volumeId, to, call()));
      expect(told).to.be.oneOf(['unavailable', 'no fault']);
      if (told === 'no fault') expect((await all(trail)).equals(disk), 'it is whole').to.equal(true);
      await storage.volumes.delete(trail, call());
      await start();
    }
    await part().keepTrails(id, volumeId, [], call());
  });

  if (FULL)
    it('are of a disk as large as it was: one that grows has no trails, whether they are right or not', async () => {
      const file = join(path, `volume-${volumeId}.qcow2`);
      const grow = {
        on: () => hypervisor.resize?.growDisk?.(id, volumeId, DISK_BYTES + MIB, call()),
        off: async () => {
          await hypervisor.power.powerOff(id, call());
          await storage.volumes.resize?.(volumeId, DISK_BYTES + MIB, call());
        },
      };
      for (const when of ['on', 'off'] as const)
        for (const isRight of [true, false]) {
          const trail = randomUUID();
          await backUp(trail);
          await hypervisor.power.powerOff(id, call());
          expect(await run(['qemu-img', 'info', file])).to.include(trail);
          await start();
          // It says of them in the file that they are in use, until it ends well.
          if (!isRight) {
            await killQemu();
            if (when === 'on') await start();
          }
          await grow[when]();
          expect(await part().trails(id, volumeId, call())).to.deep.equal([]);
          await hypervisor.power.powerOff(id, call());
          expect(await run(['qemu-img', 'info', file]), `${when} ${isRight}`).to.not.include(trail);
          expect((await attempt(['qemu-img', 'check', '-q', file])).exitCode, 'sound, or with clusters that nobody has').to.be.oneOf([
            0, 3,
          ]);
          await run(['qemu-img', 'resize', '--shrink', '-q', file, String(DISK_BYTES)]);
          await start();
          expect((await backUp(randomUUID(), trail)).begun).to.include({ isPart: false, hasTrail: true });
          await part().keepTrails(id, volumeId, [], call());
        }
    });

  it('leave nothing', async () => {
    await part().keepTrails(id, volumeId, [], call());
    expect(await backend.virsh('checkpoint-list', id, '--name')).to.match(/^\s*$/);
    expect((await readdir(path)).sort()).to.deep.equal([rootId, volumeId].map((each) => `volume-${each}.qcow2`).sort());
  });
});
