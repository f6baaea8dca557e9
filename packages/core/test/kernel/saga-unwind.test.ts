import { expect } from 'chai';
import { type AnySaga, bindSaga, change, isFinished, NOTHING_TO_UNDO, type Saga } from '../../src/kernel/index.ts';
import { act, fails, type Params, type Script, script, scripted, step, thing } from './script.ts';

type Made = Saga<Script, Params>;
const leaf = (name: string): Made =>
  script(name)
    .effect(`${name}-1`, step(`${name}-1`))
    .effect(`${name}-2`, step(`${name}-2`))
    .build();
const over = (name: string, stages: readonly (readonly AnySaga[])[], limit = 1): Made =>
  script(name)
    .effect(`${name}-before`, step(`${name}-before`))
    .subs('subs', { limit, run: ({ ctx, params }) => stages.map((stage) => stage.map((child) => bindSaga(child, ctx, params))) })
    .effect(`${name}-after`, step(`${name}-after`))
    .build();

describe('a saga unwinds', () => {
  it('everything done and the failed step itself, last first, and no step after it', async () => {
    const run = script('chain').effect('a', step('a')).effect('b', step('b')).effect('c', step('c')).effect('d', step('d')).build();
    const { sim, world, id } = await scripted((w) => [act(w, 'go', run)]);
    world.plan('do c', fails('conflict'));
    const row = await sim.done({ action: 'thing.go', resourceId: id });
    expect(row).to.include({ state: 'failed' });
    expect(world.lines).to.deep.equal(['do a', 'do b', 'do c', 'undo c', 'undo b', 'undo a']);
  });

  it('a write only if it was committed', async () => {
    const size = (name: string, to: number, guard?: number) =>
      ({
        do: ({ params }: { params: Params }) => [
          change(thing, params.id as never, { size: to }, guard === undefined ? {} : { size: guard }),
        ],
        undo: ({ params }: { params: Params }) => [change(thing, params.id as never, { size: 1, name }, { size: to })],
      }) as const;
    const run = script('writes')
      .write('first', size('undone-first', 5))
      .write('second', size('undone-second', 6, 99))
      .build();
    const { sim, id } = await scripted((w) => [act(w, 'go', run)]);
    const row = await sim.done({ action: 'thing.go', resourceId: id });
    expect(row.error?.code).to.equal('conflict');
    expect(sim.row('thing', id)).to.include({ size: 1, name: 'undone-first' });
  });

  it('every item of a fan-out, also those that have not begun', async () => {
    const run = script('fan')
      .each('item', {
        items: () => ['x', 'y', 'z'],
        limit: 1,
        do: async ({ ctx, item, call }) => void (await ctx.play(`do ${item}`, call)),
        undo: async ({ ctx, item, call }) => void (await ctx.play(`undo ${item}`, call)),
      })
      .build();
    const { sim, world, id } = await scripted((w) => [act(w, 'go', run)]);
    world.plan('do y', fails('conflict'));
    await sim.done({ action: 'thing.go', resourceId: id });
    expect(world.lines).to.deep.equal(['do x', 'do y', 'undo x', 'undo y', 'undo z']);
  });

  it('stages of sub-sagas: the one at work and those before it', async () => {
    const run = over('top', [[leaf('s0a'), leaf('s0b')], [leaf('s1')], [leaf('s2')]]);
    const { sim, world, id } = await scripted((w) => [act(w, 'go', run)]);
    world.plan('do s1-2', fails('conflict'));
    await sim.done({ action: 'thing.go', resourceId: id });
    const undone = world.lines.filter((line) => line.startsWith('undo'));
    expect(undone).to.deep.equal(['undo s1-2', 'undo s1-1', 'undo s0a-2', 'undo s0a-1', 'undo s0b-2', 'undo s0b-1', 'undo top-before']);
    expect(world.lines.some((line) => line.includes('s2'))).to.equal(false);
  });

  it('all parents of a sub-saga four deep that fails', async () => {
    const run = over('d0', [[over('d1', [[over('d2', [[over('d3', [[leaf('deep')]])]])]])]]);
    const { sim, world, id } = await scripted((w) => [act(w, 'go', run)]);
    world.plan('do deep-2', fails('no_capacity'));
    const row = await sim.done({ action: 'thing.go', resourceId: id });
    expect(row.error?.code).to.equal('no_capacity');
    expect(world.lines.filter((line) => line.startsWith('undo'))).to.deep.equal(
      ['deep-2', 'deep-1', 'd3-before', 'd2-before', 'd1-before', 'd0-before'].map((name) => `undo ${name}`),
    );
  });

  it('and begins anew with other parameters, as often as its action says', async () => {
    const attempts: number[] = [];
    const run = script('again')
      .effect('a', { do: async ({ ctx, params, call }) => void (await ctx.play(`do ${params.tag}`, call)), undo: NOTHING_TO_UNDO })
      .build();
    const { sim, world, id } = await scripted((w) => [
      act(w, 'go', run, {
        again: async ({ params, attempt }) => {
          attempts.push(attempt);
          if (attempt >= 2) return undefined;
          return {
            params: { ...params, tag: `host-${attempt + 1}` },
            statements: [change(thing, params.id as never, { size: attempt + 10 })],
            notes: { tried: attempt },
          };
        },
      }),
    ]);
    world.plan('do host-0', fails('conflict')).plan('do host-1', fails('conflict'));
    const row = await sim.done({ action: 'thing.go', resourceId: id, input: { tag: 'host-0' } });
    expect(row).to.deep.include({ state: 'succeeded', attempt: 2, notes: { tried: 1 } });
    expect(row.error).to.equal(undefined);
    expect(sim.row('thing', id).size).to.equal(11);

    world.plan('do host-0', fails('conflict')).plan('do host-1', fails('conflict')).plan('do host-2', fails('no_capacity'));
    const failed = await sim.done({ action: 'thing.go', resourceId: id, input: { tag: 'host-0' } });
    expect(failed).to.deep.include({ state: 'failed', attempt: 2 });
    expect(failed.error?.code).to.equal('no_capacity');
    expect(attempts).to.deep.equal([0, 1, 0, 1, 2]);
  });

  it('and fails when the question whether to begin anew fails', async () => {
    const again = async () => {
      throw new Error('the placement broke');
    };
    const { sim, world, id } = await scripted((w) => [act(w, 'go', leaf('s'), { again })]);
    world.plan('do s-1', fails('conflict'));
    expect((await sim.done({ action: 'thing.go', resourceId: id })).error?.code).to.equal('conflict');
    expect(sim.kernel.holds(id)).to.equal(false);
  });

  it('when what it spreads over cannot be told', async () => {
    const broken = () => {
      throw new Error('of the programmer');
    };
    const run = script('untold')
      .effect('a', step('a'))
      .each('b', { items: broken, limit: 1, ...step('b') })
      .effect('c', step('c'))
      .build();
    const subs = script('unsaid').effect('a', step('a')).subs('b', { limit: 1, run: broken }).effect('c', step('c')).build();
    const { sim, world, id } = await scripted((w) => [act(w, 'go', run), act(w, 'say', subs)]);
    for (const action of ['thing.go', 'thing.say']) {
      world.lines.length = 0;
      expect((await sim.done({ action, resourceId: id })).state).to.equal('failed');
      expect(world.lines).to.deep.equal(['do a', 'undo a']);
    }
  });

  it('lets no step beside a failed one begin, least one that cannot be taken back', async () => {
    const quick = script('quick').effect('q', step('q')).build();
    const slow = script('slow')
      .effect('wait', step('wait'))
      .effect('destroy', { ...step('destroy'), undo: 'forward_only' })
      .build();
    const { sim, world, id } = await scripted((w) => [act(w, 'go', over('top', [[quick, slow]], 2))]);
    world
      .plan('do q', fails('conflict'))
      .plan('do wait', () => new Promise((resolve) => world.timers.after(100, () => resolve(undefined))));
    const row = await sim.done({ action: 'thing.go', resourceId: id });
    expect(row.error).to.deep.equal({ code: 'conflict', message: 'Planned: conflict.' });
    expect(world.lines).not.to.include('do destroy');
    expect(world.lines.slice(-2)).to.have.members(['undo wait', 'undo top-before']);
  });
});

describe('a cancel', () => {
  const steps = ['a', 'b', 'c', 'd'];
  const run = script('cancelled').effect('a', step('a')).effect('b', step('b')).effect('c', step('c')).effect('d', step('d')).build();
  for (const [index, name] of steps.entries())
    it(`while ${name} is at work ends in a complete unwind`, async () => {
      const { sim, world, id } = await scripted((w) => [act(w, 'go', run)]);
      world.plan(
        `do ${name}`,
        ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('told to stop')))),
      );
      const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
      await sim.run(1000);
      await sim.environment.complete(sim.kernel.operations.cancel(operationId));
      const row = await sim.ended(operationId);
      expect(row).to.include({ state: 'cancelled', cancelRequested: true });
      expect(row.error?.code).to.equal('cancelled');
      const begun = steps.slice(0, index + 1);
      expect(world.lines).to.deep.equal([...begun.map((step) => `do ${step}`), ...begun.reverse().map((step) => `undo ${step}`)]);
    });

  it('between two tries does not wait for the next', async () => {
    const patient = script('patient')
      .effect('a', { ...step('a'), retry: { attempts: 9, backoffMs: 20_000 } })
      .build();
    const { sim, world, id } = await scripted((w) => [act(w, 'go', patient)]);
    world.always('do a', fails('unavailable'));
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
    await sim.run(1000);
    await sim.environment.complete(sim.kernel.operations.cancel(operationId));
    await sim.run(100);
    expect(sim.operation(operationId).state).to.equal('cancelled');
    expect(world.lines).to.deep.equal(['do a', 'undo a']);
  });

  it('of one that waits ends it before it begins', async () => {
    const { sim, world, id } = await scripted((w) => [act(w, 'go', run)]);
    world.plan('do a', () => new Promise((resolve) => world.timers.after(5000, () => resolve(undefined))));
    const first = await sim.submit({ action: 'thing.go', resourceId: id });
    const second = await sim.submit({ action: 'thing.go', resourceId: id });
    expect(sim.operation(second.operationId).state).to.equal('queued');
    await sim.environment.complete(sim.kernel.operations.cancel(second.operationId));
    expect((await sim.ended(second.operationId)).state).to.equal('cancelled');
    expect((await sim.ended(first.operationId)).state).to.equal('succeeded');
    expect(world.lines).to.deep.equal(steps.map((step) => `do ${step}`));
  });

  it('is not taken for what has ended', async () => {
    const { sim, id } = await scripted((w) => [act(w, 'go', run)]);
    const row = await sim.done({ action: 'thing.go', resourceId: id });
    const refused = await sim.environment.complete(sim.kernel.operations.cancel(row.id).catch((error: { code: string }) => error.code));
    expect(refused).to.equal('conflict');
    expect(isFinished(sim.operation(row.id))).to.equal(true);
  });

  it('after a crash undoes the first step, which may have begun', async () => {
    const { sim, world, id } = await scripted((w) => [act(w, 'go', run)]);
    world.plan('do a', () => {
      sim.crash();
      return new Promise(() => undefined);
    });
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id }).catch(() => ({ operationId: '' }));
    await sim.run(100);
    const accepted = operationId === '' ? String(sim.rows('operation').at(-1)?.id) : operationId;
    await sim.start();
    world.plan('do a', () => new Promise(() => undefined));
    await sim.environment.complete(sim.kernel.operations.cancel(accepted));
    expect((await sim.ended(accepted)).state).to.equal('cancelled');
    expect(world.lines.at(-1)).to.equal('undo a');
  });
});
