import { expect } from 'chai';
import type { Call, SnapshotRef } from '../../src/strategy/index.ts';
import type { Complete, FreezeTable, PreparedCall } from './frozen.ts';
import type { StorageStage } from './storage-stage.ts';
import { MIB } from './storage-stage.ts';

/** What the contract says of `snapshots`, but for the bytes in them: those are in the tests of `contents`. */
export function snapshotTests(stage: StorageStage): void {
  it('create makes one of the size that the volume has then, and again changes nothing', async () => {
    const volumeId = await stage.volume();
    const first = await stage.snapshot(volumeId);
    await stage.grow(volumeId, 2 * MIB);
    const second = await stage.snapshot(volumeId);
    for (const snapshot of [first, second]) await stage.snapshots.create(snapshot, stage.call());
    expect(await stage.snapshots.list(volumeId, stage.call())).to.deep.equal([
      { id: first.id, sizeBytes: MIB },
      { id: second.id, sizeBytes: 2 * MIB },
    ]);
  });

  it('they are listed by volume, in the order they were made, and never among the things of the pool', async () => {
    const [volumeId, other] = [await stage.volume(), await stage.volume()];
    const made: string[] = [];
    for (let count = 0; count < 4; count += 1) made.push((await stage.snapshot(volumeId)).id);
    expect(await stage.snapshotIds(volumeId)).to.deep.equal(made);
    expect(await stage.snapshotIds(other)).to.deep.equal([]);
    for (const id of made) await stage.expectAbsent('volume', id);
    await stage.expectThere('volume', volumeId, MIB);
  });

  it('an absent volume has none and is given none: not_found', async () => {
    const volumeId = stage.newId();
    expect(await stage.snapshotIds(volumeId)).to.deep.equal([]);
    expect(await stage.fault(stage.snapshots.create({ id: stage.newId(), volumeId }, stage.call()))).to.equal('not_found');
    expect(await stage.fault(stage.snapshots.flatten(volumeId, stage.call()))).to.equal('not_found');
  });

  it('delete forgets it, in any order, and succeeds when it or its volume is absent', async () => {
    const volumeId = await stage.volume();
    const [a, b, c] = [await stage.snapshot(volumeId), await stage.snapshot(volumeId), await stage.snapshot(volumeId)];
    const remove = async (snapshot: SnapshotRef, left: readonly SnapshotRef[]) => {
      for (let round = 0; round < 2; round += 1) await stage.snapshots.delete(snapshot, stage.call());
      expect(await stage.snapshotIds(volumeId)).to.deep.equal(left.map(({ id }) => id));
    };
    await remove(b, [a, c]);
    await remove(a, [c]);
    await remove(c, []);
    await stage.snapshots.delete({ id: stage.newId(), volumeId: stage.newId() }, stage.call());
  });

  it('a volume with snapshots is not deleted: conflict, and goes once they are gone', async () => {
    const volumeId = await stage.volume();
    const snapshot = await stage.snapshot(volumeId);
    expect(await stage.fault(stage.driver.volumes.delete(volumeId, stage.call()))).to.equal('conflict');
    await stage.expectThere('volume', volumeId, MIB);
    expect(await stage.snapshotIds(volumeId)).to.deep.equal([snapshot.id]);
    await stage.snapshots.delete(snapshot, stage.call());
    await stage.driver.volumes.delete(volumeId, stage.call());
    await stage.expectAbsent('volume', volumeId);
  });

  revertTests(stage);
  lastingTests(stage);
}

function revertTests(stage: StorageStage): void {
  it('revert gives the size back, again changes nothing, and all snapshots stay', async () => {
    const volumeId = await stage.volume();
    const small = await stage.snapshot(volumeId);
    await stage.grow(volumeId, 2 * MIB);
    const large = await stage.snapshot(volumeId);
    for (const [snapshot, sizeBytes] of [
      [small, MIB],
      [small, MIB],
      [large, 2 * MIB],
    ] as const) {
      await stage.snapshots.revert(snapshot, stage.call());
      await stage.expectThere('volume', volumeId, sizeBytes);
      expect(await stage.snapshotIds(volumeId)).to.deep.equal([small.id, large.id]);
    }
  });

  it('revert to one that is absent, or is of another volume, is not_found and changes nothing', async () => {
    const volumeId = await stage.volume(2 * MIB);
    const foreign = await stage.snapshot(await stage.volume());
    for (const id of [stage.newId(), foreign.id])
      expect(await stage.fault(stage.snapshots.revert({ id, volumeId }, stage.call()))).to.equal('not_found');
    await stage.expectThere('volume', volumeId, 2 * MIB);
  });

  it('of a volume that a machine has open they are made and deleted, but it is not reverted: conflict', async () => {
    const volumeId = await stage.volume();
    const earlier = await stage.snapshot(volumeId);
    await stage.whileHeld(volumeId, async () => {
      const later = await stage.snapshot(volumeId);
      expect(await stage.snapshotIds(volumeId)).to.deep.equal([earlier.id, later.id]);
      expect(await stage.fault(stage.snapshots.revert(earlier, stage.call()))).to.equal('conflict');
      await stage.snapshots.delete(later, stage.call());
    });
    await stage.snapshots.revert(earlier, stage.call());
    expect(await stage.snapshotIds(volumeId)).to.deep.equal([earlier.id]);
  });
}

function lastingTests(stage: StorageStage): void {
  it('they outlive the driver object that made them', async () => {
    const volumeId = await stage.volume();
    const snapshot = { id: stage.newId(), volumeId };
    const maker = await stage.open();
    await maker.snapshots?.create(snapshot, stage.call());
    await maker.close();
    expect(await (await stage.open()).snapshots?.list(volumeId, stage.call())).to.deep.equal([{ id: snapshot.id, sizeBytes: MIB }]);
  });

  it('the same call twice in parallel has one effect', async () => {
    const volumeId = await stage.volume();
    const snapshot = { id: stage.newId(), volumeId };
    const twice = (act: () => Promise<unknown>) => Promise.all([act(), act()]);
    await twice(() => stage.snapshots.create(snapshot, stage.call()));
    expect(await stage.snapshotIds(volumeId)).to.deep.equal([snapshot.id]);
    await twice(() => stage.snapshots.delete(snapshot, stage.call()));
    expect(await stage.snapshotIds(volumeId)).to.deep.equal([]);
  });

  it('a frozen backend makes the look fail, never answer "none"', async () => {
    const volumeId = await stage.volume();
    await stage.snapshot(volumeId);
    await stage.whileFrozen(async () => {
      expect(await stage.fault(stage.snapshots.list(volumeId, stage.brief()))).to.be.oneOf(['unknown_outcome', 'unavailable']);
    });
  });
}

export function cloneOfSnapshotTests(stage: StorageStage): void {
  it('a volume made from a snapshot is grown to its size, and again changes nothing', async () => {
    const snapshot = await stage.snapshot(await stage.volume());
    const id = await stage.clone(snapshot, 4 * MIB);
    await stage.driver.volumes.create({ id, sizeBytes: 4 * MIB, snapshot }, stage.call());
    await stage.expectThere('volume', id, 4 * MIB);
  });

  it('one smaller than its snapshot is invalid, one from an absent snapshot not_found, and neither is made', async () => {
    const snapshot = await stage.snapshot(await stage.volume(2 * MIB));
    const id = stage.made('volume');
    const create = (sizeBytes: number, from: SnapshotRef) => stage.driver.volumes.create({ id, sizeBytes, snapshot: from }, stage.call());
    expect(await stage.fault(create(MIB, snapshot))).to.equal('invalid');
    expect(await stage.fault(create(4 * MIB, { ...snapshot, id: stage.newId() }))).to.equal('not_found');
    expect(await stage.fault(create(4 * MIB, { id: stage.newId(), volumeId: stage.newId() }))).to.equal('not_found');
    await stage.expectAbsent('volume', id);
  });

  it('what was cloned lives on without its snapshot and its volume', async () => {
    const volumeId = await stage.volume();
    const snapshot = await stage.snapshot(volumeId);
    const clone = await stage.clone(snapshot);
    // What depends on files that others are backed by is made independent first; other backends keep for it what it needs, out of sight.
    const fault = await stage.snapshots.delete(snapshot, stage.call()).then(
      () => 'deleted',
      (error) => stage.driver.classify(error),
    );
    expect(fault).to.be.oneOf(['conflict', 'deleted']);
    if (fault === 'conflict') {
      expect(await stage.snapshotIds(volumeId)).to.deep.equal([snapshot.id]);
      await stage.snapshots.flatten(clone, stage.call());
      await stage.snapshots.delete(snapshot, stage.call());
    }
    expect(await stage.snapshotIds(volumeId)).to.deep.equal([]);
    await stage.driver.volumes.delete(volumeId, stage.call());
    await stage.expectAbsent('volume', volumeId);
    await stage.expectThere('volume', clone, MIB);
    await stage.driver.volumes.delete(clone, stage.call());
    await stage.expectAbsent('volume', clone);
  });

  it('flatten again changes nothing, and of a volume that is no clone neither', async () => {
    const volumeId = await stage.volume();
    const clone = await stage.clone(await stage.snapshot(volumeId));
    for (const id of [clone, clone, volumeId]) await stage.snapshots.flatten(id, stage.call());
    await stage.expectThere('volume', clone, MIB);
    await stage.expectThere('volume', volumeId, MIB);
  });
}

/** Every mutating verb on snapshots, frozen. */
export function frozenSnapshots(
  stage: StorageStage,
): Complete<'snapshots.create' | 'snapshots.delete' | 'snapshots.revert' | 'snapshots.flatten'> {
  const onVolume = volumeCall(stage);
  return {
    'snapshots.create': async () => {
      const volumeId = await stage.volume();
      const snapshot = { id: stage.newId(), volumeId };
      return {
        act: (call) => stage.snapshots.create(snapshot, call),
        done: async () => expect(await stage.snapshotIds(volumeId)).to.deep.equal([snapshot.id]),
        undo: (call) => stage.snapshots.delete(snapshot, call),
        left: () => stage.snapshotIds(volumeId),
        lateArrival: async () => expect((await stage.snapshotIds(volumeId)).length).to.be.at.most(1),
      };
    },
    'snapshots.delete': async () => {
      const volumeId = await stage.volume();
      const snapshot = await stage.snapshot(volumeId);
      const act = (call: Call) => stage.snapshots.delete(snapshot, call);
      return {
        act,
        done: async () => expect(await stage.snapshotIds(volumeId)).to.deep.equal([]),
        undo: act,
        left: () => stage.snapshotIds(volumeId),
      };
    },
    'snapshots.revert': async () => {
      const volumeId = await stage.volume();
      const snapshot = await stage.snapshot(volumeId);
      await stage.grow(volumeId, 2 * MIB);
      return onVolume(
        volumeId,
        (call) => stage.snapshots.revert(snapshot, call),
        () => stage.expectThere('volume', volumeId, MIB),
      );
    },
    'snapshots.flatten': async () => {
      const clone = await stage.clone(await stage.snapshot(await stage.volume()));
      return onVolume(
        clone,
        (call) => stage.snapshots.flatten(clone, call),
        () => stage.expectThere('volume', clone, MIB),
      );
    },
  };
}

/** A call that is undone by removing its volume, with what there is of it. */
const volumeCall =
  (stage: StorageStage) =>
  (volumeId: string, act: PreparedCall['act'], done: PreparedCall['done']): PreparedCall => ({
    act,
    done,
    undo: async (call) => {
      for (const { id } of await stage.snapshots.list(volumeId, call)) await stage.snapshots.delete({ id, volumeId }, call);
      await stage.driver.volumes.delete(volumeId, call);
    },
    left: () => stage.listedOf(volumeId),
  });

export function frozenClone(stage: StorageStage): FreezeTable {
  return {
    'volumes.create from a snapshot': async () => {
      const snapshot = await stage.snapshot(await stage.volume());
      const id = stage.made('volume');
      return {
        ...volumeCall(stage)(
          id,
          (call) => stage.driver.volumes.create({ id, sizeBytes: MIB, snapshot }, call),
          () => stage.expectThere('volume', id, MIB),
        ),
        lateArrival: async () => expect((await stage.listedOf(id)).length).to.be.at.most(1),
      };
    },
  };
}
