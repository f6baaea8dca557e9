import { expect } from 'chai';
import { isCloudError, type Principal } from '../../src/kernel/index.ts';
import { act, type Script, script, scripted } from './script.ts';
import { tester } from './sim-kernel.ts';

const slow = script('slow')
  .effect('wait', { do: ({ ctx }) => new Promise<void>((done) => ctx.timers.after(1000, done)), undo: 'nothing_to_undo' })
  .build();
const actions = (w: Script) => [act(w, 'wait', slow)];
const other: Principal = { ...tester, actor: 'other', accountId: '01890000-0000-7000-8000-0000000000ff' as Principal['accountId'] };

describe('operations of several accounts', () => {
  it('run in turn: one that comes late waits for none of the many that another has waiting', async () => {
    const { sim } = await scripted(actions, { runningMax: 2 });
    const things = await Promise.all(
      Array.from({ length: 51 }, (_, index) => sim.submit({ action: 'thing.create', input: { name: `t${index}`, size: 1 } })),
    );
    for (const { operationId } of things) await sim.ended(operationId);
    const [mine, ...theirs] = things.map(({ resourceId }) => resourceId);
    for (const resourceId of theirs) await sim.submit({ action: 'thing.wait', resourceId });
    const late = await sim.submit({ action: 'thing.wait', resourceId: String(mine), principal: other });
    await sim.run(2500);
    expect(sim.operation(late.operationId).state).to.equal('succeeded');
    expect(sim.rows('operation').filter(({ state }) => state === 'running')).to.have.length.above(40);
  });

  it('find room when another has taken all of it, and a restart knows whose they are', async () => {
    const { sim, id } = await scripted(actions, { operationsMax: 20 });
    const busy = (principal: Principal) =>
      sim.submit({ action: 'thing.wait', resourceId: id, principal }).then(
        () => false,
        (error: unknown) => isCloudError(error) && error.code === 'busy',
      );
    for (let index = 0; index < 20; index += 1) expect(await busy(tester)).to.equal(false);
    expect(await busy(tester)).to.equal(true);
    expect(await busy(other)).to.equal(false);
    sim.crash();
    await sim.start();
    expect(await busy(tester)).to.equal(true);
    expect(await busy(other)).to.equal(false);
  });
});
