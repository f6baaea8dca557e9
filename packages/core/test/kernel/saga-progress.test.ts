import { expect } from 'chai';
import { sleep } from '../../src/kernel/index.ts';
import { act, hangs, script, scripted, step } from './script.ts';

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
});
