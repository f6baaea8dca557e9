import { expect } from 'chai';
import { image, pool, stray, volume } from '../../src/cloud/index.ts';
import { type AnyKind, create, debt, type Id } from '../../src/kernel/index.ts';
import { LittleCloud } from './little-cloud.ts';

const HOUR_MS = 3600_000;
const DAY_MS = 24 * HOUR_MS;
const MIB = 2 ** 20;

/** Seldom looked at, so that days pass quickly. */
const seldom = { presets: { 'hosts.heartbeatSeconds': 600, 'retention.operationDays': 1, 'retention.deletedDays': 1 } };

async function stage() {
  const cloud = await LittleCloud.open(seldom);
  const hostId = await cloud.host('hv1');
  const poolId = await cloud.pool(hostId);
  const known = async (kind: AnyKind, id: string) =>
    (await cloud.sim.environment.complete(cloud.sim.kernel.reader.find(kind, id))) !== undefined;
  const stored = () => [...cloud.sim.world.pools.values()].flatMap((each) => each.list().map(({ kind }) => kind));
  return { cloud, hostId, poolId, known, stored, days: (count: number) => cloud.sim.run(count * DAY_MS) };
}

describe('deleted rows of the cloud', () => {
  it('go when nothing goes by them any more', async () => {
    const { cloud, known, days } = await stage();
    const id = await cloud.volume(MIB);
    await cloud.sim.done('volume.delete', {}, id);
    await days(2);
    expect(await known(volume, id)).to.equal(false);
  });

  it('stay until what is owed to a lost host was paid, and another day: what comes late is known for what it is', async () => {
    const { cloud, known, stored, days } = await stage();
    const id = await cloud.volume(MIB);
    cloud.sim.world.crash('hv1');
    await cloud.sim.run(HOUR_MS);
    await cloud.sim.done('volume.delete', { force: true }, id);
    await days(5);
    expect(await known(volume, id)).to.equal(true);
    expect(stored()).to.deep.equal(['volume']);
    cloud.sim.world.boot('hv1');
    await cloud.sim.run(HOUR_MS);
    expect(stored()).to.deep.equal([]);
    expect(await cloud.rows(debt)).to.deep.equal([]);
    expect(await known(volume, id)).to.equal(true);
    await days(2.5);
    expect(await known(volume, id)).to.equal(false);
  });

  it('of images stay while a pool that may have a copy is out of reach', async () => {
    const { cloud, poolId, known, stored, days } = await stage();
    const imageId = await cloud.image(MIB);
    const id = await cloud.volume(MIB, { imageId });
    await cloud.sim.done('volume.delete', {}, id);
    await days(2);
    expect([await known(volume, id), stored()]).to.deep.equal([false, ['image']]);
    cloud.sim.world.crash('hv1');
    await cloud.sim.run(HOUR_MS);
    expect(await cloud.row(pool, poolId)).to.include({ status: 'disconnected' });
    await cloud.sim.done('image.delete', {}, imageId);
    await days(5);
    expect([await known(image, imageId), stored()]).to.deep.equal([true, ['image']]);
    cloud.sim.world.boot('hv1');
    await days(2);
    expect([await known(image, imageId), stored()]).to.deep.equal([false, []]);
  });

  it('stay while a quarantined thing bears their id', async () => {
    const { cloud, hostId, poolId, known, days } = await stage();
    const id = await cloud.volume(MIB);
    await cloud.sim.done('volume.delete', {}, id);
    cloud.sim.world.crash('hv1');
    const found = { hostId: hostId as Id<'host'>, place: poolId, objectKind: 'volume', objectId: id, objectName: id, details: {} } as const;
    const strayId = cloud.sim.kernel.services.ids.mint('stray');
    await cloud.sim.environment.complete(cloud.sim.kernel.observe([create(stray, { ...found, id: strayId, name: 'found' })]));
    await days(5);
    expect(await known(volume, id)).to.equal(true);
    cloud.sim.world.boot('hv1');
    await days(1);
    expect(await known(volume, id)).to.equal(false);
  });

  it('are missed by nobody: an image goes although the pool and the volume it was for are long forgotten', async () => {
    const { cloud, hostId, known, stored, days } = await stage();
    const imageId = await cloud.image(MIB);
    const second = await cloud.pool(hostId, { name: 'second' });
    const id = await cloud.volume(MIB, { imageId, poolId: second });
    await cloud.sim.done('volume.delete', {}, id);
    await cloud.sim.done('pool.delete', {}, second);
    await days(3);
    expect([await known(pool, second), await known(volume, id)]).to.deep.equal([false, false]);
    await cloud.sim.done('image.delete', {}, imageId);
    await cloud.sim.run(2 * HOUR_MS);
    expect(stored()).to.deep.equal([]);
  });
});
