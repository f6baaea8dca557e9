import { expect } from 'chai';
import { backend, loadBalancer } from '../../../../src/cloud/index.ts';
import { backendFreed, backendHeld } from '../../../../src/cloud/network/points.ts';
import { create, type Id, type JsonObject, type Notice, onNotice, type Plugin, transition } from '../../../../src/kernel/index.ts';
import type { LoadBalancerSpec } from '../../../../src/strategy/index.ts';
import { RoutedStage } from '../routed-stage.ts';

const check = { intervalSeconds: 5, timeoutSeconds: 2, successes: 2, failures: 3 };
const SETTLE_MS = 1000;
const MINUTE_MS = 60_000;
const MANY = 1000;
/** As many as are looked up at once, and as are read in a turn of the event loop. */
const BATCH = 64;

/** A listener with three machines behind it. */
async function shop(presets: Readonly<Record<string, unknown>> = {}) {
  const heard: [string, JsonObject][] = [];
  const told = <T extends JsonObject>(point: Notice<T>) => onNotice(point, async (event) => void heard.push([point.id, event]));
  const plugin: Plugin = { id: 'hearing', version: '1', requires: ['network'], hooks: [told(backendHeld), told(backendFreed)] };
  const at = await RoutedStage.ready({ plugins: [plugin], presets: presets as never });
  const id = await at.sim.done('loadBalancer.create', { subnetId: at.subnetId });
  const listenerId = await at.sim.done('listener.create', { loadBalancerId: id, protocol: 'tcp', port: 80, healthCheck: check });
  const ids: string[] = [];
  for (let n = 0; n < 3; n += 1) {
    const { nicId } = await at.machine();
    ids.push(await at.sim.done('backend.create', { name: `web-${n}`, listenerId, nicId, port: 8080, weight: n + 1 }));
  }
  const [a, b, c] = ids as [string, string, string];
  // The first look begins to listen.
  await at.sim.run(MINUTE_MS);
  const { kept } = at.sim.world.fabric;
  const weights = () => {
    const spec = at.kept('loadBalancers', id) as LoadBalancerSpec | undefined;
    const all = new Map(spec?.listeners[0]?.backends.map((each) => [each.id, each.weight]));
    return ids.map((each) => all.get(each));
  };
  const goOut = async (...which: readonly string[]) => {
    for (const each of which) kept.goOut(each);
    await at.sim.run(SETTLE_MS);
  };
  const flap = async (which: string, times = 4) => {
    for (let n = 0; n < times; n += 1) {
      await goOut(which);
      kept.offline.delete(which);
      await at.sim.run(SETTLE_MS);
    }
  };
  const row = (which: string) => at.stage.row(backend, which);
  const health = async () => {
    const answer = await at.stage.ask('GET', '/load-balancers/{id}/health', { params: { id }, principal: at.sim.principal });
    const { backends } = answer as {
      readonly backends: readonly { readonly id: string; readonly health: string; readonly heldUntil?: string }[];
    };
    return ids.map((each) => backends.find((one) => one.id === each));
  };
  /** What is told of the balancer to who asks whether it leads anywhere. */
  const waysIn = async () => {
    const { address } = await at.stage.row(loadBalancer, id);
    const body = { protocol: 'tcp', port: 80, fromNicId: (await row(c)).nicId, toAddress: address };
    const answer = await at.stage.ask('POST', '/reachability/explain', { principal: at.sim.principal, body });
    const { hops } = answer as { readonly hops: readonly { readonly at: string; readonly message: string }[] };
    return hops.find((hop) => hop.at === 'loadBalancer')?.message;
  };
  return { at, id, listenerId, a, b, c, weights, goOut, flap, row, health, heard, kept, waysIn };
}

describe('a backend that comes and goes', () => {
  it('is held out after it went out too often, says so, and is tried again when its time is over', async () => {
    const { at, listenerId, a, weights, flap, row, health, heard, waysIn } = await shop();
    await flap(a, 3);
    expect([weights(), (await row(a)).flaps?.outs.length, (await row(a)).heldReason]).to.deep.equal([[1, 2, 3], 3, undefined]);
    const beforeMs = at.sim.environment.clock.nowMs();
    await flap(a, 1);
    const { heldReason, heldUntil = '', flaps, state, weight } = await row(a);
    expect([heldReason, flaps, state, weight]).to.deep.equal(['flapping', { outs: [], holds: 1 }, 'available', 1]);
    expect(Date.parse(heldUntil) - beforeMs).to.be.within(MINUTE_MS, MINUTE_MS + SETTLE_MS);
    expect(weights()).to.deep.equal([0, 2, 3]);
    expect((await health()).map((each) => [each?.health, each?.heldUntil])).to.deep.equal([
      ['held', heldUntil],
      ['online', undefined],
      ['online', undefined],
    ]);
    expect(await waysIn(), 'who is held leads nowhere').to.match(/ of 2 backends that get connections/);
    await at.sim.run(MINUTE_MS - 3 * SETTLE_MS);
    expect(weights()).to.deep.equal([0, 2, 3]);
    await at.sim.run(3 * SETTLE_MS);
    expect([weights(), (await row(a)).heldUntil, (await row(a)).heldReason]).to.deep.equal([[1, 2, 3], undefined, undefined]);
    const of = { backendId: a, listenerId };
    expect(heard).to.deep.equal([
      ['backend.held', { ...of, reason: 'flapping', until: heldUntil, holds: 1 }],
      ['backend.freed', of],
    ]);
    await flap(a);
    await at.sim.run(MINUTE_MS + 10 * SETTLE_MS);
    expect([weights(), (await row(a)).flaps?.holds]).to.deep.equal([[0, 2, 3], 2]);
    await at.sim.run(MINUTE_MS);
    expect(weights()).to.deep.equal([1, 2, 3]);
  });

  it('is held, and counted, over a crash of the server, and freed by the next one', async () => {
    const { at, a, b, weights, flap, row } = await shop();
    await flap(a);
    await flap(b, 3);
    expect(weights()).to.deep.equal([0, 2, 3]);
    const { heldUntil } = await row(a);
    at.sim.crash();
    await at.sim.environment.run(at.sim.environment.clock.monotonicMs() + 5000);
    await at.sim.start();
    await at.sim.run(20_000);
    expect([weights(), (await row(a)).heldUntil]).to.deep.equal([[0, 2, 3], heldUntil]);
    await flap(b, 1);
    expect([weights(), (await row(b)).heldReason]).to.deep.equal([[0, 0, 3], 'flapping']);
    await at.sim.run(MINUTE_MS);
    expect(weights()).to.deep.equal([1, 2, 3]);
    await flap(a);
    at.sim.crash();
    await at.sim.environment.run(at.sim.environment.clock.monotonicMs() + 10 * MINUTE_MS);
    expect(weights()).to.deep.equal([0, 2, 3]);
    await at.sim.start();
    await at.sim.run(MINUTE_MS);
    expect([weights(), (await row(a)).heldUntil]).to.deep.equal([[1, 2, 3], undefined]);
  });

  it('is never the last that answers: who is left serves, and all are tried again when it goes', async () => {
    const { at, a, b, c, weights, goOut, flap, row, kept } = await shop();
    await flap(a);
    await flap(b);
    expect(weights()).to.deep.equal([0, 0, 3]);
    await goOut(c);
    expect(weights()).to.deep.equal([1, 2, 3]);
    kept.offline.clear();
    await at.sim.run(SETTLE_MS);
    await flap(a);
    expect(weights()).to.deep.equal([0, 2, 3]);
    await at.sim.done('backend.delete', {}, b);
    await at.sim.done('backend.update', { weight: 0 }, c);
    expect(weights()).to.deep.equal([1, undefined, 0]);
    await at.sim.run(MINUTE_MS);
    expect((await row(a)).heldUntil).to.equal(undefined);
    await flap(a, 12);
    expect([weights(), (await row(a)).heldUntil]).to.deep.equal([[1, undefined, 0], undefined]);
  });

  it('is not held where nobody is asked, nor where operators have turned it off', async () => {
    const { at, listenerId, a, weights, flap, row } = await shop();
    await flap(a);
    expect(weights()).to.deep.equal([0, 2, 3]);
    await at.sim.done('listener.update', { healthCheck: null }, listenerId);
    expect(weights()).to.deep.equal([1, 2, 3]);
    await at.sim.run(MINUTE_MS);
    expect((await row(a)).heldUntil).to.equal(undefined);
    const off = await shop({ 'loadBalancers.flapsMax': 0 });
    await off.flap(off.a, 12);
    expect([off.weights(), (await off.row(off.a)).heldUntil]).to.deep.equal([[1, 2, 3], undefined]);
  });

  it('goes out where its balancer leads to alone: not at the other address of its NIC, which another asks', async () => {
    const { at, a, goOut, row, kept } = await shop();
    kept.goOut(a, 'fd09::5');
    await at.sim.run(SETTLE_MS);
    expect((await row(a)).flaps).to.equal(undefined);
    await goOut(a);
    expect((await row(a)).flaps?.outs).to.have.length(1);
  });

  it('lets the event loop turn where a thousand go out at once, each of whom counts once, and the listener is asked for in batches', async () => {
    const { at, id, listenerId, a, kept } = await shop();
    const { nicId, projectId = '' as Id<'project'> } = await at.stage.row(backend, a);
    const { ids, slices } = at.sim.kernel.services;
    const many = Array.from({ length: MANY }, () => ids.mint('backend'));
    const rows = many.flatMap((each, port) => {
      const of = { loadBalancerId: id as Id<'loadBalancer'>, listenerId: listenerId as Id<'listener'>, nicId };
      return [
        create(backend, { ...{ id: each, projectId, name: `many-${port}`, weight: 1, port: port + 10_000 }, ...of }),
        transition(backend, each, { from: 'creating', to: 'available' }),
      ];
    });
    expect((await at.sim.environment.complete(at.sim.kernel.observe(rows))).ok).to.equal(true);
    await at.sim.done('backend.update', { weight: 7 }, a);
    const turn = slices.turn.bind(slices);
    let turns = 0;
    slices.turn = () => {
      turns += 1;
      return turn();
    };
    let asked = 0;
    const health = kept.health.bind(kept);
    kept.health = (of) => {
      asked += 1;
      return health(of);
    };
    for (const each of many) kept.goOut(each);
    await at.sim.run(10 * SETTLE_MS);
    const outs = (await at.stage.rows(backend)).flatMap(({ id: own, flaps }) => (many.includes(own) ? [flaps?.outs.length] : []));
    expect(outs).to.deep.equal(many.map(() => 1));
    const batches = Math.ceil(MANY / BATCH);
    expect(asked).to.be.at.most(batches + 2);
    // Each batch is taken in, its rows are found, and all of the listener's are read.
    expect(turns).to.be.at.least(batches + 2 * batches * Math.floor(MANY / BATCH));
  });

  it('is held though the fabric does not take it at first, and when it changes meanwhile', async () => {
    const { at, a, weights, goOut, flap, row, kept } = await shop();
    await flap(a, 3);
    at.sim.world.faults.add({ command: 'loadBalancers.ensure', times: 1, effect: 'fail', fault: 'unavailable' });
    await goOut(a);
    kept.offline.clear();
    expect([weights(), (await row(a)).heldReason]).to.deep.equal([[1, 2, 3], 'flapping']);
    await at.sim.run(40_000);
    expect(weights()).to.deep.equal([0, 2, 3]);
    await at.sim.done('backend.update', { weight: 9 }, a);
    expect(weights()).to.deep.equal([0, 2, 3]);
    await at.sim.run(2 * MINUTE_MS);
    expect(weights()).to.deep.equal([9, 2, 3]);
  });

  it('holds nothing up that is asked for, and leaves nothing when its balancer goes', async () => {
    const { at, id, a, flap } = await shop();
    await flap(a);
    await at.sim.done('loadBalancer.delete', {}, id);
    await at.sim.run(2 * MINUTE_MS);
    expect([await at.stage.rows(backend), await at.stage.rows(loadBalancer), at.kept('loadBalancers', id)]).to.deep.equal([
      [],
      [],
      undefined,
    ]);
  });
});
