import { copyFile } from 'node:fs/promises';
import type { StoreSchema } from '@pileus/core/kernel';
import { inlineSqlite, SqliteEngine } from '@pileus/core/sqlite';
import { expect } from 'chai';
import { prepareStore } from '../../src/store/migrate.ts';
import { FIRST, SECOND } from './child/schema.ts';
import { type Scratch, scratch } from './scratch.ts';

const ROWS = 9;
const BATCH_ROWS = 4;

interface Prepared {
  readonly schema: readonly string[];
  readonly rows: readonly string[];
}

/** Opens a file, prepares it, and tells what is in it; `stopAt` ends the work before the statement of that number. */
async function prepare(path: string, schema: StoreSchema, stopAt = 0): Promise<Prepared & { readonly statements: number }> {
  let statements = 0;
  const engine = new SqliteEngine({
    path,
    incarnation: 'test',
    beforeStatement: () => {
      statements += 1;
      if (statements === stopAt) throw new Error('killed');
    },
  });
  try {
    await prepareStore(engine, schema, BATCH_ROWS);
    const rows = ['machine', 'entry'].flatMap((table) => engine.reader.list({ table, deleted: true }));
    return { schema: engine.schemaOf(), rows, statements };
  } finally {
    engine.close();
  }
}

async function firstVersion(path: string): Promise<void> {
  const engine = new SqliteEngine({ path, incarnation: 'test' });
  const store = inlineSqlite(engine);
  await store.prepare(FIRST);
  for (let index = 0; index < ROWS; index += 1) {
    const row = { id: `m${index}`, name: `name-${index % 3}${index}`, size: String(index), old: `s${index}`, zone: 'z' };
    await store.commit({
      node: 'n',
      epoch: store.epoch,
      at: '2030-01-01T00:00:00.000Z',
      statements: [
        { op: 'insert', table: 'machine', row },
        { op: 'insert', table: 'entry', row: { owner: 'o', number: index } },
        { op: 'insert', table: 'gone', row: { id: row.id } },
      ],
    });
  }
  engine.close();
}

describe('migrations of the embedded store', function () {
  this.timeout(300_000);
  let folder: Scratch;
  beforeEach(async () => {
    folder = await scratch();
  });
  afterEach(() => folder.remove());

  const withoutGone = (schema: readonly string[]) => schema.filter((line) => !line.startsWith('gone.'));

  it('bring an old database to the schema that a fresh one gets', async () => {
    const old = folder.path('old.db');
    await firstVersion(old);
    const upgraded = await prepare(old, SECOND);
    const fresh = await prepare(folder.path('fresh.db'), SECOND);
    expect(withoutGone(upgraded.schema)).to.deep.equal(fresh.schema);
    expect(upgraded.schema).to.not.deep.equal(fresh.schema);
    expect(upgraded.rows).to.have.length(2 * ROWS);
    for (const [index, text] of upgraded.rows.slice(0, ROWS).entries()) {
      const row = JSON.parse(text);
      expect(row).to.include({ id: `m${index}`, serial: `s${index}`, label: `name-${index % 3}${index}/s${index}`, generation: 1 });
      expect(row).to.not.have.property('old');
    }
  });

  it('make all tables of a fresh one in a single transaction', async () => {
    const ran: string[] = [];
    const engine = new SqliteEngine({ path: folder.path('fresh.db'), incarnation: 'test', beforeStatement: (sql) => ran.push(sql) });
    const own = ran.length;
    await prepareStore(engine, { ...SECOND, migrations: [] });
    engine.close();
    const [begin, ...made] = ran.slice(own);
    expect([begin, made.pop()]).to.deep.equal(['BEGIN IMMEDIATE', 'COMMIT']);
    expect(made.filter((sql) => !/^(CREATE|INSERT INTO _table) /.test(sql))).to.deep.equal([]);
    expect(made.filter((sql) => / INDEX /.test(sql))).to.not.be.empty;
  });

  it('come to the same end wherever they are stopped, and then have nothing left to do', async () => {
    const old = folder.path('old.db');
    await firstVersion(old);
    const whole = folder.path('whole.db');
    await copyFile(old, whole);
    const expected = await prepare(whole, SECOND);
    expect(expected.statements).to.be.greaterThan(50);
    for (let stopAt = 1; stopAt <= expected.statements; stopAt += 1) {
      const path = folder.path(`stopped-${stopAt}.db`);
      await copyFile(old, path);
      await prepare(path, SECOND, stopAt).then(
        () => expect.fail(`not stopped at ${stopAt}`),
        (error: Error) => expect(error.message === 'killed' || (error.cause as Error)?.message === 'killed').to.equal(true),
      );
      const { schema, rows } = await prepare(path, SECOND);
      expect(schema, `stopped at ${stopAt}`).to.deep.equal(expected.schema);
      expect(rows, `stopped at ${stopAt}`).to.deep.equal(expected.rows);
    }
    const again = await prepare(whole, SECOND);
    const untouched = await prepare(whole, SECOND);
    expect(again.rows).to.deep.equal(expected.rows);
    expect(untouched.statements).to.equal(again.statements).and.be.lessThan(15);
  });

  it('refuse what cannot be migrated, by name', async () => {
    const path = folder.path('old.db');
    await firstVersion(path);
    const [machine, entry] = FIRST.tables;
    if (machine === undefined || entry === undefined) throw new Error('the first schema has two tables');
    const refused = async (schema: StoreSchema, pattern: RegExp) =>
      prepare(path, schema).then(
        () => expect.fail('accepted'),
        (error: Error) => expect(error.message).to.match(pattern),
      );
    await refused({ tables: [{ ...machine, type: 'plain' }], migrations: [] }, /table machine was a resource table/);
    await refused({ tables: [{ ...entry, key: ['owner'] }], migrations: [] }, /key of table entry/);
    await refused({ tables: [{ ...machine, unique: [['zone']] }], migrations: [] }, /table machine: cannot index zone/);
    await refused({ tables: [{ ...machine, name: 'no"name' }], migrations: [] }, /is not allowed/);
    await refused({ tables: [{ ...machine, columns: { 'no"field': 'text' } }], migrations: [] }, /is no field name/);
  });
});
