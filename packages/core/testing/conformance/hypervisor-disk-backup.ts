import { expect } from 'chai';
import type { Attachment, Call, DiskBackup, DiskBackupBegun, DiskSpec, MachineSpec } from '../../src/strategy/index.ts';
import type { Complete, PreparedCall } from './frozen.ts';
import { UNANSWERED } from './harness.ts';
import type { HypervisorStage } from './hypervisor.ts';
import { part } from './hypervisor-change.ts';

/** A machine that runs, with a disk beside its own, and a place for a copy of that. */
interface Scene {
  readonly spec: MachineSpec;
  readonly disk: DiskSpec;
  readonly to: Attachment;
}

const ROOM_BYTES = 2 ** 40;

class Copies {
  readonly #stage: HypervisorStage;

  constructor(stage: HypervisorStage) {
    this.#stage = stage;
  }

  get #verbs() {
    return part(this.#stage.driver, 'diskBackup');
  }

  async scene(): Promise<Scene> {
    const disk = await this.#stage.harness.disk(1);
    const base = await this.#stage.machine();
    const spec = await this.#stage.running({ ...base, disks: [...base.disks, disk] });
    return { spec, disk, to: await this.#stage.harness.place(disk) };
  }

  place({ disk }: Scene): Promise<Attachment> {
    return this.#stage.harness.place(disk);
  }

  /** The place has room for all that there may be. */
  begin({ spec, disk, to }: Scene, more: Partial<DiskBackup> & { trail: string }, call = this.#stage.call()): Promise<DiskBackupBegun> {
    return this.#verbs.begin(spec.id, { volumeId: disk.volumeId, to, roomBytes: ROOM_BYTES, ...more }, call);
  }

  finish({ spec, disk }: Scene, to: Attachment): Promise<void> {
    return this.#verbs.finish(spec.id, disk.volumeId, to, this.#stage.call(this.#stage.timeouts.guestMs));
  }

  cancel({ spec, disk }: Scene, trail: string, call = this.#stage.call()): Promise<void> {
    return this.#verbs.cancel(spec.id, disk.volumeId, trail, call);
  }

  async trails({ spec, disk }: Scene): Promise<readonly string[]> {
    return [...(await this.#verbs.trails(spec.id, disk.volumeId, this.#stage.call()))].sort();
  }

  keep({ spec, disk }: Scene, kept: readonly string[], call = this.#stage.call()): Promise<void> {
    return this.#verbs.keepTrails(spec.id, disk.volumeId, kept, call);
  }

  /** One from its beginning to its end, in a place of its own. */
  async made(at: Scene, trail: string, since?: string): Promise<DiskBackupBegun> {
    const to = await this.place(at);
    const begun = await this.begin(at, { to, trail, ...(since === undefined ? {} : { since }) });
    await this.finish(at, to);
    return begun;
  }
}

/** The contract of `diskBackup`, sentence by sentence, but for the bytes, which each driver compares with what its guests have written. */
export function diskBackupTests(stage: HypervisorStage): void {
  const copies = new Copies(stage);

  stage.selected('a disk is copied, all of it or what was written since a trail, and each trail stays until it is ended', async () => {
    const at = await copies.scene();
    const before = await stage.see(at.spec.id);
    expect(await copies.trails(at)).to.deep.equal([]);
    expect(await copies.made(at, 'a')).to.include({ isPart: false, hasTrail: true });
    expect(await copies.made(at, 'b', 'a')).to.include({ isPart: true, hasTrail: true });
    expect(await copies.made(at, 'c', 'a')).to.include({ isPart: true, hasTrail: true });
    expect(await copies.trails(at)).to.deep.equal(['a', 'b', 'c']);
    for (let round = 0; round < 2; round += 1) await copies.keep(at, ['b']);
    expect(await copies.trails(at)).to.deep.equal(['b']);
    expect(await copies.made(at, 'd', 'a')).to.include({ isPart: false, hasTrail: true });
    expect(await stage.see(at.spec.id)).to.deep.equal(before);
  });

  stage.selected('one that is cancelled is under way no more, and its trail has gone', async () => {
    const at = await copies.scene();
    for (let round = 0; round < 2; round += 1) await copies.cancel(at, 'a');
    await copies.begin(at, { trail: 'a' });
    for (let round = 0; round < 2; round += 1) await copies.cancel(at, 'a');
    expect(await copies.trails(at)).to.deep.equal([]);
    expect(await copies.made(at, 'b')).to.include({ isPart: false, hasTrail: true });
    expect(await copies.trails(at)).to.deep.equal(['b']);
  });

  stage.selected('is refused for what is off or absent, and ends with its machine', async () => {
    const at = await copies.scene();
    const absent = { ...at, disk: { ...at.disk, volumeId: stage.newId() } };
    expect(await stage.fault(copies.begin(absent, { trail: 'a' }))).to.equal('not_found');
    expect(await copies.trails(absent)).to.deep.equal([]);
    expect(await stage.fault(copies.begin(at, { trail: 'a b' }))).to.equal('invalid');
    await copies.made(at, 'a');
    expect(await stage.fault(copies.finish(at, at.to)), 'nobody knows of it').to.equal('unavailable');
    await copies.begin(at, { trail: 'c' });
    await stage.driver.power.powerOff(at.spec.id, stage.call());
    expect(await copies.trails(at)).to.deep.equal([]);
    await copies.cancel(at, 'a');
    await copies.keep(at, []);
    expect(await stage.fault(copies.begin({ ...at, to: await copies.place(at) }, { trail: 'b' }))).to.equal('conflict');
    const gone = { ...at, spec: { ...at.spec, id: stage.newId() } };
    expect(await copies.trails(gone)).to.deep.equal([]);
    await copies.cancel(gone, 'a');
  });

  stage.selected('a disk that was unplugged has no trail any more', async () => {
    const base = await stage.booted();
    const disk = await stage.harness.disk(1);
    const { hotplug } = stage.driver;
    if (hotplug === undefined) return;
    await hotplug.attachDisk(base.id, disk, stage.call());
    const at = { spec: base, disk, to: await stage.harness.place(disk) };
    await copies.made(at, 'a');
    await hotplug.detachDisk(base.id, disk.volumeId, stage.call());
    await hotplug.attachDisk(base.id, disk, stage.call());
    expect(await copies.trails(at)).to.deep.equal([]);
    expect((await copies.made(at, 'b', 'a')).isPart).to.equal(false);
  });
}

/** A copy is no thing that could be left: what must not be left is one that goes on. */
export function diskBackupFreezeTable(
  stage: HypervisorStage,
): Complete<'diskBackup.begin' | 'diskBackup.cancel' | 'diskBackup.keepTrails'> {
  const copies = new Copies(stage);
  const onMachine = (id: string, act: PreparedCall['act'], done: PreparedCall['done']): PreparedCall => ({
    act,
    done,
    undo: (call) => stage.driver.machines.remove(id, call),
    left: () => stage.listedOf(id),
  });
  const withTrail = async (act: (at: Scene, call: Call) => Promise<void>) => {
    const at = await copies.scene();
    await copies.made(at, 'a');
    return onMachine(
      at.spec.id,
      (call) => act(at, call),
      async () => expect(await copies.trails(at)).to.deep.equal([]),
    );
  };
  return {
    'diskBackup.begin': { tests: () => frozenBegin(stage, copies) },
    'diskBackup.cancel': () => withTrail((at, call) => copies.cancel(at, 'a', call)),
    'diskBackup.keepTrails': () => withTrail((at, call) => copies.keep(at, [], call)),
  };
}

function frozenBegin(stage: HypervisorStage, copies: Copies): void {
  stage.selected('diskBackup.begin: given up on a frozen backend and cancelled after the thaw, is under way no more', async () => {
    const at = await copies.scene();
    await stage.whileFrozen(async () => {
      expect(await stage.fault(copies.begin(at, { trail: 'a' }, stage.brief()))).to.be.oneOf(UNANSWERED);
    });
    await stage.insist((call) => copies.cancel(at, 'a', call));
    await stage.harness.settle();
    expect(await stage.answered(() => copies.trails(at))).to.deep.equal([]);
    expect((await stage.answered(() => copies.made(at, 'b'))).isPart).to.equal(false);
    await stage.answered(() => stage.expectPower(at.spec.id, 'running'));
  });
}
