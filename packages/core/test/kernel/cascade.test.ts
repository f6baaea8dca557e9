import { expect } from 'chai';
import { Type } from 'typebox';
import {
  type AnyKind,
  create,
  defineAction,
  defineDeletion,
  defineKind,
  FORWARD_ONLY,
  NOTHING_TO_UNDO,
  type Plugin,
  type RowBase,
  ref,
  revert,
  saga,
} from '../../src/kernel/index.ts';
import { fails, hangs, Script } from './script.ts';
import { PROJECT, SimKernel } from './sim-kernel.ts';

const states = {
  made: ['idle'],
  idle: ['used', 'kept', 'deleting'],
  used: ['idle', 'deleting'],
  kept: ['idle'],
  deleting: ['deleted'],
} as const;
const base = { description: 'Of a tree.', scope: 'project', states, initial: 'made' } as const;
const site = defineKind({ ...base, name: 'site', plural: 'sites', schema: Type.Object({}) });
const rack = defineKind({
  ...base,
  name: 'rack',
  plural: 'racks',
  schema: Type.Object({ siteId: ref('site', 'cascade'), rackId: Type.Optional(ref('rack', 'cascade')) }),
});
const disk = defineKind({
  ...base,
  name: 'disk',
  plural: 'disks',
  schema: Type.Object({ rackId: Type.Optional(ref('rack', 'detach', { ownedIf: 'own' })), own: Type.Optional(Type.Boolean()) }),
  detached: { rackId: { from: ['used'], to: 'idle' } },
});
const lease = defineKind({ ...base, name: 'lease', plural: 'leases', schema: Type.Object({ rackId: ref('rack', 'restrict') }) });
const kinds: readonly AnyKind[] = [site, rack, disk, lease];

interface Params {
  readonly kind: string;
  readonly id: string;
  readonly name: string;
  readonly force: boolean;
}
const quiesce = saga<Script, Params>('tree.quiesce', 1)
  .effect('look', { do: async ({ ctx, params, call }) => void (await ctx.play(`look ${params.name}`, call)), undo: NOTHING_TO_UNDO })
  .build();
const remove = saga<Script, Params>('tree.remove', 1)
  .effect('remove', {
    do: async ({ ctx, params, call }) => void (await ctx.play(`${params.force ? 'force' : 'remove'} ${params.name}`, call)),
    undo: FORWARD_ONLY,
  })
  .write('deleted', {
    do: ({ params }) => [
      revert({ name: params.kind } as AnyKind, params.id as never, { from: 'deleting' as never, to: 'deleted' as never }),
    ],
    undo: FORWARD_ONLY,
  })
  .build();
const plant = saga<Script, null>('tree.plant', 1).build();

const tree = (world: Script): Plugin => ({
  id: 'tree',
  version: '1',
  kinds,
  actions: kinds.map((kind) =>
    defineAction({
      kind,
      verb: 'create',
      description: 'Plants it.',
      target: 'collection',
      input: Type.Object({ row: Type.Unsafe<object>({ type: 'object' }) }),
      accept: ({ id, input, projectId }) => ({
        params: null,
        statements: [create(kind, { id, projectId, state: 'idle', ...input.row } as never)],
      }),
      saga: plant,
      context: () => world,
    }),
  ),
  deletions: kinds.map((kind) =>
    defineDeletion({
      kind,
      from: ['idle', 'used'],
      quiesce,
      remove,
      context: () => world,
      params: (row: RowBase, { force }) => ({ kind: kind.name, id: row.id, name: row.name, force }),
    }),
  ),
});

async function planted() {
  const world = new Script();
  const sim = await new SimKernel({ plugins: () => [tree(world)] }).start();
  world.timers = sim.environment.timers;
  const add = async (kind: string, name: string, fields: object = {}) => {
    const row = await sim.done({ action: `${kind}.create`, input: { row: { name, ...fields } } });
    expect(row.state).to.equal('succeeded');
    return row.resourceId;
  };
  const siteId = await add('site', 'site');
  return { sim, world, add, siteId, left: () => kinds.flatMap((kind) => sim.rows(kind.name)).map((row) => `${row.name} ${row.state}`) };
}
const deleting = (kind: string, resourceId: string, input: object = {}) => ({ action: `${kind}.delete`, resourceId, input });

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

const previewed = (sim: SimKernel, kind: string, id: string) =>
  sim.environment.complete(
    sim.kernel.previewDeletion(sim.kernel.registry.action(`${kind}.delete`), sim.row(kind, id) as unknown as RowBase, {
      force: false,
      permanent: false,
      recursive: false,
      limit: 100,
      sees: async () => true,
    }),
  );

describe('a deletion', () => {
  it('takes what is owned, leaf first, after looking from the root, and lets go of the rest', async () => {
    const { sim, world, add, siteId, left } = await planted();
    const a = await add('rack', 'a', { siteId });
    const b = await add('rack', 'b', { siteId, rackId: a });
    await add('disk', 'kept', { rackId: b, state: 'used' });
    await add('disk', 'owned', { rackId: b, state: 'used', own: true });
    expect((await sim.done(deleting('site', siteId))).state).to.equal('succeeded');
    expect(world.lines).to.deep.equal([
      'look site',
      'look a',
      'look b',
      'look owned',
      'remove owned',
      'remove b',
      'remove a',
      'remove site',
    ]);
    expect(left()).to.deep.equal(['kept idle']);
    expect(sim.rows('disk')[0]).not.to.have.property('rackId');
  });

  it('is refused while others depend on it, and names them', async () => {
    const { sim, world, add, siteId, left } = await planted();
    const rackId = await add('rack', 'a', { siteId });
    const id = await add('lease', 'lease', { rackId });
    const error = await sim.submit(deleting('site', siteId)).catch((thrown: { code: string; params: object }) => thrown);
    expect(error).to.deep.include({ code: 'in_use', params: { blockers: [{ kind: 'lease', id, name: 'lease' }] } });
    await sim.done(deleting('lease', id));
    expect((await sim.done(deleting('site', siteId))).state).to.equal('succeeded');
    expect(left()).to.deep.equal([]);
    expect(world.lines.at(-1)).to.equal('remove site');
  });

  it('tells nothing of rows of other projects but that there are some', async () => {
    const { sim, add, siteId } = await planted();
    const rackId = await add('rack', 'a', { siteId });
    const id = await add('lease', 'own', { rackId });
    const foreign = { name: 'foreign', projectId: '01890000-0000-7000-8000-00000000000f', rackId };
    await sim.environment.complete(
      sim.kernel.observe([create(lease, { id: sim.kernel.services.ids.mint('lease'), state: 'idle', ...foreign } as never)]),
    );
    const ask = () => sim.submit(deleting('site', siteId)).catch((thrown: { publicMessage: string; params: object }) => thrown);
    expect(await ask()).to.deep.include({
      publicMessage: 'Still used by lease own and something of another project.',
      params: { blockers: [{ kind: 'lease', id, name: 'own' }] },
    });
    await sim.done(deleting('lease', id));
    expect(await ask()).to.deep.include({ publicMessage: 'Still used by something of another project.', params: { blockers: [] } });
  });

  it('is found satisfied when it is asked again, and its name is free', async () => {
    const { sim, add, siteId } = await planted();
    await sim.done(deleting('site', siteId));
    expect((await sim.done(deleting('site', siteId))).state).to.equal('succeeded');
    expect(await add('site', 'site')).not.to.equal(siteId);
  });

  it('asked twice at once deletes once', async () => {
    const { sim, world, siteId } = await planted();
    const both = await sim.environment.complete(Promise.all([sim.ask(deleting('site', siteId)), sim.ask(deleting('site', siteId))]));
    for (const { operationId } of both) expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect(world.lines).to.deep.equal(['look site', 'remove site']);
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

  it('that is planned again and again ends, and says so', async () => {
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

  it('with the plan of a preview does exactly that, or tells what differs', async () => {
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

  it('with a plan waits for what is under way, and does the same to what that leaves', async () => {
    const { sim, world, add, siteId, left } = await planted();
    const a = await add('rack', 'a', { siteId });
    world.plan('look a', () => new Promise((done) => world.timers.after(1000, () => done(undefined))), fails('conflict'));
    world.plan('look a', fails('conflict'));
    const { plan } = await previewed(sim, 'site', siteId);
    sim.change('rack', a, { state: 'used' });
    expect((await sim.done(deleting('site', siteId, { plan }))).error?.message).to.equal(undefined);
    expect(left()).to.deep.equal([]);
  });

  it('whose detachment is followed by a failure lets nothing go', async () => {
    const { sim, world, add, siteId, left } = await planted();
    const a = await add('rack', 'a', { siteId });
    await add('disk', 'kept', { rackId: a, state: 'used' });
    sim.around = (point, body) => (point.path === 'remove[0.0]/remove' ? Promise.reject(new Error('struck')) : body());
    const { operationId } = await sim.submit(deleting('rack', a));
    await sim.run(60_000);
    // A removal that may have begun only goes on.
    expect(sim.operation(operationId).state).to.equal('needs_attention');
    sim.around = undefined;
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect(world.lines.at(-1)).to.equal('remove a');
    expect(left()).to.deep.equal(['site idle', 'kept idle']);
  });

  it('of thousands of rows holds their queues over a crash, and shows the first', async () => {
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

  it('a child that fails before anything is destroyed leaves all as it was', async () => {
    const { sim, world, add, siteId, left } = await planted();
    await add('rack', 'a', { siteId });
    await add('rack', 'b', { siteId });
    world.plan('look b', fails('conflict'));
    const row = await sim.done(deleting('site', siteId));
    expect(row.error?.message).to.equal('Planned: conflict.');
    expect(left()).to.deep.equal(['site idle', 'a idle', 'b idle']);
  });

  it('that has begun to destroy goes on, over crashes', async () => {
    const { sim, world, add, siteId, left } = await planted();
    await add('rack', 'a', { siteId });
    await add('rack', 'b', { siteId });
    for (const name of ['a', 'b', 'site'])
      world.plan(`remove ${name}`, () => {
        sim.crash();
        return hangs();
      });
    const { operationId } = await sim.submit(deleting('site', siteId));
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect(left()).to.deep.equal([]);
  });

  it('with force says so to each child, and takes what another one left half deleted', async () => {
    const { sim, world, add, siteId, left } = await planted();
    await add('rack', 'a', { siteId });
    world.always('remove a', fails('unavailable'));
    const stuck = await sim.submit(deleting('site', siteId));
    await sim.run(600_000);
    expect(sim.operation(stuck.operationId).state).to.equal('needs_attention');
    expect(left()).to.deep.equal(['site deleting', 'a deleting']);
    expect((await sim.done(deleting('site', siteId, { force: true }))).state).to.equal('succeeded');
    expect(world.lines.slice(-2)).to.deep.equal(['force a', 'force site']);
    expect(sim.operation(stuck.operationId).state).to.equal('failed');
    expect(left()).to.deep.equal([]);
  });

  it('with force waits for a stuck one whose resource it does not take along', async () => {
    const { sim, world, add, siteId, left } = await planted();
    const a = await add('rack', 'a', { siteId });
    const kept = await add('disk', 'kept', { rackId: a, state: 'used' });
    world.always('remove a', fails('unavailable'));
    const stuck = await sim.submit(deleting('site', siteId));
    await sim.run(600_000);
    const waits = await sim.submit(deleting('disk', kept, { force: true }));
    await sim.run(600_000);
    expect([stuck, waits].map(({ operationId }) => sim.operation(operationId).state)).to.deep.equal(['needs_attention', 'queued']);
    expect((await sim.done(deleting('site', siteId, { force: true }))).state).to.equal('succeeded');
    expect((await sim.ended(waits.operationId)).state).to.equal('succeeded');
    expect(left()).to.deep.equal([]);
  });

  it('with force takes what is half made, and nothing that it must not take without', async () => {
    const { sim, world, add, siteId, left } = await planted();
    sim.change('site', siteId, { state: 'kept' });
    const error = await sim.submit(deleting('site', siteId, { force: true })).catch((thrown: { code: string }) => thrown);
    expect(error).to.include({ code: 'conflict' });
    const half = await add('site', 'half', { state: 'made' });
    expect(await sim.submit(deleting('site', half)).catch((thrown: { code: string }) => thrown)).to.include({ code: 'conflict' });
    expect((await sim.done(deleting('site', half, { force: true }))).state).to.equal('succeeded');
    expect(left()).to.deep.equal(['site kept']);
    expect(world.lines).to.deep.equal(['look half', 'force half']);
  });

  it('lets go once of what it meets on two ways', async () => {
    const { sim, add, siteId, left } = await planted();
    const a = await add('rack', 'a', { siteId });
    const b = await add('rack', 'b', { siteId, rackId: a });
    await add('disk', 'kept', { rackId: b, state: 'used' });
    const row = await sim.done(deleting('site', siteId));
    expect(row.state).to.equal('succeeded');
    expect(left()).to.deep.equal(['kept idle']);
  });
});
