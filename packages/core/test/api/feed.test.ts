import { expect } from 'chai';
import type { ApiResponse } from '../../src/kernel/index.ts';
import { inlineSqlite, SqliteEngine } from '../../src/sqlite/index.ts';
import { made, type OpenApi, openApi, parsed } from './harness.ts';
import { OTHER_PROJECT, principalOf } from './widgets.ts';

interface Seen {
  readonly id: string;
  readonly event?: string;
  readonly data?: Record<string, unknown>;
}

/** Reads events of a stream until the one wanted has come. */
async function until(response: ApiResponse, wanted: (seen: Seen) => boolean): Promise<Seen[]> {
  const seen: Seen[] = [];
  for await (const text of response.body as AsyncIterable<string>)
    for (const block of text.split('\n\n').filter((part) => part.includes('id: '))) {
      const lines = Object.fromEntries(
        block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
      );
      seen.push({ id: lines.id ?? '', ...(lines.data === undefined ? {} : { event: lines.event ?? '', data: JSON.parse(lines.data) }) });
      if (wanted(seen.at(-1) as Seen)) return seen;
    }
  return seen;
}

const isWidget = (name: string, event: string) => (seen: Seen) =>
  seen.event === event && (seen.data?.row as { name?: string })?.name === name;

describe('api: the change feed', () => {
  let at: OpenApi;
  beforeEach(async () => {
    at = await openApi({ feedRevisionsMax: 20 });
  });
  afterEach(() => at.close());

  const events = (query: string, ask: Parameters<OpenApi['ask']>[2] = {}) => at.ask('GET', `/v1/events?${query}`, ask);
  const changes = async (query: string, ask: Parameters<OpenApi['ask']>[2] = {}) =>
    parsed(await at.ask('GET', `/v1/changes?${query}`, ask));

  it('starts now, says where that is, and tells of what comes', async () => {
    await made(at, 'before');
    const response = await events('kinds=widget');
    expect(response.headers['content-type']).to.equal('text/event-stream');
    const reading = until(response, isWidget('one', 'updated'));
    await made(at, 'one');
    const seen = await reading;
    expect(seen.map((entry) => entry.event)).to.deep.equal(['cursor', 'created', 'updated']);
    expect(seen[1]?.data).to.have.all.keys('kind', 'id', 'revision', 'row');
  });

  it('resumes behind any cursor, within a revision too, each change exactly once', async () => {
    for (const name of ['one', 'two']) await made(at, name);
    const all = (await changes('after=0.0&limit=1000')).items;
    expect(all.length).to.be.greaterThan(6);
    for (const [index, { cursor }] of all.entries()) {
      expect((await changes(`after=${cursor}`)).items).to.deep.equal(all.slice(index + 1));
      if (index === all.length - 1) continue;
      const last = all.at(-1)?.cursor;
      const seen = await until(await events('', { headers: { 'last-event-id': String(cursor) } }), (entry) => entry.id === last);
      expect(seen.map((entry) => entry.id)).to.deep.equal(all.slice(index + 1).map((entry) => entry.cursor));
    }
  });

  it('pages by any limit to the same whole', async () => {
    for (const name of ['one', 'two']) await made(at, name);
    const whole = (await changes('after=0.0&limit=1000')).items;
    for (const limit of [1, 2, 3, 7]) {
      const seen: unknown[] = [];
      for (let next = '0.0'; ; ) {
        const page = await changes(`after=${next}&limit=${limit}`);
        if (page.items.length === 0) break;
        seen.push(...page.items);
        next = String(page.next);
      }
      expect(seen).to.deep.equal(whole);
    }
  });

  it('waits for the first change of a long poll, and answers none when the time is over', async () => {
    const { next, items } = await changes('');
    expect(items).to.deep.equal([]);
    const waiting = changes(`after=${next}&waitSeconds=60&kinds=widget`);
    await made(at, 'one');
    expect((await waiting).items[0]).to.include({ kind: 'widget', type: 'created' });
    const startedMs = performance.now();
    const idle = await changes(`after=${(await changes('')).next}&waitSeconds=1`);
    expect(idle.items).to.deep.equal([]);
    expect(performance.now() - startedMs).to.be.at.least(900);
  });

  it('answers 410 for a cursor whose changes are dropped, and for one of another history', async () => {
    for (let index = 0; index < 30; index += 1) await made(at, `w${index}`);
    const { oldest, newest } = await at.store.bounds();
    expect(newest - oldest).to.be.lessThan(25);
    for (const path of ['changes', 'events']) {
      const old = await at.ask('GET', `/v1/${path}?after=1.0`);
      expect([old.status, parsed(old).code]).to.deep.equal([410, 'gone']);
      expect(parsed(old).detail).to.equal('The cursor is older than what is kept. List again and watch from there.');
      const future = await at.ask('GET', `/v1/${path}?after=${newest + 1000}.0`);
      expect([future.status, parsed(future).code]).to.deep.equal([410, 'gone']);
      expect(parsed(future).detail).to.match(/^The cursor is ahead of everything that happened: it is of another history\./);
    }
    expect((await at.ask('GET', `/v1/changes?after=${oldest}.0`)).status).to.equal(200);
    expect((await at.ask('GET', '/v1/changes?after=now')).status).to.equal(400);
  });

  it('answers 410 for a cursor from before a restore, also when as much has happened again', async () => {
    const engine = new SqliteEngine({ path: ':memory:', incarnation: 'one' });
    const first = await openApi({ store: inlineSqlite(engine) });
    await made(first, 'one');
    const cursor = String(parsed(await first.ask('GET', '/v1/changes')).next);
    expect((await first.ask('GET', `/v1/changes?after=${cursor}`)).status).to.equal(200);
    await first.close();
    const second = await openApi({ store: Object.assign(inlineSqlite(engine), { incarnation: 'two' }) });
    await made(second, 'two');
    for (const path of ['changes', 'events']) {
      const answer = await second.ask('GET', `/v1/${path}?after=${cursor}`);
      expect([answer.status, parsed(answer).code]).to.deep.equal([410, 'gone']);
      expect(parsed(answer).detail).to.equal(
        'The cursor is of another history: the store was restored from a backup since. List again and watch from there.',
      );
    }
    await second.close();
  });

  it('shows tenants their own rows, and those of the cloud to who may see them', async () => {
    await made(at, 'mine');
    await at.ask('POST', '/v1/shelves', { body: { name: 'shelf' }, headers: { prefer: 'wait=60' } });
    const tenant = principalOf(undefined, (permission) => !['shelf.read', 'project.any'].includes(permission));
    const kinds = async (principal: ReturnType<typeof principalOf>) =>
      [...new Set((await changes('after=0.0&limit=1000', { principal })).items.map((entry) => entry.kind))].sort();
    expect(await kinds(principalOf())).to.deep.equal(['operation', 'shelf', 'widget']);
    expect(await kinds(tenant)).to.deep.equal(['operation', 'widget']);
    expect(await kinds(principalOf(OTHER_PROJECT, (permission) => !['shelf.read', 'project.any'].includes(permission)))).to.deep.equal([]);
    expect(await kinds(principalOf(undefined, (permission) => permission === 'widget.read'))).to.deep.equal(['widget']);
    expect((await at.ask('GET', '/v1/events', { principal: principalOf(undefined, () => false) })).status).to.equal(403);
    expect((await at.ask('GET', '/v1/events?kinds=gadget')).status).to.equal(400);
  });

  it('reads the store once for any number of readers', async () => {
    const ids = Array.from({ length: 50 }, (_, index) => `w${index}`);
    const readers = await Promise.all(ids.map(() => events('kinds=widget')));
    let reads = 0;
    const { changes: read } = at.store;
    Object.assign(at.store, {
      changes: (...args: Parameters<typeof read>) => {
        reads += 1;
        return read.apply(at.store, args);
      },
    });
    const reading = readers.map((response) => until(response, isWidget('last', 'updated')));
    await new Promise((resolve) => setTimeout(resolve, 20));
    reads = 0;
    for (const name of ['first', 'last']) await made(at, name);
    const all = await Promise.all(reading);
    for (const seen of all) expect(seen.map((entry) => entry.event)).to.deep.equal(['cursor', 'created', 'updated', 'created', 'updated']);
    expect(reads).to.be.lessThan(10);
  });

  it('lets a slow reader catch up from the store', async () => {
    const slow = (await events('kinds=widget')).body as AsyncIterable<string>;
    const reader = slow[Symbol.asyncIterator]();
    const fast = until(await events('kinds=widget'), isWidget('w3', 'updated'));
    await reader.next();
    for (let index = 0; index < 4; index += 1) await made(at, `w${index}`);
    await fast;
    let text = '';
    while (!text.includes('"name":"w3"')) text += (await reader.next()).value;
    expect(text.match(/event: created/g)).to.have.length(4);
  });

  it('ends streams when the server stops, and when the caller goes', async () => {
    const abort = new AbortController();
    const left = until(await events('', { signal: abort.signal }), () => false);
    abort.abort();
    await left;
    const stopped = until(await events(''), () => false);
    at.api.stop();
    expect((await stopped).at(0)?.event).to.equal('cursor');
  });

  it('goes on across a restart where it stopped', async () => {
    const engine = new SqliteEngine({ path: ':memory:', incarnation: 'one' });
    const first = await openApi({ store: inlineSqlite(engine) });
    const from = String(parsed(await first.ask('GET', '/v1/changes')).next);
    await made(first, 'one');
    const seen = parsed(await first.ask('GET', `/v1/changes?after=${from}&kinds=widget`)).items;
    await first.close();
    const second = await openApi({ store: inlineSqlite(engine) });
    await made(second, 'two');
    const all = parsed(await second.ask('GET', `/v1/changes?after=${from}&kinds=widget`)).items;
    expect(all.slice(0, seen.length)).to.deep.equal(seen);
    const resumed = await until(
      await second.ask('GET', '/v1/events?kinds=widget', { headers: { 'last-event-id': String(seen.at(-1)?.cursor) } }),
      isWidget('two', 'updated'),
    );
    expect(resumed.map((entry) => entry.id)).to.deep.equal(all.slice(seen.length).map((entry) => entry.cursor));
    await second.close();
  });
});
