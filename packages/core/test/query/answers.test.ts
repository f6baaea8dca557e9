import { expect } from 'chai';
import { Lists } from '../../src/kernel/api/list.ts';
import type { ListQuery, Statement, Store } from '../../src/kernel/index.ts';
import { compileOwn } from '../../src/kernel/query/compile.ts';
import { parseFilter } from '../../src/kernel/query/parser.ts';
import { made, type OpenApi, openApi, parsed } from '../api/harness.ts';
import { OTHER_PROJECT, principalOf, shelf } from '../api/widgets.ts';

describe('queries: what is answered', () => {
  let at: OpenApi;
  let shelves: readonly string[];
  beforeEach(async () => {
    at = await openApi();
    shelves = [];
    for (const name of ['low', 'high']) {
      const response = await at.ask('POST', '/v1/shelves', { body: { name }, headers: { prefer: 'wait=60' } });
      shelves = [...shelves, parsed(response).resourceId as string];
    }
    for (let index = 0; index < 9; index += 1)
      await made(at, `w${index}`, { sizeBytes: 1 + index, note: `note ${index % 3}`, ...(index < 6 ? { shelf: shelves[index % 2] } : {}) });
  });
  afterEach(() => at.close());

  const list = async (query: Record<string, string>, principal = principalOf()) =>
    parsed(await at.ask('GET', `/v1/widgets?${new URLSearchParams(query)}`, { principal }));
  const ask = (body: unknown, principal = principalOf()) => at.ask('POST', '/v1/widgets/query', { body, principal });
  const names = ({ items }: { readonly items: readonly Record<string, unknown>[] }) => items.map(({ name }) => name);

  it('is the same for a text, for JSON, and for texts in JSON', async () => {
    const where = {
      and: [
        { field: 'note', op: '!=', value: 'note 0' },
        { has: 'shelf', where: { field: 'name', op: '=', value: 'low' } },
      ],
    };
    const text = "note != 'note 0' and has(shelf: name = 'low')";
    expect(names(await list({ filter: text }))).to.deep.equal(['w2', 'w4']);
    expect(names(parsed(await ask({ where })))).to.deep.equal(['w2', 'w4']);
    expect(names(parsed(await ask({ where: { and: [text, 'sizeBytes < 4'] }, sort: ['-name'] })))).to.deep.equal(['w2']);
    expect(names(parsed(await ask(undefined)))).to.have.length(9);
    const shelvesOf = parsed(
      await at.ask('GET', `/v1/shelves?filter=${encodeURIComponent("widgets.note = 'note 0' and not has(widgets: name = 'w0')")}`),
    );
    expect(names(shelvesOf)).to.deep.equal(['high']);
  });

  it('names the values of a field that nothing can equal what was asked for, and where else the slip is', async () => {
    for (const [filter, field] of [
      ["state = 'run'", 'state'],
      ["not (state != 'Still')", 'state'],
      ["name = 'w0' or state in ('still', 'gone')", 'state'],
      ["shelf.state = ''", 'shelf.state'],
    ] as const) {
      const refused = parsed(await at.ask('GET', `/v1/widgets?${new URLSearchParams({ filter })}`));
      expect(refused, filter).to.include({ code: 'invalid_input' });
      expect(refused.params, filter).to.deep.include({ parameter: 'filter', field });
      expect(String(refused.detail), filter).to.include(`compares ${field} with `);
    }
    const { code, detail, params } = parsed(await ask({ where: { field: 'state', op: 'not in', value: ['run'] } }));
    const { values } = params as { readonly values: readonly string[] };
    expect([code, detail]).to.deep.equal(['invalid_input', `The filter compares state with "run"; it is one of ${values.join(', ')}.`]);
    expect(values).to.include.members(['still', 'spinning', 'deleted']);
    const color = parsed(await at.ask('GET', `/v1/widgets?${new URLSearchParams({ filter: "color = 'blue'" })}`));
    expect(color.params).to.deep.include({ field: 'color', values: ['red', 'green'] });
    const parameter = parsed(await at.ask('GET', '/v1/widgets?state=run&state=still'));
    expect(parameter).to.deep.include({ code: 'invalid_input', params: { parameter: 'state' } });
    expect(parameter.detail).to.equal(`The parameter state is one of ${values.join(', ')}.`);
    // What is like a value, or before it, is another question.
    expect(names(await list({ filter: "state like 'st%' and color is null and state > 'a'" }))).to.have.length(9);
  });

  it('is a read: it needs no key and makes no operation', async () => {
    const before = parsed(await at.ask('GET', '/v1/operations?count=true&limit=0')).count;
    expect((await ask({ where: "name = 'w0'" })).status).to.equal(200);
    expect(parsed(await at.ask('GET', '/v1/operations?count=true&limit=0')).count).to.equal(before);
  });

  it('goes on behind the last row, whatever comes and goes meanwhile', async () => {
    const sort = '-note,sizeBytes';
    const seen: unknown[] = [];
    let after: unknown;
    for (let page = 0; after !== undefined || page === 0; page += 1) {
      const answer = await list({ sort, limit: '2', ...(after === undefined ? {} : { after: String(after) }) });
      seen.push(...names(answer));
      after = answer.next;
      // One before and one behind the place, and one that goes.
      await made(at, `early-${page}`, { sizeBytes: 1, note: 'note 9' });
      if (page === 0) await at.ask('DELETE', '/v1/widgets/w6', { headers: { prefer: 'wait=60' } });
    }
    expect(seen).to.deep.equal(['w2', 'w5', 'w8', 'w1', 'w4', 'w7', 'w0', 'w3']);
  });

  it('says where to watch from: what comes after the list, and all of it', async () => {
    const { cursor } = await list({});
    expect(parsed(await at.ask('GET', `/v1/changes?after=${cursor}&kinds=widget`)).items).to.deep.equal([]);
    await made(at, 'later');
    const changes = parsed(await at.ask('GET', `/v1/changes?after=${cursor}&kinds=widget`)).items;
    expect(changes.map((change) => (change.row as { readonly name: string }).name)).to.include('later');
    expect(changes[0]?.type).to.equal('created');
    const grouped = await list({ groupBy: 'note' });
    expect(grouped.cursor).to.be.a('string');
  });

  it('adds up exactly, by groups and at once', async () => {
    const sizeBytes = Number.MAX_SAFE_INTEGER - 1000;
    await made(at, 'huge', { sizeBytes, note: 'note 2', shiny: true });
    const { items, groups } = await list({ groupBy: 'note', sum: 'sizeBytes', max: 'name,shiny', filter: "note in ('note 1', 'note 2')" });
    expect(items).to.deep.equal([]);
    expect(groups).to.deep.equal([
      { by: { note: 'note 1' }, count: 3, sum: { sizeBytes: '15' }, max: { name: 'w7', shiny: null } },
      {
        by: { note: 'note 2' },
        count: 4,
        sum: { sizeBytes: String(sizeBytes + 18) },
        max: { name: 'w8', shiny: true },
      },
    ]);
    expect(await list({ groupBy: 'note', limit: '2' })).to.deep.include({ moreGroups: true });
    expect((await list({ sum: 'sizeBytes', filter: "name like 'w%'" })).groups).to.deep.equal([
      { by: {}, count: 9, sum: { sizeBytes: '45' } },
    ]);
    expect(await list({ count: 'true', limit: '0', filter: 'sizeBytes > 7' })).to.deep.include({ items: [], count: 3 });
  });

  it('is sorted and grouped along references, page by page', async () => {
    const seen: unknown[] = [];
    let after: unknown;
    do {
      const answer = await list({ sort: 'shelf.name,-sizeBytes', limit: '2', ...(after === undefined ? {} : { after: String(after) }) });
      seen.push(...names(answer));
      after = answer.next;
      await made(at, `early-${seen.length}`, { sizeBytes: 100 });
    } while (after !== undefined);
    expect(seen).to.deep.equal(['w8', 'w7', 'w6', 'w5', 'w3', 'w1', 'w4', 'w2', 'w0']);
    const answer = await list({ groupBy: 'shelf.name', sum: 'sizeBytes', min: 'shelf.createdAt', filter: "name like 'w%'" });
    const groups = answer.groups as readonly Readonly<Record<string, Readonly<Record<string, unknown>>>>[];
    expect(groups.map(({ by, count, sum }) => [by, count, sum])).to.deep.equal([
      [{ 'shelf.name': null }, 3, { sizeBytes: '24' }],
      [{ 'shelf.name': 'high' }, 3, { sizeBytes: '12' }],
      [{ 'shelf.name': 'low' }, 3, { sizeBytes: '9' }],
    ]);
    expect(groups.map(({ min }) => typeof min?.['shelf.createdAt'])).to.deep.equal(['object', 'string', 'string']);
  });

  it('is gone on with where a page ended, though what it is sorted by was changed right behind it', async () => {
    const write = (statement: Statement) =>
      at.store.commit({ ...{ node: 'n', epoch: at.store.epoch, at: '2030-01-01T00:00:00.000Z' }, statements: [statement] });
    const renamed = new Proxy(at.store, {
      get: (store, method: keyof Store) => {
        if (method !== 'list' && method !== 'placed') return (store[method] as () => unknown).bind(store);
        return async (query: ListQuery) => {
          const rows = await (store[method] as (query: ListQuery) => Promise<unknown>)(query);
          await write({ op: 'update', table: 'shelf', key: shelves[1] ?? '', set: { name: 'zenith' } });
          return rows;
        };
      },
    });
    const clock = { nowMs: () => 0, monotonicMs: () => 0 };
    const lists = new Lists({ registry: at.kernel.registry, store: renamed, clock, place: () => '' });
    const page = async (query: Record<string, string>) => {
      const asked = new URLSearchParams({ sort: 'shelf.name', limit: '4', ...query });
      return JSON.parse(Buffer.from(await lists.page(at.kernel.registry.kind('widget'), principalOf(), asked)).toString());
    };
    const first = await page({});
    expect(names(first)).to.deep.equal(['w6', 'w7', 'w8', 'w1']);
    // They stand on another shelf now, by its name: nobody on the one before it is passed over.
    expect(names(await page({ after: first.next }))).to.deep.equal(['w0', 'w2', 'w4', 'w1']);
  });

  it('tells which index it went without, and goes without none where there are too many rows', async () => {
    expect((await list({ filter: "note = 'note 1'" })).unindexed).to.deep.equal(['widget.note']);
    expect((await list({ filter: "note = 'note 1' and sizeBytes > 2" })).unindexed).to.equal(undefined);
    expect((await list({ sort: 'note' })).unindexed).to.deep.equal(['widget.note']);
    expect((await list({ sort: 'shelf.name' })).unindexed).to.deep.equal(['widget.shelf.name']);
    expect((await list({ groupBy: 'note' })).unindexed).to.deep.equal(['widget.note']);
    const lists = new Lists({
      registry: at.kernel.registry,
      store: at.store,
      clock: { nowMs: () => 0, monotonicMs: () => 0 },
      place: () => '',
      rowsMax: 5,
    });
    const page = (query: Record<string, string>) =>
      lists.page(at.kernel.registry.kind('widget'), principalOf(), new URLSearchParams(query)).then(
        (bytes) => names(JSON.parse(Buffer.from(bytes).toString())),
        ({ code, params }) => [code, params?.fields],
      );
    const wants = (...fields: readonly string[]) => ['needs_index', fields];
    expect(await page({ filter: "note = 'note 1'" })).to.deep.equal(wants('widget.note'));
    expect(await page({ filter: "note like '%1' or name = 'w0'" })).to.deep.equal(wants('widget.note'));
    expect(await page({ filter: "not (name = 'w0')" })).to.deep.equal(wants('widget.name'));
    expect(await page({ sort: '-note' })).to.deep.equal(wants('widget.note'));
    expect(await page({ groupBy: 'note' })).to.deep.equal(wants('widget.note'));
    expect(await page({ filter: "note = 'note 1' and sizeBytes < 6" })).to.deep.equal(['w1', 'w4']);
    expect(await page({ filter: "note = 'note 1' and shelf.name = 'low'" })).to.deep.equal(['w4']);
    expect(await page({ sort: 'name', limit: '1' })).to.deep.equal(['w0']);
    expect(await page({ sort: '-sizeBytes', limit: '1' })).to.deep.equal(['w8']);
    // One widget leads to all that stand on its shelf, and there are few of those; more would be too many.
    expect(await page({ filter: "name = 'w0' and shelf.widgets.note = 'note 2'" })).to.deep.equal(['w0']);
    for (const name of ['w6', 'w7', 'w8', 'w1', 'w3'])
      await at.store.commit({
        ...{ node: 'n', epoch: at.store.epoch, at: '2030-01-01T00:00:00.000Z' },
        statements: [
          { op: 'update', table: 'widget', key: String((await list({ name })).items[0]?.id), set: { shelfId: shelves[0] ?? '' } },
        ],
      });
    expect(await page({ filter: "name = 'w0' and shelf.widgets.note = 'note 2'" })).to.deep.equal(wants('widget.note'));
    expect(await page({ filter: "name = 'w0' and not has(shelf.widgets: note = 'x' or sizeBytes = 1)" })).to.deep.equal(
      wants('widget.note'),
    );
    expect(await page({ filter: "name = 'w0' and shelf.widgets.sizeBytes = 2" })).to.deep.equal(['w0']);
    // There are two shelves: what is asked of them needs no index, and leads here by one.
    expect(await page({ filter: "shelf.createdAt > '2020-01-01' and note = 'note 0'", limit: '1' })).to.deep.equal(wants('widget.note'));
  });

  it('is of what the caller sees, at every step', async () => {
    const stranger = principalOf(OTHER_PROJECT);
    expect(names(await list({ filter: "shelf.widgets.name = 'w0'" }))).to.deep.equal(['w0', 'w2', 'w4']);
    expect(names(await list({ filter: 'name is not null' }, stranger))).to.deep.equal([]);
    const own = parsed(await at.ask('GET', `/v1/shelves?filter=${encodeURIComponent('has(widgets)')}`, { principal: stranger }));
    expect(own.items).to.deep.equal([]);
    expect(await list({ count: 'true', groupBy: 'note' }, stranger)).to.deep.include({ groups: [] });
    const blind = principalOf(undefined, (permission) => permission !== 'shelf.read');
    const refused = await at.ask('GET', `/v1/widgets?filter=${encodeURIComponent("shelf.name = 'low'")}`, { principal: blind });
    expect([refused.status, parsed(refused).params]).to.deep.equal([403, { permission: 'shelf.read' }]);
    for (const asked of ['sort=shelf.name', 'groupBy=shelf.name', 'max=shelf.name'])
      expect((await at.ask('GET', `/v1/widgets?${asked}`, { principal: blind })).status, asked).to.equal(403);
    expect(
      (
        await ask(
          { where: { has: 'shelf' } },
          principalOf(undefined, (permission) => permission === 'shelf.read'),
        )
      ).status,
    ).to.equal(403);
  });
});

describe('queries: what is refused, and what stays a value', () => {
  let at: OpenApi;
  before(async () => {
    at = await openApi();
    await made(at, 'w0', { note: 'kept' });
  });
  after(() => at.close());

  const INJECTIONS = [
    "'; DROP TABLE widget; --",
    "' OR '1'='1",
    '" OR ""="',
    "x') UNION SELECT _row FROM widget --",
    '$.note',
    '`id`',
    '__proto__',
    'constructor',
    'constructor.constructor',
    "note') --",
    'a"b',
    "a'b",
    '\0',
    'j1._row',
    'json_extract(_row,0)',
  ];

  it('takes values as values, and names only for fields that there are', async () => {
    for (const text of INJECTIONS) {
      const quoted = `'${text.replaceAll("'", "''")}'`;
      const asValue = parsed(
        await at.ask('GET', `/v1/widgets?${new URLSearchParams({ filter: `note = ${quoted} or note like ${quoted}` })}`),
      );
      expect(asValue.items, text).to.deep.equal([]);
      const inBody = await at.ask('POST', '/v1/widgets/query', { body: { where: { field: 'note', op: 'in', value: [text] } } });
      expect(parsed(inBody).items, text).to.deep.equal([]);
      for (const parameter of ['filter', 'sort', 'fields', 'groupBy', 'sum', 'max', 'after', 'limit', text]) {
        const asked = await at.ask('GET', `/v1/widgets?${new URLSearchParams({ [parameter]: text })}`);
        expect(asked.status, `${parameter} ${text}`).to.equal(400);
      }
      for (const body of [
        { where: { field: text, op: 'null' } },
        { where: { has: text } },
        { sort: [text] },
        { fields: [text] },
        { groupBy: [text] },
        { [text]: 1 },
      ])
        expect((await at.ask('POST', '/v1/widgets/query', { body })).status, JSON.stringify(body)).to.equal(400);
      for (const op of [text, `= ${text}`]) {
        const body = { where: { field: 'note', op, value: 'x' } };
        expect((await at.ask('POST', '/v1/widgets/query', { body })).status, JSON.stringify(body)).to.equal(400);
      }
    }
    expect(parsed(await at.ask('GET', '/v1/widgets')).items).to.have.length(1);
  });

  for (const [body, pointer] of [
    [{ where: { field: 'note' } }, '/where/op'],
    [{ where: { field: 'note', op: 'like', value: 1 } }, '/where/value'],
    [{ where: { and: [{ not: { field: 'note', op: 'in', value: 'x' } }] } }, '/where/and/0/not/value'],
    [{ where: { field: 'note', op: '=', value: { text: 'x' } } }, '/where/value'],
    [{ where: { field: 'note', op: '=', value: 'x', also: 1 } }, '/where/also'],
    [{ where: [] }, '/where'],
    [{ limit: 1001 }, '/limit'],
    [{ sort: 1 }, '/sort'],
    [{ fields: [1] }, '/fields/0'],
    [{ count: 'yes' }, '/count'],
    [{ filter: 'x' }, '/filter'],
    [[], ''],
  ] as const)
    it(`points at what is wrong in ${JSON.stringify(body)}`, async () => {
      const response = await at.ask('POST', '/v1/widgets/query', { body });
      expect([response.status, parsed(response).pointer ?? '']).to.deep.equal([400, pointer]);
    });

  it('bounds what is asked', async () => {
    let deep: object = { field: 'note', op: 'null' };
    for (let depth = 0; depth < 200; depth += 1) deep = { not: deep };
    const wide = { or: Array.from({ length: 200 }, () => ({ field: 'note', op: 'null' })) };
    const long = { field: Array.from({ length: 50 }, () => 'shelf.widgets').join('.'), op: 'null' };
    for (const where of [deep, wide, long]) expect((await at.ask('POST', '/v1/widgets/query', { body: { where } })).status).to.equal(400);
    expect((await at.ask('POST', `/v1/${shelf.plural}/query`, { body: { limit: 1000 } })).status).to.equal(200);
  });
});

describe('queries: the grammar', () => {
  const fields = new Map([
    ['sizeBytes', { type: 'integer' }],
    ['timeoutMs', { type: 'integer' }],
    ['waitSeconds', { type: 'number' }],
    ['at', { type: 'time' }],
    ['has', { type: 'string' }],
    ['now', { type: 'boolean' }],
  ] as const);
  const compiled = (text: string) => compileOwn(parseFilter(text), fields);
  const literal = (text: string) => (compiled(text) as { readonly value?: unknown }).value;

  it('reads sizes, durations and times', () => {
    expect(literal('sizeBytes = 100GiB')).to.equal(100 * 1024 ** 3);
    expect(literal('sizeBytes = 1.5KiB')).to.equal(1536);
    expect(literal('sizeBytes = 2MB')).to.equal(2_000_000);
    expect(literal('timeoutMs = 5m')).to.equal(300_000);
    expect(literal('waitSeconds = 1500ms')).to.equal(1.5);
    expect(literal("at > '2030-01-31'")).to.equal('2030-01-31T00:00:00.000Z');
    expect(literal("at > '2030-01-31T12:00:00+02:00'")).to.equal('2030-01-31T10:00:00.000Z');
    expect(literal("at > '2032-02-29'")).to.equal('2032-02-29T00:00:00.000Z');
    expect(literal("at < '9999-12-31T23:59:59.999Z'")).to.equal('9999-12-31T23:59:59.999Z');
    expect(parseFilter('at > now-7d')).to.deep.equal({ field: 'at', op: '>', value: { nowPlusMs: -604_800_000 } });
    expect(parseFilter('at > now - 1h')).to.deep.equal(parseFilter('at > now-1h'));
    expect(parseFilter('at < now + 1.5h')).to.deep.equal({ field: 'at', op: '<', value: { nowPlusMs: 5_400_000 } });
    expect(parseFilter('at < now')).to.deep.equal({ field: 'at', op: '<', value: { nowPlusMs: 0 } });
  });

  it('takes its own words for fields where fields belong', () => {
    expect(compiled("has = 'x' and now = true")).to.deep.equal({
      and: [
        { field: 'has', op: '=', value: 'x' },
        { field: 'now', op: '=', value: true },
      ],
    });
  });

  for (const text of [
    'sizeBytes = 1m',
    "sizeBytes = '1GiB'",
    'at = 5',
    "at = '31.1.2030'",
    "at = '2030-02-29'",
    "at = '2030-04-31T12:00:00Z'",
    "at = '2030-01-31T12:00:61Z'",
    "at < '9999-12-31T23:00:00-05:00'",
    'at < now+1000000w',
    'timeoutMs = now',
    'sizeBytes = 1e99',
    'now = 1',
    'has(has)',
    'x',
    'at > now-',
    'has = 5 not',
  ])
    it(`refuses ${text}`, () => {
      expect(() => compiled(text))
        .to.throw()
        .with.property('code', 'invalid_input');
    });
});
