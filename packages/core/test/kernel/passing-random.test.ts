import { expect } from 'chai';
import fc from 'fast-check';
import { adjust, CloudError, FORWARD_ONLY, isFinished, NOTHING_TO_UNDO, type Saga } from '../../src/kernel/index.ts';
import { type Act, act, deleting, fails, hangs, makeOne, type Params, type Script, script, scripted, step } from './script.ts';
import { type SimKernel, tester } from './sim-kernel.ts';

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
const WHAT = [...STUCK, 'part', 'part', 'delete', 'force', 'force', 'cancel', 'crash', 'stop', 'wait', 'heal', 'sick', 'faults'] as const;
const asks = fc.array(
  fc.record({
    what: fc.constantFrom(...WHAT),
    which: fc.integer({ min: 0, max: 2 }),
    more: fc.integer({ min: 0, max: 2 }),
    forMs: fc.constantFrom(0, 100, 20_000, 100_000),
  }),
  { minLength: 3, maxLength: 14 },
);
const TROUBLES = ['fails', 'slow', 'crashes', 'away'] as const;
const troubles = fc.array(fc.tuple(fc.constantFrom('do t', 'do v', 'do m', 'do g', 'undo g', 'do p'), fc.constantFrom(...TROUBLES)), {
  maxLength: 10,
});

interface Asked {
  readonly id: string;
  readonly verb: string;
  readonly keys: readonly string[];
}

const superseding = (sim: SimKernel, { id }: Asked): string | undefined =>
  /^Superseded by the operation (\S+)\.$/.exec(sim.operation(id).error?.message ?? '')?.[1];

/**
 * Tells of two that are at work at once though they share a key, be it one of what they have ended, of one that is at work twice, and of one that goes on though
 * another, which shares a key, has begun since.
 */
function watchClashes(
  sim: SimKernel,
  world: Script,
  asked: readonly Asked[],
): { readonly clashes: readonly string[]; readonly died: () => void } {
  const clashes: string[] = [];
  let lines = 0;
  const atWork = new Map<object, string>();
  const lastOf = new Map<string, number>();
  const isOf = (id: string, each: Asked) => each.id === id || (lastOf.has(each.id) && superseding(sim, each) === id);
  const keysOf = (id: string) => asked.filter((each) => isOf(id, each)).flatMap((each) => sim.operation(each.id).keys);
  const crosses = (mine: number | undefined, other: Asked): boolean => {
    const row = sim.operation(other.id);
    return mine !== undefined && (lastOf.get(other.id) ?? 0) > mine && !isFinished(row) && row.state !== 'queued' && row.attempt === 0;
  };
  const play = world.play.bind(world);
  world.play = async (line, call) => {
    const id = call.requestId;
    for (const other of sim.operation(id).attempt > 0 ? [] : asked)
      if (crosses(lastOf.get(id), other) && keysOf(id).some((key) => sim.operation(other.id).keys.includes(key)))
        clashes.push(`${line} of ${id} crosses ${other.id}`);
    lines += 1;
    lastOf.set(id, lines);
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
      deleting(w, takes, {
        again: async ({ params, error }) =>
          error.code !== 'conflict' || params.tag === params.id
            ? undefined
            : { params: { ...params, tag: params.id }, statements: [], keys: [params.id], queue: true },
      }),
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
  while (!sim.alive) {
    died();
    await sim.start();
  }
}

/** A part of another, as a stack asks for them. */
async function submitPart(sim: SimKernel, cause: Asked, resourceId: string): Promise<Asked | undefined> {
  if (isFinished(sim.operation(cause.id))) return undefined;
  const id = sim.kernel.services.ids.mint('operation');
  const request = { operationId: id, resourceId, causeId: cause.id, action: 'thing.other', input: {}, principal: tester };
  const part = { id, verb: 'other', keys: [resourceId] };
  return sim.environment.complete(sim.kernel.parts.submit(request)).then(
    () => part,
    () => undefined,
  );
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
          const dies = { soon: false };
          const troubled: Readonly<Record<(typeof TROUBLES)[number], readonly Act[]>> = {
            fails: [fails('conflict')],
            slow: [slow(world)],
            crashes: [
              () => {
                dies.soon = true;
                return hangs();
              },
            ],
            away: Array.from({ length: 6 }, () => fails('unavailable')),
          };
          for (const [line, trouble] of planned) world.plan(line, ...troubled[trouble]);
          const go = async (forMs: number) => {
            const stepMs = Math.min(forMs, forMs > 20_000 ? 1000 : 50);
            for (let atMs = 0; atMs <= forMs; atMs += Math.max(1, stepMs)) {
              if (dies.soon && sim.alive) sim.crash();
              dies.soon = false;
              await revived(sim, died);
              await sim.run(stepMs);
            }
          };
          for (const { what, which, more, forMs } of plan) {
            const [resourceId = '', ...also] = [...things, ...things].slice(which, which + 1 + more);
            if ([...STUCK, 'delete', 'force'].some((verb) => verb === what)) {
              const [verb, input] = what === 'force' ? ['delete', { also, force: true }] : [what, { also }];
              const { operationId: id } = await sim.submit({ action: `thing.${verb}`, resourceId, input });
              asked.push({ id, verb: what, keys: [resourceId, ...also] });
            } else if (what === 'part') {
              const cause = asked[which % Math.max(1, asked.length)];
              const part = cause === undefined ? undefined : await submitPart(sim, cause, things[more] ?? '');
              if (part !== undefined) asked.push(part);
            } else if (what === 'cancel')
              await sim.environment.complete(sim.kernel.operations.cancel(asked[which % asked.length]?.id ?? '')).catch(() => undefined);
            else if (what === 'crash') sim.crash();
            else if (what === 'stop') await sim.stop();
            else if (what === 'heal' || what === 'sick') sick.is = what === 'sick';
            else if (what === 'faults') Object.assign(sim.faults, { commitFails: 0.2, acknowledgementLost: 0.2 });
            await revived(sim, died);
            await go(forMs);
          }
          Object.assign(sim.faults, { commitFails: 0, acknowledgementLost: 0 });
          sick.is = false;
          await go(1_000_000);
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
            // One that is stuck itself is passed in its turn.
            const ender = asked.find(({ id }) => id === by);
            if (ender === undefined || superseding(sim, ender) === undefined) expect(sim.operation(by).state).to.equal('succeeded');
            expect(sim.operation(by).keys).to.include.oneOf([...each.keys]);
          }
        }),
        { numRuns: Number(process.env.PILEUS_FULL === '1' ? 3000 : 100) },
      );
    });
});
