import { expect } from 'chai';
import { type Explained, storedOwner, stray } from '../../../src/cloud/index.ts';
import { onContribution, type Plugin } from '../../../src/kernel/index.ts';
import { GIB, HEARTBEAT_MS, LittleCloud } from '../little-cloud.ts';

const A_LOOK_MS = 10 * HEARTBEAT_MS;

async function withOwner() {
  const explained = new Map<string, Explained>();
  const failing = new Set<string>();
  /** How many objects at once. */
  const asked: number[] = [];
  const owner = (plugin: string, tell: (key: string) => Explained | undefined): Plugin => ({
    id: plugin,
    version: '1.0.0',
    requires: ['storage'],
    hooks: [
      onContribution(storedOwner, ({ kind, ids }) => {
        asked.push(ids.length);
        const told = ids.map((id) => [id, tell(`${kind}/${id}`)] as const);
        return new Map(told.filter((each): each is [string, Explained] => each[1] !== undefined));
      }),
    ],
  });
  const tellOrFail = (key: string): Explained | undefined => {
    if (failing.has(key)) throw new Error('struck');
    return explained.get(key);
  };
  const others = new Map<string, Explained>();
  const cloud = await LittleCloud.open({ plugins: [owner('first', tellOrFail), owner('second', (key) => others.get(key))] });
  const poolId = await cloud.pool(await cloud.host('hv1'));
  const things = cloud.sim.world.pools.get(`hv1/${poolId}`);
  /** Under a name like those of volumes, by somebody who has rows of his own. */
  const plant = (as: Explained | undefined) => {
    const id = cloud.sim.kernel.services.ids.mint('volume');
    things?.createVolume(id, GIB, undefined);
    if (as !== undefined) explained.set(`volume/${id}`, as);
    return id;
  };
  const plantImage = () => {
    const id = cloud.sim.kernel.services.ids.mint('image');
    things?.putImage(id, GIB, GIB);
    return id;
  };
  const look = async () => {
    await cloud.sim.run(A_LOOK_MS);
    const there = things?.list().map(({ id }) => id);
    return { there, strays: (await cloud.rows(stray)).map(({ objectId }) => objectId) };
  };
  return { cloud, poolId, plant, plantImage, look, explained, others, failing, asked };
}

describe('what other modules keep in pools', () => {
  it('stays while they explain it, goes when nobody comes for it any more, and is a stray without them', async () => {
    const { plant, look, explained } = await withOwner();
    const kept = plant('kept');
    plant('left');
    const unknown = plant(undefined);
    expect(await look()).to.deep.equal({ there: [kept, unknown], strays: [unknown] });
    explained.set(`volume/${kept}`, 'left');
    expect(await look()).to.deep.equal({ there: [unknown], strays: [unknown] });
  });

  it('stays where one of several says so', async () => {
    const { plant, look, others } = await withOwner();
    const id = plant('left');
    others.set(`volume/${id}`, 'kept');
    expect(await look()).to.deep.equal({ there: [id], strays: [] });
  });

  it('stays while a plugin fails to say whose it is, in a pool that is deleted, too; all else is looked after', async () => {
    const { cloud, poolId, plant, plantImage, look, failing, others } = await withOwner();
    const { sim } = cloud;
    const errors: object[] = [];
    const { logger } = sim.environment;
    const { error } = logger;
    logger.error = (fields, text) => void (text?.includes('whose') && errors.push(fields));
    const [id, imageId] = [plant('left'), plantImage()];
    const keys = [`volume/${id}`, `image/${imageId}`];
    for (const key of keys) failing.add(key);
    others.set(`volume/${id}`, 'left');
    const unknown = plant(undefined);
    plant('left');
    expect(await look()).to.deep.equal({ there: [id, imageId, unknown], strays: [unknown] });
    expect(errors[0]).to.include({ plugin: 'first', kind: 'volume', id });
    await sim.done('pool.delete', {}, poolId);
    logger.error = error;
    expect((await look()).there).to.deep.equal([id, imageId, unknown]);
  });
});
