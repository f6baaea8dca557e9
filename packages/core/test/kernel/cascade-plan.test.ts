import { expect } from 'chai';
import { PER_TURN } from '../../src/kernel/cascade/survey.ts';
import { create, type RowBase } from '../../src/kernel/index.ts';
import { fails, hangs } from './script.ts';
import { PROJECT, type SimKernel } from './sim-kernel.ts';
import { deleting, planted, rack } from './tree.ts';

const newRack = (sim: SimKernel, name: string, siteId: string) =>
  create(rack, { id: sim.kernel.services.ids.mint('rack'), name, projectId: PROJECT, siteId: siteId as never, state: 'idle' });

/** Once. */
function betweenMarkAndVerify(sim: SimKernel, operationId: string, act: () => Promise<unknown>): void {
  sim.around = async (point, body) => {
    if (point.path === 'verify' && point.operationId === operationId) {
      sim.around = undefined;
      await act();
    }
    return body();
  };
}

const MANY = 2500;

const previewed = (sim: SimKernel, kind: string, id: string, sees: () => Promise<boolean> = async () => true) =>
  sim.environment.complete(
    sim.kernel.previewDeletion(sim.kernel.registry.action(`${kind}.delete`), sim.row(kind, id) as unknown as RowBase, {
      force: false,
      permanent: false,
      recursive: false,
      limit: 100,
      sees,
    }),
  );

describe('the plan of a deletion', () => {
  it('of thousands of rows lets the event loop turn in between', async () => {
    const { sim, siteId } = await planted();
    const racks = Array.from({ length: MANY }, (_, index) => newRack(sim, `rack-${index}`, siteId));
    await sim.environment.complete(sim.kernel.observe(racks));
    const { slices } = sim.kernel.services;
    const turn = slices.turn.bind(slices);
    let [turns, seenInTurn, most] = [0, 0, 0];
    slices.turn = () => {
      turns += 1;
      seenInTurn = 0;
      return turn();
    };
    const { deleted } = await previewed(sim, 'site', siteId, async () => {
      seenInTurn += 1;
      most = Math.max(most, seenInTurn);
      return true;
    });
    expect(deleted.total).to.equal(MANY + 1);
    expect(most).to.be.at.most(PER_TURN);
    // Sorted in, found to stand or go, in their depths twice, in use, seen.
    expect(turns).to.be.at.least(6 * Math.floor(MANY / PER_TURN));
  });

  for (const when of ['while it waits', 'while it begins'] as const)
    it(`takes what attached itself ${when}`, async () => {
      const { sim, world, add, siteId, left } = await planted();
      const a = await add('rack', 'a', { siteId });
      world.plan('look a', () => new Promise((done) => world.timers.after(1000, () => done(undefined))));
      const ahead = when === 'while it waits' ? await sim.submit(deleting('rack', a)) : undefined;
      const accepted = await sim.submit(deleting('site', siteId));
      if (ahead === undefined) betweenMarkAndVerify(sim, accepted.operationId, () => sim.kernel.observe([newRack(sim, 'c', siteId)]));
      else await add('rack', 'b', { siteId });
      const row = await sim.ended(accepted.operationId);
      if (ahead !== undefined) expect((await sim.ended(ahead.operationId)).state).to.equal('succeeded');
      expect(row).to.include({ state: 'succeeded', attempt: 1 });
      expect(left()).to.deep.equal([]);
    });

  it('waits for what is under way on what attached itself, behind all others, over a crash', async () => {
    const { sim, world, add, siteId, left } = await planted();
    const other = await add('site', 'other');
    const c = await add('rack', 'c', { siteId: other });
    world.plan('look c', () => new Promise((done) => world.timers.after(1000, () => done(undefined))));
    const ahead = await sim.submit(deleting('rack', c));
    const accepted = await sim.submit(deleting('site', siteId));
    betweenMarkAndVerify(sim, accepted.operationId, async () => sim.change('rack', c, { siteId }));
    await sim.run(200);
    expect(sim.operation(accepted.operationId)).to.include({ state: 'queued', attempt: 1 });
    expect(sim.operation(accepted.operationId).keys).to.have.members([siteId, c]);
    sim.crash();
    for (const { operationId } of [accepted, ahead]) expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect(left()).to.deep.equal(['other idle']);
    expect(world.lines.filter((line) => line.startsWith('remove'))).to.deep.equal(['remove c', 'remove site']);
  });

  it('that is made again and again ends, and says so', async () => {
    const { sim, siteId, left } = await planted();
    let racks = 0;
    sim.around = async (point, body) => {
      const result = await body();
      if (point.path === 'mark[0.0]/mark' && point.phase === 'do') await sim.kernel.observe([newRack(sim, `r${racks++}`, siteId)]);
      return result;
    };
    const row = await sim.done(deleting('site', siteId));
    expect(row.error).to.deep.equal({ code: 'conflict', message: 'What depends on it changed after the request was accepted.' });
    expect(racks).to.equal(8);
    expect(left())
      .to.have.length(9)
      .and.satisfy((rows: string[]) => rows.every((each) => each.endsWith(' idle')));
  });

  it('of a preview is done exactly, or tells what differs', async () => {
    const { sim, add, siteId, left } = await planted();
    const a = await add('rack', 'a', { siteId });
    await add('disk', 'kept', { rackId: a, state: 'used' });
    await add('disk', 'owned', { rackId: a, state: 'used', own: true });
    const preview = await previewed(sim, 'site', siteId);
    expect(preview.plan).to.match(/^disk\.1-disk~rackId\.1-rack\.1-site\.1-[0-9a-f]{32}$/);
    expect(preview.deleted.rows.map(({ name, depth }) => `${depth} ${name}`)).to.deep.equal(['0 site', '1 a', '2 owned']);
    expect(preview.detached).to.deep.include({ total: 1, hidden: false, kinds: [{ kind: 'disk', total: 1 }] });
    expect(preview.detached.rows[0]).to.include({ name: 'kept', field: 'rackId' });
    await add('rack', 'b', { siteId });
    const refusal = await sim
      .submit(deleting('site', siteId, { plan: preview.plan }))
      .catch((thrown: { code: string; publicMessage: string; params: object }) => thrown);
    expect(refusal).to.include({
      code: 'plan_changed',
      publicMessage: 'The deletion is no longer what was previewed: 1 → 2 of kind rack deleted. Preview it again.',
    });
    const { plan } = await previewed(sim, 'site', siteId);
    expect(refusal).to.deep.include({
      params: { differences: [{ kind: 'rack', effect: 'deleted', planned: 1, now: 2 }], plan },
    });
    const accepted = await sim.submit(deleting('site', siteId, { plan }));
    betweenMarkAndVerify(sim, accepted.operationId, () => sim.kernel.observe([newRack(sim, 'c', siteId)]));
    const { error } = await sim.ended(accepted.operationId);
    const c = String(sim.rows('rack').find(({ name }) => name === 'c')?.id);
    expect(error).to.deep.include({ code: 'plan_changed' });
    expect((error?.params as { differences: object[] } | undefined)?.differences).to.deep.equal([
      { kind: 'rack', effect: 'deleted', planned: 2, now: 3, added: [c], gone: [] },
    ]);
    expect(left()).to.have.members(['site idle', 'a idle', 'b idle', 'c idle', 'kept used', 'owned used']);
    const again = await previewed(sim, 'site', siteId);
    expect((await sim.done(deleting('site', siteId, { plan: again.plan }))).state).to.equal('succeeded');
    expect(left()).to.deep.equal(['kept idle']);
  });

  it('waits for what is under way, and does the same to what that leaves', async () => {
    const { sim, world, add, siteId, left } = await planted();
    const a = await add('rack', 'a', { siteId });
    world.plan('look a', () => new Promise((done) => world.timers.after(1000, () => done(undefined))), fails('conflict'));
    world.plan('look a', fails('conflict'));
    const { plan } = await previewed(sim, 'site', siteId);
    sim.change('rack', a, { state: 'used' });
    expect((await sim.done(deleting('site', siteId, { plan }))).error?.message).to.equal(undefined);
    expect(left()).to.deep.equal([]);
  });

  it('of thousands of rows holds their queues over a crash, and is written once', async () => {
    const { sim, world, siteId, left } = await planted();
    for (let batch = 0; batch < 10; batch += 1)
      await sim.environment.complete(
        sim.kernel.observe(Array.from({ length: 200 }, (_, index) => newRack(sim, `r${batch}-${index}`, siteId))),
      );
    world.plan('look r0-0', hangs);
    const { operationId } = await sim.submit(deleting('site', siteId));
    await sim.run(1000);
    expect(sim.operation(operationId)).to.include({ state: 'running', keyCount: 2001 });
    expect(sim.operation(operationId).keys).to.have.length(100);
    const last = String(sim.rows('rack').at(-1)?.id);
    for (const life of [1, 2]) {
      expect(sim.kernel.operations.queue(last), `life ${life}`).to.deep.equal([operationId]);
      if (life === 1) world.plan('look r0-0', hangs);
      sim.crash();
      await sim.start();
    }
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect(left()).to.deep.equal([]);
    const plans = sim.journal(operationId).filter((entry) => JSON.stringify(entry).length > 10_000);
    expect(plans.map(({ type }) => type)).to.deep.equal(['accepted']);
  });
});
