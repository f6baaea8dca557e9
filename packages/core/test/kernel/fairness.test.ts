import { expect } from 'chai';
import { isCloudError, type Principal } from '../../src/kernel/index.ts';
import { act, makeOne, type Script, script, scripted } from './script.ts';
import { tester } from './sim-kernel.ts';

const slow = script('slow')
  .effect('wait', { do: ({ ctx }) => new Promise<void>((done) => ctx.timers.after(1000, done)), undo: 'nothing_to_undo' })
  .build();
const actions = (w: Script) => [act(w, 'wait', slow)];
const other: Principal = { ...tester, actor: 'other', accountId: '01890000-0000-7000-8000-0000000000ff' as Principal['accountId'] };

/** How many transactions of others are written from a request of the quiet account until its operation is over, while another has so many in flight. */
async function between(inFlight: number): Promise<readonly number[]> {
  const { sim } = await scripted(actions);
  let written = 0;
  let isOver = false;
  sim.kernel.onOutcome(() => {
    written += 1;
  });
  const made = async (name: string, principal = tester) => {
    const { operationId } = await sim.ask({ action: 'thing.create', input: { name, size: 1 }, principal });
    await sim.kernel.operations.wait(operationId, 600_000);
  };
  const flood = Array.from({ length: inFlight }, async (_, index) => {
    for (let count = 0; !isOver; count += 1) await made(`f${index}-${count}`);
  });
  await sim.run(20);
  const counts: number[] = [];
  for (let count = 0; count < 4; count += 1) {
    const before = written;
    await sim.environment.complete(made(`q${count}`, other));
    counts.push(written - before);
  }
  isOver = true;
  await sim.environment.complete(Promise.all(flood));
  return counts;
}

describe('operations of several accounts', () => {
  it('have few transactions of another before theirs, however many it has in flight', async function () {
    this.timeout(60_000);
    const [, ...later] = await between(50);
    // Of each of its two transactions: what is on its way, and what comes along in its group.
    for (const count of later) expect(count).to.be.at.most(60);
  });

  it('find a place at work when another has taken all of them with what takes long', async () => {
    const { sim, id } = await scripted(actions, { runningMax: 4 });
    const mine = (await sim.submit({ action: 'thing.create', input: { name: 'mine', size: 1 }, principal: other })).resourceId;
    const things = [id];
    for (let index = 0; index < 9; index += 1) things.push(await makeOne(sim, `t${index}`));
    const theirs = await sim.environment.complete(Promise.all(things.map((resourceId) => sim.ask({ action: 'thing.wait', resourceId }))));
    await sim.run(50);
    const late = await sim.submit({ action: 'thing.wait', resourceId: mine, principal: other });
    await sim.run(1020);
    expect(sim.operation(late.operationId).state).to.equal('succeeded');
    const states = theirs.map(({ operationId }) => sim.operation(operationId).state);
    expect(states.filter((state) => state === 'succeeded')).to.have.length(4);
  });

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
