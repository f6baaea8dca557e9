import { expect } from 'chai';
import fc from 'fast-check';
import type { JsonObject } from '../../src/kernel/json.ts';
import type { AggregateQuery, Condition } from '../../src/kernel/store.ts';
import { groupsOf, passing } from './by-meaning.ts';
import { insert, machine, type StoreStage, update } from './store-stage.ts';

/** Columns, what the JSON alone holds, and what lies deeper in it. Fractions are such as add up exactly in any order. */
const row = fc.record(
  {
    name: fc.constantFrom('a', 'b', 'ä', '𝄞', '\uffff'),
    size: fc.constantFrom(0, 1, 2, Number.MAX_SAFE_INTEGER),
    weight: fc.constantFrom(0.5, 2, -3, -0.25, Number.MAX_SAFE_INTEGER),
    ready: fc.boolean(),
    at: fc.record(
      { zone: fc.constantFrom('a', 'b'), rack: fc.record({ unit: fc.constantFrom(1, 2) }, { requiredKeys: [] }) },
      { requiredKeys: [] },
    ),
    tags: fc.array(fc.constantFrom('x', 'y', 3, true), { maxLength: 3 }),
    parts: fc.array(fc.record({ kind: fc.constantFrom('cpu', 'fan'), watts: fc.constantFrom(1, 65) }, { requiredKeys: [] }), {
      maxLength: 2,
    }),
    labels: fc.dictionary(fc.constantFrom('env', 'a b', 'x.y', "o'k"), fc.constantFrom('prod', 'test'), { maxKeys: 2 }),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<JsonObject>;

const GROUPS = ['name', 'ready', 'at.zone', 'at.rack.unit', 'size'];
const query: fc.Arbitrary<Omit<AggregateQuery, 'table'>> = fc.record(
  {
    groupBy: fc.uniqueArray(fc.constantFrom(...GROUPS), { maxLength: 2 }).map((fields) => fields.map((field) => ({ field }))),
    measures: fc.array(
      fc.oneof(
        fc.constant({ op: 'count' } as const),
        fc.record({ op: fc.constantFrom('sum', 'min', 'max', 'count'), field: fc.constantFrom('size', 'weight', 'ready', 'at.rack.unit') }),
        fc.record({ op: fc.constantFrom('min', 'max', 'count'), field: fc.constantFrom('name', 'at.zone') }),
      ),
      { minLength: 1, maxLength: 3 },
    ),
    limit: fc.integer({ min: 1, max: 4 }),
  },
  { requiredKeys: ['groupBy', 'measures'] },
);

const is = (field: string, value: string | number | boolean): Condition => ({ field, op: '=', value });
const some = (field: string, where?: Condition): Condition => ({ some: { field, ...(where === undefined ? {} : { where }) } });

/** Conditions on what lies within a row. */
const WITHIN: readonly Condition[] = [
  is('at.zone', 'a'),
  is('at.rack.unit', 2),
  { field: 'at.rack.unit', op: 'null' },
  { field: 'at.rack', op: 'not null' },
  { field: 'at.zone.unit', op: 'null' },
  { field: 'at.zone', op: 'in', value: ['b', 'c'] },
  { not: is('at.zone', 'a') },
  some('tags'),
  some('tags', is('$', 'x')),
  some('tags', { field: '$', op: 'in', value: [3] }),
  some('tags', { field: '$', op: 'like', value: 'y%' }),
  some('parts', is('kind', 'fan')),
  some('parts', { and: [is('kind', 'cpu'), { field: 'watts', op: '>', value: 1 }] }),
  { not: some('parts', { not: is('kind', 'cpu') }) },
  some('parts', { field: 'kind', op: 'null' }),
  some('labels', { and: [is('$key', 'a b'), is('$', 'prod')] }),
  some('labels', is('$key', 'x.y')),
  some('labels', is('$key', "o'k")),
  // Neither a list nor a map.
  some('name'),
  some('size', is('$', 1)),
  some('nothing', is('$', 1)),
];

export function describeStoreAggregates(stage: () => StoreStage): void {
  describe('what lies within rows', () => {
    beforeEach(() => stage().begin());

    let run = 0;
    async function insertRows(given: readonly JsonObject[]): Promise<JsonObject[]> {
      run += 1;
      const text = JSON.stringify(given.map((each, index) => ({ ...each, id: `r${run}-${index}`, run })));
      const made = JSON.parse(text) as JsonObject[];
      if (made.length > 0) await stage().done(...made.map((each) => insert('machine', each)));
      return made;
    }
    const mine = (where?: Condition): Condition => ({ and: [is('run', run), ...(where === undefined ? [] : [where])] });

    it('is found as a naive evaluation finds it: fields of fields, elements of lists, values of maps', async () => {
      const property = fc.asyncProperty(fc.array(row, { maxLength: 8 }), async (given) => {
        const made = await insertRows(given);
        for (const where of WITHIN) {
          const expected = passing(made, where).map(({ id }) => id);
          const found = await stage().store.list({ table: 'machine', where: mine(where) });
          expect(
            found.map((text) => JSON.parse(text).id),
            JSON.stringify(where),
          ).to.deep.equal(expected);
        }
      });
      await fc.assert(property, { numRuns: 15 });
    });

    it('is counted, added up and compared by groups as a naive evaluation does', async () => {
      const property = fc.asyncProperty(
        fc.array(row, { maxLength: 12 }),
        fc.array(query, { minLength: 4, maxLength: 4 }),
        async (given, asked) => {
          const made = await insertRows(given);
          for (const each of asked) {
            const answer = await stage().store.aggregate({ table: 'machine', where: mine(), ...each });
            expect(answer, JSON.stringify(each)).to.deep.equal(groupsOf(made, each));
          }
        },
      );
      await fc.assert(property, { numRuns: 40 });
    });

    it('adds up exactly beyond what a number holds', async () => {
      const s = stage();
      const made = Array.from({ length: 1500 }, (_, index) =>
        insert('machine', { id: `m${index}`, size: Number.MAX_SAFE_INTEGER, deep: { size: 1 } }),
      );
      await s.done(...made);
      const measures = [{ op: 'sum', field: 'size' }, { op: 'sum', field: 'deep.size' }, { op: 'count' }] as const;
      expect(await s.store.aggregate({ table: 'machine', measures })).to.deep.equal([
        [String(BigInt(Number.MAX_SAFE_INTEGER) * 1500n), '1500', 1500],
      ]);
      expect(await s.store.count({ table: 'machine', atMost: 1000 })).to.equal(1000);
      expect(await s.store.count({ table: 'machine', atMost: 2000 })).to.equal(1500);
    });

    it('leaves deleted rows out, and counts nothing as nothing', async () => {
      const s = stage();
      await s.done(machine('a', { size: 1 }), machine('b', { size: 2 }));
      await s.done(update('machine', 'b', { deletedAt: true }));
      const measures = [{ op: 'count' }, { op: 'sum', field: 'size' }, { op: 'max', field: 'size' }] as const;
      expect(await s.store.aggregate({ table: 'machine', measures })).to.deep.equal([[1, '1', 1]]);
      expect(await s.store.aggregate({ table: 'machine', measures, deleted: true })).to.deep.equal([[2, '3', 2]]);
      expect(await s.store.aggregate({ table: 'machine', measures, where: is('state', 'gone') })).to.deep.equal([[0, '0', null]]);
      expect(
        await s.store.aggregate({ table: 'machine', measures, where: is('state', 'gone'), groupBy: [{ field: 'name' }] }),
      ).to.deep.equal([]);
      for (const field of ['a"b', "a') --", 'a..b', '.a', '$'])
        await s.rejection(s.store.aggregate({ table: 'machine', groupBy: [{ field }], measures: [{ op: 'count' }] }));
    });
  });
}
