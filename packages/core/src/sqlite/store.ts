import { randomBytes } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import type { Timers } from '../kernel/environment.ts';
import type {
  AggregateQuery,
  AggregateRow,
  Change,
  CommitResult,
  Counter,
  CountQuery,
  ListQuery,
  PlacedRow,
  Store,
  StoreSchema,
  TableSpec,
  Transaction,
} from '../kernel/store.ts';
import { StoreError } from '../kernel/store-error.ts';
import { CommitQueue } from '../store/commit-queue.ts';
import { Listeners } from '../store/listeners.ts';
import { prepareStore } from '../store/migrate.ts';
import { Absent, ROWS_MAX } from './absent.ts';
import { Answers, type Touched, touchedBy } from './answers.ts';
import { copyStore } from './backup.ts';
import { Reader, Statements } from './reader.ts';
import type { ReaderMethods } from './reader-thread.ts';
import { Scanners } from './scanners.ts';
import { Snapshot } from './snapshot.ts';
import { catalogOf } from './table.ts';
import { endThread, Thread } from './thread.ts';
import type { GroupMessage, OutcomesMessage, WriterMethods } from './writer-thread.ts';

/** So many rows are read as quickly here as anywhere. */
const FEW_ROWS = 128;

const CLOSED = 'the store is closed';

export interface SqliteOptions {
  /** The database file; made when absent. `<path>.lock`, `<path>-wal` and `<path>-shm` lie beside it. */
  readonly path: string;
  /** Tests have their own. */
  readonly timers?: Timers;
}

const REAL_TIMERS: Timers = {
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/**
 * Opens the embedded store on a file.
 * @throws StoreError naming the path when another server has it open, or when the file is not a store.
 */
export async function openSqlite({ path, timers = REAL_TIMERS }: SqliteOptions): Promise<Store> {
  const file = await canonicalPath(path);
  const store = new SqliteStore(file, timers);
  await store.open(await newIncarnation());
  return store;
}

export const newIncarnation = async (): Promise<string> => (await promisify(randomBytes)(16)).toString('hex');

/** One file, one name: the lock must not be missed by way of a symbolic link. */
async function canonicalPath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    return join(await realpath(dirname(path)), basename(path));
  }
}

/** A transaction on its way to the writer. */
interface Sent {
  /** One string is cheaper to hand over than the objects. */
  readonly text: string;
  readonly touched: Touched;
}

/** Writes in one thread, scans in others; what few rows answer is read here, for that takes less than asking a thread. */
class SqliteStore implements Store {
  incarnation = '';
  epoch = 0;
  readonly #path: string;
  readonly #writer: Thread<WriterMethods>;
  readonly #commits: CommitQueue<Sent>;
  readonly #listeners = new Listeners();
  readonly #scanners: Scanners;
  readonly #answers = new Answers();
  readonly #absent = new Absent();
  #underWay: readonly Sent[] = [];
  #tables: readonly TableSpec[] = [];
  #db: DatabaseSync | undefined;
  #reader: Reader | undefined;
  #snapshot: Snapshot | undefined;
  #closing: Promise<void> | undefined;

  constructor(path: string, timers: Timers) {
    this.#path = path;
    this.#scanners = new Scanners(timers, () => ({ path, tables: this.#tables }));
    this.#commits = new CommitQueue({
      keep: (transaction) => ({ text: JSON.stringify(transaction), touched: touchedBy(transaction) }),
      send: (group) => {
        this.#underWay = group;
        this.#writer.post({ group: `[${group.map(({ text }) => text).join(',')}]` } satisfies GroupMessage);
      },
      onDurable: (revision) => this.#listeners.tell(revision),
    });
    this.#writer = new Thread<WriterMethods>(
      'writer-thread',
      ({ outcomes, written }: OutcomesMessage) => {
        // Who is told of a commit must see it.
        this.#snapshot?.end();
        for (const { touched } of this.#underWay) this.#forget(touched);
        this.#answers.keep(written);
        this.#commits.settle(outcomes);
      },
      (failure) => this.#commits.fail(failure),
    );
  }

  async open(incarnation: string): Promise<void> {
    try {
      const opened = await this.#writer.call('open', { path: this.#path, incarnation });
      this.incarnation = opened.incarnation;
      this.epoch = opened.epoch;
      this.#db = new DatabaseSync(this.#path, { readOnly: true, timeout: 10_000 });
      this.#use([]);
    } catch (error) {
      await this.#writer.terminate();
      throw this.#named(error);
    }
  }

  /** SQLite says what is wrong, and not with which file. */
  #named(error: unknown): unknown {
    if (!(error instanceof StoreError) || error.message.includes(this.#path)) return error;
    return new StoreError(`${this.#path}: ${error.message}`, error.outcome, { cause: error });
  }

  async prepare(schema: StoreSchema): Promise<void> {
    const writer = this.#writer;
    await prepareStore(
      {
        beginPrepare: (...args) => writer.call('beginPrepare', ...args),
        migrationRows: (...args) => writer.call('migrationRows', ...args),
        migrate: (...args) => writer.call('migrate', ...args),
        endPrepare: () => writer.call('endPrepare'),
      },
      schema,
    ).catch((error: unknown) => {
      throw this.#named(error);
    });
    this.#use(schema.tables);
  }

  commit(transaction: Transaction): Promise<CommitResult> {
    return this.#commits.commit(transaction);
  }

  async read(table: string, key: string): Promise<string | undefined> {
    return this.#answers.row(table, key, () => this.#here().read(table, key));
  }

  async counter(key: string): Promise<Counter | undefined> {
    return this.#here().counter(key);
  }

  async bounds(): Promise<{ readonly oldest: number; readonly newest: number }> {
    return this.#here().bounds();
  }

  async list(query: ListQuery): Promise<readonly string[]> {
    if (this.#absent.of(query, (table, field) => this.#here().textsFew(table, field, ROWS_MAX))) return [];
    return this.#answers.list(query, () => this.#here().listFew(query, FEW_ROWS)) ?? this.#scanner().call('list', query);
  }

  async placed(query: ListQuery): Promise<readonly PlacedRow[]> {
    return this.#scanner().call('placed', query);
  }

  async count(query: CountQuery): Promise<number> {
    return this.#here().countFew(query, FEW_ROWS) ?? this.#scanner().call('count', query);
  }

  async aggregate(query: AggregateQuery): Promise<readonly AggregateRow[]> {
    return this.#scanner().call('aggregate', query);
  }

  async counters(prefix: string): Promise<readonly Counter[]> {
    return this.#here().countersFew(prefix, FEW_ROWS) ?? this.#scanner().call('counters', prefix);
  }

  async changes(after: number, limit: number): Promise<readonly Change[]> {
    return this.#scanner().call('changes', after, limit);
  }

  onCommit(listener: (revision: number) => void): () => void {
    return this.#listeners.add(listener);
  }

  async trimChanges(upTo: number): Promise<void> {
    this.#here();
    while (await this.#writer.call('trimSome', upTo));
    this.#snapshot?.end();
  }

  async backup(target: string, at?: string): Promise<void> {
    this.#here();
    await copyStore(this.#path, { path: target, at });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#commits.stop(new StoreError(CLOSED));
    await this.#commits.idle();
    this.#snapshot?.end();
    this.#reader = undefined;
    this.#answers.clear();
    this.#absent.clear();
    this.#db?.close();
    await this.#scanners.close();
    // The last connection to close moves the write-ahead log into the file.
    await endThread(this.#writer);
  }

  #use(tables: readonly TableSpec[]): void {
    if (this.#db === undefined) return;
    this.#tables = tables;
    this.#snapshot?.end();
    this.#answers.clear();
    this.#absent.clear();
    const statements = new Statements(this.#db);
    this.#snapshot = new Snapshot(statements);
    this.#reader = new Reader(statements, catalogOf(tables));
  }

  #forget(touched: Touched): void {
    this.#answers.forget(touched);
    for (const table of touched.tables) this.#absent.forget(table);
  }

  #here(): Reader {
    if (this.#reader === undefined) throw new StoreError(CLOSED);
    this.#snapshot?.begin();
    return this.#reader;
  }

  #scanner(): Thread<ReaderMethods> {
    this.#here();
    return this.#scanners.get();
  }
}
