import type { Store, StoreSchema } from '@pileus/core/kernel';
import { prepareStore } from '@pileus/core/store';
import { expect } from 'chai';
import { inSlice } from '../../../../tools/test/slice.ts';
import { FIRST, SECOND } from '../../../core/test/sqlite/child/schema.ts';
import { openPostgres, targetOf } from '../../src/postgres/index.ts';
import { openSchema } from '../../src/postgres/open.ts';
import { OwnTables } from '../../src/postgres/own-tables.ts';
import { SchemaWriter } from '../../src/postgres/schema.ts';
import { Session } from '../../src/postgres/session.ts';
import { TestCluster } from './cluster.ts';

const ROWS = 9;
const BATCH_ROWS = 4;
/** Each copy of a database takes a while: another fifth of the statements with each commit, all of them in a full run. */
const chosen = inSlice(5);

interface Prepared {
  readonly schema: readonly string[];
  readonly rows: readonly string[];
  readonly statements: number;
}

describe('migrations of the store on PostgreSQL', function () {
  this.timeout(300_000);
  let cluster: TestCluster;
  let databases = 0;
  before(async () => {
    cluster = await TestCluster.start({ inMemory: true });
    await cluster.sql('CREATE DATABASE old', 'postgres');
    await firstVersion('old');
  });
  after(() => cluster.stop());

  const url = (database: string) => cluster.server.url(database);
  const open = (database: string): Promise<Store> => openPostgres({ url: url(database) }, cluster.environment);

  async function firstVersion(database: string): Promise<void> {
    const store = await open(database);
    await store.prepare(FIRST);
    const statements = Array.from({ length: ROWS }, (_, index) => {
      const row = { id: `m${index}`, name: `name-${index % 3}${index}`, size: String(index), old: `s${index}`, zone: 'z' };
      return [
        { op: 'insert', table: 'machine', row },
        { op: 'insert', table: 'entry', row: { owner: 'o', number: index } },
        { op: 'insert', table: 'gone', row: { id: row.id } },
      ] as const;
    });
    await store.commit({ node: 'n', epoch: store.epoch, at: '2030-01-01T00:00:00.000Z', statements: statements.flat() });
    await store.close();
  }

  /** A database of its own, as the old one is, or empty. */
  async function database(template: string): Promise<string> {
    databases += 1;
    await cluster.sql(`CREATE DATABASE copy_${databases} TEMPLATE ${template}`, 'postgres');
    return `copy_${databases}`;
  }

  /** Opens a store, prepares it, and tells what is in it; `stopAt` breaks the connection before the statement of that number. */
  async function prepare(name: string, schema: StoreSchema, stopAt = 0): Promise<Prepared> {
    const own = new OwnTables('pileus');
    const session = await Session.open(targetOf({ url: url(name) }).config, cluster.environment);
    const { epoch } = await openSchema(session, own, cluster.environment);
    let statements = 0;
    const beforeStatement = () => {
      statements += 1;
      if (statements !== stopAt) return;
      session.destroy();
      throw new Error('killed');
    };
    try {
      await prepareStore(new SchemaWriter({ session, own, epoch, beforeStatement }), schema, BATCH_ROWS);
    } finally {
      await session.close();
    }
    const store = await open(name);
    await store.prepare({ tables: schema.tables, migrations: [] });
    const rows = await Promise.all(['machine', 'entry'].map((table) => store.list({ table, deleted: true })));
    await store.close();
    return { schema: await schemaOf(name), rows: rows.flat(), statements };
  }

  /** Columns and indexes as PostgreSQL tells them, in an order that does not tell how they came to be. */
  async function schemaOf(name: string): Promise<readonly string[]> {
    const columns = await cluster.sql(
      `SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || coalesce(collation_name, '') || ' ' || is_nullable AS line
        FROM information_schema.columns WHERE table_schema = 'pileus'`,
      name,
    );
    const indexes = await cluster.sql(`SELECT indexdef AS line FROM pg_indexes WHERE schemaname = 'pileus'`, name);
    return [...columns, ...indexes].map(({ line }) => String(line)).sort();
  }

  const withoutGone = (schema: readonly string[]) => schema.filter((line) => !/^gone\.|pileus\.gone\b/.test(line));

  it('bring an old database to the schema that a fresh one gets', async () => {
    const upgraded = await prepare(await database('old'), SECOND);
    const fresh = await prepare(await database('template0'), SECOND);
    expect(withoutGone(upgraded.schema)).to.deep.equal(fresh.schema);
    expect(upgraded.schema).to.not.deep.equal(fresh.schema);
    expect(upgraded.rows).to.have.length(2 * ROWS);
    for (const [index, text] of upgraded.rows.slice(0, ROWS).entries()) {
      const row = JSON.parse(text);
      expect(row).to.include({ id: `m${index}`, serial: `s${index}`, label: `name-${index % 3}${index}/s${index}`, generation: 1 });
      expect(row).to.not.have.property('old');
    }
  });

  it('come to the same end wherever the connection is lost, and then have nothing left to do', async () => {
    const whole = await database('old');
    const expected = await prepare(whole, SECOND);
    expect(expected.statements).to.be.greaterThan(50);
    for (let stopAt = 1; stopAt <= expected.statements; stopAt += 1) {
      if (!chosen(`stopped at ${stopAt}`)) continue;
      const name = await database('old');
      await prepare(name, SECOND, stopAt).then(
        () => expect.fail(`not stopped at ${stopAt}`),
        (error: Error) => expect(error.message === 'killed' || (error.cause as Error)?.message === 'killed').to.equal(true),
      );
      const { schema, rows } = await prepare(name, SECOND);
      expect(schema, `stopped at ${stopAt}`).to.deep.equal(expected.schema);
      expect(rows, `stopped at ${stopAt}`).to.deep.equal(expected.rows);
      await cluster.sql(`DROP DATABASE ${name}`, 'postgres');
    }
    const again = await prepare(whole, SECOND);
    expect(again.rows).to.deep.equal(expected.rows);
    expect(again.statements).to.be.lessThan(12);
  });

  it('end for whoever is not the last to have opened the store', async () => {
    const name = await database('old');
    const first = await open(name);
    await (await open(name)).close();
    await first.prepare(SECOND).then(
      () => expect.fail('accepted'),
      (error: Error) => expect(error.message).to.include('another server has opened the store'),
    );
    await first.close();
  });

  it('refuse what cannot be migrated, by name', async () => {
    const name = await database('old');
    const [machine, entry] = FIRST.tables;
    if (machine === undefined || entry === undefined) throw new Error('the first schema has two tables');
    const refused = async (schema: StoreSchema, pattern: RegExp) =>
      prepare(name, schema).then(
        () => expect.fail('accepted'),
        (error: Error) => expect(error.message).to.match(pattern),
      );
    await refused({ tables: [{ ...machine, type: 'plain' }], migrations: [] }, /table machine was a resource table/);
    await refused({ tables: [{ ...entry, key: ['owner'] }], migrations: [] }, /key of table entry/);
    await refused({ tables: [{ ...machine, unique: [['zone']] }], migrations: [] }, /table machine: cannot index zone/);
    await refused({ tables: [{ ...machine, name: 'no"name' }], migrations: [] }, /is not allowed/);
    await refused({ tables: [{ ...machine, columns: { 'no"field': 'text' } }], migrations: [] }, /is no field name/);
    await refused({ tables: [{ ...machine, name: 'x'.repeat(64) }], migrations: [] }, /no names longer than 63 bytes/);
  });
});
