import { DatabaseSync } from 'node:sqlite';
import type { Statement, Transaction } from '@pileus/core/kernel';
import { inlineSqlite, openSqlite, SqliteEngine } from '@pileus/core/sqlite';
import { expect } from 'chai';
import fc from 'fast-check';
import { FIRST } from './child/schema.ts';
import { type Scratch, scratch } from './scratch.ts';

const key = fc.constantFrom('a', 'b', 'c');
const counter = fc.constantFrom('x', 'y');
const size = fc.constantFrom('s', 'm');
const aStatement: fc.Arbitrary<Statement> = fc.oneof(
  fc.record({ op: fc.constant('insert' as const), table: fc.constant('machine'), row: fc.record({ id: key, name: key, size }) }),
  fc.record({ op: fc.constant('update' as const), table: fc.constant('machine'), key, set: fc.record({ size, zone: size }) }),
  fc.record({
    op: fc.constant('update' as const),
    table: fc.constant('machine'),
    key,
    set: fc.record({ size }),
    expect: fc.record({ size }),
  }),
  fc.record({ op: fc.constant('update' as const), table: fc.constant('machine'), key, set: fc.constant({ deletedAt: true }) }),
  fc.record({ op: fc.constant('remove' as const), table: fc.constant('machine'), key }),
  fc.record({ op: fc.constant('expect' as const), table: fc.constant('machine'), key, expect: fc.record({ size }) }),
  fc.record({ op: fc.constant('adjust' as const), counter, by: fc.integer({ min: -3, max: 3 }) }),
  fc.record({ op: fc.constant('limit' as const), counter, limit: fc.option(fc.integer({ min: 0, max: 4 })) }),
);
const groups = fc.array(
  fc.array(fc.record({ statements: fc.array(aStatement, { minLength: 1, maxLength: 4 }), rehearse: fc.boolean() }), { maxLength: 5 }),
  { maxLength: 8 },
);

const transaction = (epoch: number, statements: readonly Statement[], rehearse = false): Transaction => ({
  ...{ node: 'n', epoch, at: '2030-01-01T00:00:00.000Z', statements },
  ...(rehearse ? { rehearse } : {}),
});

describe('what the writer of the embedded store knows', () => {
  let place: Scratch;
  before(async () => {
    place = await scratch();
  });
  after(() => place.remove());

  const contents = (engine: SqliteEngine) => ({
    machines: engine.reader.list({ table: 'machine', deleted: true }),
    counters: engine.reader.counters(''),
  });

  async function opened(path: string): Promise<SqliteEngine> {
    const engine = new SqliteEngine({ path, incarnation: 'x' });
    await inlineSqlite(engine).prepare(FIRST);
    return engine;
  }

  it('is what is in the database, whatever fails in between', async () => {
    await fc.assert(
      fc.asyncProperty(groups, async (given) => {
        const path = place.unused();
        const knowing = await opened(':memory:');
        for (const group of given) {
          // One that has just been opened knows nothing yet.
          const asking = await opened(path);
          const answers = [knowing, asking].map((engine) => {
            const outcomes = engine.apply(group.map(({ statements, rehearse }) => transaction(engine.epoch, statements, rehearse)));
            return { outcomes, ...contents(engine) };
          });
          asking.close();
          expect(answers[0]).to.deep.equal(answers[1]);
        }
        knowing.close();
      }),
      { numRuns: 25 },
    );
  });

  it('is given up once somebody else has written there', async () => {
    const path = place.unused();
    const store = await openSqlite({ path });
    await store.prepare(FIRST);
    const commit = (...statements: readonly Statement[]) => store.commit(transaction(store.epoch, statements));
    await commit({ op: 'adjust', counter: 'x', by: 3 }, { op: 'insert', table: 'machine', row: { id: 'a', name: 'a', size: 's' } });
    await commit({ op: 'adjust', counter: 'x', by: 1 }, { op: 'expect', table: 'machine', key: 'a', expect: { size: 's' } });
    const other = new DatabaseSync(path);
    other.exec(`UPDATE _counter SET value = 10; UPDATE machine SET _row = json_set(_row, '$.size', 'xl')`);
    other.close();
    await commit({ op: 'adjust', counter: 'x', by: 1 });
    expect(await store.counter('x')).to.deep.equal({ key: 'x', value: 11, limit: null });
    const stale = await commit({ op: 'expect', table: 'machine', key: 'a', expect: { size: 's' } });
    expect(stale).to.deep.include({ ok: false, reason: 'stale' });
    await store.close();
  });

  it('is told to who reads as it was left: what is gone, or has become too long to be kept, is looked up', async () => {
    const path = place.unused();
    const store = await openSqlite({ path });
    await store.prepare(FIRST);
    const machine = { op: 'insert', table: 'machine', row: { id: 'a', name: 'a', size: 's' } } as const;
    const update = (set: Record<string, unknown>) => ({ op: 'update', table: 'machine', key: 'a', set }) as Statement;
    const one = (...statements: readonly Statement[]) => store.commit(transaction(store.epoch, statements));
    await one(machine, update({ filler: 'z'.repeat(10_000) }));
    expect(JSON.parse((await store.read('machine', 'a')) ?? '{}').filler).to.have.length(10_000);
    // Side by side, so that they are one group.
    const removal = [update({ zone: 'b' }), update({ deletedAt: true }), { op: 'remove', table: 'machine', key: 'a' } as const];
    await Promise.all(removal.map((statement) => one(statement)));
    expect(await store.read('machine', 'a')).to.equal(undefined);
    await Promise.all([one(machine), one(update({ size: 'm' }), { op: 'expect', table: 'machine', key: 'a', expect: { size: 's' } })]);
    const text = await store.read('machine', 'a');
    await store.close();
    const again = await openSqlite({ path });
    await again.prepare(FIRST);
    expect(await again.read('machine', 'a')).to.equal(text);
    expect(JSON.parse(text ?? '{}').size).to.equal('s');
    await again.close();
  });

  it('is read again by who asked before, once it is committed', async () => {
    const store = await openSqlite({ path: place.unused() });
    await store.prepare(FIRST);
    const commit = (...statements: readonly Statement[]) => store.commit(transaction(store.epoch, statements));
    const names = async () =>
      (await store.list({ table: 'machine', where: { field: 'size', op: '=', value: 's' } })).map(
        (text) => JSON.parse(text).name as string,
      );
    const zone = async () => JSON.parse((await store.read('machine', 'a')) ?? '{}').zone as string | undefined;
    expect(await names()).to.deep.equal([]);
    for (const round of Array.from({ length: 20 }, (_, index) => `z${index}`)) {
      await commit({ op: 'insert', table: 'machine', row: { id: 'a', name: 'a', size: 's' } });
      expect([await names(), await zone()]).to.deep.equal([['a'], undefined]);
      const done = commit({ op: 'update', table: 'machine', key: 'a', set: { zone: round, size: 'm' } });
      // Asked while it is under way: whatever that answers, it is not for later.
      await Promise.all([names(), zone()]);
      await done;
      expect([await names(), await zone()]).to.deep.equal([[], round]);
      await commit({ op: 'update', table: 'machine', key: 'a', set: { deletedAt: true } });
      await commit({ op: 'remove', table: 'machine', key: 'a' });
      expect(await store.read('machine', 'a')).to.equal(undefined);
    }
    await store.close();
  });
});
