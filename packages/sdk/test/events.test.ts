import { expect } from 'chai';
import { isAfter } from '../src/events.ts';
import { serverSentEvents } from '../src/sse.ts';
import { type Cloud, connect } from './fixture/generated/cloud.ts';
import { type Fixture, startFixture } from './fixture/server.ts';

const FAST = { baseMs: 5, maxMs: 50 };

async function take<T>(source: AsyncIterable<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  for await (const item of source) {
    taken.push(item);
    if (taken.length === count) break;
  }
  return taken;
}

describe('sdk: events', () => {
  let fixture: Fixture;
  let cloud: Cloud;
  let made = 0;
  const begin = async (options: Parameters<typeof startFixture>[0] = {}) => {
    fixture = await startFixture(options);
    cloud = connect({ url: fixture.url, apiKey: fixture.apiKey, retry: FAST });
  };
  afterEach(() => fixture.close());
  const make = () => cloud.volumes.create({ name: `volume-${++made}`, sizeBytes: 1 }).wait();
  const streams = () => fixture.seen.filter(({ url }) => url.startsWith('/v1/events'));

  it('streams the changes of a kind, typed, from a cursor on', async () => {
    await begin();
    const first = await make();
    const changes = await take(cloud.volumes.watch({ after: '0.0' }), 2);
    expect(changes.map(({ type, row }) => [type, row.state])).to.deep.equal([
      ['created', 'creating'],
      ['updated', 'available'],
    ]);
    expect(changes[0]?.id).to.equal(first.id);
  });

  it('goes on behind the last change after each broken connection, and shows each once', async () => {
    await begin();
    for (let index = 0; index < 6; index += 1) await make();
    const straight = await take(cloud.events({ after: '0.0' }), 20);
    fixture.seen.length = 0;
    fixture.faults.plan('GET', /^\/v1\/events/, { type: 'cut' }, 2);
    fixture.faults.plan('GET', /^\/v1\/events/, { type: 'reset-before' }, 1);
    fixture.faults.plan('GET', /^\/v1\/events/, { type: 'refuse', status: 503 }, 1);
    const broken = await take(cloud.events({ after: '0.0' }), 20);
    expect(broken).to.deep.equal(straight);
    expect(streams().length).to.be.greaterThan(3);
  });

  it('survives connections that break under it while changes happen', async () => {
    await begin();
    const watched = take(cloud.volumes.watch({ after: '0.0' }), 20);
    for (let index = 0; index < 10; index += 1) {
      await make();
      if (index % 3 === 0) fixture.breakConnections();
    }
    const cursors = (await watched).map(({ cursor }) => cursor);
    expect(new Set(cursors).size).to.equal(20);
  });

  it('shows an event once that is sent twice', async () => {
    await begin();
    const event = (id: string) => `id: ${id}\nevent: updated\ndata: {"kind":"volume","id":"v","revision":${id.split('.')[0]},"row":{}}\n\n`;
    let opened = 0;
    const doubled = connect({
      transport: {
        request: async () => ({
          status: 200,
          headers: {},
          text: async () => '',
          stream: async function* () {
            opened += 1;
            yield new TextEncoder().encode(
              opened === 1 ? event('1.0') + event('1.0') + event('1.1') : event('1.1') + event('2.0') + event('10.0'),
            );
          },
        }),
      },
      retry: FAST,
    });
    expect((await take(doubled.events({ after: '0.0' }), 4)).map(({ cursor }) => cursor)).to.deep.equal(['1.0', '1.1', '2.0', '10.0']);
  });

  it('ends without an error when its signal aborts', async () => {
    await begin();
    const abort = new AbortController();
    const ended = take(cloud.events({ signal: abort.signal }), 1000);
    setTimeout(() => abort.abort(), 100);
    await ended;
  });

  it('says gone when the cursor is older than what is kept, or of another history', async () => {
    await begin({ feedRevisionsMax: 2 });
    for (let index = 0; index < 5; index += 1) await make();
    const result = await take(cloud.events({ after: '0.0' }), 1).catch((error) => error);
    expect(result).to.include({ code: 'gone', status: 410 });
    const ofOtherHistory = await take(cloud.events({ after: '3.0.00000000' }), 1).catch((error) => error);
    expect(ofOtherHistory).to.include({ code: 'gone', status: 410 });
  });

  it('follows: all rows first, then every change behind them', async () => {
    await begin();
    await make();
    const follow = cloud.volumes.follow();
    const listed = (await follow.next()).value;
    expect(listed?.type === 'listed' && listed.rows.length).to.equal(1);
    const next = follow.next();
    const second = await make();
    expect((await next).value).to.include({ type: 'created', id: second.id });
    await follow.return(undefined);
  });

  it('follows from the place that the first page of the list names, whatever happens in between', async () => {
    await begin();
    const [first] = [await make(), await make()];
    const follow = cloud.volumes.follow({ pageSize: 1 });
    const listed = (await follow.next()).value;
    expect(listed?.type === 'listed' && listed.rows.length).to.equal(2);
    expect(streams()).to.be.empty;
    const later = await make();
    await cloud.volumes.delete(first.id).wait();
    const changes = await take(follow, 4);
    expect(
      changes.map((change) => (change.type === 'listed' ? 'listed' : `${change.type} ${change.id} ${change.row.state}`)),
    ).to.deep.equal([
      `created ${later.id} creating`,
      `updated ${later.id} available`,
      `updated ${first.id} deleting`,
      `deleted ${first.id} deleted`,
    ]);
    const { cursor } = await cloud.volumes.list().page();
    expect(new URL(streams()[0]?.url ?? '', fixture.url).searchParams.get('after'))
      .to.match(/^\d+\.\d+\./)
      .and.not.equal(cursor);
  });

  it('follows every project where it lists every project', async () => {
    await begin();
    const follow = cloud.volumes.follow({ allProjects: true });
    await follow.next();
    const next = follow.next();
    await make();
    await next;
    expect(streams()[0]?.url).to.include('allProjects=true');
    await follow.return(undefined);
  });

  it('follows on with a new list when too much was missed', async () => {
    await begin({ feedRevisionsMax: 2 });
    await make();
    const follow = cloud.volumes.follow();
    expect((await follow.next()).value?.type).to.equal('listed');
    fixture.faults.plan('GET', /^\/v1\/events/, { type: 'refuse', status: 503 }, 4);
    fixture.breakConnections();
    for (let index = 0; index < 5; index += 1) await make();
    const next = (await follow.next()).value;
    expect(next?.type === 'listed' && next.rows.length).to.be.greaterThan(4);
    await follow.return(undefined);
  });

  it('refuses a feed without a key at once', async () => {
    await begin();
    const stranger = connect({ url: fixture.url, retry: FAST });
    const result = await take(stranger.events(), 1).catch((error) => error);
    expect(result.code).to.equal('unauthenticated');
  });

  it('reads server-sent events however they are cut', async () => {
    await begin();
    const text = ': hello\r\nid: 1\revent: created\ndata: {"a":\ndata: "ä"}\n\nid: 7\n\n: ping\n\ndata: cut off';
    const bytes = new TextEncoder().encode(text);
    for (let size = 1; size < 20; size += 1) {
      async function* pieces() {
        for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
      }
      const events = [];
      for await (const event of serverSentEvents(pieces())) events.push(event);
      expect(events).to.deep.equal([
        { id: '1', event: 'created', data: '{"a":\n"ä"}' },
        { id: '7', event: 'message', data: '' },
      ]);
    }
  });

  it('orders cursors by revision and number, not as text', async () => {
    await begin();
    expect(isAfter('10.0', '9.5')).to.equal(true);
    expect(isAfter('9.10', '9.9')).to.equal(true);
    expect(isAfter('9.9', '9.10')).to.equal(false);
    expect(isAfter('opaque', 'opaque')).to.equal(false);
    expect(isAfter('opaque-2', 'opaque')).to.equal(true);
  });
});
