import { expect } from 'chai';
import fc from 'fast-check';
import { pool, poolDegraded, poolNearlyFull, poolRecovered, volume } from '../../../../src/cloud/index.ts';
import { counted } from '../../../../src/cloud/storage/pool-capacity.ts';
import { type JsonObject, onNotice, type Plugin } from '../../../../src/kernel/index.ts';
import type { PoolFacts } from '../../../../src/strategy/index.ts';
import { MachineStage } from '../../compute/machine-stage.ts';
import { codeOf, GIB, LittleCloud } from '../../little-cloud.ts';

const MINUTE_MS = 60_000;

/** Writes down the alarms that it is told of. */
function listener(): { readonly plugin: Plugin; readonly heard: [string, JsonObject][] } {
  const heard: [string, JsonObject][] = [];
  const hooks = [poolDegraded, poolNearlyFull, poolRecovered].map((point) =>
    onNotice(point, async (event) => void heard.push([point.id, event])),
  );
  return { plugin: { id: 'listener', version: '1.0.0', requires: ['storage'], hooks }, heard };
}

async function open() {
  const { plugin, heard } = listener();
  const cloud = await LittleCloud.open({ plugins: [plugin] });
  await cloud.host('hv1');
  const id = await cloud.sim.done('pool.create', { name: 'shared', driver: 'simulated-shared', clusterId: cloud.clusterId });
  const become = async (change: Partial<PoolFacts>) => {
    const there = cloud.sim.world.pools.get(id);
    if (there !== undefined) there.facts = { ...there.facts, ...change };
    await cloud.sim.run(MINUTE_MS);
  };
  const refusal = (input: object = {}) =>
    cloud.sim.submit('volume.create', { sizeBytes: GIB, ...input }).then(
      () => undefined,
      (error: { readonly code: string; readonly params?: JsonObject }) => [error.code, error.params?.reasons],
    );
  return { cloud, id, heard, become, refusal };
}

describe('facts of pools', () => {
  it('are read when a pool is registered, and at each look', async () => {
    const { cloud, id, become } = await open();
    const sound = { replicas: 3, replicasMin: 2, failureDomain: 'host', deviceClass: 'ssd', health: 'healthy', isNearlyFull: false };
    expect(await cloud.row(pool, id)).to.include(sound);
    await become({ replicas: 2, health: 'degraded', reason: '1 osd down' });
    expect(await cloud.row(pool, id)).to.include({ replicas: 2, health: 'degraded', healthReason: '1 osd down' });
    const { generation } = await cloud.row(pool, id);
    await cloud.sim.run(MINUTE_MS);
    expect((await cloud.row(pool, id)).generation).to.equal(generation);
  });

  it('are not made up where the driver tells none', async () => {
    const { cloud } = await open();
    const local = await cloud.pool(await cloud.host('hv2'));
    expect(await cloud.row(pool, local)).not.to.have.any.keys('replicas', 'health', 'isNearlyFull');
  });

  it('show growth within a minute, and it is promised', async () => {
    const { cloud, id } = await open();
    const things = cloud.sim.world.pools.get(id);
    if (things !== undefined) things.totalBytes *= 2;
    await cloud.sim.run(MINUTE_MS);
    expect((await cloud.row(pool, id)).totalBytes).to.equal(things?.totalBytes);
    expect((await cloud.counter(`capacity/pool/${id}/bytes`))?.limit).to.equal(things?.totalBytes);
  });

  it('tell where more may be promised of a pool than is counted, and that much is promised', async () => {
    const sizeBytes = 2 ** 53 - 512;
    const cloud = await LittleCloud.open({ world: { poolBytes: sizeBytes } });
    const id = await cloud.pool(await cloud.host('hv1'));
    const seen = async () => ({
      isCapped: (await cloud.row(pool, id)).isCapped,
      limit: (await cloud.counter(`capacity/pool/${id}/bytes`))?.limit,
    });
    expect(await seen()).to.deep.equal({ isCapped: undefined, limit: sizeBytes });
    await cloud.sim.done('pool.update', { overcommit: 20 }, id);
    expect(await seen()).to.deep.equal({ isCapped: true, limit: Number.MAX_SAFE_INTEGER });
    await cloud.volume(sizeBytes);
    expect((await cloud.counter(`capacity/pool/${id}/bytes`))?.value).to.equal(sizeBytes);
    expect(await codeOf(cloud.sim.submit('volume.create', { sizeBytes }))).to.equal('no_capacity');
    await cloud.sim.done('pool.update', { overcommit: 1 }, id);
    expect(await seen()).to.deep.equal({ isCapped: undefined, limit: sizeBytes });
  });

  it('of a pool beyond what is counted are of all of it, and its row says that it is larger', async () => {
    const cloud = await LittleCloud.open({ world: { poolBytes: 2 ** 54 } });
    const id = await cloud.pool(await cloud.host('hv1'));
    const size = async () => {
      const { totalBytes, freeBytes, isCapped, isNearlyFull } = await cloud.row(pool, id);
      return { totalBytes, freeBytes, isCapped, isNearlyFull };
    };
    const things = cloud.sim.world.pools.get(`hv1/${id}`);
    const counted = Number.MAX_SAFE_INTEGER;
    expect(await size()).to.deep.equal({ totalBytes: counted, freeBytes: counted, isCapped: true, isNearlyFull: undefined });
    if (things !== undefined) things.othersBytes = 2 ** 53;
    await cloud.sim.run(MINUTE_MS);
    expect((await size()).isNearlyFull).to.equal(undefined);
    if (things !== undefined) things.othersBytes = 2 ** 54 - 2 ** 50;
    await cloud.sim.run(MINUTE_MS);
    expect(await size()).to.deep.equal({ totalBytes: counted, freeBytes: 2 ** 50, isCapped: true, isNearlyFull: true });
    if (things !== undefined) Object.assign(things, { totalBytes: 2 ** 50, othersBytes: 0 });
    await cloud.sim.run(MINUTE_MS);
    expect(await size()).to.deep.equal({ totalBytes: 2 ** 50, freeBytes: 2 ** 50, isCapped: undefined, isNearlyFull: undefined });
  });

  it('are taken from bigints exactly, as far as one number tells them', () => {
    const max = 2n ** 53n - 1n;
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 2n ** 60n }), fc.bigInt({ min: 0n, max: 2n ** 60n }), (freeBytes, more) => {
        const totalBytes = freeBytes + more;
        const seen = counted({ totalBytes, freeBytes });
        expect(BigInt(seen.totalBytes)).to.equal(totalBytes < max ? totalBytes : max);
        expect(BigInt(seen.freeBytes)).to.equal(freeBytes < max ? freeBytes : max);
        expect(seen.usedShare).to.equal(Number(more) / Number(totalBytes));
        if (totalBytes < max) expect(counted({ totalBytes: Number(totalBytes), freeBytes: Number(freeBytes) })).to.deep.equal(seen);
      }),
    );
    expect(counted({ totalBytes: 0, freeBytes: 0 })).to.deep.equal({ totalBytes: 0, freeBytes: 0, usedShare: 0 });
  });

  for (const [what, trouble, why, alarm] of [
    ['degraded', { health: 'degraded', reason: '1 osd down' }, 'is degraded: 1 osd down', 'pool.degraded'],
    ['unavailable', { health: 'unavailable', reason: '2 pgs inactive' }, 'is unavailable: 2 pgs inactive', 'pool.degraded'],
    ['nearly full', { isNearlyFull: true, reason: 'osd.1 is near full' }, 'is nearly full: osd.1 is near full', 'pool.nearlyFull'],
  ] as const)
    it(`nothing new is placed in a ${what} pool, which raises an alarm; what is there stays in use`, async () => {
      const { cloud, id, heard, become, refusal } = await open();
      const there = await cloud.volume(GIB);
      await become(trouble);
      expect(await refusal()).to.deep.equal(['no_capacity', { shared: why }]);
      expect(await refusal({ poolId: id })).to.deep.equal(['no_capacity', { shared: why }]);
      expect(heard).to.deep.equal([[alarm, { poolId: id, health: (await cloud.row(pool, id)).health, reason: trouble.reason }]]);
      await cloud.sim.done('volume.delete', {}, there);
      expect(await cloud.rows(volume)).to.deep.equal([]);
      const cured = cloud.sim.world.pools.get(id);
      const { reason: _, ...facts } = cured?.facts ?? { reason: '' };
      if (cured !== undefined) cured.facts = facts as PoolFacts;
      await become({ health: 'healthy', isNearlyFull: false });
      expect(heard.at(-1)).to.deep.equal(['pool.recovered', { poolId: id, health: 'healthy', reason: '' }]);
      expect(heard).to.have.length(2);
      await cloud.volume(GIB);
    });

  it('are nearly full by what is used of them, whoever uses it, where the driver tells nothing', async () => {
    const { plugin, heard } = listener();
    const cloud = await LittleCloud.open({ plugins: [plugin] });
    const id = await cloud.pool(await cloud.host('hv1'));
    const used = async (share: number) => {
      const there = cloud.sim.world.pools.get(`hv1/${id}`);
      if (there !== undefined) there.othersBytes = Math.ceil(there.totalBytes * share);
      await cloud.sim.run(MINUTE_MS);
      return (await cloud.row(pool, id)).isNearlyFull;
    };
    expect(await used(0.9)).to.equal(undefined);
    expect(await used(0.901)).to.equal(true);
    expect(heard.map(([point]) => point)).to.deep.equal(['pool.nearlyFull']);
    const error = await cloud.sim.submit('volume.create', { sizeBytes: GIB }).catch((cause: unknown) => cause);
    expect(error)
      .to.have.nested.property('params.reasons')
      .that.deep.equals({ [(await cloud.row(pool, id)).name]: 'is nearly full' });
    expect(await used(0.895), 'at the edge it stays').to.equal(true);
    expect(await used(0.5)).to.equal(undefined);
    expect(heard.map(([point]) => point)).to.deep.equal(['pool.nearlyFull', 'pool.recovered']);
    await cloud.volume(GIB);
    // Never, when the setting says so: not even while it is full to the brim.
    expect(await used(0.999)).to.equal(true);
    await cloud.sim.done('settingValue.set', { key: 'pools.nearlyFullShare', value: 1 });
    expect(await used(0.999)).to.equal(undefined);
  });

  it('that do not answer keep no look from another', async () => {
    const { cloud } = await open();
    const shared = (name: string) => cloud.sim.done('pool.create', { name, driver: 'simulated-shared', clusterId: cloud.clusterId });
    for (const name of ['second', 'third']) await shared(name);
    const last = await shared('last');
    // Each waits for as long as a call may take, which together is longer than there is between looks.
    cloud.sim.world.faults.add({ command: 'ensurePool', times: 3, effect: 'hang' });
    const things = cloud.sim.world.pools.get(last);
    if (things !== undefined) things.totalBytes += Math.floor(things.totalBytes / 200);
    await cloud.sim.run(MINUTE_MS);
    expect((await cloud.row(pool, last)).totalBytes).to.equal(things?.totalBytes);
  });

  it('an alarm is told once more when degraded becomes unavailable, and not at each look', async () => {
    const { heard, become } = await open();
    await become({ health: 'degraded', reason: 'a' });
    await become({ reason: 'b' });
    await become({ health: 'unavailable', reason: 'c' });
    expect(heard.map(([point, { health }]) => [point, health])).to.deep.equal([
      ['pool.degraded', 'degraded'],
      ['pool.degraded', 'unavailable'],
    ]);
  });

  it('a nearly full pool lets nothing grow', async () => {
    const { cloud, become } = await open();
    const there = await cloud.volume(GIB);
    await become({ isNearlyFull: true, reason: 'near full' });
    const error = await cloud.sim.submit('volume.resize', { sizeBytes: 2 * GIB }, there).catch((cause: unknown) => cause);
    expect(error).to.include({ code: 'no_capacity' });
  });
});

describe('machines and the health of pools', () => {
  it('are placed where the pool is well, and told why elsewhere not', async () => {
    const stage = await MachineStage.with({ hosts: 1, network: false });
    const poolId = await stage.sim.done('pool.create', {
      name: 'shared',
      driver: 'simulated-shared',
      clusterId: stage.clusterId,
      storageClass: 'fast',
    });
    const asking = { rootVolume: { storageClass: 'fast' } };
    await stage.machine(asking);
    const there = stage.sim.world.pools.get(poolId);
    if (there !== undefined) there.facts = { ...there.facts, health: 'degraded', reason: '1 osd down' };
    await stage.sim.run(MINUTE_MS);
    const refused = await stage.refusal('instance.create', stage.input(asking));
    expect(refused.params).to.deep.equal({ reasons: { hv1: 'its pool shared is degraded: 1 osd down' } });
    await stage.machine();
  });

  it('that wait for room are made when the pool has recovered', async () => {
    const stage = await MachineStage.with({ hosts: 1, network: false });
    const driver = { driver: 'simulated-shared', clusterId: stage.clusterId };
    const poolId = await stage.sim.done('pool.create', { ...driver, name: 'shared', storageClass: 'fast' });
    const there = stage.sim.world.pools.get(poolId);
    const become = async (facts: Partial<PoolFacts>) => {
      if (there !== undefined) there.facts = { ...there.facts, ...facts };
      await stage.sim.run(MINUTE_MS);
    };
    await become({ health: 'degraded' });
    const asked = await stage.sim.submit('instance.create', stage.input({ rootVolume: { storageClass: 'fast' }, whenFull: 'wait' }));
    await stage.sim.run(MINUTE_MS);
    expect(await stage.instance(asked.resourceId)).to.include({ state: 'creating' });
    await become({ health: 'healthy' });
    expect((await stage.sim.ended(asked.operationId)).state).to.equal('succeeded');
    expect((await stage.instance(asked.resourceId)).state).to.equal('running');
  });
});
