import { expect } from 'chai';
import { sleep } from '../../src/kernel/index.ts';
import type { Call } from '../../src/strategy/index.ts';
import { type Act, act, fails, hangs, makeOne, script, scripted, step } from './script.ts';

describe('what the row of an operation shows of its steps', () => {
  const run = script('steps').effect('a', step('a')).effect('b', step('b')).effect('c', step('c')).effect('d', step('d')).build();
  const begin = () => scripted((world) => [act(world, 'go', run)]);

  it('is told once, with the end, when all of them take no time', async () => {
    const { sim, id } = await begin();
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
    expect(await sim.ended(operationId)).to.include({ state: 'succeeded', lastStep: 'd', stepsDone: 4, generation: 2 });
  });

  it('is at most a tenth of a second behind the journal', async () => {
    const { sim, world, id } = await begin();
    world.plan('do d', hangs);
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
    await sim.run(50);
    expect(sim.journal(operationId).length).to.equal(4);
    expect(sim.operation(operationId)).to.include({ stepsDone: 0, generation: 1 });
    await sim.run(60);
    expect(sim.operation(operationId)).to.include({ state: 'running', lastStep: 'c', stepsDone: 3, generation: 2 });
  });

  it('is told with each step, when each takes its time', async () => {
    const { sim, world, id } = await begin();
    for (const name of ['a', 'b', 'c', 'd']) world.plan(`do ${name}`, () => sleep(sim.environment.timers, 200));
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
    expect(await sim.ended(operationId)).to.include({ state: 'succeeded', lastStep: 'd', stepsDone: 4, generation: 6 });
  });

  it('never goes back, neither over a crash in the midst of a step nor where another beginning waits for its turn', async () => {
    const { sim, world, id } = await scripted((the) => [
      act(the, 'go', run, {
        again: async ({ params, attempt }) => (attempt > 0 ? undefined : { params, statements: [], keys: [other], queue: true }),
      }),
    ]);
    const other = await makeOne(sim, 'other');
    const { timers } = sim.environment;
    /** Tells how far it has come, in the midst of it. */
    const slowly =
      (fraction: number, then: Act = () => sleep(timers, 2000)) =>
      async (call: Call) => {
        await sleep(timers, 2000);
        call.onProgress?.(fraction);
        await then(call);
      };
    world.plan('do b', slowly(0.8, hangs), slowly(0.2), slowly(0.4)).plan('do c', slowly(0.5, fails('conflict')));
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
    const told: number[] = [];
    const look = async (forMs: number) => {
      for (let passedMs = 0; passedMs < forMs; passedMs += 100) {
        await sim.run(100);
        told.push(Number(sim.operation(operationId).percent));
      }
    };
    await look(3000);
    sim.crash();
    await sim.start();
    await look(15_000);
    expect(sim.operation(operationId)).to.include({ state: 'succeeded', attempt: 1 });
    expect([...new Set(told)]).to.deep.equal([0, 45, 62, 100]);
  });
});
