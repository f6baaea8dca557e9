import { expect } from 'chai';
import fc from 'fast-check';
import type { JsonObject } from '../../src/kernel/json.ts';
import type { Condition, ListQuery } from '../../src/kernel/store.ts';
import { orderAll, plainOf } from '../query/meaning.ts';
import { passing } from './by-meaning.ts';
import { entry, insert, machine, type StoreStage, update } from './store-stage.ts';

type Scalar = string | number | boolean;

/** Fields with values of one type each: two that are columns, three that live in the JSON alone. */
const VALUES: Readonly<Record<string, readonly Scalar[]>> = {
  name: ['a', 'ab', 'aB', 'b%', 'b_c', 'ä', 'a*', 'a?[b]', '\\'],
  size: [-1, 0, 1, 2, 2 ** 40],
  zone: ['a', 'B', 'b', ''],
  weight: [0, 0.5, 2, -3],
  ready: [true, false],
};
const FIELDS = Object.keys(VALUES);
const PATTERNS = ['%', 'a%', '%b%', '_', '__', 'A%', 'b\\%', 'b\\_c', 'b_c', '%*', 'a?%', '\\\\', '', '%ä%'];

const field = fc.constantFrom(...FIELDS);
const fieldAnd = <T>(value: (values: readonly Scalar[]) => fc.Arbitrary<T>) =>
  field.chain((name) => fc.tuple(fc.constant(name), value(VALUES[name] ?? [])));

const condition = fc.letrec<{ any: Condition }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    fc
      .tuple(
        fc.constantFrom('=', '!=', '<', '<=', '>', '>='),
        fieldAnd((values) => fc.constantFrom(...values)),
      )
      .map(([op, [name, value]]) => ({ field: name, op, value }) as Condition),
    fieldAnd((values) => fc.subarray([...values])).map(([name, value]) => ({ field: name, op: 'in', value }) as Condition),
    fc
      .tuple(fc.constantFrom('name', 'zone'), fc.constantFrom(...PATTERNS))
      .map(([name, value]) => ({ field: name, op: 'like', value }) as Condition),
    fc.tuple(field, fc.constantFrom('null', 'not null')).map(([name, op]) => ({ field: name, op }) as Condition),
    fc.array(tie('any'), { maxLength: 3 }).map((and) => ({ and })),
    fc.array(tie('any'), { maxLength: 3 }).map((or) => ({ or })),
    tie('any').map((not) => ({ not })),
  ),
})).any;

const rows = fc.array(
  fc.record(Object.fromEntries(FIELDS.map((name) => [name, fc.constantFrom(...(VALUES[name] ?? []))])), { requiredKeys: [] }),
  { maxLength: 12 },
) as fc.Arbitrary<JsonObject[]>;

type Order = NonNullable<ListQuery['order']>;

function inOrder(found: readonly JsonObject[], order: Order): JsonObject[] {
  const signs = order.map(({ descending }) => (descending === true ? -1 : 1));
  const place = (row: JsonObject) => [...order.map(({ field: name }) => plainOf(row[name])), plainOf(row.id)];
  return found.toSorted((a, b) => orderAll(place(a), place(b), signs));
}

const ids = (texts: readonly string[]): string[] => texts.map((text) => JSON.parse(text).id);

export function describeStoreQueries(stage: () => StoreStage): void {
  describeGeneratedQueries(stage);
  describeRowsListed(stage);
}

function describeGeneratedQueries(stage: () => StoreStage): void {
  describe('list and count, generated,', () => {
    beforeEach(() => stage().begin());

    /** Each run of a property has rows of its own, told apart by `run`, among those of the runs before. */
    let run = 0;
    async function insertRows(given: readonly JsonObject[]): Promise<JsonObject[]> {
      run += 1;
      const made = given.map((row, index) => ({ ...row, id: `r${run}-${String(index).padStart(2, '0')}`, run }));
      if (made.length > 0) await stage().done(...made.map((row) => insert('machine', row)));
      return made;
    }
    const mine = (where?: Condition): Condition => ({
      and: [{ field: 'run', op: '=', value: run }, ...(where === undefined ? [] : [where])],
    });

    it('answer what a naive evaluation of the condition answers', async () => {
      const property = fc.asyncProperty(rows, fc.array(condition, { minLength: 1, maxLength: 6 }), async (given, conditions) => {
        const made = await insertRows(given);
        for (const where of conditions) {
          const expected = passing(made, where).map(({ id }) => id);
          expect(ids(await stage().store.list({ table: 'machine', where: mine(where) })), JSON.stringify(where)).to.deep.equal(expected);
          expect(await stage().store.count({ table: 'machine', where: mine(where) })).to.equal(expected.length);
        }
      });
      await fc.assert(property, { numRuns: 60 });
    });

    it('come in the strict order asked for, nulls first, page by page without gap or repetition', async () => {
      const order = fc.uniqueArray(fc.record({ field, descending: fc.boolean() }), { maxLength: 3, selector: (term) => term.field });
      const property = fc.asyncProperty(rows, order, fc.integer({ min: 1, max: 5 }), async (given, terms, limit) => {
        const expected = inOrder(await insertRows(given), terms).map(({ id }) => id);
        const query = { table: 'machine', where: mine(), order: terms };
        expect(ids(await stage().store.list(query))).to.deep.equal(expected);
        const paged: string[] = [];
        for (let after: ListQuery['after']; ; ) {
          const page = await stage().store.list({ ...query, limit, ...(after === undefined ? {} : { after }) });
          paged.push(...ids(page));
          if (page.length < limit) break;
          const last = JSON.parse(page.at(-1) ?? '{}');
          after = [...terms.map(({ field: name }) => plainOf(last[name])), last.id];
        }
        expect(paged).to.deep.equal(expected);
      });
      await fc.assert(property, { numRuns: 60 });
    });
  });
}

function describeRowsListed(stage: () => StoreStage): void {
  describe('list and count', () => {
    beforeEach(() => stage().begin());

    it('leave out deleted rows unless all are asked for', async () => {
      const s = stage();
      await s.done(machine('a'), machine('b'), machine('c'));
      await s.done(update('machine', 'b', { deletedAt: true }));
      const answer = async (query: Partial<ListQuery>) => ids(await s.store.list({ table: 'machine', ...query }));
      expect(await answer({})).to.deep.equal(['a', 'c']);
      expect(await answer({ deleted: false })).to.deep.equal(['a', 'c']);
      expect(await answer({ deleted: true })).to.deep.equal(['a', 'b', 'c']);
      expect(await answer({ deleted: true, where: { field: 'deletedAt', op: 'not null' } })).to.deep.equal(['b']);
      expect(await s.store.count({ table: 'machine' })).to.equal(2);
      expect(await s.store.count({ table: 'machine', deleted: true })).to.equal(3);
    });

    it('answer the texts that `read` answers', async () => {
      const s = stage();
      await s.done(machine('a', { note: 'x  y', list: [1, 2] }), entry('o', 1));
      expect(await s.store.list({ table: 'machine' })).to.deep.equal([await s.store.read('machine', 'a')]);
      expect(await s.store.list({ table: 'entry' })).to.deep.equal([await s.store.read('entry', 'o/1')]);
    });

    it('order plain rows by their key columns, and go on after a joined key', async () => {
      const s = stage();
      await s.done(entry('b', 1), entry('a', 10), entry('a', 9));
      const keys = async (query: Partial<ListQuery>) =>
        (await s.store.list({ table: 'entry', ...query })).map((text) => JSON.parse(text)).map(({ owner, number }) => `${owner}/${number}`);
      expect(await keys({})).to.deep.equal(['a/9', 'a/10', 'b/1']);
      expect(await keys({ after: ['a/9'], limit: 1 })).to.deep.equal(['a/10']);
      expect(await keys({ order: [{ field: 'number', descending: true }] })).to.deep.equal(['a/10', 'a/9', 'b/1']);
      expect(await keys({ where: { field: 'owner', op: '=', value: 'a' }, order: [{ field: 'number' }], after: [9, 'a/9'] })).to.deep.equal(
        ['a/10'],
      );
    });

    it('take values as values, never as part of the query', async () => {
      const s = stage();
      await s.done(machine('a', { note: "x' OR 1=1 --" }), machine('b'));
      expect(ids(await s.store.list({ table: 'machine', where: { field: 'note', op: '=', value: "x' OR 1=1 --" } }))).to.deep.equal(['a']);
      expect(await s.store.count({ table: 'machine', where: { field: 'name', op: '=', value: '" OR ""="' } })).to.equal(0);
      for (const name of ['na"me', 'a b', "x')", '', '1a', 'a..b', 'a.'])
        await s.rejection(s.store.list({ table: 'machine', where: { field: name, op: 'null' } }));
      await s.rejection(s.store.list({ table: 'machine', order: [{ field: 'id; DROP TABLE machine' }] }));
      await s.rejection(s.store.list({ table: 'nowhere' }));
      await s.rejection(s.store.list({ table: 'machine', order: [{ field: 'name' }], after: ['a'] }));
    });
  });
}
