import { expect } from 'chai';
import { adjust, CloudError, FORWARD_ONLY } from '../../src/kernel/index.ts';
import { act, deleting, fails, hangs, makeOne, script, scripted, step, thingPlugin } from './script.ts';
import type { SimKernel } from './sim-kernel.ts';
import { deleting as deletionOf, planted } from './tree.ts';

const stuck = script('stuck').effect('s', step('s')).effect('t', step('t')).build();
const later = script('later').effect('u', step('u')).effect('v', step('v')).build();
const onward = script('onward')
  .effect('n', { ...step('n'), undo: FORWARD_ONLY })
  .effect('m', step('m'))
  .build();
const takes = script('takes')
  .effect('g', step('g'))
  .effect('p', { ...step('p'), undo: FORWARD_ONLY })
  .build();
/** What is left of a saga for those who know its next version alone. */
const next = <S extends object>(saga: S): S => ({ ...saga, version: 2 });

/** One that is stuck at its undo of `t` or at `n`. `crashAtEnd`: the control plane dies when so many have been asked what they give back. */
async function stuckOne(run: Parameters<typeof act>[2], crashAtEnd?: number) {
  let asked = 0;
  const scene = await scripted((w) => {
    const unwound = () => {
      asked += 1;
      if (asked === crashAtEnd) scene.sim.crash();
      return [adjust('back', 1)];
    };
    return [act(w, 'go', run, { unwound }), act(w, 'later', later, { unwound }), deleting(w, takes)];
  });
  const { sim, world, id } = scene;
  const away = { is: true };
  const mayFail = () => {
    if (away.is) throw new CloudError('unavailable', 'Away.');
  };
  world.plan('do t', fails('conflict')).always('undo t', mayFail).always('do n', mayFail);
  const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id, input: { also: [await makeOne(sim, 'beside')] } });
  await sim.run(600_000);
  world.lines.length = 0;
  const force = async (...also: readonly string[]) =>
    (await sim.submit({ action: 'thing.delete', resourceId: id, input: { force: true, also: [...also] } })).operationId;
  return { ...scene, away, operationId, force };
}

const superseded = (sim: SimKernel, by: string, id: string) =>
  expect(sim.operation(id).error?.message).to.equal(`Superseded by the operation ${by}.`);

describe('a forced deletion that has passed others, and a restart', () => {
  it('goes before what it is to end, which does nothing any more, and is not cancelled', async () => {
    const { sim, world, away, operationId, force } = await stuckOne(onward, 1);
    const forced = await force();
    await sim.run(10_000);
    expect(sim.alive).to.equal(false);
    away.is = false;
    await sim.start();
    world.plan('do p', hangs);
    await sim.run(100);
    const cancelled = await sim.environment.complete(sim.kernel.operations.cancel(forced).catch((error: unknown) => error));
    expect(cancelled).to.be.instanceOf(CloudError);
    world.heal();
    await sim.stop();
    await sim.start();
    expect((await sim.ended(forced)).state).to.equal('succeeded');
    superseded(sim, forced, operationId);
    expect(world.lines).to.deep.equal(['do g', 'do p', 'do p']);
  });

  it('goes before what waits behind it and is to end with it', async () => {
    const { sim, world, id, operationId, force } = await stuckOne(stuck, 2);
    const { operationId: behind } = await sim.submit({ action: 'thing.later', resourceId: id });
    const forced = await force();
    await sim.run(10_000);
    expect(sim.alive).to.equal(false);
    await sim.start();
    expect((await sim.ended(forced)).state).to.equal('succeeded');
    for (const each of [operationId, behind]) superseded(sim, forced, each);
    expect(world.lines).not.to.include('do u');
    expect(sim.counter('back')).to.equal(2);
  });

  it('holds more keys than its row shows', async () => {
    const { sim, world, force } = await stuckOne(stuck);
    const many = Array.from({ length: 120 }, (_, index) => `01890000-0000-7000-8000-${String(index).padStart(12, '0')}`);
    const last = await makeOne(sim, 'last');
    world.always('do p', hangs);
    const forced = await force(...many, last);
    const { operationId: waits } = await sim.submit({ action: 'thing.later', resourceId: last });
    for (let restarts = 0; restarts < 3; restarts += 1) {
      await sim.run(1000);
      expect(sim.operation(waits).state).to.equal('queued');
      expect(sim.operation(forced)).to.deep.include({ keyCount: 123, keys: sim.operation(forced).keys.slice(0, 100) });
      sim.crash();
      await sim.start();
    }
    world.heal();
    sim.crash();
    await sim.start();
    expect((await sim.ended(waits)).state).to.equal('succeeded');
  });

  it('is not passed itself by another, which is forced later and is to delete less', async () => {
    const { sim, world, id, force } = await stuckOne(stuck);
    const other = await makeOne(sim, 'other');
    world.plan('do v', fails('conflict')).always('undo v', fails('unavailable'));
    await sim.submit({ action: 'thing.later', resourceId: other });
    await sim.run(600_000);
    world.plan('do g', hangs);
    const first = await force(other);
    await sim.run(1000);
    sim.crash();
    world.always('undo v', hangs);
    await sim.start();
    await sim.run(1000);
    const second = (await sim.submit({ action: 'thing.delete', resourceId: id, input: { force: true } })).operationId;
    const { state, startedAt = '' } = await sim.ended(second);
    expect(state).to.equal('succeeded');
    expect(sim.operation(first).state).to.equal('succeeded');
    expect(startedAt >= (sim.operation(first).endedAt ?? '')).to.equal(true);
  });

  it('ends in another deletion that it has passed, whose host is back then', async () => {
    for (const line of ['look a', 'force a']) {
      const { sim, world, add, siteId, left } = await planted();
      await add('rack', 'a', { siteId });
      world.always('remove a', fails('unavailable'));
      const { operationId: passed } = await sim.submit(deletionOf('site', siteId));
      await sim.run(600_000);
      world.always(line, hangs);
      const { operationId: forced } = await sim.submit(deletionOf('site', siteId, { force: true }));
      await sim.run(5000);
      expect(world.lines).to.include(line);
      sim.crash();
      world.heal();
      await sim.start();
      expect((await sim.ended(forced)).state).to.equal('succeeded');
      superseded(sim, forced, passed);
      expect(left()).to.deep.equal([]);
    }
  });

  it('lets go on what it has passed, where this release does not know its version', async () => {
    const { sim, world, away, operationId, force } = await stuckOne(stuck);
    world.plan('do g', hangs);
    const forced = await force();
    await sim.run(1000);
    await sim.stop();
    sim.plugins = () => [thingPlugin(world, [act(world, 'go', stuck), deleting(world, next(takes))])];
    await sim.start();
    await sim.run(600_000);
    away.is = false;
    expect((await sim.ended(operationId)).error?.message).to.equal('Planned: conflict.');
    expect(sim.operation(forced).state).to.equal('parked');
  });

  it('leaves alone what waits behind it, where this release does not know the version of that', async () => {
    const { sim, world, id, operationId, force } = await stuckOne(stuck);
    const { operationId: behind } = await sim.submit({ action: 'thing.later', resourceId: id });
    await sim.stop();
    const unwound = () => [adjust('back', 1)];
    const actions = [act(world, 'go', stuck, { unwound }), act(world, 'later', next(later), { unwound }), deleting(world, takes)];
    sim.plugins = () => [thingPlugin(world, actions)];
    await sim.start();
    await sim.run(600_000);
    const forced = await force();
    expect((await sim.ended(forced)).state).to.equal('succeeded');
    superseded(sim, forced, operationId);
    expect(sim.operation(behind).state).to.equal('parked');
  });
});
