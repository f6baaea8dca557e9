import { SHARED_SITE } from '@pileus/core/testing';
import { expect } from 'chai';
import { pool, poolDegraded, poolRecovered } from '../../../../src/cloud/index.ts';
import { outagesAfter } from '../../../../src/cloud/storage/pool-availability.ts';
import { type JsonObject, onNotice } from '../../../../src/kernel/index.ts';
import { LittleCloud } from '../../little-cloud.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const target = 0.9995;
/** Looks at pools are a minute apart then: an hour has few. */
const SELDOM = { 'hosts.heartbeatSeconds': 10 };

interface Availability {
  readonly since: string;
  readonly availableShare: number;
  readonly outageSeconds: number;
  readonly budgetLeftSeconds: number;
  readonly outages: readonly { readonly from: string; readonly to?: string; readonly reason: string }[];
}

async function open(presets: JsonObject = {}) {
  const heard: [string, unknown][] = [];
  const hooks = [poolDegraded, poolRecovered].map((point) =>
    onNotice(point, async ({ health, reason }) => void heard.push([health, reason])),
  );
  const cloud = await LittleCloud.open({
    plugins: [{ id: 'listener', version: '1.0.0', requires: ['storage'], hooks }],
    presets: { ...SELDOM, ...presets },
  });
  await cloud.host('hv1');
  const id = await cloud.sim.done('pool.create', { name: 'shared', driver: 'simulated-shared', clusterId: cloud.clusterId });
  const availability = async () => (await cloud.ask('GET', '/pools/{id}/availability', { params: { id } })) as Availability;
  return { cloud, id, heard, availability };
}

describe('the availability of a pool', () => {
  it('is told by the looks at it: from the first that failed to the one that did not', async () => {
    const { cloud, id, heard, availability } = await open();
    expect(await availability()).to.include({ availableShare: 1, outageSeconds: 0, budgetLeftSeconds: 1296 });
    await cloud.sim.run(10 * MINUTE_MS);
    cloud.sim.world.disconnect(SHARED_SITE);
    await cloud.sim.run(10 * MINUTE_MS);
    expect((await availability()).outages).to.have.length(1);
    const { statusReason } = await cloud.row(pool, id);
    cloud.sim.world.reconnect(SHARED_SITE);
    await cloud.sim.run(10 * MINUTE_MS);
    const { outages, availableShare, outageSeconds, budgetLeftSeconds } = await availability();
    expect(outages.map(({ reason }) => reason)).to.deep.equal([statusReason]);
    expect(outageSeconds).to.be.within(8 * 60, 12 * 60);
    expect(Math.abs(outageSeconds + budgetLeftSeconds - 1296)).to.be.below(1);
    expect(availableShare).to.be.within(0.6, 0.75);
    expect(heard).to.deep.equal([
      ['unavailable', statusReason],
      ['healthy', ''],
    ]);
    const { generation } = await cloud.row(pool, id);
    await cloud.sim.run(10 * MINUTE_MS);
    expect((await cloud.row(pool, id)).generation, 'nothing is written where nothing changes').to.equal(generation);
  });

  it('counts what its backend calls unavailable, and is shown as below what is wanted while that lasts', async () => {
    const { cloud, id, availability } = await open({ 'pools.availabilityTarget': 0.9999 });
    const there = cloud.sim.world.pools.get(id);
    if (there !== undefined) there.facts = { ...there.facts, health: 'unavailable', reason: '2 pgs inactive' };
    await cloud.sim.run(3 * MINUTE_MS);
    expect(await cloud.row(pool, id)).not.to.have.property('isBelowTarget');
    await cloud.sim.run(5 * MINUTE_MS);
    expect(await cloud.row(pool, id)).to.include({ isBelowTarget: true, health: 'unavailable', status: 'connected' });
    expect(await availability()).to.deep.include({ budgetLeftSeconds: 0 });
    expect((await availability()).outages[0])
      .to.include({ reason: '2 pgs inactive' })
      .and.not.to.have.property('to');
  });

  it('forgets what is older than the days that it is of', () => {
    const nowMs = 100 * DAY_MS;
    const at = (ms: number) => new Date(nowMs - ms).toISOString();
    const long = { from: at(30 * DAY_MS + 2 * MINUTE_MS), to: at(29 * DAY_MS), reason: 'long' };
    const probed = { nowMs, reason: undefined, target };
    expect(outagesAfter({ outages: [long] }, probed)).to.deep.equal({ outages: [long], isBelowTarget: true });
    expect(outagesAfter({ outages: [long], isBelowTarget: true }, probed)).to.equal(undefined);
    expect(outagesAfter({ outages: [long], isBelowTarget: true }, { ...probed, nowMs: nowMs + 1.5 * DAY_MS })).to.deep.equal({
      outages: null,
      isBelowTarget: null,
    });
  });

  it('keeps a hundred outages, and loses no second of more', () => {
    let row: Parameters<typeof outagesAfter>[0] = {};
    let nowMs = 100 * DAY_MS;
    for (let count = 0; count < 150; count += 1) {
      for (const reason of ['away', undefined]) {
        const { outages = null, isBelowTarget } = outagesAfter(row, { nowMs, reason, target }) ?? {};
        row = { ...(outages !== null && { outages }), ...(isBelowTarget === true && { isBelowTarget }) };
        nowMs += 10_000;
      }
    }
    expect(row.outages).to.have.length(100);
    const ms = row.outages?.map(({ from, to }) => Date.parse(to ?? '') - Date.parse(from)).reduce((sum, each) => sum + each, 0);
    expect(ms).to.equal(150 * 10_000);
    expect(row.isBelowTarget).to.equal(true);
  });
});
