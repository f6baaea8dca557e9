import type { Condition, Statement, Store } from '@pileus/core/kernel';
import { openSqlite } from '@pileus/core/sqlite';
import { expect } from 'chai';
import fc from 'fast-check';
import { Absent } from '../../src/sqlite/absent.ts';
import { FIRST } from './child/schema.ts';
import { type Scratch, scratch } from './scratch.ts';

const is = (field: string, value: string): Condition => ({ field, op: '=', value });
/** More than it takes to learn what there is. */
const OFTEN = 100;

describe('what no row of a quiet table has', () => {
  let place: Scratch;
  let store: Store;
  before(async () => {
    place = await scratch();
    store = await openSqlite({ path: place.path('store.db') });
    await store.prepare(FIRST);
  });
  after(async () => {
    await store.close();
    await place.remove();
  });

  const commit = (...statements: readonly Statement[]) =>
    store.commit({ node: 'n', epoch: store.epoch, at: '2030-01-01T00:00:00.000Z', statements });
  const machine = (id: string, fields: Readonly<Record<string, string>>): Statement => ({
    op: 'insert',
    table: 'machine',
    row: { id, name: id, ...fields },
  });
  const change = (key: string, set: Readonly<Record<string, string | boolean | null>>): Statement => ({
    op: 'update',
    table: 'machine',
    key,
    set,
  });
  const found = async (where: Condition, deleted = false) =>
    (await store.list({ table: 'machine', where, deleted })).map((text) => (JSON.parse(text) as { readonly id: string }).id);
  const looks = async (where: Condition) => {
    let last: readonly string[] = [];
    for (let look = 0; look < OFTEN; look += 1) last = await found(where);
    return last;
  };

  it('is learned by looking often, once, and asked for again after a change of the table', () => {
    const absent = new Absent();
    let learned = 0;
    const learn = () => {
      learned += 1;
      return new Set(['here']);
    };
    const lacks = (where: Condition, deleted = false) => absent.of({ table: 't', where, deleted }, learn);
    for (let look = 1; look < 64; look += 1) expect(lacks(is('f', 'there'))).to.equal(false);
    expect(lacks(is('f', 'there'))).to.equal(true);
    expect(lacks(is('f', 'here'))).to.equal(false);
    expect(lacks({ field: 'f', op: 'in', value: ['there', 'elsewhere'] })).to.equal(true);
    expect(lacks({ field: 'f', op: 'in', value: ['there', 'here'] })).to.equal(false);
    expect(lacks({ and: [is('g', 'here'), is('f', 'there')] })).to.equal(true);
    expect(lacks({ or: [is('f', 'there'), is('f', 'elsewhere')] })).to.equal(false);
    expect(lacks({ field: 'f', op: '!=', value: 'there' })).to.equal(false);
    expect(lacks(is('f', 'there'), true)).to.equal(false);
    expect(learned).to.equal(1);
    absent.forget('t');
    expect(lacks(is('f', 'there'))).to.equal(false);
    expect(learned).to.equal(1);
  });

  it('is found as soon as a commit that brings it has answered', async () => {
    expect(await looks(is('zone', 'north'))).to.deep.equal([]);
    await commit(machine('m-1', { zone: 'north' }));
    expect(await found(is('zone', 'north'))).to.deep.equal(['m-1']);
    expect(await looks(is('zone', 'south'))).to.deep.equal([]);
    await commit(change('m-1', { zone: 'south' }));
    expect(await found(is('zone', 'south'))).to.deep.equal(['m-1']);
    expect(await looks(is('zone', 'north'))).to.deep.equal([]);
    await commit(change('m-1', { deletedAt: true }));
    expect(await looks(is('zone', 'south'))).to.deep.equal([]);
    expect(await found(is('zone', 'south'), true)).to.deep.equal(['m-1']);
  });

  it('is not guessed of fields without an index, nor where more rows have a value than are learned', async () => {
    expect(await looks(is('note', 'x'))).to.deep.equal([]);
    const many = Array.from({ length: 600 }, (_, index) =>
      machine(`many-${index}`, { size: `s-${String(index).padStart(4, '0')}`, note: 'x' }),
    );
    await commit(...many);
    expect(await looks(is('size', 's-0599'))).to.deep.equal(['many-599']);
    expect(await looks(is('size', 's-0600'))).to.deep.equal([]);
    expect(await looks({ and: [is('note', 'x'), is('size', 's-0007')] })).to.deep.equal(['many-7']);
  });

  it('is the same whatever is changed and looked for in between', async () => {
    const zone = fc.constantFrom('a', 'b', 'c', '');
    const step = fc.oneof(
      fc.record({ look: zone, often: fc.boolean() }),
      fc.record({ put: fc.constantFrom('r-1', 'r-2', 'r-3'), zone: fc.option(zone) }),
    );
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        run += 1;
        const zones = new Map<string, string | null>();
        for (const each of steps)
          if ('put' in each) {
            const id = `${run}-${each.put}`;
            const value = each.zone === null ? {} : { zone: `${run}${each.zone}` };
            const given = zones.has(id) ? change(id, { zone: null, ...value }) : machine(id, value);
            await commit(given);
            zones.set(id, each.zone);
          } else {
            const where = is('zone', `${run}${each.look}`);
            const ids = each.often ? await looks(where) : await found(where);
            expect(ids).to.deep.equal([...zones].flatMap(([id, now]) => (now === each.look ? [id] : [])).sort());
          }
      }),
      { numRuns: 60 },
    );
  });
});
