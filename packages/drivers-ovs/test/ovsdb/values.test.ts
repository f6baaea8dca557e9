import { assert, expect } from 'chai';
import fc from 'fast-check';
import type { AtomKind, ColumnTypeJson } from '../../src/ovsdb/column-type.ts';
import { InvalidValueError } from '../../src/ovsdb/errors.ts';
import { database, OvsdbClient, parseSchema, type Value } from '../../src/ovsdb/index.ts';
import { PrivateServer } from './private-server.ts';

const kinds: readonly AtomKind[] = ['integer', 'real', 'boolean', 'string', 'uuid'];

/** A column of each shape over each kind, and a map from each to each. */
function everyType(): Readonly<Record<string, ColumnTypeJson>> {
  const columns: Record<string, ColumnTypeJson> = {};
  for (const key of kinds) {
    columns[key] = key;
    columns[`optional_${key}`] = { key, min: 0, max: 1 };
    columns[`set_${key}`] = { key, min: 0, max: 'unlimited' };
    columns[`few_${key}`] = { key, min: 0, max: 3 };
    for (const value of kinds) columns[`map_${key}_${value}`] = { key, value, min: 0, max: 'unlimited' };
  }
  return columns;
}

const columns = everyType();
const schema = {
  name: 'Every_Type',
  version: '1.0.0',
  tables: { T: { isRoot: true, columns: Object.fromEntries(Object.entries(columns).map(([name, type]) => [name, { type }])) } },
};

const uuid = fc.uuid();
/** The server writes reals with 15 digits. */
const real = fc
  .double({ noNaN: true, noDefaultInfinity: true, min: -1e300, max: 1e300 })
  .map((value) => (Math.abs(value) < 1e-300 ? 0 : Number(value.toPrecision(15)) + 0));
const text = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((value) => !value.includes('\0'));
const atoms: Readonly<Record<AtomKind, fc.Arbitrary<number | string | boolean>>> = {
  integer: fc.maxSafeInteger(),
  real,
  boolean: fc.boolean(),
  string: fc.oneof(text, fc.constantFrom('__proto__', 'constructor', '', '"\\', 'a\tb\n', '😀', 'é')),
  uuid,
};

/** Values of a column, as its type makes them here. */
function valuesOf(type: ColumnTypeJson): fc.Arbitrary<Value> {
  if (typeof type === 'string') return atoms[type];
  const { key, value, min, max } = type as { key: AtomKind; value?: AtomKind; min?: number; max?: number };
  if (value !== undefined)
    return fc
      .array(fc.tuple(atoms[key], atoms[value]), { maxLength: 5 })
      .map((pairs) => Object.assign(Object.create(null), Object.fromEntries(pairs.map(([k, v]) => [String(k), v]))));
  if (min === 0 && max === 1) return fc.option(atoms[key], { nil: undefined });
  return fc.uniqueArray(atoms[key], { maxLength: max === 3 ? 3 : 8 }).map((members) => members.sort((a, b) => (a < b ? -1 : 1)));
}

describe('OVSDB values', function () {
  this.timeout(300_000);
  let server: PrivateServer;
  before(async () => {
    server = await PrivateServer.start({ schema });
  });
  after(() => server[Symbol.asyncDispose]());

  it('come back as they were, in columns of every type', async () => {
    await using client = new OvsdbClient({ database: parseSchema(schema), remotes: [server.address] });
    const table = client.database.tables.T;
    assert(table !== undefined);
    const rows = fc.record(Object.fromEntries(Object.entries(columns).map(([name, type]) => [name, valuesOf(type)])), {
      requiredKeys: [],
    });
    const defaults = table.decodeRow({}, undefined, '');
    await fc.assert(
      fc.asyncProperty(rows, rows, uuid, async (first, second, id) => {
        const results = await client.transact([
          table.insert(first, id),
          table.select(id),
          table.update(id, second),
          table.select(id),
          table.delete(id),
        ]);
        expect(results[0]).to.equal(id);
        expect(results[1][0]).to.deep.equal({ ...defaults, ...first, _uuid: id });
        expect(results[3][0]).to.deep.equal({ ...defaults, ...first, ...second, _uuid: id });
        expect(results[4]).to.equal(1);
      }),
      { numRuns: 150 },
    );
  });

  it('of which a part is changed are what a set or a map would be', async () => {
    await using client = new OvsdbClient({ database: parseSchema(schema), remotes: [server.address] });
    const table = client.database.tables.T;
    assert(table !== undefined);
    const members = fc.uniqueArray(fc.integer({ min: 0, max: 9 }));
    const map = fc.dictionary(fc.constantFrom('a', 'b', '__proto__', 'd'), fc.constantFrom('1', '2'));
    await fc.assert(
      fc.asyncProperty(members, members, members, map, map, map, async (set, out, into, entries, put, insert) => {
        const id = crypto.randomUUID();
        const keys = Object.keys(entries).slice(1);
        const [, count, rows] = await client.transact([
          table.insert({ set_integer: set, map_string_string: entries, integer: 5, optional_integer: 1 }, id),
          table.mutate(id, {
            set_integer: { delete: out, insert: into },
            map_string_string: { delete: keys, put, insert },
            integer: { add: 3 },
            optional_integer: { subtract: 4 },
          }),
          table.select(id, ['set_integer', 'map_string_string', 'integer', 'optional_integer']),
          table.delete(id),
        ]);
        const expected = new Map(Object.entries(entries).filter(([key]) => !keys.includes(key)));
        for (const [key, value] of Object.entries(put)) expected.set(key, value);
        for (const [key, value] of Object.entries(insert)) if (!expected.has(key)) expected.set(key, value);
        expect(count).to.equal(1);
        expect(rows[0]).to.deep.equal({
          _uuid: id,
          set_integer: [...new Set([...set.filter((each) => !out.includes(each)), ...into])].sort((a, b) => a - b),
          map_string_string: Object.assign(Object.create(null), Object.fromEntries(expected)),
          integer: 8,
          optional_integer: -3,
        });
      }),
      { numRuns: 100 },
    );
  });

  it('that a column cannot hold are refused by the name of the column, before anything is sent', () => {
    const id = crypto.randomUUID();
    const { Switch } = database<{ readonly Switch: { readonly _uuid: string; readonly [column: string]: unknown } }>('x', '1', {
      Switch: {
        columns: {
          tag: { key: { type: 'integer', minInteger: 0, maxInteger: 4095 }, min: 0, max: 1 },
          mode: { key: { type: 'string', enum: ['set', ['access', 'trunk']] } },
          vlans: { key: 'integer', min: 0, max: 2 },
          remote: { key: { type: 'uuid', refTable: 'Switch' } },
          name: { key: { type: 'string', minLength: 1, maxLength: 3 } },
          flags: { key: 'string', value: 'boolean', min: 0, max: 'unlimited' },
          ports: { key: 'integer', value: 'string', min: 0, max: 'unlimited' },
          on: 'boolean',
          weight: 'real',
        },
      },
    }).tables as never as { Switch: { insert(row: object, uuid: string): unknown; mutate(uuid: string, mutations: object): unknown } };
    const wrong: readonly (readonly [string, unknown])[] = [
      ['tag', 4096],
      ['tag', -1],
      ['tag', 1.5],
      ['tag', 2 ** 53],
      ['tag', '1'],
      ['tag', null],
      ['mode', 'native'],
      ['vlans', [1, 2, 3]],
      ['vlans', 1],
      ['remote', 'me'],
      ['remote', 'ABCDEF00-0000-0000-0000-000000000000'],
      ['name', ''],
      ['name', 'four'],
      ['name', 'a\0'],
      ['name', '\ud800'],
      ['flags', { a: 'yes' }],
      ['flags', ['a']],
      ['flags', null],
      ['ports', { one: 'x' }],
      ['ports', { '': 'x' }],
      ['on', 1],
      ['weight', 4e-323],
      ['weight', Number.NaN],
      ['weight', Number.POSITIVE_INFINITY],
      ['nothing', 1],
    ];
    for (const [column, value] of wrong) {
      const insert = () => Switch.insert({ [column]: value }, id);
      expect(insert, `${column} ${String(value)}`)
        .to.throw(InvalidValueError)
        .that.includes({ table: 'Switch', column });
    }
    for (const [column, mutation] of [
      ['on', { add: 1 }],
      ['mode', { insert: ['access'] }],
      ['vlans', { put: [1] }],
      ['flags', { add: 1 }],
      ['tag', { add: 'x' }],
    ] as const)
      expect(() => Switch.mutate(id, { [column]: mutation }), column)
        .to.throw(InvalidValueError)
        .that.includes({ column, row: id });
  });
});
