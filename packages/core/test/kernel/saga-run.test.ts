import { expect } from 'chai';
import fc from 'fast-check';
import { change, type Known, NOTHING_TO_UNDO, sleep } from '../../src/kernel/index.ts';
import { act, bind, fails, hangs, type Params, script, scripted, step, thing } from './script.ts';

const resize = (size: number) => ({
  do: ({ params }: Known<unknown, Params, unknown>) => [change(thing, params.id as never, { size })],
  undo: ({ params }: Known<unknown, Params, unknown>) => [change(thing, params.id as never, { size: 1 })],
});

describe('a saga goes forward', () => {
  it('step by step, each output journaled, and ends with its last write', async () => {
    const run = script('forward').effect('a', step('a')).write('b', resize(7)).effect('c', step('c')).write('d', resize(8)).build();
    const { sim, world, id } = await scripted((w) => [act(w, 'go', run)]);
    world.plan('do a', () => ({ path: '/a' }));
    const row = await sim.done({ action: 'thing.go', resourceId: id });
    expect(row).to.include({ state: 'succeeded', percent: 100, stepsDone: 4, lastStep: 'd' });
    expect(world.lines).to.deep.equal(['do a', 'do c']);
    expect(sim.row('thing', id).size).to.equal(8);
    expect(sim.journal(row.id).map((entry) => [entry.type, 'path' in entry ? entry.path : undefined])).to.deep.equal([
      ['accepted', undefined],
      ['done', 'a'],
      ['done', 'b'],
      ['done', 'c'],
      ['done', 'd'],
      ['ended', undefined],
    ]);
    expect(sim.journal(row.id)[1]).to.deep.include({ output: { path: '/a' } });
  });

  it('and ends with the last write of a sub-saga, where nothing runs beside or behind it', async () => {
    const inner = script('inner').effect('a', step('a')).write('w', resize(7)).build();
    const quick = script('quick')
      .write('w', { do: () => [], undo: () => [] })
      .build();
    const ends = async (stages: readonly (readonly (typeof inner | typeof quick)[])[]) => {
      const outer = script('outer')
        .subs('s', { limit: 2, run: ({ ctx, params }) => stages.map((stage) => stage.map((saga) => bind(saga, ctx, params))) })
        .build();
      const { sim, id } = await scripted((w) => [act(w, 'go', outer)]);
      const operation = await sim.done({ action: 'thing.go', resourceId: id });
      expect(operation).to.include({ state: 'succeeded', percent: 100 });
      expect(sim.journal(operation.id).filter(({ type }) => type === 'ended')).to.have.length(1);
      expect(sim.row('thing', id).size).to.equal(7);
      return sim.operation(operation.id).revision === sim.row('thing', id).revision ? 'with the write' : 'behind it';
    };
    expect(await ends([[inner]])).to.equal('with the write');
    expect(await ends([[quick], [inner]])).to.equal('with the write');
    expect(await ends([[inner, quick]])).to.equal('behind it');
    expect(await ends([[inner], []])).to.equal('behind it');
    expect(await ends([[inner], [quick]])).to.equal('behind it');
  });

  it('with nothing to do', async () => {
    const { sim, id } = await scripted((w) => [act(w, 'go', script('empty').build())]);
    expect((await sim.done({ action: 'thing.go', resourceId: id })).state).to.equal('succeeded');
  });

  it('tries again by the policy of the step, and only what may help', async () => {
    const run = script('retry')
      .effect('a', { ...step('a'), retry: { attempts: 4, backoffMs: 100 } })
      .build();
    const { sim, world, id } = await scripted((w) => [act(w, 'go', run)]);
    world.plan('do a', fails('unavailable'), fails('timeout'), fails('busy'));
    expect((await sim.done({ action: 'thing.go', resourceId: id })).state).to.equal('succeeded');
    expect(world.lines).to.deep.equal(['do a', 'do a', 'do a', 'do a']);

    world.lines.length = 0;
    world.plan('do a', fails('conflict'));
    const failed = await sim.done({ action: 'thing.go', resourceId: id });
    expect(failed.error).to.deep.equal({ code: 'conflict', message: 'Planned: conflict.' });
    expect(world.lines).to.deep.equal(['do a', 'undo a']);

    world.lines.length = 0;
    world.plan('do a', ...Array.from({ length: 4 }, () => fails('unavailable')));
    expect((await sim.done({ action: 'thing.go', resourceId: id })).error?.code).to.equal('unavailable');
    expect(world.lines).to.deep.equal(['do a', 'do a', 'do a', 'do a', 'undo a']);
  });

  it('gives up a try at its deadline, and tells it by its signal', async () => {
    const run = script('late')
      .effect('a', { ...step('a'), retry: { attempts: 2, backoffMs: 10 }, timeoutMs: 5000 })
      .build();
    const { sim, world, id } = await scripted((w) => [act(w, 'go', run)]);
    const signals: AbortSignal[] = [];
    const hang = (call: { readonly signal: AbortSignal; readonly timeoutMs: number }) => {
      expect(call.timeoutMs).to.equal(5000);
      signals.push(call.signal);
      return hangs();
    };
    world.plan('do a', hang, hang);
    const beganMs = sim.environment.clock.monotonicMs();
    const row = await sim.done({ action: 'thing.go', resourceId: id });
    expect(row.error?.code).to.equal('timeout');
    expect(sim.environment.clock.monotonicMs() - beganMs).to.be.within(10_000, 10_200);
    expect(signals.map((signal) => signal.aborted)).to.deep.equal([true, true]);
  });

  it('what was not foreseen is a failure of the step, shown as internal', async () => {
    const run = script('bug').effect('a', step('a')).build();
    const { sim, world, id } = await scripted((w) => [act(w, 'go', run)]);
    world.plan('do a', () => {
      throw new TypeError('of the programmer');
    });
    const row = await sim.done({ action: 'thing.go', resourceId: id });
    expect(row.error).to.deep.equal({ code: 'internal', message: 'An unexpected fault on our side.' });
  });

  it('a fan-out never has more than its limit at work, and keeps the order of its outputs', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 6 }),
        fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 20 }),
        async (limit, delays) => {
          let [atWork, most] = [0, 0];
          const seen: unknown[] = [];
          const run = script('each')
            .each('items', {
              items: () => delays,
              limit,
              do: async ({ ctx, item }) => {
                atWork += 1;
                most = Math.max(most, atWork);
                await sleep(ctx.timers, item);
                atWork -= 1;
                return item;
              },
              undo: NOTHING_TO_UNDO,
            })
            .effect('look', { do: ({ out }) => void seen.push(out.items), undo: NOTHING_TO_UNDO })
            .build();
          const { sim, id } = await scripted((w) => [act(w, 'go', run)]);
          expect((await sim.done({ action: 'thing.go', resourceId: id })).state).to.equal('succeeded');
          expect(most).to.equal(Math.min(limit, delays.length));
          expect(seen).to.deep.equal([delays]);
        },
      ),
      { numRuns: 15 },
    );
  });
});
