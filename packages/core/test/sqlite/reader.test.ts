import { DatabaseSync } from 'node:sqlite';
import type { ListQuery, Statement, TableSpec } from '@pileus/core/kernel';
import { inlineSqlite, SqliteEngine } from '@pileus/core/sqlite';
import { expect } from 'chai';
import { compileList } from '../../src/sqlite/query.ts';
import { walkOf } from '../../src/sqlite/reach.ts';
import { Reader, Statements } from '../../src/sqlite/reader.ts';
import { catalogOf } from '../../src/sqlite/table.ts';
import { type Scratch, scratch } from './scratch.ts';

const MAX = 10;
const ROWS = 200;

const machine: TableSpec = {
  name: 'machine',
  type: 'resource',
  key: ['id'],
  columns: { name: 'text', projectId: 'text', hostId: 'text', state: 'text' },
  unique: [['projectId', 'name']],
  indexes: [['projectId', 'id'], ['hostId'], ['state']],
};
const zone: TableSpec = { name: 'zone', type: 'resource', key: ['id'], columns: { name: 'text' }, unique: [['name']], indexes: [] };

const fixed = (field: string, value: string) => ({ field, op: '=' as const, value });
const ids = (rows: readonly string[] | undefined) => rows?.map((row) => (JSON.parse(row) as { readonly id: string }).id);

describe('reads on the main thread', () => {
  let place: Scratch;
  let engine: SqliteEngine;
  let db: DatabaseSync;
  let reader: Reader;
  const catalog = catalogOf([machine, zone]);

  before(async () => {
    place = await scratch();
    const path = place.path('store.db');
    engine = new SqliteEngine({ path, incarnation: 'x' });
    const store = inlineSqlite(engine);
    await store.prepare({ tables: [machine, zone], migrations: [] });
    const statements = Array.from({ length: ROWS }, (_, index): Statement => {
      const id = `m-${String(index).padStart(4, '0')}`;
      return {
        op: 'insert',
        table: 'machine',
        row: { id, name: id, projectId: 'p', hostId: `h-${index % 100}`, state: index % 2 === 0 ? 'on' : 'off', note: `n-${index % 100}` },
      };
    });
    const zones = ['z-1', 'z-2', 'z-3'].map((id): Statement => ({ op: 'insert', table: 'zone', row: { id, name: id, note: id } }));
    await store.commit({ node: 'n', epoch: store.epoch, at: '2026-01-01T00:00:00.000Z', statements: [...statements, ...zones] });
    db = new DatabaseSync(path, { readOnly: true });
    reader = new Reader(new Statements(db), catalog);
  });

  after(async () => {
    db.close();
    engine.close();
    await place.remove();
  });

  const planOf = (query: ListQuery): string => {
    const table = catalog.get(query.table);
    const { text, values } = compileList(catalog, query, walkOf(table, query));
    return (db.prepare(`EXPLAIN QUERY PLAN ${text}`).all(...values) as { readonly detail: string }[])
      .map(({ detail }) => detail)
      .join('; ');
  };

  const page = { table: 'machine', where: fixed('projectId', 'p'), limit: MAX };
  const pages: Record<string, ListQuery> = {
    'the first page of a project': page,
    'a page further on': { ...page, after: ['m-0100'] },
    'the newest of a project': { ...page, order: [{ field: 'id', descending: true }] },
    'the newest, further on': { ...page, order: [{ field: 'id', descending: true }], after: ['m-0100', 'm-0100'] },
    'one row by its name': { table: 'machine', where: { and: [fixed('projectId', 'p'), fixed('name', 'm-0150')] }, limit: 1 },
  };
  for (const [name, query] of Object.entries(pages))
    it(`walk along an index for ${name}`, () => {
      expect(reader.listFew(query, MAX))
        .to.deep.equal(reader.list(query))
        .and.to.have.lengthOf(query.limit ?? 0);
      expect(planOf(query)).to.match(/^SEARCH machine USING INDEX \S+ \([^)]*\)$/);
    });

  it('find few rows by whichever part of a condition leads to few, whatever else is asked of them', () => {
    const where = { and: [fixed('projectId', 'p'), fixed('state', 'off'), fixed('hostId', 'h-7'), { not: fixed('note', 'n-8') }] };
    const query: ListQuery = { table: 'machine', where, order: [{ field: 'note', descending: true }] };
    expect(ids(reader.listFew(query, MAX))).to.deep.equal(['m-0007', 'm-0107']);
    expect(reader.countFew(query, MAX)).to.equal(2);
    const several = { table: 'machine', where: { field: 'hostId', op: 'in', value: ['h-1', 'h-2'] } } as const;
    expect(ids(reader.listFew(several, MAX))).to.deep.equal(['m-0001', 'm-0002', 'm-0101', 'm-0102']);
  });

  it('bind no limit, which would have each look planned anew', () => {
    const { text, values } = compileList(catalog, { table: 'machine', where: fixed('hostId', 'h'), limit: 7 });
    expect([text.endsWith(' LIMIT 7'), values]).to.deep.equal([true, ['h']]);
    expect(() => compileList(catalog, { table: 'machine', limit: 1.5 })).to.throw('no number of rows');
  });

  it('look through a whole table that is small', () => {
    expect(ids(reader.listFew({ table: 'zone' }, MAX))).to.deep.equal(['z-1', 'z-2', 'z-3']);
    expect(ids(reader.listFew({ table: 'zone', where: fixed('note', 'z-2'), deleted: true }, MAX))).to.deep.equal(['z-2']);
  });

  const large: Record<string, ListQuery> = {
    'all of a large table': { table: 'machine' },
    'a page of it in an order without an index': { table: 'machine', where: fixed('projectId', 'p'), order: [{ field: 'note' }], limit: 1 },
    'what no index leads to': { table: 'machine', where: fixed('note', 'n-1'), limit: 1 },
    'one of many that an index leads to': { table: 'machine', where: { and: [fixed('state', 'on'), fixed('note', 'n-99')] }, limit: 1 },
    'many that an index leads to': { table: 'machine', where: fixed('state', 'on') },
    'more than a page': { table: 'machine', where: fixed('projectId', 'p'), limit: MAX + 1 },
    'some among deleted rows': { table: 'machine', where: fixed('hostId', 'h-1'), deleted: true },
  };
  for (const [name, query] of Object.entries(large))
    it(`leave ${name} to a thread`, () => {
      expect(reader.listFew(query, MAX)).to.equal(undefined);
      if (query.limit === undefined) expect(reader.countFew(query, MAX)).to.equal(undefined);
    });
});
