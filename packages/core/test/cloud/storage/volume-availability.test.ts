import { expect } from 'chai';
import fc from 'fast-check';
import { instance, pool, volume } from '../../../src/cloud/index.ts';
import { machinesCutOff, pastPoolsWith } from '../../../src/cloud/storage/volume-availability.ts';
import {
  type AnyKind,
  Api,
  change,
  type Id,
  type JsonObject,
  type Principal,
  type Reader,
  type RowOf,
  sleep,
} from '../../../src/kernel/index.ts';
import { Slices } from '../../../src/kernel/slices.ts';
import { LOOK_MS, MachineStage } from '../compute/machine-stage.ts';
import { codeOf } from '../little-cloud.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Looks at pools are a minute apart then: an hour has few. */
const SELDOM = { presets: { 'hosts.heartbeatSeconds': 10 } };
const POOL_AWAY = 'Its pool could not be had.';
const CUT_OFF = 'The host of its machine does not reach its pool.';
const MISSING = 'Its pool does not have it.';

interface Report {
  readonly since: string;
  readonly availableShare: number;
  readonly target: number;
  readonly isBelowTarget: boolean;
  readonly outageSeconds: number;
  readonly budgetLeftSeconds: number;
  readonly outages: readonly { readonly from: string; readonly to?: string; readonly reason: string }[];
}

async function open(options: Parameters<typeof MachineStage.with>[1] = {}) {
  const stage = await MachineStage.with({ hosts: 2, network: false }, options);
  const { sim } = stage;
  /** Sees the rows of the project, and nothing of the cloud's. */
  const tenant: Principal = { ...sim.principal, allows: (permission) => permission === 'volume.read' };
  const report = async (id: string, { principal = sim.principal, query = {} }: { principal?: Principal; query?: JsonObject } = {}) =>
    (await stage.ask('GET', '/volumes/{id}/availability', { params: { id }, principal, query })) as Report;
  /** What pools and volumes have been through, as their rows would say. */
  const past = async (row: { readonly kind: typeof pool | typeof volume; readonly id: string }, set: object) =>
    sim.environment.complete(sim.kernel.observe([change(row.kind as typeof pool, row.id as Id<'pool'>, set)]));
  const ago = (ms: number) => new Date(sim.environment.clock.nowMs() - ms).toISOString();
  return { stage, sim, tenant, report, past, ago };
}

/** Machines on the first host, whose root disks are in a pool that its agent may not reach. */
async function withCutOff(stage: MachineStage, machines: number) {
  const { sim } = stage;
  const storageClass = 'shared';
  const poolId = await sim.done('pool.create', { driver: 'simulated-shared', clusterId: stage.clusterId, storageClass });
  const url = 'https://192.0.2.1:7430';
  const [hostId = ''] = stage.hostIds;
  await sim.done('agent.create', { hostId, url, fingerprint: '0'.repeat(64) });
  await sim.run(3 * LOOK_MS);
  const rootIds: string[] = [];
  for (let made = 0; made < machines; made += 1) {
    const [root] = await stage.disks(await stage.machine({ hostId, rootVolume: { storageClass } }));
    rootIds.push(root?.id ?? '');
  }
  return { poolId, agentThere: sim.agents.at(url), rootIds };
}

describe('the availability of a volume', function () {
  this.timeout(60_000);

  it('is that of its pool since it was made, told to its owner without what is the pool’s own', async () => {
    const { stage, sim, tenant, report } = await open(SELDOM);
    const [poolId = ''] = stage.poolIds;
    const early = await stage.volume(4096, { poolId });
    sim.world.disconnect('hv1');
    await sim.run(20 * MINUTE_MS);
    sim.world.reconnect('hv1');
    await sim.run(10 * MINUTE_MS);
    const late = await stage.volume(4096, { poolId });
    await sim.run(10 * MINUTE_MS);
    const [outage] = (await stage.row(pool, poolId)).outages ?? [];
    const lostSeconds = Math.round((Date.parse(outage?.to ?? '') - Date.parse(outage?.from ?? '')) / 100) / 10;
    expect(lostSeconds).to.be.within(15 * 60, 25 * 60);
    const seen = await report(early);
    expect(seen).to.deep.include({ target: 0.9995, isBelowTarget: false, outageSeconds: lostSeconds, outages: [outage] });
    expect(seen.budgetLeftSeconds).to.be.closeTo(1296 - lostSeconds, 0.2);
    expect(seen.availableShare).to.be.within(0.4, 0.6);
    const { outageSeconds, outages } = await report(early, { principal: tenant });
    expect({ outageSeconds, outages }).to.deep.equal({ outageSeconds: lostSeconds, outages: [{ ...outage, reason: POOL_AWAY }] });
    expect(await report(late)).to.deep.include({ availableShare: 1, isBelowTarget: false, outageSeconds: 0, outages: [] });
    const { createdAt } = await stage.row(volume, late);
    expect((await report(late)).since).to.equal(createdAt);
    expect(await report(early, { query: { days: 1 } })).to.include({
      isBelowTarget: true,
      budgetLeftSeconds: 0,
      outageSeconds: lostSeconds,
    });
    const stranger: Principal = { ...tenant, projectId: sim.kernel.services.ids.mint('project') };
    expect(await codeOf(report(early, { principal: stranger }))).to.equal('not_found');
  });

  it('is of each pool while it was there', async () => {
    const { stage, report, past, ago, sim } = await open(SELDOM);
    const [here = '', there = ''] = stage.poolIds;
    const id = await stage.volume(4096, { poolId: here });
    await sim.run(60 * MINUTE_MS);
    expect((await stage.outcome('volume.move', { poolId: there }, id)).error).to.equal(undefined);
    const [left] = (await stage.row(volume, id)).pastPools ?? [];
    expect(left?.poolId).to.equal(here);
    expect(Date.parse(left?.until ?? '')).to.be.closeTo(sim.environment.clock.nowMs(), MINUTE_MS);
    await sim.run(60 * MINUTE_MS);
    const outage = (fromMs: number, toMs: number | undefined, reason: string) => ({
      from: ago(fromMs * MINUTE_MS),
      ...(toMs === undefined ? {} : { to: ago(toMs * MINUTE_MS) }),
      reason,
    });
    // The first is of both, the second of neither.
    await past({ kind: pool, id: here }, { outages: [outage(90, 80, 'a'), outage(70, 20, 'b')] });
    await past({ kind: pool, id: there }, { outages: [outage(85, 75, 'c'), outage(30, 10, 'd')] });
    const { outages, outageSeconds } = await report(id);
    expect(outages.map(({ reason }) => reason)).to.deep.equal(['a', 'b', 'd']);
    expect(outages[1]?.to, 'until it went').to.equal(left?.until);
    const untilLeft = Date.parse(left?.until ?? '') - Date.parse(outages[1]?.from ?? '');
    expect(outageSeconds).to.be.closeTo((30 * MINUTE_MS + untilLeft) / 1000, 0.2);
  });

  it('counts while the host of its machine does not reach its pool, or that does not have it, and nothing twice', async () => {
    const { stage, sim, tenant, report, past, ago } = await open();
    const { poolId, agentThere, rootIds } = await withCutOff(stage, 1);
    const beside = await stage.volume(4096, { poolId });
    const [id = ''] = rootIds;
    agentThere.unreached?.set(poolId, 'ETIMEDOUT');
    await sim.run(30 * LOOK_MS);
    const [lasting] = (await report(id)).outages;
    expect(lasting).to.include({ reason: CUT_OFF }).and.not.to.have.property('to');
    const { generation } = await stage.row(volume, id);
    await sim.run(3 * LOOK_MS);
    expect((await stage.row(volume, id)).generation, 'a look that finds nothing new writes nothing').to.equal(generation);
    agentThere.unreached?.clear();
    await sim.run(6 * LOOK_MS);
    const { outages, outageSeconds } = await report(id, { principal: tenant });
    expect(outages.map(({ reason }) => reason)).to.deep.equal([CUT_OFF]);
    expect(outageSeconds).to.be.within((20 * LOOK_MS) / 1000, (40 * LOOK_MS) / 1000);
    expect((await report(beside)).outages).to.deep.equal([]);
    expect((await stage.row(pool, poolId)).outages).to.equal(undefined);
    sim.world.pools.get(poolId)?.delete('volume', beside);
    await sim.run(6 * LOOK_MS);
    expect((await report(beside, { principal: tenant })).outages.map(({ reason }) => reason)).to.deep.equal([MISSING]);
    const from = outages[0]?.from ?? '';
    await past({ kind: pool, id: poolId }, { outages: [{ from, to: ago(0), reason: 'away' }] });
    const whole = (sim.environment.clock.nowMs() - Date.parse(from)) / 1000;
    expect((await report(id)).outageSeconds).to.be.closeTo(whole, 0.2);
  });

  it('loses nothing while it lies in the trash, and its outage ends with it', async () => {
    const { stage, sim, report } = await open({ presets: { 'trash.retentionSeconds': 3600 } });
    const [poolId = ''] = stage.poolIds;
    const ids = [await stage.volume(4096, { poolId }), await stage.volume(4096, { poolId })];
    const [id = '', gone = ''] = ids;
    const disks = sim.world.pools.get(`hv1/${poolId}`);
    for (const each of ids) disks?.delete('volume', each);
    await sim.run(6 * LOOK_MS);
    expect((await report(id)).outages[0])
      .to.include({ reason: MISSING })
      .and.not.to.have.property('to');
    await sim.done('volume.delete', { permanent: true }, gone);
    expect((await stage.row(volume, gone)).outages?.[0]).to.have.property('to');
    await sim.done('volume.delete', {}, id);
    const { at } = (await stage.row(volume, id)).trash ?? {};
    expect((await report(id)).outages[0], 'before a look').to.include({ to: at });
    await sim.run(6 * LOOK_MS);
    expect((await stage.row(volume, id)).outages?.[0]).to.include({ to: at });
    const { generation } = await stage.row(volume, id);
    await sim.run(20 * LOOK_MS);
    expect((await stage.row(volume, id)).generation, 'a look that finds nothing new writes nothing').to.equal(generation);
    await sim.done('volume.recover', {}, id);
    const backMs = sim.environment.clock.nowMs();
    await sim.run(6 * LOOK_MS);
    const { outages } = await report(id);
    expect(outages.map(({ reason }) => reason)).to.deep.equal([MISSING, MISSING]);
    expect(outages[0]).to.include({ to: at });
    expect(Date.parse(outages[1]?.from ?? '')).to.be.at.least(backMs);
  });

  it('is written of all volumes of a pool at once, by one look at a time, and without those that have changed meanwhile', async () => {
    const { stage, sim } = await open();
    const { poolId, agentThere, rootIds } = await withCutOff(stage, 3);
    const real = sim.kernel.observe.bind(sim.kernel);
    const batches: number[] = [];
    let [underWay, together] = [0, 0];
    sim.kernel.observe = async (statements) => {
      const ofVolumes = statements.filter((each) => each.op === 'update' && each.table === volume.name).length;
      if (ofVolumes === 0) return real(statements);
      batches.push(ofVolumes);
      if (batches.length === 1) await real([change(volume, rootIds[1] as Id<'volume'>, { statusReason: 'changed' })]);
      underWay += 1;
      together = Math.max(together, underWay);
      // Longer than the time between two looks, and shorter than what a look may take.
      if (batches.length === 1) await sleep(sim.environment.timers, 3 * LOOK_MS);
      underWay -= 1;
      return real(statements);
    };
    agentThere.unreached?.set(poolId, 'ETIMEDOUT');
    await sim.run(15 * LOOK_MS);
    expect(together).to.equal(1);
    expect(batches).to.deep.equal([3, 1, 1, 1, 1]);
    for (const id of rootIds) expect((await stage.row(volume, id)).outages, id).to.have.length(1);
  });

  it('asks for the machines of many hosts in parts, and reads them in several turns', async () => {
    const since = '2026-01-01T00:00:00.000Z';
    const hosts = Array.from({ length: 450 }, (_, number) => ({ id: `host-${number}`, unreachedPools: [{ poolId: 'pool', since }] }));
    const asked: number[] = [];
    const texts = async (kind: AnyKind, where: { readonly value?: readonly string[] }) => {
      if (kind !== instance) return hosts.map((row) => JSON.stringify(row));
      const { value = [] } = where;
      asked.push(value.length);
      return value.map((hostId) => JSON.stringify({ id: `machine-of-${hostId}`, hostId }));
    };
    let turns = 0;
    const after = (_: number, then: () => void) => {
      turns += 1;
      setImmediate(then);
      return () => undefined;
    };
    const services = { reader: { texts } as unknown as Reader, slices: new Slices({ after }) };
    const cutOff = await machinesCutOff(services, { id: 'pool', scope: 'cluster' } as RowOf<typeof pool>);
    expect(asked).to.deep.equal([200, 200, 50]);
    expect(cutOff).to.deep.equal(new Map(hosts.map(({ id }) => [`machine-of-${id}`, Date.parse(since)])));
    expect(turns).to.be.at.least(450 / 64);
  });

  it('is of one to thirty days', async () => {
    const { stage, sim } = await open();
    const id = await stage.volume(4096);
    const ask = async (query: string) => {
      const request = { method: 'GET', principal: sim.principal, requestId: 'r', signal: new AbortController().signal, headers: {} };
      const url = `/v1/volumes/${id}/availability${query}`;
      return (await sim.environment.complete(new Api(sim.kernel).handle({ ...request, url, acceptsSocket: false }))).status;
    };
    const answers: number[] = [];
    for (const query of ['', '?days=1', '?days=30', '?days=0', '?days=31', '?days=1.5', '?weeks=1']) answers.push(await ask(query));
    expect(answers).to.deep.equal([200, 200, 200, 400, 400, 400, 400]);
  });

  it('remembers where it was for thirty days, and no more than a hundred places', () => {
    const nowMs = 100 * DAY_MS;
    const at = (days: number) => new Date(nowMs - days * DAY_MS).toISOString();
    const ages = fc.array(fc.double({ min: 0, max: 60, noNaN: true }), { maxLength: 150 });
    fc.assert(
      fc.property(ages, (days) => {
        const pastPools = days.toSorted((a, b) => b - a).map((age, index) => ({ poolId: `pool-${index}`, until: at(age) }));
        const now = pastPoolsWith({ pastPools }, { poolId: 'last', until: at(0) }, nowMs);
        const young = pastPools.filter(({ until }) => Date.parse(until) > nowMs - 30 * DAY_MS);
        expect(now).to.deep.equal([...young, { poolId: 'last', until: at(0) }].slice(-100));
      }),
    );
  });
});
