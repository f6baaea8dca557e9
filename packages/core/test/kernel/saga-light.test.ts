import { expect } from 'chai';
import { FORWARD_ONLY, revert } from '../../src/kernel/index.ts';
import { act, bind, fails, hangs, makeOne, type Script, script, scripted, step, thing } from './script.ts';
import type { SimKernel } from './sim-kernel.ts';

const light = (name: string) => ({ ...step(name), light: true as const });
const destroy = (name: string) => ({ ...step(name), undo: FORWARD_ONLY as typeof FORWARD_ONLY });
const paths = (sim: SimKernel, id: string) => sim.journal(id).flatMap((entry) => ('path' in entry ? [`${entry.type} ${entry.path}`] : []));

/** Dies at the line, and fails at `then` in the next life. */
function dies(sim: SimKernel, world: Script, line: string, then?: string): void {
  world.plan(line, () => {
    sim.crash();
    if (then !== undefined) world.plan(then, fails('conflict'));
    return hangs();
  });
}

describe('a light step', () => {
  const run = script('light').effect('a', light('a')).effect('b', light('b')).effect('c', step('c')).effect('d', step('d')).build();
  const begin = () => scripted((world) => [act(world, 'go', run)]);

  it('waits for the next commit, and is journaled with it', async () => {
    const { sim, world, id } = await begin();
    const seen: string[][] = [];
    let operationId = '';
    for (const name of ['b', 'c', 'd']) world.plan(`do ${name}`, () => void seen.push(paths(sim, operationId)));
    ({ operationId } = await sim.submit({ action: 'thing.go', resourceId: id }));
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect(seen).to.deep.equal([[], [], ['done a', 'done b', 'done c']]);
    expect(sim.operation(operationId)).to.include({ stepsDone: 4, percent: 100 });
  });

  it('is in sight a little later, when the next takes its time', async () => {
    const { sim, world, id } = await begin();
    world.plan('do c', hangs);
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
    await sim.run(150);
    expect(sim.operation(operationId)).to.include({ lastStep: 'b', stepsDone: 2, percent: 50 });
    expect(paths(sim, operationId)).to.deep.equal(['done a', 'done b']);
  });

  it('is done again after a crash, and the steps behind it too', async () => {
    const { sim, world, id } = await begin();
    dies(sim, world, 'do c');
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect(world.lines).to.deep.equal(['do a', 'do b', 'do c', 'do a', 'do b', 'do c', 'do d']);
  });

  for (const [line, then] of [
    ['do c', 'do a'],
    ['do c', 'do b'],
    ['do b', 'do a'],
  ] as const)
    it(`that fails after a crash (${line}, then ${then}) takes back what had begun behind it, and nothing behind the next that is not light`, async () => {
      const { sim, world, id } = await begin();
      dies(sim, world, line, then);
      const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
      expect((await sim.ended(operationId)).state).to.equal('failed');
      expect(world.lines.filter((played) => played.startsWith('undo'))).to.deep.equal(['undo c', 'undo b', 'undo a']);
    });

  it('at the end of a sub-saga does not hide the stage behind it', async () => {
    const inner = (name: string) => script(`inner-${name}`).effect(name, light(name)).build();
    const outer = script('outer')
      .subs('s', {
        limit: 1,
        run: ({ ctx, params }) => [[{ saga: inner('a'), ctx, params }], [{ saga: inner('b'), ctx, params }]],
      })
      .effect('c', step('c'))
      .build();
    const { sim, world, id } = await scripted((w) => [act(w, 'go', outer)]);
    dies(sim, world, 'do c', 'do a');
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
    expect((await sim.ended(operationId)).state).to.equal('failed');
    expect(world.lines.filter((line) => line.startsWith('undo'))).to.deep.equal(['undo c', 'undo b', 'undo a']);
  });

  it('is durable before a step that cannot be taken back begins', async () => {
    const final = script('final').effect('a', light('a')).effect('b', destroy('b')).build();
    const { sim, world, id } = await scripted((w) => [act(w, 'go', final)]);
    dies(sim, world, 'do b', 'do a');
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect(world.lines).to.deep.equal(['do a', 'do b', 'do b']);
  });

  it('is shown a little later where a step that cannot be taken back begins at once, and takes its time', async () => {
    const final = script('final').effect('a', light('a')).effect('b', destroy('b')).build();
    const { sim, world, id } = await scripted((w) => [act(w, 'go', final)]);
    let begun: unknown;
    world.plan('do b', () => {
      begun = { journal: paths(sim, operationId), ...sim.operation(operationId) };
      return hangs();
    });
    let operationId = '';
    ({ operationId } = await sim.submit({ action: 'thing.go', resourceId: id }));
    await sim.run(150);
    expect(begun).to.deep.include({ journal: ['done a'], stepsDone: 0 });
    expect(sim.operation(operationId)).to.include({ lastStep: 'a', stepsDone: 1, percent: 50 });
  });

  it('is durable before anything of two steps behind it that go side by side, whose commits may overtake each other', async () => {
    const gone = script('gone')
      .write('w', { do: ({ params }) => [revert(thing, params.tag as never, { from: 'idle', to: 'deleted' })], undo: FORWARD_ONLY })
      .build();
    const quick = script('quick')
      .write('w', { do: () => [], undo: FORWARD_ONLY })
      .build();
    const final = script('final')
      .effect('a', light('a'))
      // The first takes the longer: what hangs on the row that it deletes is looked up.
      .subs('s', { limit: 2, run: ({ ctx, params }) => [[bind(gone, ctx, params), bind(quick, ctx, params)]] })
      .build();
    for (let seed = 0; seed < 20; seed += 1) {
      const { sim, world, id } = await scripted((w) => [act(w, 'go', final)], { seed });
      const tag = await makeOne(sim, 'other');
      world.lines.length = 0;
      sim.around = async (point, body) => {
        const result = await body();
        if (point.path === 's[0.1]/w') {
          sim.around = undefined;
          sim.crash();
          return hangs();
        }
        return result;
      };
      const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id, input: { tag } });
      expect((await sim.ended(operationId)).state).to.equal('succeeded');
      expect(world.lines, `seed ${seed}`).to.deep.equal(['do a']);
    }
  });

  it('survives an orderly stop', async () => {
    const { sim, world, id } = await begin();
    world.plan('do c', hangs);
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
    await sim.run(10);
    await sim.stop();
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect(world.lines).to.deep.equal(['do a', 'do b', 'do c', 'do c', 'do d']);
  });

  it('must return nothing', async () => {
    const { sim, world, id } = await begin();
    world.plan('do a', () => 'something');
    const row = await sim.done({ action: 'thing.go', resourceId: id });
    expect(row.error?.code).to.equal('internal');
  });
});

describe('a step after one that cannot be taken back', () => {
  const run = script('behind').effect('a', destroy('a')).effect('b', step('b')).effect('c', step('c')).build();

  it('waits for the next commit unless it returns something, and is done again after a crash', async () => {
    const { sim, world, id } = await scripted((w) => [act(w, 'go', run)]);
    world.plan(
      'do b',
      () => undefined,
      () => 'something',
    );
    dies(sim, world, 'do c');
    const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
    await sim.run(10);
    expect(paths(sim, operationId)).to.deep.equal([]);
    dies(sim, world, 'do c');
    await sim.start();
    await sim.run(10);
    expect(paths(sim, operationId)).to.deep.equal(['done a', 'done b']);
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect(world.lines).to.deep.equal(['do a', 'do b', 'do c', 'do a', 'do b', 'do c', 'do c']);
  });
});
