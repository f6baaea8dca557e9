import { expect } from 'chai';
import fc from 'fast-check';
import { NOTHING_TO_UNDO, sleep } from '../../src/kernel/index.ts';
import { Queues } from '../../src/kernel/queues.ts';
import { act, makeOne, script, scripted } from './script.ts';

const keySets = fc.array(fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), { minLength: 1, maxLength: 4 }), { maxLength: 40 });

describe('queues', () => {
  it('let one at a time have a key, in order, and never wait in a circle', () => {
    fc.assert(
      fc.property(keySets, fc.infiniteStream(fc.nat()), (sets, choices) => {
        const queues = new Queues();
        const running: string[] = [];
        const ended: string[] = [];
        const keysOf = (id: string): readonly string[] => sets[Number(id)] ?? [];
        const begin = (id: string) => {
          for (const other of running) expect(keysOf(other).some((key) => keysOf(id).includes(key))).to.equal(false);
          running.push(id);
        };
        for (const [index, keys] of sets.entries()) if (queues.add(String(index), keys)) begin(String(index));
        while (running.length > 0) {
          const [id = ''] = running.splice((choices.next().value ?? 0) % running.length, 1);
          ended.push(id);
          for (const next of queues.remove(id)) begin(next);
        }
        expect(ended).to.have.length(sets.length);
        for (const key of 'abcdef') {
          const order = ended.filter((id) => keysOf(id).includes(key)).map(Number);
          expect(order).to.deep.equal([...order].sort((a, b) => a - b));
          expect(queues.of(key)).to.deep.equal([]);
        }
      }),
    );
  });

  it('let what one asks for go before all that waits for that one, also after a restart, and when it moves', () => {
    const keys = (names: string) => fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 3 });
    const plain = (names: string) => fc.record({ keys: keys(names), onward: fc.option(keys(names)), parts: fc.constant([]) });
    // Of the keys of one that asks, nothing that is asked for needs any.
    const parts = fc.array(plain('abcd'), { minLength: 1, maxLength: 3 });
    const asking = fc.record({ keys: keys('st'), onward: fc.constant(null), parts });
    interface One {
      readonly id: string;
      readonly place: number;
      readonly keys: readonly string[];
      readonly causeId?: string;
      /** It begins anew with these, at another place. */
      readonly onward: readonly string[] | null;
      readonly movesTo?: number;
      readonly parts: readonly Pick<One, 'keys' | 'onward' | 'parts'>[];
    }
    fc.assert(
      fc.property(fc.array(fc.oneof(asking, plain('abcdst')), { maxLength: 20 }), fc.infiniteStream(fc.nat()), (coming, choices) => {
        const all = new Map<string, One>();
        const begun = new Set<string>();
        let queues = new Queues();
        let places = 0;
        const begin = (id: string) => {
          const shared = [...begun].filter((other) => all.get(other)?.keys.some((key) => all.get(id)?.keys.includes(key)));
          expect(shared).to.deep.equal([]);
          begun.add(id);
        };
        const accept = (one: Omit<One, 'id' | 'place'>) => {
          places += 1;
          const id = String(places);
          all.set(id, { ...one, id, place: places });
          if (queues.add(id, one.keys, one.causeId)) begin(id);
        };
        const restart = () => {
          queues = new Queues();
          for (const { movesTo: _, ...one } of [...all.values()]) all.set(one.id, one);
          const ordered = [...all.values()].sort((a, b) => a.place - b.place);
          for (const { id, keys: own, causeId } of ordered.filter((one) => begun.has(one.id)))
            expect(queues.add(id, own, causeId)).to.equal(true);
          for (const { id, keys: own, causeId } of ordered.filter((one) => !begun.has(one.id))) if (queues.add(id, own, causeId)) begin(id);
        };
        const goOn = (one: One) => {
          const [part, ...others] = one.parts;
          if (part !== undefined) {
            all.set(one.id, { ...one, parts: others });
            return accept({ ...part, causeId: one.id });
          }
          if (one.onward !== null && one.movesTo === undefined) {
            places += 1;
            all.set(one.id, { ...one, movesTo: places });
            return queues.move(one.id, one.onward);
          }
          begun.delete(one.id);
          const { movesTo, onward, ...rest } = one;
          if (movesTo === undefined || onward === null) all.delete(one.id);
          else all.set(one.id, { ...rest, place: movesTo, keys: onward, onward: null });
          for (const next of movesTo === undefined ? queues.remove(one.id) : queues.moved(one.id)) begin(next);
        };
        const rest: Pick<One, 'keys' | 'onward' | 'parts'>[] = [...coming];
        while (rest.length > 0 || all.size > 0) {
          const choice = choices.next().value ?? 0;
          const waited = new Set([...all.values()].map(({ causeId }) => causeId));
          const able = [...begun].filter((id) => !waited.has(id));
          const one = all.get(able[choice % Math.max(1, able.length)] ?? '');
          const next = one === undefined || choice % 3 === 0 ? rest.shift() : undefined;
          if (choice % 7 === 0) restart();
          else if (next !== undefined) accept(next);
          else if (one === undefined) expect.fail('all wait for each other');
          else goOn(one);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('tell who is ahead, and do not take for that who waits for the one that asks, be it by way of others', () => {
    const queues = new Queues();
    queues.add('drain', ['host']);
    queues.add('zone', ['host', 'machine', 'disk']);
    queues.add('behind', ['disk', 'other']);
    expect(['machine', 'disk', 'other', 'host', 'none'].map((key) => queues.isAhead(key, 'drain'))).to.deep.equal(Array(5).fill(false));
    queues.add('apart', ['elsewhere']);
    expect([queues.isAhead('elsewhere', 'drain'), queues.isAhead('host', 'zone')]).to.deep.equal([true, true]);
  });

  it('let go of one that leaves from the middle', () => {
    const queues = new Queues();
    expect(['1', '2', '3'].map((id) => queues.add(id, ['a']))).to.deep.equal([true, false, false]);
    expect(queues.remove('2')).to.deep.equal([]);
    expect(queues.of('a')).to.deep.equal(['1', '3']);
    expect(queues.remove('1')).to.deep.equal(['3']);
    expect(queues.remove('unknown')).to.deep.equal([]);
  });

  it('keep 100,000 keys apart', () => {
    const queues = new Queues();
    let first = 0;
    for (let index = 0; index < 100_000; index += 1) first += Number(queues.add(String(index), [`key-${index}`]));
    expect(first).to.equal(100_000);
    let woken = 0;
    for (let index = 0; index < 100_000; index += 1) woken += queues.remove(String(index)).length;
    expect(woken).to.equal(0);
  });
});

describe('operations on shared keys', () => {
  const run = (note: (line: string) => void) =>
    script('held')
      .effect('hold', {
        do: async ({ ctx, params }) => {
          note(`begin ${params.tag}`);
          await sleep(ctx.timers, 50);
          note(`end ${params.tag}`);
        },
        undo: NOTHING_TO_UNDO,
      })
      .build();

  it('run one after the other in order of acceptance, over crashes and a faulty store', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.array(fc.uniqueArray(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 3 }), { minLength: 2, maxLength: 10 }),
        fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 3 }),
        async (seed, sets, crashes) => {
          const lines: string[] = [];
          const { sim } = await scripted(
            (w) => [
              act(
                w,
                'go',
                run((line) => lines.push(line)),
              ),
            ],
            { seed },
          );
          const things = [await makeOne(sim, 'a'), await makeOne(sim, 'b'), await makeOne(sim, 'c'), await makeOne(sim, 'd')];
          Object.assign(sim.faults, { commitFails: 0.2, acknowledgementLost: 0.2 });
          const keysOf = (set: readonly number[]) => set.map((index) => things[index] ?? '');
          const accepting = Promise.all(
            sets.map((set, index) => {
              const [resourceId = '', ...also] = keysOf(set);
              return sim.ask({ action: 'thing.go', resourceId, input: { tag: String(index), also } });
            }),
          );
          const accepted = await sim.environment.complete(accepting);
          for (const afterMs of crashes) {
            await sim.run(afterMs);
            lines.push('crash');
            sim.crash();
            await sim.start();
          }
          for (const { operationId } of accepted) expect((await sim.ended(operationId)).state).to.equal('succeeded');
          const order = accepted
            .map(({ operationId }, index) => ({ operationId, index }))
            .sort((a, b) => (a.operationId < b.operationId ? -1 : 1));
          const holders = new Map<number, string>();
          const begun: string[] = [];
          for (const line of lines) {
            const [verb, tag = ''] = line.split(' ');
            if (verb === 'crash') holders.clear();
            for (const key of sets[Number(tag)] ?? []) {
              if (verb === 'begin') expect(holders.get(key) ?? tag).to.equal(tag);
              if (verb === 'begin') holders.set(key, tag);
              if (verb === 'end') holders.delete(key);
            }
            if (verb === 'begin' && !begun.includes(tag)) begun.push(tag);
          }
          for (const key of [0, 1, 2, 3]) {
            const onKey = (tag: string) => sets[Number(tag)]?.includes(key) === true;
            expect(begun.filter(onKey)).to.deep.equal(order.map(({ index }) => String(index)).filter(onKey));
          }
        },
      ),
      { numRuns: 25 },
    );
  });
});
