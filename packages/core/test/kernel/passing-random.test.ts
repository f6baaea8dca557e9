import { expect } from 'chai';
import fc from 'fast-check';
import { adjust, CloudError, FORWARD_ONLY, isFinished, NOTHING_TO_UNDO, type Saga } from '../../src/kernel/index.ts';
import { act, deleting, fails, makeOne, type Params, type Script, script, scripted, step } from './script.ts';
import type { SimKernel } from './sim-kernel.ts';

const one = script('one').effect('s', step('s')).effect('t', step('t')).build();
const other = script('other').effect('u', step('u')).effect('v', step('v')).build();
const onward = script('onward')
  .effect('n', { ...step('n'), undo: FORWARD_ONLY })
  .effect('m', step('m'))
  .build();
const byEffect = script('takes')
  .effect('g', step('g'))
  .effect('p', { ...step('p'), undo: FORWARD_ONLY })
  .build();
const byWrite = script('takes')
  .effect('g', step('g'))
  .write('p', { do: () => [], undo: FORWARD_ONLY })
  .effect('q', step('q'))
  .build();
const byLastWrite = script('takes')
  .effect('g', step('g'))
  .write('p', { do: () => [], undo: NOTHING_TO_UNDO })
  .build();
const byEnd = script('takes').effect('g', step('g')).build();

const STUCK = ['one', 'other', 'onward'] as const;
const WHAT = [...STUCK, 'delete', 'force', 'force', 'cancel', 'crash', 'stop', 'wait', 'heal', 'sick', 'faults'] as const;
const asks = fc.array(
  fc.record({
    what: fc.constantFrom(...WHAT),
    which: fc.integer({ min: 0, max: 2 }),
    more: fc.integer({ min: 0, max: 2 }),
    forMs: fc.constantFrom(0, 100, 20_000, 100_000),
  }),
  { minLength: 3, maxLength: 14 },
);
const troubles = fc.array(fc.tuple(fc.constantFrom('do t', 'do v', 'do m', 'do g', 'undo g', 'do p'), fc.constantFrom('fails', 'slow')), {
  maxLength: 8,
});

interface Asked {
  readonly id: string;
  readonly verb: string;
  readonly keys: readonly string[];
}

const superseding = (sim: SimKernel, { id }: Asked): string | undefined =>
  /^Superseded by the operation (\S+)\.$/.exec(sim.operation(id).error?.message ?? '')?.[1];

/** Tells of two that are at work at once though they share a key, be it one of what they have ended, and of one that is at work twice. */
function watchClashes(
  sim: SimKernel,
  world: Script,
  asked: readonly Asked[],
): { readonly clashes: readonly string[]; readonly died: () => void } {
  const clashes: string[] = [];
  const atWork = new Map<object, string>();
  const begun = new Set<string>();
  const isOf = (id: string, each: Asked) => each.id === id || (begun.has(each.id) && superseding(sim, each) === id);
  const keysOf = (id: string) => asked.filter((each) => isOf(id, each)).flatMap(({ keys }) => keys);
  const play = world.play.bind(world);
  world.play = async (line, call) => {
    const id = call.requestId;
    begun.add(id);
    for (const running of atWork.values())
      if (running === id || keysOf(running).some((key) => keysOf(id).includes(key))) clashes.push(`${line} beside ${running}`);
    const mark = {};
    atWork.set(mark, id);
    call.signal.addEventListener('abort', () => atWork.delete(mark));
    try {
      return await play(line, call);
    } finally {
      atWork.delete(mark);
    }
  };
  return { clashes, died: () => atWork.clear() };
}

/** The undos of the first two and the onward one's step fail until it is over. */
async function open(takes: Saga<Script, Params>, seed: number) {
  const scene = await scripted(
    (w) => [
      act(w, 'one', one, { unwound: () => [adjust('back one', 1)] }),
      act(w, 'other', other, { unwound: () => [adjust('back other', 1)] }),
      act(w, 'onward', onward),
      deleting(w, takes),
    ],
    { seed: `random ${seed}` },
  );
  const { sim, world, id } = scene;
  const things = [id, await makeOne(sim, 'two'), await makeOne(sim, 'three')] as const;
  const sick = { is: true };
  const mayFail = () => {
    if (sick.is) throw new CloudError('unavailable', 'Away.');
  };
  for (const line of ['undo t', 'undo v', 'do n']) world.always(line, mayFail);
  for (const line of ['do t', 'do v']) world.plan(line, fails('conflict'), fails('conflict'), fails('conflict'));
  return { sim, world, things, sick };
}

const slow = (world: Script) => () => new Promise<void>((resolve) => void world.timers.after(3000, () => resolve()));

async function revived(sim: SimKernel, died: () => void): Promise<void> {
  if (sim.alive) return;
  died();
  await sim.start();
}

describe('forced deletions and operations that are stuck', () => {
  for (const [name, takes] of [
    ['an effect', byEffect],
    ['a write', byWrite],
    ['the last write', byLastWrite],
    ['the end', byEnd],
  ] as const)
    it(`all end, each at work once and beside none that shares a key, where ${name} is the point of no return`, async function () {
      this.timeout(300_000);
      await fc.assert(
        fc.asyncProperty(asks, troubles, fc.integer({ min: 0, max: 1_000_000 }), async (plan, planned, seed) => {
          const { sim, world, things, sick } = await open(takes, seed);
          const asked: Asked[] = [];
          const { clashes, died } = watchClashes(sim, world, asked);
          for (const [line, trouble] of planned) world.plan(line, trouble === 'fails' ? fails('conflict') : slow(world));
          for (const { what, which, more, forMs } of plan) {
            const [resourceId = '', ...also] = [...things, ...things].slice(which, which + 1 + more);
            if ([...STUCK, 'delete', 'force'].some((verb) => verb === what)) {
              const [verb, input] = what === 'force' ? ['delete', { also, force: true }] : [what, { also }];
              const { operationId: id } = await sim.submit({ action: `thing.${verb}`, resourceId, input });
              asked.push({ id, verb: what, keys: [resourceId, ...also] });
            } else if (what === 'cancel')
              await sim.environment.complete(sim.kernel.operations.cancel(asked[which % asked.length]?.id ?? '')).catch(() => undefined);
            else if (what === 'crash') sim.crash();
            else if (what === 'stop') await sim.stop();
            else if (what === 'heal' || what === 'sick') sick.is = what === 'sick';
            else if (what === 'faults') Object.assign(sim.faults, { commitFails: 0.2, acknowledgementLost: 0.2 });
            await revived(sim, died);
            await sim.run(forMs);
          }
          Object.assign(sim.faults, { commitFails: 0, acknowledgementLost: 0 });
          sick.is = false;
          for (let round = 0; round < 5; round += 1) {
            await sim.run(200_000);
            await revived(sim, died);
          }
          const rows = asked.map((each) => ({ ...each, row: sim.operation(each.id) }));
          expect(clashes).to.deep.equal([]);
          expect(rows.filter(({ row }) => !isFinished(row))).to.deep.equal([]);
          for (const verb of ['one', 'other'])
            expect(sim.counter(`back ${verb}`), verb).to.equal(
              rows.filter((each) => each.verb === verb && each.row.state !== 'succeeded').length,
            );
          for (const each of asked) {
            const by = superseding(sim, each);
            if (by === undefined) continue;
            expect(sim.operation(by).state).to.equal('succeeded');
            expect(asked.find(({ id }) => id === by)?.keys).to.include.oneOf([...each.keys]);
          }
        }),
        { numRuns: Number(process.env.PILEUS_FULL === '1' ? 3000 : 100) },
      );
    });
});
