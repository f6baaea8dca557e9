import { expect } from 'chai';
import fc from 'fast-check';
import type { JsonObject } from '../../src/kernel/json.ts';
import type { Condition, FieldPath, Store } from '../../src/kernel/store.ts';
import { orderAll, valueBy } from '../query/meaning.ts';
import { groupsOf, passing } from './by-meaning.ts';
import { entry, insert, machine, type StoreStage, update } from './store-stage.ts';

type Tables = Readonly<Record<string, readonly JsonObject[]>>;
type Exists = Extract<Condition, { readonly exists: unknown }>['exists'];

const equal = (field: string, value: string | number | boolean): Condition => ({ field, op: '=', value });

/** What rows of each table can be asked: of themselves, by columns and by what only their JSON holds, and about others, by whichever fields may agree. */
const OWN: Readonly<Record<string, readonly Condition[]>> = {
  machine: [equal('state', 'on'), { field: 'size', op: '>', value: 1 }, { field: 'note', op: 'null' }],
  disk: [equal('boot', true), { field: 'sizeBytes', op: '>=', value: 2 }, { field: 'machineId', op: 'not null' }],
  entry: [equal('kind', 'k1'), { field: 'number', op: '<', value: 2 }],
};
const LINKS: readonly (readonly [from: string, to: Omit<Exists, 'where'>])[] = [
  ['machine', { table: 'disk', local: 'id', remote: 'machineId' }],
  ['machine', { table: 'machine', local: 'id', remote: 'hostId' }],
  ['machine', { table: 'machine', local: 'hostId', remote: 'id' }],
  ['machine', { table: 'entry', local: 'name', remote: 'owner' }],
  ['disk', { table: 'machine', local: 'machineId', remote: 'id' }],
  ['disk', { table: 'entry', local: 'label', remote: 'token' }],
  ['entry', { table: 'machine', local: 'owner', remote: 'name' }],
];

const about = (table: string, depth: number): fc.Arbitrary<Condition> => {
  const own = fc.constantFrom(...(OWN[table] ?? []));
  if (depth === 0) return own;
  const inner = fc.oneof(own, about(table, depth - 1));
  const links = LINKS.filter(([from]) => from === table).map(([, link]) =>
    fc
      .option(about(link.table, depth - 1), { nil: undefined })
      .map((where) => ({ exists: { ...link, ...(where === undefined ? {} : { where }) } })),
  );
  return fc.oneof(
    ...links,
    fc.array(inner, { minLength: 1, maxLength: 3 }).map((and) => ({ and })),
    fc.array(inner, { minLength: 1, maxLength: 2 }).map((or) => ({ or })),
    inner.map((not) => ({ not })),
  );
};

const present = <T>(...values: readonly T[]) => fc.option(fc.constantFrom(...values), { nil: undefined });
const numbered = (prefix: string, rows: readonly JsonObject[]): JsonObject[] =>
  rows.map((row, index) => ({ ...(JSON.parse(JSON.stringify(row)) as JsonObject), id: `${prefix}${index}` }));

const world = fc.record({
  machine: fc
    .array(
      fc.record({ state: fc.constantFrom('on', 'off'), hostId: present('m0', 'm1', 'm2'), size: present(0, 1, 2), note: present('x') }),
      {
        maxLength: 5,
      },
    )
    .map((rows) => numbered('m', rows as JsonObject[]).map((row) => ({ ...row, projectId: 'p', name: row.id as string }))),
  disk: fc
    .array(
      fc.record({
        machineId: present('m0', 'm1', 'm3', 'm9'),
        boot: present(true, false),
        sizeBytes: present(1, 2, 3),
        label: present('t0', 't1'),
      }),
      { maxLength: 6 },
    )
    .map((rows) => numbered('d', rows as JsonObject[])),
  entry: fc
    .uniqueArray(
      fc.record({ owner: fc.constantFrom('m0', 'm1', 'm2'), number: fc.constantFrom(1, 2), kind: fc.constantFrom('k1', 'k2') }),
      {
        maxLength: 4,
        selector: ({ owner, number }) => `${owner}/${number}`,
      },
    )
    .map((rows) => rows.map((row, index) => ({ ...row, token: `t${index}` }))),
}) as fc.Arbitrary<Tables>;

/** Ways that lead to one row at most, to fields of either type, in columns and in the JSON. */
const WAYS: readonly (readonly [from: string, path: FieldPath])[] = [
  ['machine', { field: 'state', via: [{ table: 'machine', local: 'hostId', remote: 'id' }] }],
  ['machine', { field: 'size', via: [{ table: 'machine', local: 'hostId', remote: 'id', where: equal('state', 'on') }] }],
  ['machine', { field: 'name', via: ['hostId', 'hostId'].map((local) => ({ table: 'machine', local, remote: 'id' })) }],
  ['disk', { field: 'note', via: [{ table: 'machine', local: 'machineId', remote: 'id', where: { not: equal('size', 1) } }] }],
  ['disk', { field: 'kind', via: [{ table: 'entry', local: 'label', remote: 'token' }] }],
  ['disk', { field: 'number', via: [{ table: 'entry', local: 'label', remote: 'token', where: equal('owner', 'm1') }] }],
  [
    'disk',
    {
      field: 'size',
      via: [
        { table: 'machine', local: 'machineId', remote: 'id' },
        { table: 'machine', local: 'hostId', remote: 'id', where: { exists: { table: 'entry', local: 'name', remote: 'owner' } } },
      ],
    },
  ],
];
const NEAR: Readonly<Record<string, FieldPath>> = { machine: { field: 'size' }, disk: { field: 'boot' } };

const sorts = fc.constantFrom('machine', 'disk').chain((table) => {
  const paths = [...WAYS.filter(([from]) => from === table).map(([, path]) => path), NEAR[table] as FieldPath];
  const terms = fc.array(fc.record({ path: fc.constantFrom(...paths), descending: fc.boolean() }), { minLength: 1, maxLength: 3 });
  return fc.record({ table: fc.constant(table), terms, limit: fc.integer({ min: 1, max: 3 }) });
});
interface Sorted {
  readonly table: string;
  readonly terms: readonly { readonly path: FieldPath; readonly descending: boolean }[];
  readonly limit: number;
}

/** Asks for all pages in an order, and for the groups by it. */
async function checkWays(store: Store, tables: Tables, { table, terms, limit }: Sorted): Promise<void> {
  const others = (name: string) => tables[name] ?? [];
  const value = (row: JsonObject, path: FieldPath) => valueBy(row, path, others);
  const placeOf = (row: JsonObject) => [...terms.map(({ path }) => value(row, path)), String(row.id)];
  const signs = terms.map(({ descending }) => (descending ? -1 : 1));
  const expected = others(table).toSorted((a, b) => orderAll(placeOf(a), placeOf(b), signs));
  const order = terms.map(({ path, descending }) => ({ ...path, descending }));
  const found: JsonObject[] = [];
  for (let page: JsonObject[] | undefined; page === undefined || page.length === limit; found.push(...page)) {
    const last = found.at(-1);
    const after = last === undefined ? {} : { after: placeOf(last) };
    const placed = await store.placed({ table, order, limit, ...after });
    page = placed.map(({ text }) => JSON.parse(text) as JsonObject);
    const places = page.map(placeOf);
    expect(
      placed.map(({ place }) => place),
      JSON.stringify([terms, tables]),
    ).to.deep.equal(places);
    expect(await store.list({ table, order, limit, ...after })).to.deep.equal(placed.map(({ text }) => text));
  }
  const ids = (rows: readonly JsonObject[]) => rows.map(({ id }) => id);
  expect(ids(found), JSON.stringify([terms, tables])).to.deep.equal(ids(expected));
  const groupBy = terms.slice(0, 2).map(({ path }) => path);
  const groups = { groupBy, measures: terms.map(({ path }) => ({ op: 'max', ...path }) as const) };
  expect(await store.aggregate({ table, ...groups }), JSON.stringify([groups, tables])).to.deep.equal(
    groupsOf(others(table), groups, others),
  );
}

/** All rows of the run before go, so that each run has its own tables. */
async function replace(stage: StoreStage, tables: Tables): Promise<void> {
  const { store } = stage;
  const gone = [];
  for (const table of Object.keys(tables))
    for (const text of await store.list({ table })) {
      const row = JSON.parse(text) as JsonObject;
      if (table === 'entry') gone.push({ op: 'remove', table, key: `${row.owner}/${row.number}` } as const);
      else gone.push(update(table, String(row.id), { deletedAt: true }), { op: 'remove', table, key: String(row.id) } as const);
    }
  const made = Object.entries(tables).flatMap(([table, rows]) => rows.map((row) => insert(table, row)));
  if (gone.length + made.length > 0) await stage.done(...gone, ...made);
}

export function describeStoreJoins(stage: () => StoreStage): void {
  describe('conditions on other tables', () => {
    beforeEach(() => stage().begin());

    it('answer what a naive evaluation answers, however they are nested', async () => {
      const property = fc.asyncProperty(
        world,
        fc.array(
          fc.constantFrom('machine', 'disk', 'entry').chain((table) => fc.tuple(fc.constant(table), about(table, 3))),
          {
            minLength: 3,
            maxLength: 6,
          },
        ),
        async (tables, asked) => {
          await replace(stage(), tables);
          for (const [table, where] of asked) {
            const expected = passing(tables[table] ?? [], where, (name) => tables[name] ?? []);
            const found = (await stage().store.list({ table, where })).map((text) => JSON.parse(text) as JsonObject);
            const names = (some: readonly JsonObject[]) => some.map((row) => String(row.id ?? row.token)).sort();
            expect(names(found), JSON.stringify(where)).to.deep.equal(names(expected));
            expect(await stage().store.count({ table, where }), JSON.stringify(where)).to.equal(expected.length);
          }
        },
      );
      await fc.assert(property, { numRuns: 40 });
    });

    it('rows are ordered, paged and grouped by what a way leads to, as a naive evaluation does', async () => {
      const asked = fc.array(sorts, { minLength: 3, maxLength: 6 });
      const property = fc.asyncProperty(world, asked, async (tables, each) => {
        await replace(stage(), tables);
        for (const sort of each) await checkWays(stage().store, tables, sort);
      });
      await fc.assert(property, { numRuns: 30 });
    });

    it('see live rows only, and nothing in what is absent', async () => {
      const s = stage();
      await s.done(
        machine('a', { hostId: 'b' }),
        machine('b'),
        insert('disk', { id: 'd', machineId: 'a' }),
        insert('disk', { id: 'loose' }),
      );
      const ids = async (table: string, where: Condition) =>
        (await s.store.list({ table, where })).map((text) => (JSON.parse(text) as { readonly id: string }).id);
      const hasDisk: Condition = { exists: { table: 'disk', local: 'id', remote: 'machineId' } };
      expect(await ids('machine', hasDisk)).to.deep.equal(['a']);
      expect(await ids('machine', { not: hasDisk })).to.deep.equal(['b']);
      expect(await ids('disk', { exists: { table: 'machine', local: 'machineId', remote: 'id' } })).to.deep.equal(['d']);
      // Neither has what they would be compared by.
      expect(await ids('disk', { exists: { table: 'machine', local: 'owner', remote: 'owner' } })).to.deep.equal([]);
      await s.done(update('disk', 'd', { deletedAt: true }));
      expect(await ids('machine', hasDisk)).to.deep.equal([]);
      expect(await s.store.count({ table: 'machine', where: hasDisk, deleted: true })).to.equal(0);
    });

    it('go page by page as any other', async () => {
      const s = stage();
      const machines = ['a', 'b', 'c', 'd', 'e'].map((id) => machine(id, { size: 1 }));
      await s.done(...machines, ...['a', 'c', 'd', 'e'].map((id) => insert('disk', { id: `d-${id}`, machineId: id })), entry('a', 1));
      const where: Condition = {
        exists: { table: 'disk', local: 'id', remote: 'machineId', where: { field: 'id', op: '!=', value: 'd-d' } },
      };
      const first = await s.store.list({ table: 'machine', where, order: [{ field: 'size' }], limit: 2 });
      const rest = await s.store.list({ table: 'machine', where, order: [{ field: 'size' }], after: [1, 'c'] });
      expect([...first, ...rest].map((text) => JSON.parse(text).id)).to.deep.equal(['a', 'c', 'e']);
    });

    it('name tables and fields, never SQL', async () => {
      const s = stage();
      const ask = (exists: Exists) => s.store.list({ table: 'machine', where: { exists } });
      await s.rejection(ask({ table: 'nowhere', local: 'id', remote: 'id' }));
      await s.rejection(ask({ table: 'disk" AS x --', local: 'id', remote: 'id' }));
      await s.rejection(ask({ table: 'disk', local: 'id" OR 1=1 --', remote: 'id' }));
      await s.rejection(ask({ table: 'disk', local: 'id', remote: "x') --" }));
      await s.rejection(ask({ table: 'disk', local: 'id', remote: 'id', where: { field: 'a"b', op: 'null' } }));
      const along = (step: Exists, field = 'id') => s.store.list({ table: 'machine', order: [{ field, via: [step] }] });
      await s.rejection(along({ table: 'disk" AS x --', local: 'id', remote: 'id' }));
      await s.rejection(along({ table: 'disk', local: 'id" OR 1=1 --', remote: 'id' }));
      await s.rejection(along({ table: 'disk', local: 'id', remote: "x') --" }));
      await s.rejection(along({ table: 'disk', local: 'id', remote: 'id' }, "id') --"));
    });
  });
}
