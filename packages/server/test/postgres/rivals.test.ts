import { setTimeout as sleep } from 'node:timers/promises';
import type { Change, Store, Transaction } from '@pileus/core/kernel';
import { CommitQueue } from '@pileus/core/store';
import { expect } from 'chai';
import { FIRST } from '../../../core/test/sqlite/child/schema.ts';
import { openPostgres, targetOf } from '../../src/postgres/index.ts';
import { Link } from '../../src/postgres/link.ts';
import { OwnTables } from '../../src/postgres/own-tables.ts';
import { Session } from '../../src/postgres/session.ts';
import { catalogOf } from '../../src/postgres/table.ts';
import { Writer } from '../../src/postgres/writer.ts';
import { eventually } from '../server.ts';
import { TestCluster } from './cluster.ts';
import type { Wire } from './wire.ts';

const AT = '2030-01-01T00:00:00.000Z';
const RIVALS = 4;
const WRITERS = 32;
const WRITES = 10;

/**
 * Several writers with one epoch: more than there will be for long, and the hardest that can happen to the order of commits. Each has a connection of its own
 * that holds messages back for as long as it likes.
 */
describe('rival writers of one store on PostgreSQL', function () {
  this.timeout(300_000);
  let cluster: TestCluster;
  let url: string;
  let store: Store;
  let rivals: { readonly queue: CommitQueue<Transaction>; readonly wire: Wire; readonly link: Link }[];
  before(async () => {
    cluster = await TestCluster.start();
  });
  after(() => cluster.stop());
  beforeEach(async () => {
    url = cluster.unused();
    store = await openPostgres({ url }, cluster.environment);
    await store.prepare(FIRST);
    const own = new OwnTables(new URLSearchParams(url.split('?')[1]).get('schema') ?? '');
    const tables = catalogOf(FIRST.tables, own.schema);
    rivals = await Promise.all(
      Array.from({ length: RIVALS }, async () => {
        const wire = await cluster.wire();
        const link = new Link(targetOf({ url: wire.url(url) }).config, cluster.environment, Session.open);
        const writer = new Writer({ link, own, epoch: store.epoch, catalog: () => tables });
        const queue = new CommitQueue<Transaction>({
          keep: (transaction) => transaction,
          send: (group) => void writer.apply(group).then((outcomes) => queue.settle(outcomes)),
          onDurable: () => {},
        });
        return { queue, wire, link };
      }),
    );
  });
  afterEach(async () => {
    for (const { link, wire } of rivals) {
      await link.close();
      await wire.close();
    }
    await store.close();
    await cluster.drop(url);
  });

  const transaction = (...statements: Transaction['statements']): Transaction => ({ node: 'n', epoch: store.epoch, at: AT, statements });
  const insert = (id: string, fields: object = {}) => ({ op: 'insert', table: 'machine', row: { id, name: id, ...fields } }) as const;

  async function follow(count: number, limit: number): Promise<readonly Change[]> {
    const seen: Change[] = [];
    for (const endMs = performance.now() + 200_000; seen.length < count && performance.now() < endMs; )
      seen.push(...(await store.changes(seen.at(-1)?.revision ?? 0, limit)));
    return seen;
  }

  it('leave a feed that no reader misses a change of, or sees in another order', async () => {
    for (const { wire } of rivals) wire.until = () => (Math.random() < 0.3 ? sleep(20 * Math.random()) : undefined);
    const followers = [1, 7, 1000].map((limit) => follow(WRITERS * (WRITES + 1), limit));
    const told = await Promise.all(
      Array.from({ length: WRITERS }, async (_, number) => {
        const { queue } = rivals[number % RIVALS] as (typeof rivals)[number];
        const revisions: number[] = [];
        for (let size = 0; size <= WRITES; size += 1) {
          const statement =
            size === 0
              ? insert(`w${number}`, { size })
              : ({ op: 'update', table: 'machine', key: `w${number}`, set: { size }, expect: { size: size - 1 } } as const);
          const result = await queue.commit(transaction(statement));
          if (!result.ok) throw new Error(JSON.stringify(result));
          revisions.push(result.revision);
        }
        expect(revisions).to.deep.equal(revisions.toSorted((a, b) => a - b));
        return revisions;
      }),
    );
    const acknowledged = told.flat().toSorted((a, b) => a - b);
    expect(new Set(acknowledged).size).to.equal(acknowledged.length);
    for (const seen of await Promise.all(followers)) {
      expect(seen.map(({ revision }) => revision)).to.deep.equal(acknowledged);
      for (let number = 0; number < WRITERS; number += 1) {
        const sizes = seen.filter(({ key }) => key === `w${number}`).map(({ row }) => JSON.parse(row).size);
        expect(sizes).to.deep.equal(Array.from({ length: WRITES + 1 }, (_, size) => size));
      }
    }
  });

  it('let one of many that want the same through, whatever the guard is', async () => {
    const first = store.commit(transaction({ op: 'limit', counter: 'seats', limit: 7 }, insert('parent'), insert('shared', { size: 0 })));
    expect(await first).to.include({ ok: true });
    for (const { wire } of rivals) wire.until = () => sleep(5 * Math.random());
    const all = async (of: (rival: number) => Transaction['statements']) => {
      const results = await Promise.all(rivals.map(({ queue }, rival) => queue.commit(transaction(...of(rival)))));
      return results.filter(({ ok }) => ok).length;
    };
    for (let round = 0; round < 5; round += 1) {
      expect(await all((rival) => [insert(`${round}-${rival}`, { name: `name-${round}` })]), 'a name').to.equal(1);
      expect(
        await all(() => [{ op: 'update', table: 'machine', key: 'shared', set: { size: round + 1 }, expect: { size: round } }]),
        'a row',
      ).to.equal(1);
    }
    let seats = 0;
    for (let round = 0; round < 4; round += 1) seats += await all(() => [{ op: 'adjust', counter: 'seats', by: 1 }]);
    expect(seats).to.equal(7);
    // Either the parent goes, or it gets children: never both.
    const outcomes = await all((rival) =>
      rival === 0
        ? [
            { op: 'vacant', table: 'machine', where: { zone: 'parent' } },
            { op: 'update', table: 'machine', key: 'parent', set: { deletedAt: true } },
          ]
        : [{ op: 'expect', table: 'machine', key: 'parent', expect: { deletedAt: null } }, insert(`child-${rival}`, { zone: 'parent' })],
    );
    const parent = JSON.parse((await store.read('machine', 'parent')) ?? '{}');
    const children = await store.count({ table: 'machine', where: { field: 'zone', op: '=', value: 'parent' } });
    expect(parent.deletedAt === undefined ? RIVALS - 1 : 0).to.equal(children);
    expect(outcomes).to.equal(parent.deletedAt === undefined ? RIVALS - 1 : 1);
  });

  it('are heard of by everybody, by a wake-up or by looking', async () => {
    const { timers } = cluster.environment;
    const seldom = { after: (delayMs: number, run: () => void) => timers.after(100 * delayMs, run) };
    const sleeper = await openPostgres({ url }, { ...cluster.environment, timers: seldom });
    await sleeper.prepare(FIRST);
    const wire = await cluster.wire();
    const other = await openPostgres({ url: wire.url(url) }, cluster.environment);
    await other.prepare(FIRST);
    const [heard, woken]: [number[], number[]] = [[], []];
    store.onCommit((revision) => heard.push(revision));
    sleeper.onCommit((revision) => woken.push(revision));
    const commit = async (id: string) => {
      const result = await other.commit({ node: 'n', epoch: other.epoch, at: AT, statements: [insert(id)] });
      return result.ok ? result.revision : -1;
    };
    const first = await commit('a');
    await eventually(() => heard.at(-1) === first && woken.at(-1) === first);
    // What was committed while nobody could be woken is found by looking.
    const listeners = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' OR query LIKE 'SELECT revision FROM%'`;
    await Promise.all([cluster.sql(listeners), commit('b')]);
    const last = await commit('c');
    await eventually(() => heard.at(-1) === last);
    expect(heard).to.deep.equal(heard.toSorted((a, b) => a - b));
    await other.close();
    await sleeper.close();
    await wire.close();
  });
});
