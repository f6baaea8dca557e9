import {
  type AggregateQuery,
  type AggregateRow,
  type Change,
  type CommitResult,
  type Counter,
  type CountQuery,
  type Environment,
  type ListQuery,
  type PlacedRow,
  type Store,
  StoreError,
  type StoreSchema,
  type Transaction,
} from '@pileus/core/kernel';
import { Catalog, CommitQueue, changeType, Listeners, prepareStore, wholeRevisions } from '@pileus/core/store';
import { backUp } from './backup.ts';
import { Link } from './link.ts';
import { type Counting, type Looks, looksOf } from './looks.ts';
import type { Sql, SqlRow } from './message.ts';
import { Notices } from './notices.ts';
import { type Opening, openSchema } from './open.ts';
import { OwnTables } from './own-tables.ts';
import { aggregateSql, countSql, listSql, measured, placed, placedSql } from './query.ts';
import { Readers } from './readers.ts';
import { SchemaWriter } from './schema.ts';
import { type Connect, Session } from './session.ts';
import { catalogOf, type PgTable, sql } from './table.ts';
import { type PostgresOptions, type Target, targetOf } from './target.ts';
import { Writer } from './writer.ts';

/** Feed entries dropped in one go, so that a long trim never holds up commits. */
const TRIM_BATCH = 2000;

const CLOSED = 'the store is closed';

/**
 * Opens the store in a PostgreSQL database. Whoever opens it last is the one that may write: commits of an earlier opening are answered `fenced`.
 * @throws StoreError naming the place, without its password, when the server refuses, cannot keep what a store promises, or does not answer
 */
export async function openPostgres(options: PostgresOptions, environment: Environment, connect: Connect = Session.open): Promise<Store> {
  const target = targetOf(options);
  const own = new OwnTables(target.schema);
  try {
    const session = await connect(target.config, environment);
    const opening = await openSchema(session, own, environment).finally(() => session.close());
    return new PostgresStore(target, { environment, connect }, opening);
  } catch (error) {
    throw new StoreError(`${target.name}: ${error instanceof Error ? error.message : String(error)}`, 'unchanged', { cause: error });
  }
}

class PostgresStore implements Store {
  readonly incarnation: string;
  readonly epoch: number;
  readonly #target: Target;
  readonly #environment: Environment;
  readonly #connect: Connect;
  readonly #own: OwnTables;
  readonly #link: Link;
  readonly #readers: Readers;
  readonly #notices: Notices;
  readonly #commits: CommitQueue<Transaction>;
  readonly #listeners = new Listeners();
  #catalog = new Catalog<PgTable>();
  #newest = 0;
  #closing: Promise<void> | undefined;

  constructor(
    target: Target,
    { environment, connect }: { readonly environment: Environment; readonly connect: Connect },
    { incarnation, epoch }: Opening,
  ) {
    const { config } = target;
    this.incarnation = incarnation;
    this.epoch = epoch;
    this.#target = target;
    this.#environment = environment;
    this.#connect = connect;
    this.#own = new OwnTables(target.schema);
    this.#link = new Link(config, environment, connect);
    this.#readers = new Readers(config, environment, connect);
    this.#notices = new Notices({ config, environment, connect, own: this.#own, heard: (revision) => this.#tell(revision) });
    const writer = new Writer({ link: this.#link, own: this.#own, epoch, catalog: () => this.#catalog });
    this.#commits = new CommitQueue({
      keep: (transaction) => JSON.parse(JSON.stringify(transaction)) as Transaction,
      send: (group) => void writer.apply(group).then((outcomes) => this.#commits.settle(outcomes)),
      onDurable: (revision) => this.#tell(revision),
    });
    this.#notices.start();
  }

  /** Over a connection of its own, which ends with whatever step it was at. */
  async prepare(schema: StoreSchema): Promise<void> {
    this.#here();
    const session = await this.#connect(this.#target.config, this.#environment);
    try {
      await prepareStore(new SchemaWriter({ session, own: this.#own, epoch: this.epoch }), schema);
    } finally {
      await session.close();
    }
    this.#catalog = catalogOf(schema.tables, this.#own.schema);
  }

  commit(transaction: Transaction): Promise<CommitResult> {
    return this.#commits.commit(transaction);
  }

  async read(name: string, key: string): Promise<string | undefined> {
    const table = this.#here().get(name);
    const [[row] = []] = await this.#readers.rows(sql(table.readSql, ...table.keyValues(key)));
    return row ?? undefined;
  }

  async list(query: ListQuery): Promise<readonly string[]> {
    return (await this.#readers.rows(listSql(this.#here(), query, await this.#looks(query, query.limit !== undefined)))).map(
      ([row]) => row ?? '',
    );
  }

  async placed(query: ListQuery): Promise<readonly PlacedRow[]> {
    const table = this.#here().get(query.table);
    return (await this.#readers.rows(placedSql(this.#here(), query, await this.#looks(query, query.limit !== undefined)))).map((row) =>
      placed(table, row),
    );
  }

  async count(query: CountQuery): Promise<number> {
    const looks = await this.#looks(query, query.atMost !== undefined);
    const [[count] = []] = await this.#readers.rows(countSql(this.#here(), query, looks), { alone: true });
    return Number(count);
  }

  async aggregate(query: AggregateQuery): Promise<readonly AggregateRow[]> {
    const rows = await this.#readers.rows(aggregateSql(this.#here(), query, await this.#looks(query, false)), { alone: true });
    return rows.map((row) => measured(query, row));
  }

  async counter(key: string): Promise<Counter | undefined> {
    return (await this.#counters('key = $1', key))[0];
  }

  async counters(prefix: string): Promise<readonly Counter[]> {
    return this.#counters('key >= $1 AND key < $2 ORDER BY key', prefix, `${prefix}\u{10ffff}`);
  }

  async changes(after: number, limit: number): Promise<readonly Change[]> {
    this.#here();
    const ordered = `SELECT revision, "table", key, type, "projectId", row FROM ${this.#own.feed} WHERE revision`;
    const read = async (statement: Sql) => (await this.#readers.rows(statement)).map(toChange);
    const found = await read(sql(`${ordered} > $1 ORDER BY revision, ordinal LIMIT $2`, String(after), String(limit + 1)));
    const whole = wholeRevisions(found, limit);
    return typeof whole === 'number' ? read(sql(`${ordered} = $1 ORDER BY ordinal`, String(whole))) : whole;
  }

  async bounds(): Promise<{ readonly oldest: number; readonly newest: number }> {
    this.#here();
    const [[trimmed, newest] = []] = await this.#readers.rows(sql(`SELECT trimmed, revision FROM ${this.#own.state}`));
    return { oldest: Number(trimmed) + 1, newest: Number(newest) };
  }

  onCommit(listener: (revision: number) => void): () => void {
    return this.#listeners.add(listener);
  }

  /** Asked like a read, for it does no harm twice. */
  async trimChanges(upTo: number): Promise<void> {
    this.#here();
    const some = `SELECT revision, ordinal FROM ${this.#own.feed} WHERE revision <= (SELECT trimmed FROM ${this.#own.state}) LIMIT ${TRIM_BATCH}`;
    const trim = `WITH dropped AS (DELETE FROM ${this.#own.feed} WHERE (revision, ordinal) IN (${some}) RETURNING 1) SELECT count(*) FROM dropped`;
    const mark = `UPDATE ${this.#own.state} SET trimmed = greatest(trimmed, least($1, revision))`;
    await this.#readers.rows(sql(mark, String(upTo)), { alone: true });
    for (let dropped = TRIM_BATCH; dropped === TRIM_BATCH; ) {
      const [[count] = []] = await this.#readers.rows(sql(trim), { alone: true });
      dropped = Number(count);
    }
  }

  async backup(path: string, at?: string): Promise<void> {
    this.#here();
    await backUp({ target: this.#target, own: this.#own, environment: this.#environment, to: { path, at } });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#commits.stop(new StoreError(CLOSED));
    await this.#commits.idle();
    await Promise.all([this.#notices.close(), this.#readers.close(), this.#link.close()]);
  }

  #looks(query: Pick<ListQuery, 'table' | 'where' | 'deleted' | 'order'>, isPage: boolean): Promise<Looks> {
    const count = async (asked: Counting, looks: Looks) => {
      const [[rows] = []] = await this.#readers.rows(countSql(this.#here(), asked, looks));
      return Number(rows);
    };
    return looksOf(this.#here(), query, { isPage, count });
  }

  async #counters(where: string, ...values: readonly string[]): Promise<readonly Counter[]> {
    this.#here();
    const rows = await this.#readers.rows(sql(`SELECT key, value, "limit" FROM ${this.#own.counter} WHERE ${where}`, ...values));
    return rows.map(([key, value, limit]) => ({ key: String(key), value: Number(value), limit: limit === null ? null : Number(limit) }));
  }

  /** News comes by two ways, from the writer and from PostgreSQL; each is told once. */
  #tell(revision: number): void {
    if (revision <= this.#newest) return;
    this.#newest = revision;
    this.#listeners.tell(revision);
  }

  #here(): Catalog<PgTable> {
    if (this.#closing !== undefined) throw new StoreError(CLOSED);
    return this.#catalog;
  }
}

function toChange([revision, table, key, type, projectId, row]: SqlRow): Change {
  return {
    ...{ revision: Number(revision), table: String(table), key: String(key), type: changeType(Number(type)) },
    ...(projectId === null || projectId === undefined ? {} : { projectId }),
    row: String(row),
  };
}
