import { expect } from 'chai';
import { gate, isCloudError, onGate, type Principal, toErrorRecord, transition } from '../../src/kernel/index.ts';
import { act, hangs, MADE, type Script, script, scripted, step, thing } from './script.ts';
import { type Asked, PROJECT, type SimKernel, tester } from './sim-kernel.ts';

const growing = gate<{ readonly input: unknown }>('thing.growing');
const run = script('run').effect('a', step('a')).build();
const end = script('end')
  .write('gone', {
    do: ({ params }) => [
      transition(thing, params.id as never, { from: 'idle', to: 'deleting' }),
      transition(thing, params.id as never, { from: 'deleting', to: 'deleted' }),
    ],
    undo: 'forward_only',
  })
  .build();
const slow = script('slow')
  .effect('wait', { do: ({ ctx }) => new Promise<void>((done) => ctx.timers.after(5000, done)), undo: 'nothing_to_undo' })
  .build();

const actions = (w: Script) => [
  act(w, 'go', run, { from: ['idle'] }),
  act(w, 'rest', run, { from: ['busy'], satisfied: (row) => row.state === 'idle' }),
  act(w, 'grow', run, { gate: growing }),
  act(w, 'wait', slow),
  act(w, 'end', end),
  act(w, 'swell', run, {
    gate: growing,
    accept: ({ row }) => ({ params: { id: row.id, tag: '' }, statements: [{ op: 'adjust', counter: 'capacity/size', by: 5 }] }),
  }),
];
type Answers = Parameters<typeof onGate<{ readonly input: unknown }>>[1];
const opened = (gateAnswers?: Answers, options: object = {}) =>
  scripted(actions, {
    ...options,
    more: () => ({ points: [growing], hooks: gateAnswers === undefined ? [] : [onGate(growing, gateAnswers, { budgetMs: 500 })] }),
  });

/** The error of a request that must be refused. */
async function refused(sim: SimKernel, asked: Asked): Promise<Record<string, unknown>> {
  const before = ['operation', 'thing', 'journal', 'audit', 'idempotency'].map((table) => sim.rows(table).length);
  const error: unknown = await sim.submit(asked).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(isCloudError(error), String(error)).to.equal(true);
  expect(['operation', 'thing', 'journal', 'audit', 'idempotency'].map((table) => sim.rows(table).length)).to.deep.equal(before);
  return toErrorRecord(error) as Record<string, unknown>;
}

const creating = (name: string, size: unknown = 1, more: Partial<Asked> = {}): Asked => ({
  action: 'thing.create',
  input: { name, size },
  ...more,
});

it('a request about what goes while it is decided reserves nothing', async () => {
  const { sim, id } = await opened(async () => {
    await sim.ask({ action: 'thing.end', resourceId: id });
    while (sim.rows('thing').length > 0) await new Promise<void>((done) => sim.environment.timers.after(1, done));
  });
  const before = sim.counter('capacity/size');
  expect(await sim.submit({ action: 'thing.swell', resourceId: id }).catch(toErrorRecord)).to.include({ code: 'not_found' });
  expect(sim.counter('capacity/size')).to.equal(before);
});

describe('a request with an idempotency key', () => {
  it('has the same answer each time, also after a restart', async () => {
    const { sim } = await opened();
    const first = await sim.submit(creating('two', 2, { idempotencyKey: 'k' }));
    expect(await sim.submit({ ...creating('two', 2, { idempotencyKey: 'k' }), input: { size: 2, name: 'two' } })).to.deep.equal(first);
    await sim.ended(first.operationId);
    sim.crash();
    await sim.start();
    expect(await sim.submit(creating('two', 2, { idempotencyKey: 'k' }))).to.deep.equal(first);
    expect(sim.rows('thing')).to.have.length(2);
  });

  it('and another body is refused, and so is another action or target', async () => {
    const { sim, id } = await opened();
    await sim.submit(creating('two', 2, { idempotencyKey: 'k' }));
    for (const other of [
      creating('two', 3),
      creating('three', 2),
      { action: 'thing.go', resourceId: id, input: { name: 'two', size: 2 } },
    ]) {
      const error = await sim
        .submit({ ...other, input: other.action === 'thing.go' ? {} : other.input, idempotencyKey: 'k' })
        .catch(toErrorRecord);
      expect(error).to.include({ code: 'idempotency_mismatch' });
    }
  });

  it('is one operation however many come at once, over a faulty store', async () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const { sim } = await opened(undefined, { seed });
      Object.assign(sim.faults, { commitFails: 0.2, acknowledgementLost: 0.2 });
      const answers = await sim.environment.complete(
        Promise.all(Array.from({ length: 20 }, () => sim.ask(creating('two', 2, { idempotencyKey: 'same/key' })))),
      );
      expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).to.equal(1);
      expect(sim.rows('thing')).to.have.length(2);
    }
  });

  it('is a new one after a day, also when several come at once', async () => {
    const { sim } = await opened();
    const first = await sim.submit(creating('two', 2, { idempotencyKey: 'k' }));
    await sim.ended(first.operationId);
    await sim.run(24 * 3600_000 - 60_000);
    expect(await sim.submit(creating('two', 2, { idempotencyKey: 'k' }))).to.deep.equal(first);
    await sim.run(120_000);
    const answers = await sim.environment.complete(
      Promise.all(Array.from({ length: 5 }, () => sim.ask(creating('three', 2, { idempotencyKey: 'k' })))),
    );
    expect(new Set(answers.map((answer) => answer.operationId)).size).to.equal(1);
    expect(answers[0]?.operationId).not.to.equal(first.operationId);
  });

  it('is forgotten after a day, however many there were, and no other is', async () => {
    const { sim } = await opened();
    for (let number = 0; number < 250; number += 1) await sim.submit(creating(`n${number}`, 2, { idempotencyKey: `a/${number}` }));
    await sim.run(2 * 3600_000);
    await sim.submit(creating('late', 2, { idempotencyKey: 'late' }));
    expect(sim.rows('idempotency')).to.have.length(251);
    await sim.run(23.5 * 3600_000);
    expect(sim.rows('idempotency').map((row) => row.requestKey)).to.deep.equal(['late']);
    await sim.stop();
    await sim.run(24 * 3600_000);
    expect(sim.rows('idempotency')).to.have.length(1);
  });

  it('belongs to who asks', async () => {
    const { sim } = await opened();
    const other: Principal = { ...tester, actor: 'other' };
    const first = await sim.submit(creating('two', 2, { idempotencyKey: 'k' }));
    const second = await sim.submit(creating('three', 2, { idempotencyKey: 'k', principal: other }));
    expect(second.operationId).not.to.equal(first.operationId);
  });
});

describe('acceptance', () => {
  it('refuses what does not fit its schema, and points at it', async () => {
    const { sim } = await opened();
    expect(await refused(sim, { action: 'thing.create', input: { size: 1 } })).to.include({ code: 'invalid_input', pointer: '/name' });
    expect(await refused(sim, creating('two', -1))).to.include({ code: 'invalid_input', pointer: '/size' });
    expect(await refused(sim, creating('two', 1.5))).to.include({ pointer: '/size' });
    expect(await refused(sim, { action: 'thing.create', input: { name: 'a', size: 1, colour: 'red' } })).to.include({ pointer: '/colour' });
    expect(await refused(sim, { action: 'thing.create', input: null })).to.include({ code: 'invalid_input' });
  });

  it('refuses who lacks the permission, and names it', async () => {
    const { sim } = await opened();
    const nobody: Principal = { ...tester, allows: (permission) => permission !== 'thing.create' };
    const error = await refused(sim, creating('two', 1, { principal: nobody }));
    expect(error).to.deep.include({ code: 'permission_denied', params: { permission: 'thing.create' } });
  });

  it('shows what is foreign as what is not there', async () => {
    const { sim, id } = await opened();
    const stranger: Principal = {
      ...tester,
      projectId: `${PROJECT.slice(0, -1)}9` as never,
      allows: (permission) => permission !== 'project.any',
    };
    const absent = await refused(sim, { action: 'thing.go', resourceId: `${id.slice(0, -4)}0000` });
    expect(absent.code).to.equal('not_found');
    expect((await refused(sim, { action: 'thing.go', resourceId: id, principal: stranger })).code).to.equal('not_found');
  });

  it('refuses a name that is taken, and lets it go with what had it', async () => {
    const { sim, world } = await opened();
    const error = await refused(sim, creating('one'));
    expect(error).to.deep.include({ code: 'name_taken', pointer: '/name', params: { field: 'name', kind: 'thing' } });
    world.plan('do make', () => {
      throw new Error('no');
    });
    expect((await sim.done(creating('two'))).state).to.equal('failed');
    expect((await sim.done(creating('two'))).state).to.equal('succeeded');
    expect(sim.counter(MADE)).to.equal(2);
  });

  it('refuses what is over a quota or a capacity, each by its name', async () => {
    const { sim } = await opened();
    sim.limit('capacity/size', 10);
    expect(await refused(sim, creating('two', 10))).to.deep.include({ code: 'no_capacity', params: { reasons: ['capacity/size'] } });
    sim.limit(MADE, 1);
    expect(await refused(sim, creating('two', 1))).to.deep.include({
      code: 'quota_exceeded',
      params: { counter: 'made', used: 1, limit: 1, asked: 1, scope: 'project', id: PROJECT },
    });
  });

  it('takes exactly what the limit allows of 200 at once, over a faulty store', async () => {
    const { sim, world } = await opened();
    sim.limit(MADE, 51);
    Object.assign(sim.faults, { commitFails: 0.1, acknowledgementLost: 0.1 });
    for (let failing = 0; failing < 7; failing += 1)
      world.plan('do make', () => {
        throw new Error('no');
      });
    const answers = await sim.environment.complete(
      Promise.allSettled(Array.from({ length: 200 }, (_, index) => sim.ask(creating(`n${index}`)))),
    );
    const taken = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
    for (const answer of answers) if (answer.status === 'rejected') expect(answer.reason).to.include({ code: 'quota_exceeded' });
    let made = 1;
    for (const { operationId } of taken) made += Number((await sim.ended(operationId)).state === 'succeeded');
    // Units of failed ones come back, and may be taken by those that ask later.
    expect(taken.length).to.be.within(50, 57);
    expect(made).to.equal(taken.length + 1 - 7);
    expect(sim.counter(MADE)).to.equal(made);
    expect(sim.rows('thing')).to.have.length(made);
  });

  it('answers a verb that is satisfied with success, and does nothing', async () => {
    const { sim, world, id } = await opened();
    const row = await sim.done({ action: 'thing.rest', resourceId: id });
    expect(row).to.include({ state: 'succeeded', percent: 100 });
    expect(world.lines).to.deep.equal([]);
  });

  it('refuses a state that does not allow it, and says which do', async () => {
    const { sim, id } = await opened();
    sim.change('thing', id, { state: 'busy' });
    const error = await refused(sim, { action: 'thing.go', resourceId: id });
    expect(error).to.deep.include({ code: 'conflict', params: { state: 'busy', allowed: ['idle'] } });
  });

  it('compares the generation', async () => {
    const { sim, id } = await opened();
    const { generation } = sim.row('thing', id) as { generation: number };
    const error = await refused(sim, { action: 'thing.go', resourceId: id, ifGeneration: generation + 1 });
    expect(error).to.deep.include({ code: 'precondition_failed', params: { generation } });
    expect((await sim.done({ action: 'thing.go', resourceId: id, ifGeneration: generation })).state).to.equal('succeeded');
  });

  it('asks its gate: one that refuses, throws or is late refuses', async () => {
    const asked: Asked = { action: 'thing.grow', input: {} };
    const cases: readonly [Answers, object][] = [
      [
        () => ({ reason: 'window', message: 'Not on Sundays.' }),
        { message: 'Not on Sundays.', params: { plugin: 'things', reason: 'window' } },
      ],
      [
        () => {
          throw new Error('broken');
        },
        { params: { plugin: 'things', reason: 'gate_failed' } },
      ],
      [() => hangs(), { params: { plugin: 'things', reason: 'gate_timeout' } }],
    ];
    for (const [answers, expected] of cases) {
      const { sim, id } = await opened(answers);
      expect(await refused(sim, { ...asked, resourceId: id })).to.deep.include({ code: 'refused', ...expected });
    }
    const { sim, id } = await opened(() => undefined);
    expect((await sim.done({ ...asked, resourceId: id })).state).to.equal('succeeded');
  });

  it('answers busy beyond what it can hold, and takes more when that has ended', async () => {
    const { sim, id } = await opened(undefined, { operationsMax: 3 });
    const waiting = await sim.environment.complete(Promise.all([1, 2, 3].map(() => sim.ask({ action: 'thing.wait', resourceId: id }))));
    expect(await refused(sim, { action: 'thing.go', resourceId: id })).to.deep.include({ code: 'busy', params: { retryAfterSeconds: 2 } });
    for (const { operationId } of waiting) await sim.ended(operationId);
    expect((await sim.done({ action: 'thing.go', resourceId: id })).state).to.equal('succeeded');
  });

  it('what never began because the state had changed ends as failed, and undoes nothing', async () => {
    const { sim, world, id } = await opened();
    const first = await sim.submit({ action: 'thing.wait', resourceId: id });
    const second = await sim.submit({ action: 'thing.go', resourceId: id });
    await sim.run(10);
    sim.crash();
    await sim.start();
    await sim.environment.complete(sim.kernel.observe([{ op: 'update', table: 'thing', key: id, set: { state: 'busy' } }]));
    expect((await sim.ended(first.operationId)).state).to.equal('succeeded');
    const row = await sim.ended(second.operationId);
    expect(row).to.include({ state: 'failed' });
    expect(row.error).to.deep.include({ code: 'conflict', params: { state: 'busy', allowed: ['idle'] } });
    expect(world.lines).to.deep.equal([]);
  });

  it('what an earlier life may have begun is undone when the state has changed meanwhile', async () => {
    const { sim, world, id } = await opened();
    world.plan('do a', () => {
      sim.crash();
      return hangs();
    });
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
    await sim.run(100);
    sim.change('thing', id, { state: 'busy' });
    const row = await sim.ended(operationId);
    expect(row.error?.code).to.equal('conflict');
    expect(world.lines).to.deep.equal(['do a', 'undo a']);
  });
});
