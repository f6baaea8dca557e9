import { expect } from 'chai';
import type { Attachment, Call, DiskCopyState, DiskSpec, MachineSpec } from '../../src/strategy/index.ts';
import type { Complete, PreparedCall } from './frozen.ts';
import { UNANSWERED } from './harness.ts';
import type { HypervisorStage } from './hypervisor.ts';
import { part } from './hypervisor-change.ts';

/** A machine that runs, with a disk beside its own, and a place for that. */
interface Scene {
  readonly spec: MachineSpec;
  readonly disk: DiskSpec;
  readonly to: Attachment;
}

class Moves {
  readonly #stage: HypervisorStage;

  constructor(stage: HypervisorStage) {
    this.#stage = stage;
  }

  async scene(): Promise<Scene> {
    const disk = await this.#stage.harness.disk(1);
    const base = await this.#stage.machine();
    const spec = await this.#stage.running({ ...base, disks: [...base.disks, disk] });
    return { spec, disk, to: await this.#stage.harness.place(disk) };
  }

  copy({ spec, disk, to }: Scene, call = this.#stage.call(this.#stage.timeouts.guestMs)): Promise<void> {
    return part(this.#stage.driver, 'diskCopy').copy(spec.id, disk.volumeId, to, {}, call);
  }

  look({ spec, disk, to }: Scene): Promise<DiskCopyState | undefined> {
    return part(this.#stage.driver, 'diskCopy').look(spec.id, disk.volumeId, to, this.#stage.call());
  }

  pivot({ spec, disk, to }: Scene, call = this.#stage.call()): Promise<void> {
    return part(this.#stage.driver, 'diskCopy').pivot(spec.id, disk.volumeId, to, call);
  }

  cancel({ spec, disk }: Pick<Scene, 'spec' | 'disk'>, call = this.#stage.call()): Promise<void> {
    return part(this.#stage.driver, 'diskCopy').cancel(spec.id, disk.volumeId, call);
  }
}

/** The contract of `diskCopy`, sentence by sentence. */
export function diskCopyTests(stage: HypervisorStage): void {
  const moves = new Moves(stage);

  stage.selected('a disk is copied, goes to its new place while the machine stands still, and stays there', async () => {
    const at = await moves.scene();
    const before = await stage.see(at.spec.id);
    expect(await moves.look(at)).to.equal('apart');
    const told: number[] = [];
    await moves.copy(at, stage.call(stage.timeouts.guestMs, { onProgress: (share) => told.push(share) }));
    expect(told).to.deep.equal([...told].sort((a, b) => a - b));
    expect(await moves.look(at)).to.equal('both');
    await stage.driver.power.suspend(at.spec.id, stage.call());
    expect(await moves.look(at)).to.equal('both');
    for (let round = 0; round < 2; round += 1) await moves.pivot(at);
    expect(await moves.look(at)).to.equal('there');
    await moves.cancel(at);
    await moves.copy(at);
    expect(await moves.look(at)).to.equal('there');
    await stage.driver.power.resume(at.spec.id, stage.call());
    expect(await stage.see(at.spec.id)).to.deep.equal(before);
    await stage.driver.power.powerOff(at.spec.id, stage.call());
    await stage.driver.power.start(at.spec.id, stage.call());
    expect(await moves.look(at)).to.equal('there');
    expect(await stage.see(at.spec.id)).to.deep.equal(before);
  });

  stage.selected('a copy that is cancelled leaves the disk where it was, and can be had anew', async () => {
    const at = await moves.scene();
    for (let round = 0; round < 2; round += 1) await moves.cancel(at);
    await moves.copy(at);
    await moves.cancel(at);
    expect(await moves.look(at)).to.equal('apart');
    expect(await stage.fault(moves.pivot(at))).to.equal('conflict');
    expect(await moves.look(at)).to.equal('apart');
    await stage.expectPower(at.spec.id, 'running');
    await moves.copy(at);
    await moves.pivot(at);
    expect(await moves.look(at)).to.equal('there');
  });

  stage.selected('is refused for what is off, absent, or copied elsewhere', async () => {
    const at = await moves.scene();
    const diskCopy = part(stage.driver, 'diskCopy');
    const absent = { ...at, disk: { ...at.disk, volumeId: stage.newId() } };
    expect(await stage.fault(moves.copy(absent))).to.equal('not_found');
    expect(await moves.look(absent)).to.equal(undefined);
    expect(await diskCopy.look(stage.newId(), at.disk.volumeId, at.to, stage.call())).to.equal(undefined);
    await moves.copy(at);
    const other = await stage.harness.place(at.disk);
    expect(await diskCopy.look(at.spec.id, at.disk.volumeId, other, stage.call())).to.equal('apart');
    expect(await stage.fault(moves.copy({ ...at, to: other }))).to.equal('conflict');
    expect(await moves.look(at)).to.equal('both');
    // It ends with its machine.
    await stage.driver.power.powerOff(at.spec.id, stage.call());
    expect(await moves.look(at)).to.equal(undefined);
    expect(await stage.fault(moves.copy(at))).to.equal('conflict');
    await moves.cancel(at);
    await stage.driver.power.start(at.spec.id, stage.call());
    expect(await moves.look(at)).to.equal('apart');
  });

  stage.selected('asked twice at once, from two driver objects, is one copy', async () => {
    const at = await moves.scene();
    const other = await stage.open();
    const ask = part(other, 'diskCopy').copy(at.spec.id, at.disk.volumeId, at.to, {}, stage.call(stage.timeouts.guestMs));
    await Promise.all([moves.copy(at), ask]);
    expect(await moves.look(at)).to.equal('both');
    await other.close();
    expect(await moves.look(at)).to.equal('both');
  });
}

/** A copy is no thing that could be left: what must not be left is one that goes on. The other verbs are undone with their machine. */
export function diskCopyFreezeTable(
  stage: HypervisorStage,
): Complete<'diskCopy.copy' | 'diskCopy.pivot' | 'diskCopy.cancel' | 'diskCopy.changeSeed'> {
  const moves = new Moves(stage);
  const onMachine = (id: string, act: PreparedCall['act'], done: PreparedCall['done']): PreparedCall => ({
    act,
    done,
    undo: (call) => stage.driver.machines.remove(id, call),
    left: () => stage.listedOf(id),
  });
  const copied = async () => {
    const at = await moves.scene();
    await moves.copy(at);
    return at;
  };
  return {
    'diskCopy.copy': { tests: () => frozenCopy(stage, moves) },
    'diskCopy.pivot': async () => {
      const at = await copied();
      return onMachine(
        at.spec.id,
        (call) => moves.pivot(at, call),
        async () => expect(await moves.look(at)).to.equal('there'),
      );
    },
    'diskCopy.cancel': async () => {
      const at = await copied();
      return onMachine(
        at.spec.id,
        (call) => moves.cancel(at, call),
        async () => expect(await moves.look(at)).to.equal('apart'),
      );
    },
    'diskCopy.changeSeed': async () => {
      const [{ attachment: seed }, { attachment: next }] = [await stage.harness.iso(), await stage.harness.iso()];
      const spec = await stage.running({ seed });
      const act = (call: Call) => part(stage.driver, 'diskCopy').changeSeed(spec.id, next, call);
      return onMachine(spec.id, act, async () => {
        await act(stage.call());
        await stage.expectPower(spec.id, 'running');
      });
    },
  };
}

function frozenCopy(stage: HypervisorStage, moves: Moves): void {
  stage.selected('diskCopy.copy: given up on a frozen backend and cancelled after the thaw, is under way no more', async () => {
    const at = await moves.scene();
    await stage.whileFrozen(async () => {
      expect(await stage.fault(moves.copy(at, stage.brief()))).to.be.oneOf(UNANSWERED);
    });
    await stage.insist((call) => moves.cancel(at, call));
    const look = () => stage.answered(() => moves.look(at));
    expect(await look()).to.equal('apart');
    await stage.harness.settle();
    expect(await look()).to.equal('apart');
    await stage.answered(() => stage.expectPower(at.spec.id, 'running'));
  });
}
