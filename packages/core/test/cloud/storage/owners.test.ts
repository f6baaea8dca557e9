import { expect } from 'chai';
import { type Explained, storedOwner, stray } from '../../../src/cloud/index.ts';
import { onContribution, type Plugin } from '../../../src/kernel/index.ts';
import { GIB, HEARTBEAT_MS, LittleCloud } from '../little-cloud.ts';

const A_LOOK_MS = 10 * HEARTBEAT_MS;

async function withOwner() {
  const explained = new Map<string, Explained>();
  const plugin: Plugin = {
    id: 'owner',
    version: '1.0.0',
    requires: ['storage'],
    hooks: [onContribution(storedOwner, ({ kind, id }) => explained.get(`${kind}/${id}`))],
  };
  const cloud = await LittleCloud.open({ plugins: [plugin] });
  const poolId = await cloud.pool(await cloud.host('hv1'));
  const things = cloud.sim.world.pools.get(`hv1/${poolId}`);
  /** Under a name like those of volumes, by somebody who has rows of his own. */
  const plant = (as: Explained | undefined) => {
    const id = cloud.sim.kernel.services.ids.mint('volume');
    things?.createVolume(id, GIB, undefined);
    if (as !== undefined) explained.set(`volume/${id}`, as);
    return id;
  };
  const look = async () => {
    await cloud.sim.run(A_LOOK_MS);
    const there = things?.list().map(({ id }) => id);
    return { there, strays: (await cloud.rows(stray)).map(({ objectId }) => objectId) };
  };
  return { plant, look, explained };
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
});
