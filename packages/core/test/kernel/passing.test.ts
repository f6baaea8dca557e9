import { expect } from 'chai';
import fc from 'fast-check';
import { adjust, CloudError, FORWARD_ONLY, NOTHING_TO_UNDO } from '../../src/kernel/index.ts';
import { act, deleting, fails, hangs, makeOne, type Script, script, scripted, step } from './script.ts';
import { tester } from './sim-kernel.ts';

const stuck = script('stuck').effect('s', step('s')).effect('t', step('t')).build();
const takes = script('takes')
  .effect('g', step('g'))
  .effect('p', { ...step('p'), undo: FORWARD_ONLY })
  .build();

/** Of the thing and of `also`, which it forgets where it is planned anew. */
const deletion = (world: Script) =>
  deleting(world, takes, {
    again: async ({ params }) =>
      params.tag === params.id ? undefined : { params: { ...params, tag: params.id }, statements: [], keys: [params.id], queue: true },
  });

/** One operation, which holds another thing, too, whose undo of `t` fails until the end of `away`, and a deletion that is forced. */
async function stuckBehind(seed = 'passing') {
  const scene = await scripted((w) => [act(w, 'go', stuck, { unwound: () => [adjust('given back', 1)] }), deletion(w)], { seed });
  const { sim, world, id } = scene;
  const beside = await makeOne(sim, 'beside');
  const away = { is: true };
  world.plan('do t', fails('conflict')).always('undo t', () => {
    if (away.is) throw new CloudError('unavailable', 'Away.');
  });
  const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id, input: { also: [beside] } });
  await sim.run(600_000);
  expect(sim.operation(operationId).state).to.equal('needs_attention');
  world.lines.length = 0;
  const force = async () => (await sim.submit({ action: 'thing.delete', resourceId: id, input: { force: true } })).operationId;
  return { ...scene, beside, away, operationId, force };
}

describe('a forced deletion behind an operation that is stuck', () => {
  it('ends that one when there is no way back for itself, and not before', async () => {
    const { sim, world, operationId, force } = await stuckBehind();
    const seen: string[] = [];
    for (const line of ['do g', 'do p']) world.plan(line, () => void seen.push(sim.operation(operationId).state));
    expect((await sim.ended(await force())).state).to.equal('succeeded');
    expect(seen).to.deep.equal(['needs_attention', 'failed']);
    expect(sim.counter('given back')).to.equal(1);
  });

  it('leaves it to go on where it comes to nothing itself', async () => {
    const { sim, world, away, operationId, force } = await stuckBehind();
    world.plan('do g', () => {
      away.is = false;
      throw new CloudError('conflict', 'What depends on it changed.');
    });
    expect((await sim.ended(await force())).state).to.equal('failed');
    const row = await sim.ended(operationId);
    expect(row.error?.message).to.equal('Planned: conflict.');
    expect(world.lines).to.deep.equal(['do g', 'undo g', 'undo t', 'undo s']);
    expect(sim.counter('given back')).to.equal(1);
  });

  it('goes before a deletion between them, which has not begun', async () => {
    const { sim, world, id, operationId, force } = await stuckBehind();
    const { operationId: between } = await sim.submit({ action: 'thing.delete', resourceId: id });
    await sim.run(1000);
    const seen: string[] = [];
    for (let times = 0; times < 2; times += 1) world.plan('do g', () => void seen.push(sim.operation(operationId).state));
    const forced = await force();
    expect((await sim.ended(forced)).state).to.equal('succeeded');
    expect((await sim.ended(between)).state).to.equal('succeeded');
    expect(sim.operation(operationId).error?.message).to.equal(`Superseded by the operation ${forced}.`);
    expect(seen).to.deep.equal(['needs_attention', 'failed']);
    expect(sim.counter('given back')).to.equal(1);
  });

  it('holds what that one held until it has removed what that has left, also after a crash', async () => {
    const { sim, world, beside, operationId, force } = await stuckBehind();
    world.plan('do p', hangs, hangs);
    const forced = await force();
    await sim.run(1000);
    expect(sim.operation(operationId).state).to.equal('failed');
    const { operationId: next } = await sim.submit({ action: 'thing.go', resourceId: beside });
    for (const crashes of [false, true]) {
      if (crashes) {
        sim.crash();
        await sim.start();
      }
      await sim.run(1000);
      expect(sim.operation(next).state).to.equal('queued');
      expect(sim.operation(forced).keys).to.include(beside);
    }
    world.heal();
    sim.crash();
    await sim.start();
    expect((await sim.ended(forced)).state).to.equal('succeeded');
    expect((await sim.ended(next)).state).to.equal('succeeded');
  });

  it('gives it back where it is planned anew, and passes then only what it deletes then', async () => {
    const { sim, world, id, away, operationId } = await stuckBehind();
    world.plan('do g', fails('conflict'));
    const resourceId = await makeOne(sim, 'root');
    const { operationId: forced } = await sim.submit({ action: 'thing.delete', resourceId, input: { force: true, also: [id] } });
    expect((await sim.ended(forced)).state).to.equal('succeeded');
    expect(sim.operation(operationId).state).to.equal('needs_attention');
    away.is = false;
    expect((await sim.ended(operationId)).error?.message).to.equal('Planned: conflict.');
  });

  it('is cancelled while it may be, and the other goes on', async () => {
    const { sim, world, id, beside, away, operationId, force } = await stuckBehind();
    world.plan('do g', hangs);
    const forced = await force();
    await sim.run(1000);
    await expectConflict(
      sim.environment.complete(sim.kernel.operations.steer(operationId, 'retry')),
      `The forced operation ${forced} is taking its place.`,
    );
    expect(sim.kernel.operations.standing(operationId)).to.deep.include({ for: 'operations', held: new Map([[forced, [id, beside]]]) });
    away.is = false;
    await sim.environment.complete(sim.kernel.operations.cancel(forced));
    expect((await sim.ended(forced)).state).to.equal('cancelled');
    expect((await sim.ended(operationId)).state).to.equal('failed');
    expect(world.lines.slice(-2)).to.deep.equal(['undo t', 'undo s']);
  });

  it('passes it again after it has come to nothing', async () => {
    const { sim, world, operationId, force } = await stuckBehind();
    world.plan('do g', fails('conflict'));
    expect((await sim.ended(await force())).state).to.equal('failed');
    await sim.run(600_000);
    expect(sim.operation(operationId).state).to.equal('needs_attention');
    expect((await sim.ended(await force())).state).to.equal('succeeded');
    expect(sim.operation(operationId).state).to.equal('failed');
    expect(sim.counter('given back')).to.equal(1);
  });

  it('tries again to end that one where what that gives back is refused', async () => {
    const { sim, operationId, force } = await stuckBehind();
    sim.limit('given back', 0);
    const forced = await force();
    await sim.run(600_000);
    expect(sim.operation(forced).attention).to.include({ step: 'p', phase: 'do' });
    sim.limit('given back', 5);
    expect((await sim.ended(forced)).state).to.equal('succeeded');
    expect(sim.operation(operationId).state).to.equal('failed');
    expect(sim.counter('given back')).to.equal(1);
  });

  it('does not let a part of that one, which comes late, begin beside itself', async () => {
    const { sim, world, id, operationId } = await stuckBehind();
    const resourceId = await makeOne(sim, 'third');
    world.plan('do g', hangs);
    const { operationId: forced } = await sim.submit({
      action: 'thing.delete',
      resourceId: id,
      input: { force: true, also: [resourceId] },
    });
    await sim.run(1000);
    const part = sim.kernel.services.ids.mint('operation');
    const request = { operationId: part, resourceId, causeId: operationId, action: 'thing.go', input: {}, principal: tester };
    await sim.environment.complete(sim.kernel.parts.submit(request));
    await sim.run(1000);
    expect([forced, part].map((each) => sim.operation(each).state)).to.deep.equal(['running', 'queued']);
  });

  it('fails like any other where its last write is refused, and it has passed nobody', async () => {
    const refused = script('takes')
      .effect('g', step('g'))
      .write('w', {
        do: ({ params: { id } }) => [{ op: 'expect', table: 'thing', key: id, expect: { state: 'busy' } }],
        undo: NOTHING_TO_UNDO,
      })
      .build();
    const { sim, id } = await scripted((w) => [deleting(w, refused)]);
    const { operationId } = await sim.submit({ action: 'thing.delete', resourceId: id, input: { force: true } });
    expect((await sim.ended(operationId)).state).to.equal('failed');
  });

  it('leaves nothing that nobody ends, wherever it fails or the control plane dies', async () => {
    const troubles = fc.array(fc.tuple(fc.constantFrom('do g', 'do p', 'undo g'), fc.constantFrom('fails', 'crashes', 'commits')), {
      maxLength: 5,
    });
    await fc.assert(
      fc.asyncProperty(troubles, fc.integer({ min: 0, max: 1_000_000 }), async (planned, seed) => {
        const { sim, world, away, operationId, force } = await stuckBehind(`passing ${seed}`);
        for (const [line, trouble] of planned)
          world.plan(line, () => {
            if (trouble === 'commits') Object.assign(sim.faults, { commitFails: 0.3, acknowledgementLost: 0.3 });
            else if (trouble === 'fails') throw new CloudError('conflict', 'Planned.');
            else {
              sim.crash();
              return hangs();
            }
            return undefined;
          });
        const forced = await force();
        for (let round = 0; round < 10; round += 1) {
          await sim.run(60_000);
          if (!sim.alive) await sim.start();
        }
        Object.assign(sim.faults, { commitFails: 0, acknowledgementLost: 0 });
        away.is = false;
        const [one, other] = [await sim.ended(forced), await sim.ended(operationId)];
        expect(other.state).to.equal('failed');
        expect(sim.counter('given back')).to.equal(1);
        expect(one.state).to.equal(world.lines.includes('do p') ? 'succeeded' : 'failed');
        if (one.state === 'failed') expect(world.lines.at(-1)).to.equal('undo s');
      }),
      { numRuns: 60 },
    );
  });
});

async function expectConflict(promise: Promise<unknown>, message: string): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect((error as CloudError | undefined)?.message).to.equal(message);
}
