import { expect } from 'chai';
import { bindSaga } from '../../src/kernel/index.ts';
import { act, fails, script, scripted, step } from './script.ts';

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
});
