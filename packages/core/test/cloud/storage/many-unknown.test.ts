import { expect } from 'chai';
import { stray } from '../../../src/cloud/index.ts';
import type { Store } from '../../../src/kernel/index.ts';
import { HEARTBEAT_MS, LittleCloud } from '../little-cloud.ts';

const MANY = 230;
/** So many at once, by the store's own query. */
const BATCH = 100;
const A_LOOK_MS = 10 * HEARTBEAT_MS;
const KINDS = ['volume', 'seed', 'image'] as const;

/** What is asked of the store, and committed, while the work goes on. */
async function askedFor({ sim }: LittleCloud, work: () => Promise<unknown>) {
  const { store } = sim.kernel.services as { readonly store: Store };
  const own = store as unknown as Record<string, unknown>;
  const count = { reads: 0, commits: 0, idsMax: 0 };
  const counted = (name: string, as: 'reads' | 'commits') => {
    own[name] = (...given: unknown[]) => {
      count[as] += 1;
      const { value } = ((given[0] as { where?: { value?: unknown } }).where ?? {}) as { value?: unknown };
      if (Array.isArray(value)) count.idsMax = Math.max(count.idsMax, value.length);
      return Object.getPrototypeOf(store)[name].apply(store, given);
    };
  };
  counted('read', 'reads');
  counted('list', 'reads');
  counted('commit', 'commits');
  try {
    await work();
  } finally {
    for (const name of ['read', 'list', 'commit']) delete own[name];
  }
  return count;
}

describe('a pool with much that is unknown', () => {
  it('is looked through with a query and a transaction for a hundred of it, not one for each', async () => {
    const cloud = await LittleCloud.open();
    const { sim } = cloud;
    const poolId = await cloud.pool(await cloud.host('hv1'));
    const things = sim.world.pools.get(`hv1/${poolId}`);
    const { ids } = sim.kernel.services;
    const quiet = await askedFor(cloud, () => sim.run(A_LOOK_MS));
    const unknown: string[] = [];
    for (let index = 0; index < MANY; index += 1) {
      const [volumeId, imageId, seedId] = [ids.mint('volume'), ids.mint('image'), ids.mint('instance')];
      things?.createVolume(volumeId, 8192, undefined);
      things?.putImage(imageId, 8192, 8192);
      things?.putSeed(seedId, 8192);
      unknown.push(volumeId, imageId, seedId);
    }
    const first = await askedFor(cloud, () => sim.run(A_LOOK_MS));
    const strays = await cloud.rows(stray);
    expect(strays.map(({ objectId }) => objectId).sort()).to.deep.equal([...unknown].sort());
    const batches = KINDS.length * Math.ceil(MANY / BATCH);
    expect(first.commits).to.be.within(batches, 2 * batches);
    const again = await askedFor(cloud, () => sim.run(A_LOOK_MS));
    expect(again.commits).to.be.at.most(quiet.commits);
    // Two looks, of which each asks for the rows of each kind, what other modules say of them, and whether they come with a machine.
    expect(again.reads - quiet.reads).to.be.within(batches, 8 * batches);
    expect(again.idsMax).to.equal(BATCH);
    expect(await cloud.rows(stray)).to.deep.equal(strays);
  });
});
