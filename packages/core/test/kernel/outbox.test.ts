import { expect } from 'chai';
import fc from 'fast-check';
import { announce, NOTHING_TO_UNDO, notice, onNotice, sleep } from '../../src/kernel/index.ts';
import { act, script, scripted } from './script.ts';

const happened = notice<{ readonly id: string; readonly tag: string }>('thing.happened');
const run = script('announcing')
  .write('announce', { do: ({ params: { id, tag } }) => [announce(happened, `${id}/${tag}`, { id, tag })], undo: NOTHING_TO_UNDO })
  .build();

describe('notices', () => {
  it('are told at least once whatever crashes, and then no more', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.array(fc.constantFrom('takes', 'throws', 'crashes before', 'crashes after'), { maxLength: 8 }),
        async (seed, handling) => {
          const told: string[] = [];
          const plan = [...handling];
          let armed = false;
          const { sim, id } = await scripted((w) => [act(w, 'go', run)], {
            seed,
            more: () => ({
              points: [happened],
              hooks: [
                onNotice(happened, ({ tag }) => {
                  if (!armed) throw new Error('not yet');
                  const how = plan.shift();
                  if (how === 'throws') throw new Error('not now');
                  if (how !== 'crashes before') told.push(tag);
                  if (how?.startsWith('crashes') === true) sim.crash();
                  return how?.startsWith('crashes') === true ? new Promise<void>(() => undefined) : undefined;
                }),
              ],
            }),
          });
          Object.assign(sim.faults, { commitFails: 0.2, acknowledgementLost: 0.2 });
          for (const tag of ['1', '2', '3']) {
            const { operationId } = await sim.submit({ action: 'thing.go', resourceId: id, input: { tag } });
            await sim.ended(operationId);
          }
          armed = true;
          for (let look = 0; look < 20 && (sim.rows('outbox').length > 0 || !sim.alive); look += 1) {
            if (!sim.alive) await sim.start();
            await sim.run(60_000);
          }
          expect(sim.rows('outbox')).to.deep.equal([]);
          expect([...new Set(told)].sort()).to.deep.equal(['1', '2', '3']);
          const before = told.length;
          await sim.run(600_000);
          expect(told.length).to.equal(before);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('one that is not taken blocks no other', async () => {
    const told: string[] = [];
    const { sim, id } = await scripted((w) => [act(w, 'go', run)], {
      more: () => ({
        points: [happened],
        hooks: [
          onNotice(happened, ({ tag }) => {
            if (tag === 'bad') throw new Error('never');
            told.push(tag);
          }),
        ],
      }),
    });
    for (const tag of ['bad', 'good']) await sim.done({ action: 'thing.go', resourceId: id, input: { tag } });
    await sim.run(1000);
    expect(told).to.deep.equal(['good']);
    expect(sim.rows('outbox')).to.have.length(1);
  });

  it('more than one look holds are all told, a few at once, behind as many that fail', async () => {
    const COUNT = 2500;
    const told = new Set<string>();
    let atOnce = 0;
    let atOnceMax = 0;
    const flood = script('flooding')
      .write('announce', {
        do: ({ params: { id } }) =>
          Array.from({ length: COUNT }, (_, index) => {
            const tag = `${index < COUNT / 2 ? 'bad' : 'good'}-${String(index).padStart(5, '0')}`;
            return announce(happened, `${id}/${tag}`, { id, tag });
          }),
        undo: NOTHING_TO_UNDO,
      })
      .build();
    const { sim, id } = await scripted((w) => [act(w, 'go', flood)], {
      more: () => ({
        points: [happened],
        hooks: [
          onNotice(happened, async ({ tag }) => {
            atOnce += 1;
            atOnceMax = Math.max(atOnceMax, atOnce);
            await sleep(sim.environment.timers, 10);
            atOnce -= 1;
            if (tag.startsWith('bad')) throw new Error('never');
            told.add(tag);
          }),
        ],
      }),
    });
    await sim.done({ action: 'thing.go', resourceId: id });
    await sim.run(5000);
    expect(told.size).to.equal(COUNT / 2);
    expect(atOnceMax).to.equal(32);
    expect(sim.rows('outbox')).to.have.length(COUNT / 2);
    await sim.stop();
  });
});
