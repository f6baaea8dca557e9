import { expect } from 'chai';
import fc from 'fast-check';
import { adjust, bindSaga, isFinished, NOTHING_TO_UNDO, revert } from '../../src/kernel/index.ts';
import { act, fails, hangs, makeOne, type Script, script, scripted, step, thing } from './script.ts';

const count = (name: string) => ({ do: () => [adjust(`count/${name}`, 1)], undo: () => [adjust(`count/${name}`, -1)] });
const inner = script('inner').effect('i', step('i')).write('iw', count('inner')).build();
const run = script('faulty')
  .effect('a', step('a'))
  .write('w1', count('w1'))
  .subs('subs', { limit: 2, run: ({ ctx, params }) => [[bindSaga(inner, ctx, params), bindSaga(inner, ctx, params)]] })
  .effect('b', step('b'))
  .effect('c', step('c'))
  .write('w2', count('w2'))
  .build();

const LINES = ['do a', 'do i', 'do b', 'do c', 'undo a', 'undo i', 'undo b', 'undo c'];
type Trouble = 'fails' | 'retries' | 'hangs' | 'crashes';
const troubles = fc.array(fc.tuple(fc.constantFrom(...LINES), fc.constantFrom<Trouble>('fails', 'retries', 'hangs', 'crashes')), {
  maxLength: 6,
});

function plan(world: Script, line: string, trouble: Trouble, crash: () => void) {
  if (trouble === 'fails') world.plan(line, fails('conflict'));
  else if (trouble === 'retries') world.plan(line, fails('unavailable'));
  else if (trouble === 'hangs') world.plan(line, hangs);
  else
    world.plan(line, () => {
      crash();
      return hangs();
    });
}

describe('under failed commits, lost acknowledgements, crashes and failing steps', () => {
  it('an operation waits for a store that is away, wherever it has to read, and goes on by itself', async () => {
    const gone = script('gone')
      .write('w', {
        do: ({ params }) => [revert(thing, params.id as never, { from: 'idle', to: 'deleted' })],
        undo: NOTHING_TO_UNDO,
      })
      .build();
    const { sim, world } = await scripted((w) => [act(w, 'go', run), act(w, 'end', gone)]);
    for (let round = 0; round < 15; round += 1) {
      sim.faults.readFails = 0;
      const id = await makeOne(sim, `thing-${round}`);
      world.lines.length = 0;
      sim.faults.readFails = 0.7;
      for (const action of ['thing.go', 'thing.end']) {
        let accepted: { readonly operationId: string } | undefined;
        while (accepted === undefined) accepted = await sim.submit({ action, resourceId: id }).catch(() => undefined);
        const row = await sim.ended(accepted.operationId);
        expect(row.state, JSON.stringify(row)).to.equal('succeeded');
      }
      expect(world.lines).to.include('do c').and.not.include('undo c');
      expect(sim.row('thing', id)).to.include({ state: 'deleted' });
    }
  });

  it('an operation ends whole or not at all, with each entry journaled once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), troubles, fc.boolean(), async (seed, planned, cancelled) => {
        const { sim, world, id } = await scripted((w) => [act(w, 'go', run)], { seed });
        Object.assign(sim.faults, { commitFails: 0.2, acknowledgementLost: 0.2 });
        for (const [line, trouble] of planned) plan(world, line, trouble, () => sim.crash());
        const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id });
        if (cancelled) {
          await sim.run(40);
          // The start itself may meet the next planned crash.
          while (!sim.alive) await sim.start();
          if (!isFinished(sim.operation(operationId))) sim.kernel.operations.cancel(operationId).catch(() => undefined);
        }
        const row = await sim.ended(operationId, 3_600_000);
        const whole = row.state === 'succeeded';
        expect({ w1: sim.counter('count/w1'), inner: sim.counter('count/inner'), w2: sim.counter('count/w2') }).to.deep.equal(
          whole ? { w1: 1, inner: 2, w2: 1 } : { w1: 0, inner: 0, w2: 0 },
        );
        const journal = sim.journal(operationId);
        for (const type of ['accepted', 'done', 'undone', 'ended'] as const) {
          const entries = journal.filter((entry) => entry.type === type).map((entry) => ('path' in entry ? entry.path : type));
          expect(new Set(entries).size, `${type} of ${entries.join()}`).to.equal(entries.length);
        }
        expect(journal.at(-1)?.type).to.equal('ended');
        if (!whole) {
          const [done, undone] = (['do', 'undo'] as const).map(
            (phase) => new Set(world.lines.filter((line) => line.startsWith(`${phase} `)).map((line) => line.split(' ')[1])),
          );
          for (const name of done ?? []) expect(undone?.has(name), `${name} was not undone`).to.equal(true);
        }
        // The acknowledgement of the end may have been lost.
        await sim.run(60_000);
        expect(sim.kernel.holds(id)).to.equal(false);
      }),
      { numRuns: 120 },
    );
  });

  it('one seed is one history', async () => {
    const history = async () => {
      const { sim, id } = await scripted((w) => [act(w, 'go', run)], { seed: 'same' });
      Object.assign(sim.faults, { commitFails: 0.3, acknowledgementLost: 0.3 });
      await sim.done({ action: 'thing.go', resourceId: id });
      return sim.environment.historyHash();
    };
    expect(await history()).to.equal(await history());
  });
});

describe('a forced deletion', () => {
  const forced = { verb: 'delete' } as const;
  const goes = script('forced').effect('f', step('f')).build();
  const gone = script('stuck').effect('s', step('s')).effect('t', step('t')).build();

  for (const order of ['after it got stuck', 'before it got stuck', 'and a restart in between'] as const)
    it(`passes a head that needs attention: asked for ${order}`, async () => {
      const { sim, world, id } = await scripted((w) => [
        act(w, 'go', gone, { unwound: () => [adjust('given back', 1)] }),
        { ...act(w, 'delete', goes), input: { type: 'object' } as never },
      ]);
      world.plan('do t', fails('conflict')).always('undo t', fails('unavailable'));
      const stuck = await sim.submit({ action: 'thing.go', resourceId: id });
      await sim.run(order === 'before it got stuck' ? 500 : 600_000);
      const forcing = await sim.submit({ action: `thing.${forced.verb}`, resourceId: id, input: { force: true } });
      if (order === 'and a restart in between') {
        sim.crash();
        await sim.start();
      }
      expect((await sim.ended(forcing.operationId)).state).to.equal('succeeded');
      const row = sim.operation(stuck.operationId);
      expect(row.state).to.equal('failed');
      expect(sim.counter('given back')).to.equal(1);
      expect(row.error?.message).to.equal(`Superseded by the operation ${forcing.operationId}.`);
      expect(world.lines.at(-1)).to.equal('do f');
    });
});
