import { expect } from 'chai';
import type { Call, StorageDriver, StoredKind } from '../../src/strategy/index.ts';
import type { Changes, Complete, FreezeTable, PartOf, PreparedCall } from './frozen.ts';
import { encryptionFreezeTable, keyFreezeTable } from './storage-encryption.ts';
import { fenceTable } from './storage-fence.ts';
import { marksFreezeTable } from './storage-marks.ts';
import { othersFreezeTable } from './storage-others.ts';
import { shareableFreezeTable } from './storage-shareable.ts';
import { frozenClone, frozenSnapshots } from './storage-snapshots.ts';
import type { StorageFeature, StorageStage } from './storage-stage.ts';
import { content, MIB } from './storage-stage.ts';

type Looks =
  | 'capacity'
  | 'contents.changes'
  | 'contents.read'
  | 'contents.written'
  | 'encryption.contents.changes'
  | 'encryption.contents.read'
  | 'facts'
  | 'fence.clients'
  | 'images.attach'
  | 'inspect'
  | 'list'
  | 'marks.get'
  | 'others.list'
  | 'others.look'
  | 'secret'
  | 'shareable.fence.clients'
  | 'snapshots.list';
type Change = Changes<StorageDriver, Looks>;

/** What a driver has that offers a part, or a verb of one. */
const FEATURE_OF: Readonly<Record<Exclude<PartOf<Change>, 'volumes' | 'images' | 'seeds'>, StorageFeature>> = {
  encryption: 'encryption',
  snapshots: 'snapshots',
  contents: 'contents',
  fence: 'fence',
  shareable: 'shareable',
  others: 'others',
  marks: 'marks',
};
type VerbOfPart =
  | Extract<Change, `encryption.${'keys' | 'contents'}.${string}` | `shareable.fence.${string}`>
  | 'releasePool'
  | 'volumes.resize';
const FEATURE_OF_VERB: Readonly<Record<VerbOfPart, StorageFeature>> = {
  'encryption.contents.write': 'lockedContents',
  'encryption.keys.add': 'keys',
  'encryption.keys.keep': 'keys',
  'encryption.keys.live.add': 'liveKeys',
  'encryption.keys.live.keep': 'liveKeys',
  'shareable.fence.exclude': 'sharedFence',
  'shareable.fence.forget': 'sharedFence',
  'shareable.fence.learn': 'sharedFence',
  releasePool: 'release',
  'volumes.resize': 'growth',
};

/** Every verb that changes something, of those that the driver offers, frozen. */
export function freezeTable(stage: StorageStage, features: readonly StorageFeature[]): FreezeTable {
  const table: Complete<Change> = {
    ...basicTable(stage),
    ...poolTable(stage),
    ...contentTable(stage),
    'encryption.contents.write': () => lockedWrite(stage),
    ...encryptionFreezeTable(stage),
    ...keyFreezeTable(stage),
    ...fenceTable(stage),
    ...shareableFreezeTable(stage),
    ...othersFreezeTable(stage),
    ...marksFreezeTable(stage),
    ...frozenSnapshots(stage),
  };
  const byVerb: Readonly<Record<string, StorageFeature>> = FEATURE_OF_VERB;
  const byPart: Readonly<Record<string, StorageFeature>> = FEATURE_OF;
  const featureOf = (verb: string) => byVerb[verb] ?? byPart[verb.slice(0, Math.max(0, verb.indexOf('.')))];
  const isOffered = ([verb]: readonly [string, unknown]) => {
    const feature = featureOf(verb);
    return feature === undefined || features.includes(feature);
  };
  return {
    ...Object.fromEntries(Object.entries(table).filter(isOffered)),
    ...(features.includes('snapshots') ? frozenClone(stage) : {}),
  };
}

/** A driver that finds nothing to make or to end need not ask the backend, so that on a frozen one it may succeed. */
function poolTable(stage: StorageStage): Complete<'ensurePool' | 'releasePool'> {
  const ensure = (call: Call) => stage.driver.ensurePool(call);
  const release = (call: Call) => stage.driver.releasePool?.(call) ?? expect.fail('the driver cannot release its pool');
  const tests = (title: string, act: (call: Call) => Promise<void>, prepare = async () => {}) => ({
    tests: () =>
      stage.selected(title, async () => {
        const id = await stage.volume();
        await prepare();
        await stage.whileFrozen(() => Promise.allSettled([act(stage.brief())]));
        await stage.insist(act);
        await stage.harness.settle();
        await stage.insist(ensure);
        await stage.answered(() => stage.expectThere('volume', id, MIB));
      }),
  });
  return {
    // Where there is something to be made again, it is.
    ensurePool: tests(
      'ensurePool: asked for on a frozen backend and repeated after the thaw, makes the pool usable with all that is stored',
      ensure,
      async () => stage.driver.releasePool?.(stage.call()),
    ),
    releasePool: tests(
      'releasePool: asked for on a frozen backend and repeated after the thaw, takes nothing that is stored, and what it ended is made again',
      release,
    ),
  };
}

function contentTable(stage: StorageStage): Complete<'contents.write'> {
  const bytes = new Uint8Array(4096).fill(7);
  return {
    'contents.write': async () => {
      const volumeId = stage.made('volume');
      await stage.driver.volumes.create({ id: volumeId, sizeBytes: MIB, toFill: true }, stage.call());
      return {
        act: (call) => stage.contents.write(volumeId, 65_536, bytes, call),
        done: async () => {
          const read = await stage.contents.read({ volumeId }, 65_536, bytes.length, stage.call());
          expect(Buffer.from(read).equals(bytes)).to.equal(true);
        },
        undo: (call) => stage.driver.volumes.delete(volumeId, call),
        left: () => stage.listedOf(volumeId),
      };
    },
  };
}

async function lockedWrite(stage: StorageStage): Promise<PreparedCall> {
  const { encryption } = stage.driver;
  const contents = encryption?.contents ?? expect.fail('the driver tells nothing of the contents of encrypted volumes');
  const volumeId = stage.made('volume');
  const key = 'YSBrZXk=';
  const bytes = new Uint8Array(4096).fill(7);
  await encryption?.create({ id: volumeId, sizeBytes: MIB, toFill: true, key }, stage.call());
  return {
    act: (call) => contents.write({ volumeId, key }, 65_536, bytes, call),
    done: async () => {
      const read = await contents.read({ volumeId, key }, 65_536, bytes.length, stage.call());
      expect(Buffer.from(read).equals(bytes)).to.equal(true);
    },
    undo: (call) => stage.driver.volumes.delete(volumeId, call),
    left: () => stage.listedOf(volumeId),
  };
}

function basicTable(stage: StorageStage): Complete<Extract<Change, `${'volumes' | 'images' | 'seeds'}.${string}`>> & FreezeTable {
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
      const act = (call: Call) => stage.grow(id, 2 * MIB, call);
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
