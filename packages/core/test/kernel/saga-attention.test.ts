import { expect } from 'chai';
import { bindSaga, FORWARD_ONLY } from '../../src/kernel/index.ts';
import { act, fails, makeOne, script, scripted, step } from './script.ts';

describe('a saga that needs attention', () => {
  it('shows so again when a step side by side has gone on', async () => {
    const leaf = (name: string) => script(name).effect(name, step(name)).build();
    const run = script('lanes')
      .subs('subs', { limit: 2, run: ({ ctx, params }) => [[leaf('x'), leaf('y')].map((child) => bindSaga(child, ctx, params))] })
      .effect('last', step('last'))
      .build();
    const { sim, world, id } = await scripted((w) => [act(w, 'go', run)]);
    world.plan('do last', fails('conflict')).always('undo x', fails('unavailable'));
    world.plan('undo y', () => new Promise((resolve) => world.timers.after(50_000, () => resolve(undefined))));
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
    await sim.run(300_000);
    expect(world.lines).to.include('undo y');
    expect(sim.operation(operationId).attention?.step).to.equal('subs[0.0]/x');
    expect(sim.operation(operationId).state).to.equal('needs_attention');
    await sim.environment.complete(sim.kernel.operations.steer(operationId, 'skip'));
    expect((await sim.ended(operationId)).state).to.equal('failed');
  });

  it('keeps a skip for the step it was said to: one that has ended by itself meanwhile passes it on to none', async () => {
    const run = script('two').effect('a', step('a')).effect('b', step('b')).build();
    const { sim, world, id } = await scripted((w) => [act(w, 'go', run)]);
    world.plan('do b', fails('conflict')).always('undo b', fails('unavailable'));
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
    await sim.run(300_000);
    world.heal();
    world.plan('undo b', () => new Promise((resolve) => world.timers.after(5000, () => resolve(undefined))));
    world.plan('undo a', fails('unavailable'));
    await sim.environment.complete(sim.kernel.operations.steer(operationId, 'retry'));
    await sim.run(10);
    await sim.environment.complete(sim.kernel.operations.steer(operationId, 'skip'));
    expect((await sim.ended(operationId)).state).to.equal('failed');
    const steered = sim.rows('audit').filter(({ resourceId }) => resourceId === operationId);
    expect(steered.map(({ action }) => action)).to.deep.equal(['operation.retry', 'operation.skip']);
    expect(world.lines.filter((line) => line === 'undo a')).to.have.length(2);
    expect(sim.journal(operationId).some((entry) => 'skipped' in entry)).to.equal(false);
  });

  it('pauses between the tries of an undo, though its step wants no pause', async () => {
    const run = script('once')
      .effect('a', { ...step('a'), retry: { attempts: 1, backoffMs: 0 } })
      .build();
    const { sim, world, id } = await scripted((w) => [act(w, 'go', run)]);
    world.always('do a', fails('unavailable')).always('undo a', fails('unavailable'));
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
    await sim.run(600_000);
    expect(world.lines.filter((line) => line === 'undo a').length).to.be.within(15, 40);
    world.heal();
    expect((await sim.ended(operationId)).state).to.equal('failed');
  });

  it('leaves its place at work to others', async () => {
    const run = script('stuck').effect('a', step('a')).build();
    const { sim, world, id } = await scripted((w) => [act(w, 'go', run), act(w, 'other', script('other').effect('b', step('b')).build())], {
      runningMax: 2,
    });
    const third = await makeOne(sim, 'three');
    const ids = [id, await makeOne(sim, 'two'), third];
    world.always('do a', fails('conflict')).always('undo a', fails('unavailable'));
    const stuck = [];
    for (const resourceId of ids.slice(0, 2)) stuck.push((await sim.submit({ action: 'thing.go', resourceId })).operationId);
    await sim.run(60_000);
    expect(stuck.map((each) => sim.operation(each).state)).to.deep.equal(['needs_attention', 'needs_attention']);
    expect((await sim.done({ action: 'thing.other', resourceId: third })).state).to.equal('succeeded');
    world.heal();
    for (const each of stuck) expect((await sim.ended(each)).state).to.equal('failed');
    // Both have their places again: a third waits, and none was lost.
    world.always('do a', () => new Promise((resolve) => world.timers.after(5000, () => resolve(undefined))));
    for (const resourceId of ids) await sim.submit({ action: 'thing.go', resourceId });
    world.lines.length = 0;
    await sim.run(4000);
    expect(world.lines.filter((line) => line === 'do a')).to.have.length.of.at.most(2);
    await sim.run(20_000);
    expect(sim.kernel.operations.unfinished).to.equal(0);
  });

  it('ends when its very end is skipped, and gives nothing back that it cannot', async () => {
    const run = script('end').effect('a', step('a')).build();
    const { sim, world, id } = await scripted((w) => [
      act(w, 'go', run, { unwound: () => [{ op: 'adjust', counter: 'never/there', by: -1 }] }),
    ]);
    world.plan('do a', fails('conflict'));
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
    await sim.run(300_000);
    expect(sim.operation(operationId).state).to.equal('needs_attention');
    await sim.environment.complete(sim.kernel.operations.steer(operationId, 'skip'));
    expect((await sim.ended(operationId, 60_000)).state).to.equal('failed');
    expect(sim.kernel.operations.unfinished).to.equal(0);
  });

  it('stays in sight when the entry of a step beside it becomes durable', async () => {
    const x = script('x').effect('x', step('x')).build();
    const y = script('y').effect('y', step('y')).effect('z', step('z')).build();
    const run = script('beside')
      .write('pivot', { do: () => [{ op: 'adjust', counter: 'pivoted', by: 1 }], undo: FORWARD_ONLY })
      .subs('subs', { limit: 2, run: ({ ctx, params }) => [[bindSaga(x, ctx, params), bindSaga(y, ctx, params)]] })
      .build();
    /** `y` ends after so long. Answers when `x` needed attention, and what was in sight a little later. */
    const play = async (yMs: number) => {
      const { sim, world, id } = await scripted((w) => [act(w, 'go', run)]);
      const inMs = (ms: number) => () => new Promise((resolve) => world.timers.after(ms, () => resolve(undefined)));
      world.always('do x', fails('unavailable')).always('do y', inMs(yMs)).always('do z', inMs(300_000));
      const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
      let atMs = 0;
      for (; sim.operation(operationId).state !== 'needs_attention'; atMs += 10) await sim.run(10);
      await sim.run(200);
      const { state, attention } = sim.operation(operationId);
      return { atMs, state, step: attention?.step, lines: world.lines };
    };
    const { atMs } = await play(300_000);
    const again = await play(atMs - 50);
    expect(again.lines).to.include('do z');
    expect(again).to.include({ atMs, state: 'needs_attention', step: 'subs[0.0]/x' });
  });
});
