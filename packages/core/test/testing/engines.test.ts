import { inlineSqlite, SqliteEngine } from '@pileus/core/sqlite';
import { expect } from 'chai';
import { machine, smallCloud } from '../cloud/small-cloud.ts';
import { FIRST, SECOND } from '../sqlite/child/schema.ts';

/** What is committed to a store, and all that it answers then. */
async function history(engine: SqliteEngine) {
  const store = inlineSqlite(engine);
  await store.prepare(SECOND);
  const outcome = await store.commit({
    node: 'n',
    epoch: store.epoch,
    at: '2030-01-01T00:00:00.000Z',
    statements: [
      { op: 'insert', table: 'machine', row: { id: 'm1', name: 'one', zone: 'z' } },
      { op: 'insert', table: 'entry', row: { owner: 'o', number: 1 } },
      { op: 'adjust', counter: 'machines', by: 1 },
    ],
  });
  const { reader } = engine;
  const rows = SECOND.tables.map(({ name: table }) => reader.list({ table, deleted: true }));
  return { outcome, rows, epoch: engine.epoch, counters: reader.counters(''), changes: reader.changes(0, 10), bounds: reader.bounds() };
}

const opened = () => new SqliteEngine({ path: ':memory:', incarnation: 'simulated' });

describe('an engine that is used again', () => {
  it('answers as a new one once it is empty, whatever was in it', async () => {
    const expected = await history(opened());
    const engine = opened();
    const before = inlineSqlite(engine);
    await before.prepare(FIRST);
    const row = { id: 'm0', name: 'zero', old: 's' };
    const statements = [
      { op: 'insert', table: 'machine', row } as const,
      { op: 'insert', table: 'gone', row: { id: 'g' } } as const,
      { op: 'adjust', counter: 'others', by: 7 } as const,
    ];
    await before.commit({ node: 'n', epoch: before.epoch, at: '', statements });
    await before.commit({ node: 'n', epoch: before.epoch, at: '', statements: [{ op: 'remove', table: 'gone', key: 'g' }] });
    await before.trimChanges(1);
    engine.empty();
    expect(() => engine.reader.read('machine', 'm0')).to.throw('unknown table "machine"');
    expect(await history(engine)).to.deep.equal(expected);
    engine.empty();
    expect(await history(engine)).to.deep.equal(expected);
  });

  it('is brought from schema to schema, and back, as a new opening would be', async () => {
    const engine = opened();
    const schemas: string[][] = [];
    for (const { tables } of [FIRST, SECOND, FIRST, FIRST, SECOND]) {
      await inlineSqlite(engine).prepare({ tables, migrations: [] });
      schemas.push(engine.schemaOf());
    }
    const [first, second, firstAgain, untouched, secondAgain] = schemas;
    expect(firstAgain).to.not.deep.equal(second);
    expect(untouched).to.deep.equal(firstAgain);
    // Columns that went have come back behind the others, which the dump does not tell; tables stay.
    expect(secondAgain).to.deep.equal(second);
    expect(first?.filter((line) => !firstAgain?.includes(line))).to.deep.equal([]);
  });

  it('plays the history of a seed again after another one', async () => {
    const play = async (seed: string) => {
      const at = await smallCloud({ seed });
      const { sim } = at;
      const instanceId = await sim.done('instance.create', machine(at));
      if (seed === 'other') sim.crash();
      else await sim.done('instance.delete', {}, instanceId);
      const told = { hash: sim.environment.historyHash(), counters: sim.counters(), changes: sim.changes(0, 1_000) };
      sim.dispose();
      expect(() => sim.counters()).to.throw('disposed of');
      return told;
    };
    const first = await play('one');
    const other = await play('other');
    expect(await play('one')).to.deep.equal(first);
    expect(other.hash).to.not.equal(first.hash);
  });
});
