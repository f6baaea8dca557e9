import { type CommitResult, type Store, StoreError } from '@pileus/core/kernel';
import { expect } from 'chai';
import { FIRST } from '../../../core/test/sqlite/child/schema.ts';
import { openPostgres } from '../../src/postgres/index.ts';
import { eventually } from '../server.ts';
import { TestCluster } from './cluster.ts';
import type { Wire } from './wire.ts';

const AT = '2030-01-01T00:00:00.000Z';
const WRITERS = 16;
const CUTS = 60;
const NEVER = new Promise<void>(() => undefined);

type Told = CommitResult | StoreError;

describe('the store on PostgreSQL, when things go wrong', function () {
  this.timeout(300_000);
  let cluster: TestCluster;
  let url: string;
  let wire: Wire;
  let store: Store;
  before(async () => {
    cluster = await TestCluster.start();
  });
  after(() => cluster.stop());
  beforeEach(async () => {
    url = cluster.unused();
    wire = await cluster.wire();
    store = await openPostgres({ url: wire.url(url) }, cluster.environment);
    await store.prepare(FIRST);
  });
  afterEach(async () => {
    await store.close();
    await wire.close();
    await cluster.drop(url);
  });

  const machine = (id: string) => ({ op: 'insert', table: 'machine', row: { id, name: id } }) as const;
  /** Two rows and a counter: a part of it would show. */
  const pair = (id: string) => [machine(id), machine(`${id}-twin`), { op: 'adjust', counter: 'pairs', by: 1 }] as const;
  const commit = (id: string, at = store): Promise<Told> =>
    at.commit({ node: 'n', epoch: at.epoch, at: AT, statements: pair(id) }).catch((error) => error as StoreError);

  /** As the kernel does: again until the outcome is known. */
  async function insist(id: string): Promise<'done' | 'landed'> {
    for (let unknown = false; ; ) {
      const told = await commit(id);
      if (!(told instanceof StoreError)) {
        if (told.ok) return 'done';
        expect([told.reason, unknown], id).to.deep.equal(['exists', true]);
        return 'landed';
      }
      unknown ||= told.outcome === 'unknown';
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Commits this, and answers which connection has done it: the one that listens for news may say something at any time. */
  async function writer(id: string): Promise<object> {
    let last: object = {};
    wire.until = (message, connection) => {
      if (message.includes(`${id}-twin`)) last = connection;
      return undefined;
    };
    await insist(id);
    wire.until = () => undefined;
    return last;
  }

  async function expectWhole(acknowledged: readonly string[]): Promise<void> {
    for (const id of acknowledged) expect(await store.read('machine', `${id}-twin`), id).to.not.equal(undefined);
    const rows = await store.count({ table: 'machine' });
    expect(rows).to.equal(2 * Number((await store.counter('pairs'))?.value ?? 0));
    const changes = await store.changes(0, 1e9);
    expect(changes).to.have.length(rows);
    expect(changes.map(({ revision }) => revision)).to.deep.equal(Array.from({ length: rows }, (_, index) => 1 + Math.floor(index / 2)));
  }

  it('calls a commit unknown whose acknowledgement is lost, and trying again finds that it has landed', async () => {
    const writes = await writer('first');
    // The question is answered, the write is not.
    let messages = 0;
    wire.until = (_message, connection) => {
      if (connection !== writes) return undefined;
      messages += 1;
      if (messages !== 2) return undefined;
      wire.deaf = true;
      setTimeout(() => wire.cut(), 300);
      return undefined;
    };
    const told = await commit('lost');
    expect(told).to.be.instanceOf(StoreError).and.have.property('outcome', 'unknown');
    wire.deaf = false;
    wire.until = () => undefined;
    expect(await commit('lost')).to.deep.equal({ ok: false, statement: 0, reason: 'exists', fields: ['id'] });
    await expectWhole(['first', 'lost']);
  });

  it('calls a commit unchanged that was never sent', async () => {
    await commit('first');
    wire.open = false;
    wire.cut();
    for (const id of ['lost', 'refused'])
      expect(await commit(id))
        .to.be.instanceOf(StoreError)
        .and.have.property('outcome', 'unchanged');
    wire.open = true;
    expect(await insist('last')).to.equal('done');
    await expectWhole(['first', 'last']);
    expect(await store.count({ table: 'machine' })).to.equal(4);
  });

  it('does each commit once and whole while its connections are cut again and again', async () => {
    const ended: string[] = [];
    let cuts = 0;
    const outcomes = new Set<string>();
    const cutting = (async () => {
      let pace = 1;
      for (; cuts < CUTS; cuts += 1) {
        await new Promise((resolve) => setTimeout(resolve, pace * (20 + 60 * Math.random())));
        // A busy machine needs longer for a whole commit: some are to end undisturbed.
        if (!outcomes.has('done')) pace *= 1.2;
        wire.cut();
      }
    })();
    await Promise.all(
      Array.from({ length: WRITERS }, async (_, writer) => {
        for (let number = 0; cuts < CUTS; number += 1) {
          const id = `w${writer}-${number}`;
          outcomes.add(await insist(id));
          ended.push(id);
          expect(await store.read('machine', id)).to.not.equal(undefined);
        }
      }),
    );
    await cutting;
    expect(outcomes).to.include('done');
    await expectWhole(ended);
  });

  it('loses nothing that it has acknowledged when the server loses its power, and goes on when that is back', async () => {
    const acknowledged: string[] = [];
    let next = 0;
    let over = false;
    const writers = Array.from({ length: WRITERS }, async () => {
      while (!over) {
        next += 1;
        const id = `m${next}`;
        await insist(id);
        acknowledged.push(id);
      }
    });
    for (let round = 1; round <= 3; round += 1) {
      const enough = acknowledged.length + 20 + 30 * round;
      await eventually(() => acknowledged.length >= enough, 120_000);
      await cluster.server.down('SIGKILL');
      await cluster.server.up();
      await expectRecent();
    }
    over = true;
    await Promise.all(writers);
    await expectWhole(acknowledged);

    async function expectRecent(): Promise<void> {
      for (const id of acknowledged.slice(-20)) expect(await store.read('machine', `${id}-twin`), id).to.not.equal(undefined);
    }
  });

  it('answers reads that were asked while the server restarts', async () => {
    await insist('a');
    await cluster.server.down('SIGINT');
    const reads = Promise.all(Array.from({ length: 50 }, () => store.read('machine', 'a')));
    await new Promise((resolve) => setTimeout(resolve, 100));
    await cluster.server.up();
    for (const row of await reads) expect(row).to.include('"id":"a"');
    expect(await insist('b')).to.equal('done');
  });

  it('answers reads that were asked while the server lets nobody in', async () => {
    await insist('a');
    const admits = (value: boolean) => cluster.sql(`ALTER DATABASE german ALLOW_CONNECTIONS ${value}`, 'postgres');
    await admits(false);
    wire.cut();
    const reads = Promise.all(Array.from({ length: 50 }, () => store.read('machine', 'a')));
    await new Promise((resolve) => setTimeout(resolve, 100));
    await admits(true);
    for (const row of await reads) expect(row).to.include('"id":"a"');
  });

  it('answers a read as unavailable that has waited for too long', async () => {
    const { clock } = cluster.environment;
    let speed = 1;
    const hasty = { nowMs: () => clock.nowMs(), monotonicMs: () => speed * clock.monotonicMs() };
    const other = await openPostgres({ url: wire.url(url) }, { ...cluster.environment, clock: hasty });
    await other.prepare(FIRST);
    speed = 500;
    wire.open = false;
    wire.cut();
    expect(await other.read('machine', 'a').catch((error) => error)).to.include({ name: 'CloudError', code: 'unavailable' });
    await other.close();
  });

  /** What the server refuses though the store does not: somebody has added a rule of his own. */
  async function constrain(): Promise<void> {
    const schema = new URLSearchParams(url.split('?')[1]).get('schema');
    await cluster.sql(`ALTER TABLE ${schema}.machine ADD CONSTRAINT of_somebody CHECK (zone <> 'refused')`);
  }

  it('refuses what the server does not take, alone, and says that nothing has changed', async () => {
    await constrain();
    const told = await Promise.all([
      commit('good-1'),
      store
        .commit({
          node: 'n',
          epoch: store.epoch,
          at: AT,
          statements: [machine('big'), { op: 'update', table: 'machine', key: 'big', set: { zone: 'refused' } }],
        })
        .catch((error) => error as StoreError),
      commit('good-2'),
    ]);
    expect(told.map((each) => (each instanceof StoreError ? each.outcome : each.ok))).to.deep.equal([true, 'unchanged', true]);
    expect((told[1] as StoreError).message).to.match(/of_somebody/);
    expect(await store.read('machine', 'big')).to.equal(undefined);
    await expectWhole(['good-1', 'good-2']);
  });

  it('tells a refusal from the end of a connection in whatever language the server speaks', async () => {
    wire.answer = (message) => Buffer.from(message.toString('latin1').replaceAll('SERROR\0', 'SFEHLR\0'), 'latin1');
    wire.cut();
    const writes = await writer('good');
    await constrain();
    const statements = [{ op: 'insert', table: 'machine', row: { id: 'big', zone: 'refused' } }] as const;
    const told = await store.commit({ node: 'n', epoch: store.epoch, at: AT, statements }).catch((error) => error as StoreError);
    expect(told).to.be.instanceOf(StoreError).and.have.property('outcome', 'unchanged');
    // The server's last words before it ends the connection are no refusal.
    let messages = 0;
    wire.until = (_message, connection) => {
      if (connection !== writes) return undefined;
      messages += 1;
      if (messages !== 2) return undefined;
      void cluster.sql('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()');
      return NEVER;
    };
    expect(await commit('cut off'))
      .to.be.instanceOf(StoreError)
      .and.have.property('outcome', 'unknown');
  });

  it('fences off what an earlier opening has under way, even when it arrives late', async () => {
    const writes = await writer('before');
    // The question passes, the write is on its way for a while.
    let messages = 0;
    const arrival = Promise.withResolvers<void>();
    wire.until = (_message, connection) => {
      if (connection !== writes) return undefined;
      messages += 1;
      return messages === 2 ? arrival.promise : undefined;
    };
    const late = commit('late');
    await eventually(() => messages >= 2);
    const next = await openPostgres({ url }, cluster.environment);
    await next.prepare(FIRST);
    expect(next.epoch).to.equal(store.epoch + 1);
    expect(await commit('new', next)).to.include({ ok: true });
    arrival.resolve();
    expect(await late).to.deep.equal({ ok: false, statement: -1, reason: 'fenced' });
    expect(await commit('later')).to.include({ reason: 'fenced' });
    expect(await next.read('machine', 'late')).to.equal(undefined);
    await next.close();
  });

  it('looks for another server when its own becomes a standby', async () => {
    await insist('before');
    const readOnly = async (value: string) => {
      await cluster.sql(`ALTER SYSTEM SET default_transaction_read_only = ${value}`);
      await cluster.sql('SELECT pg_reload_conf()');
    };
    await readOnly('on');
    // The connection that it has finds out by a write, each new one at once.
    const written: string[] = [];
    let told: Told = { ok: true, revision: 0 };
    await eventually(async () => {
      told = await commit(`w${written.length}`);
      if (told instanceof StoreError) return true;
      written.push(`w${written.length}`);
      return false;
    });
    expect(told).to.have.property('outcome', 'unchanged');
    wire.cut();
    // That its connection is gone is found out first.
    await commit('lost');
    expect(await commit('meanwhile'))
      .to.be.instanceOf(StoreError)
      .and.include({ outcome: 'unchanged' })
      .and.have.property('message')
      .that.includes('standby');
    let isRead = false;
    const reading = store.read('machine', 'before').finally(() => {
      isRead = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(isRead, 'what a standby answers may be old').to.equal(false);
    await readOnly('off');
    expect(await reading).to.include('"id":"before"');
    expect(await insist('after')).to.equal('done');
    await expectWhole(['before', ...written, 'after']);
  });

  it('is closed though the server does not answer any more', async () => {
    await insist('before');
    wire.frozen = true;
    await store.close();
  });

  it('is closed though it waits for news from a server that does not answer any more', async () => {
    wire.until = (message) => {
      wire.frozen ||= message.includes('LISTEN');
      return undefined;
    };
    wire.cut();
    await eventually(() => wire.frozen);
    await store.close();
  });

  it('is closed while the server is away', async () => {
    wire.open = false;
    wire.cut();
    const reading = store.read('machine', 'a').catch((error) => error as Error);
    const writing = commit('a');
    await store.close();
    expect(await reading).to.be.instanceOf(StoreError);
    expect(await writing).to.be.instanceOf(StoreError);
  });
});
