import { expect } from 'chai';
import type { Call, StoredKind } from '../../src/strategy/index.ts';
import type { FreezeTable, PreparedCall } from './frozen.ts';
import type { StorageStage } from './storage-stage.ts';
import { content, MIB } from './storage-stage.ts';

/** Every mutating verb, frozen. */
export function freezeTable(stage: StorageStage): FreezeTable {
  const thing = (kind: StoredKind, id: string, act: (call: Call) => Promise<unknown>, done: () => Promise<unknown>): PreparedCall => ({
    act,
    done,
    undo: (call) => stage.delete(kind, id, call),
    left: () => stage.listedOf(id),
  });
  /** What arrived late is whole: a copy never shows half-written. */
  const late = (kind: StoredKind, id: string, sizeBytes: number) => async () => {
    for (const seen of await stage.listedOf(id)) expect(seen).to.deep.equal({ kind, id, sizeBytes });
  };
  const create = async (imageId?: string): Promise<PreparedCall> => {
    const id = stage.made('volume');
    const request = imageId === undefined ? { id, sizeBytes: MIB } : { id, sizeBytes: MIB, imageId };
    const there = () => stage.expectThere('volume', id, MIB);
    return {
      ...thing('volume', id, (call) => stage.driver.volumes.create(request, call), there),
      lateArrival: async () => expect((await stage.listedOf(id)).length).to.be.at.most(1),
    };
  };
  const deletion = async (kind: StoredKind, id: string): Promise<PreparedCall> =>
    thing(
      kind,
      id,
      (call) => stage.delete(kind, id, call),
      () => stage.expectAbsent(kind, id),
    );
  const seed = async () => {
    const id = stage.made('seed');
    const act = (call: Call) => stage.driver.seeds.put(id, new Uint8Array(4096), call);
    return { id, act };
  };
  return {
    'volumes.create': () => create(),
    'volumes.create from an image': async () => create(await stage.image()),
    'volumes.resize': async () => {
      const id = await stage.volume();
      const act = (call: Call) => stage.driver.volumes.resize(id, 2 * MIB, call);
      return thing('volume', id, act, () => stage.expectThere('volume', id, 2 * MIB));
    },
    'volumes.delete': async () => deletion('volume', await stage.volume()),
    'volumes.attach': async () => {
      const id = await stage.volume();
      const { volumes } = stage.driver;
      return {
        act: (call) => volumes.attach(id, stage.harness.host, call),
        done: () => stage.expectThere('volume', id, MIB),
        undo: async (call) => {
          await volumes.release(id, stage.harness.host, call);
          await volumes.delete(id, call);
        },
        left: () => stage.listedOf(id),
      };
    },
    'volumes.release': async () => {
      const id = await stage.volume();
      await stage.driver.volumes.attach(id, stage.harness.host, stage.call());
      const act = (call: Call) => stage.driver.volumes.release(id, stage.harness.host, call);
      return thing('volume', id, act, () => stage.expectThere('volume', id, MIB));
    },
    'images.put': async () => {
      const id = stage.made('image');
      const there = () => stage.expectThere('image', id, MIB);
      return { ...thing('image', id, (call) => stage.put(id, content(MIB), call), there), lateArrival: late('image', id, MIB) };
    },
    'images.delete': async () => deletion('image', await stage.image()),
    'seeds.put': async () => {
      const { id, act } = await seed();
      return { ...thing('seed', id, act, () => stage.expectThere('seed', id, 4096)), lateArrival: late('seed', id, 4096) };
    },
    'seeds.delete': async () => {
      const { id, act } = await seed();
      await act(stage.call());
      return deletion('seed', id);
    },
  };
}
