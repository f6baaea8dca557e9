import { expect } from 'chai';
import fc from 'fast-check';
import { filterFields } from '../../src/kernel/api/fields.ts';
import { parseFilter } from '../../src/kernel/api/filter.ts';
import { type JsonObject, matches } from '../../src/kernel/index.ts';
import { made, type OpenApi, openApi, parsed } from './harness.ts';
import { widget } from './widgets.ts';

const fields = filterFields(widget);
type Row = Readonly<Record<string, unknown>>;

const comparison = fc.oneof(
  fc
    .tuple(fc.constantFrom('=', '!=', '<', '<=', '>', '>='), fc.integer({ min: 1, max: 6 }))
    .map(([op, value]) => `sizeBytes ${op} ${value}`),
  fc.tuple(fc.constantFrom('=', '!='), fc.constantFrom('red', 'green')).map(([op, value]) => `color ${op} '${value}'`),
  fc.boolean().map((value) => `shiny = ${value}`),
  fc.constantFrom('color', 'shiny').chain((field) => fc.constantFrom(`${field} is null`, `${field} is not null`)),
  fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 3 }).map((values) => `sizeBytes in (${values.join(',')})`),
  fc.constantFrom('w%', '%1', 'w_', '%').map((pattern) => `name like '${pattern}'`),
);
const filter = fc.letrec<{ any: string }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    comparison,
    tie('any').map((inner) => `not (${inner})`),
    fc.tuple(tie('any'), fc.constantFrom('and', 'or'), tie('any')).map(([left, word, right]) => `(${left}) ${word} (${right})`),
  ),
})).any;

describe('api: lists', () => {
  let at: OpenApi;
  let rows: readonly Row[];
  before(async () => {
    at = await openApi();
    for (let index = 0; index < 12; index += 1)
      await made(at, `w${index}`, {
        sizeBytes: (index % 5) + 1,
        ...(index % 3 === 0 ? {} : { color: index % 3 === 1 ? 'red' : 'green' }),
        ...(index % 4 === 0 ? {} : { shiny: index % 4 === 1 }),
      });
    rows = parsed(await at.ask('GET', '/v1/widgets?limit=1000')).items;
  });
  after(() => at.close());

  const list = async (query: Record<string, string>) => parsed(await at.ask('GET', `/v1/widgets?${new URLSearchParams(query)}`));
  const names = (items: readonly Row[]) => items.map((row) => row.name);

  it('answers in order of creation', () => {
    expect(names(rows)).to.deep.equal(Array.from({ length: 12 }, (_, index) => `w${index}`));
  });

  it('filters as the grammar says, whatever the filter', () =>
    fc.assert(
      fc.asyncProperty(filter, async (text) => {
        const condition = parseFilter(text, fields);
        expect(names((await list({ filter: text })).items)).to.deep.equal(
          names(rows.filter((row) => matches(row as JsonObject, condition))),
        );
      }),
      { numRuns: 200 },
    ));

  it('gives `and` before `or`, and doubles quotes', () => {
    expect(parseFilter("color = 'red' or shiny = true and name = 'it''s'", fields)).to.deep.equal({
      or: [
        { field: 'color', op: '=', value: 'red' },
        {
          and: [
            { field: 'shiny', op: '=', value: true },
            { field: 'name', op: '=', value: "it's" },
          ],
        },
      ],
    });
  });

  it('takes equality on indexed fields as plain parameters, repeated for any of several', async () => {
    expect(names((await list({ color: 'red', sizeBytes: '2' })).items)).to.deep.equal(
      names(rows.filter((row) => row.color === 'red' && row.sizeBytes === 2)),
    );
    const either = parsed(await at.ask('GET', '/v1/widgets?sizeBytes=1&sizeBytes=2&shiny=true'));
    expect(names(either.items)).to.deep.equal(
      names(rows.filter((row) => row.shiny === true && (row.sizeBytes === 1 || row.sizeBytes === 2))),
    );
  });

  it('pages through every sort without a gap or a repeat, nulls and equal values included', async () => {
    for (const sort of [
      'createdAt',
      '-createdAt',
      'name',
      '-name',
      'sizeBytes',
      '-sizeBytes',
      'color',
      '-color',
      'shiny',
      '-shiny',
      'shelfId',
    ])
      for (const limit of ['1', '5', '11', '12']) {
        const seen: unknown[] = [];
        let after: unknown;
        do {
          const page = await list({ sort, limit, ...(after === undefined ? {} : { after: String(after) }) });
          expect(page.items.length).to.be.at.most(Number(limit));
          seen.push(...names(page.items));
          after = page.next;
        } while (after !== undefined);
        expect(seen, `${sort} by ${limit}`).to.deep.equal(names((await list({ sort, limit: '1000' })).items));
        expect([...seen].sort()).to.deep.equal([...names(rows)].sort());
      }
    expect(names((await list({ sort: '-createdAt' })).items)).to.deep.equal(names(rows).reverse());
  });

  it('passes rows as they are stored', async () => {
    const stored = await at.store.list({ table: 'widget' });
    expect(String((await at.ask('GET', '/v1/widgets')).body)).to.match(/,"cursor":"\d+\.\d+\.[0-9a-f]{8}"\}$/);
    expect(String((await at.ask('GET', '/v1/widgets')).body)).to.satisfy((body: string) =>
      body.startsWith(`{"items":[${stored.join(',')}],"`),
    );
  });

  it('passes every character as it is stored', async () => {
    const other = await openApi();
    for (const [index, note] of ['plain', 'größer', '漢字', '🙂', '🙂'.repeat(50), `x${'🙂'.repeat(50)}`, 'plain'].entries()) {
      await made(other, `w${index}`, { note });
      const stored = await other.store.list({ table: 'widget' });
      expect(String((await other.ask('GET', '/v1/widgets')).body)).to.satisfy((body: string) =>
        body.startsWith(`{"items":[${stored.join(',')}],"`),
      );
      const last = parsed(await other.ask('GET', '/v1/widgets?sort=-createdAt&limit=1'));
      expect(last.items).to.deep.equal([JSON.parse(stored.at(-1) ?? '')]);
    }
    await other.close();
  });

  for (const [query, message] of [
    ['filter=nothing = %27x%27', 'There is no field nothing of widget; there is id, projectId, name'],
    ['filter=password is null', 'no field password'],
    ['filter=note.x = 1', 'no parts'],
    ['filter=shelf = 1', 'has(shelf)'],
    ['filter=shelf.size = 1', 'no field size of shelf'],
    ['filter=shelf.widgets.size = 1', 'no field size of widget'],
    ['filter=has(note)', 'neither a list nor leads'],
    ['filter=sizeBytes = 5q', 'unknown unit'],
    ['filter=createdAt > %27yesterday%27', 'a time'],
    ['filter=createdAt > 5m', 'a time'],
    ['filter=sizeBytes > now', 'a whole number'],
    ['filter=name = true', 'a text'],
    ['note=x', 'note is no parameter'],
    ['filter=sizeBytes = %27x%27', 'a whole number'],
    ['filter=sizeBytes =', 'its end'],
    ['filter=name like %27a', 'cannot be read'],
    ['filter=(name = %27a%27', 'its end'],
    ['filter=name %3D %27a%27 name', 'and, or, or the end'],
    [`filter=${'('.repeat(40)}`, 'nested'],
    [`filter=${'x'.repeat(5000)}`, 'longer'],
    ['filter=', 'a field'],
    ['sort=shelf', 'sort'],
    ['sort=stateReason', 'sort'],
    ['fields=size', 'fields'],
    ['groupBy=nothing', 'groupBy'],
    ['sum=name', 'sum'],
    ['count=maybe', 'count'],
    ['limit=0', 'limit'],
    ['limit=1001', 'limit'],
    ['limit=ten', 'limit'],
    ['after=nonsense', 'after'],
    [`after=${Buffer.from('["-name","a"]').toString('base64url')}`, 'after'],
    ['sizeBytes=big', 'sizeBytes'],
    ['deleted=perhaps', 'deleted'],
  ] as const)
    it(`refuses ${query.slice(0, 40)} and says why`, async () => {
      const response = await at.ask('GET', `/v1/widgets?${query}`);
      expect(response.status).to.equal(400);
      expect(parsed(response).detail).to.include(message);
    });

  it('names a parameter that there is not', async () => {
    expect(parsed(await at.ask('GET', '/v1/widgets?note=x')).params).to.deep.include({ parameter: 'note', field: 'note' });
  });

  it('names what there is to group by, where the path has led', async () => {
    const { detail, params } = parsed(await at.ask('GET', '/v1/widgets?groupBy=shelf.nothing'));
    const { fields } = params as { readonly fields: readonly string[] };
    expect(fields).to.include('name');
    expect(detail).to.equal(`The parameter groupBy names shelf.nothing, which is no field of shelf; there is ${fields.join(', ')}.`);
    const several = parsed(await at.ask('GET', '/v1/shelves?sort=widgets.name'));
    expect(several.detail).to.equal('The parameter sort names widgets.name, but widgets leads to several widgets: only one has one value.');
  });

  it('answers any text as a filter, a cursor or a sort without a fault', () =>
    fc.assert(
      fc.asyncProperty(fc.constantFrom('filter', 'after', 'sort', 'limit', 'name'), fc.string({ unit: 'binary' }), async (name, text) => {
        const { status } = await at.ask('GET', `/v1/widgets?${name}=${encodeURIComponent(text)}`);
        expect(status).to.be.oneOf([200, 400]);
      }),
      { numRuns: 300 },
    ));
});
