import { DatabaseSync } from 'node:sqlite';
import type { TableSpec, Transaction } from '../kernel/store.ts';
import { StoreError } from '../kernel/store-error.ts';
import type { MigratedBatch, Progress } from '../store/migrate.ts';
import type { Outcome } from '../store/row.ts';
import type { Catalog } from '../store/table.ts';
import type { Written } from './known.ts';
import { claim, keepPrivate } from './lock.ts';
import { Reader, Statements } from './reader.ts';
import { SchemaWriter, type StatementHook } from './schema.ts';
import { catalogOf, type Table } from './table.ts';
import { Writer } from './transaction.ts';

/** Marks a database file as ours ("Pile"). */
const APPLICATION_ID = 0x50696c65;
/** Feed entries dropped in one go, so that a long trim never holds up commits. */
const TRIM_BATCH = 2_000;

export interface EngineOptions {
  /** A file, or `:memory:`. */
  readonly path: string;
  /** Given to a database that is made by this opening; an existing one keeps its own. */
  readonly incarnation: string;
  /** For tests of migrations: told of each statement of `prepare` before it runs. */
  readonly beforeStatement?: StatementHook;
}

/**
 * The embedded store itself: synchronous, over one connection that writes. It runs in the writer thread of `openSqlite`, and inline where a simulation wants
 * each step to happen at its command.
 */
export class SqliteEngine {
  readonly path: string;
  readonly incarnation: string;
  readonly #db: DatabaseSync;
  readonly #release: () => void;
  readonly #schema: SchemaWriter;
  readonly #statements: Statements;
  #catalog = catalogOf([]);
  #reader: Reader;
  #writer: Writer;
  #epoch: number;
  #revision: number;

  constructor({ path, incarnation, beforeStatement = () => {} }: EngineOptions) {
    this.path = path;
    this.#release = path === ':memory:' ? () => {} : claim(path);
    try {
      this.#db = openDatabase(path);
    } catch (error) {
      this.#release();
      throw error;
    }
    this.#schema = new SchemaWriter(this.#db, beforeStatement);
    try {
      this.#schema.ownTables(incarnation);
    } catch (error) {
      this.close();
      throw error;
    }
    this.#statements = new Statements(this.#db);
    this.#reader = new Reader(this.#statements, this.#catalog);
    this.#writer = new Writer(this.#statements, this.#catalog);
    this.incarnation = this.#statements.value("SELECT value FROM _meta WHERE name = 'incarnation'") as string;
    this.#epoch = this.#statements.value("SELECT value FROM _meta WHERE name = 'epoch'") as number;
    this.#revision = this.#reader.bounds().newest;
  }

  /** Begins the next epoch, which fences off whoever held the one before, and answers it. */
  open(): number {
    this.#epoch = this.#statements.value("UPDATE _meta SET value = value + 1 WHERE name = 'epoch' RETURNING value") as number;
    return this.#epoch;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get reader(): Reader {
    return this.#reader;
  }

  /** What the last group that was applied has written. */
  get written(): readonly Written[] {
    return this.#writer.known.written;
  }

  /** The first part of `prepare`; then come the batches of data migrations, then `endPrepare`. */
  beginPrepare(tables: readonly TableSpec[]): Progress[] {
    const catalog = catalogOf(tables);
    this.#schema.tables(catalog);
    this.#use(catalog);
    return this.#schema.progress();
  }

  /** Up to `limit` rows behind a key, deleted ones too, in order of the key. */
  migrationRows(table: string, after: string | null, limit: number): { readonly key: string; readonly row: string }[] {
    const rows = this.#reader.list({ table, deleted: true, limit, ...(after === null ? {} : { after: [after] }) });
    return rows.map((row) => ({ key: this.#catalog.get(table).keyOf(JSON.parse(row)), row }));
  }

  migrate(batch: MigratedBatch): void {
    this.#schema.migrate(this.#catalog.get(batch.table), batch);
  }

  endPrepare(): void {
    this.#schema.indexes(this.#catalog);
    // Migrations have rewritten rows.
    this.#use(this.#catalog);
  }

  /**
   * Applies transactions in order and makes them durable together. Each sees those before it; one whose guard fails leaves no trace of itself. When the
   * database cannot be written, all of them are rejected: unchanged, unless the commit itself failed for another reason than that there is no room.
   */
  apply(transactions: readonly Transaction[]): Outcome[] {
    const before = this.#revision;
    let committing = false;
    try {
      this.#statements.get('BEGIN IMMEDIATE').run();
      this.#writer.known.begin();
      const outcomes = this.#allGood(transactions) ?? transactions.map((transaction) => this.#attempt(transaction));
      this.#writer.known.flush();
      committing = true;
      this.#statements.get('COMMIT').run();
      return outcomes;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      this.#writer.known.forget();
      this.#revision = before;
      const rejected = `the store could not write: ${error instanceof Error ? error.message : String(error)}`;
      return transactions.map(() => ({ rejected, outcome: committing && !isFull(error) ? 'unknown' : 'unchanged' }));
    }
  }

  /**
   * What a group mostly is: no guard fails, so that none of it has to be taken back alone, and no savepoints are needed, which cost a seventh of the work.
   * Undefined when one of them would have to be, as one that only rehearses always has: then nothing of it is left.
   */
  #allGood(transactions: readonly Transaction[]): Outcome[] | undefined {
    if (transactions.some(({ rehearse }) => rehearse === true)) return undefined;
    const before = this.#revision;
    const outcomes: Outcome[] = [];
    for (const transaction of transactions) {
      const outcome = this.#one(transaction);
      if (!('ok' in outcome && outcome.ok)) {
        this.#statements.get('ROLLBACK').run();
        this.#writer.known.takeBack(0);
        this.#revision = before;
        this.#statements.get('BEGIN IMMEDIATE').run();
        return undefined;
      }
      outcomes.push(outcome);
    }
    return outcomes;
  }

  #attempt(transaction: Transaction): Outcome {
    const before = this.#revision;
    const { known } = this.#writer;
    const { mark } = known;
    this.#statements.get('SAVEPOINT one').run();
    const outcome = this.#one(transaction);
    const isGood = 'ok' in outcome && outcome.ok;
    const keeps = isGood && transaction.rehearse !== true;
    if (!keeps) {
      this.#statements.get('ROLLBACK TO one').run();
      known.takeBack(mark);
    }
    this.#statements.get('RELEASE one').run();
    if (keeps || !isGood) return outcome;
    this.#revision = before;
    return { ok: true, revision: before };
  }

  /** Whatever it answers but success, the caller takes back what it has done. */
  #one(transaction: Transaction): Outcome {
    if (transaction.epoch !== this.#epoch) return { ok: false, statement: -1, reason: 'fenced' };
    try {
      const fed = this.#writer.apply(transaction, this.#revision + 1);
      if (typeof fed !== 'number') return fed;
      if (fed > 0) this.#revision += 1;
      return { ok: true, revision: this.#revision };
    } catch (error) {
      if (isDatabaseFault(error)) throw error;
      return { rejected: error instanceof Error ? error.message : String(error), outcome: 'unchanged' };
    }
  }

  /** Drops some feed entries up to a revision; answers whether there are more. */
  trimSome(upTo: number): boolean {
    const last = Math.min(upTo, this.#revision);
    this.#statements.get("UPDATE _meta SET value = ? WHERE name = 'trimmed' AND value < ?").run(last, last);
    const some = 'SELECT revision, ordinal FROM _feed WHERE revision <= ? ORDER BY revision, ordinal LIMIT ?';
    const { changes } = this.#statements.get(`DELETE FROM _feed WHERE (revision, ordinal) IN (${some})`).run(last, TRIM_BATCH);
    return changes === TRIM_BATCH;
  }

  /** Tables, columns and indexes as they are in the database: equal for a fresh one and for one that was migrated to the same schema. */
  schemaOf(): string[] {
    return this.#schema.dump();
  }

  /** Makes this copy a store of its own: what it says is history from now on. */
  reincarnate(incarnation: string): void {
    this.#statements.get("UPDATE _meta SET value = ? WHERE name = 'incarnation'").run(incarnation);
    this.open();
  }

  /** As a new one that was never prepared, but that the tables are there already. For who plays history after history: making them takes longer than most. */
  empty(): void {
    this.#schema.empty();
    this.#use(catalogOf([]));
    this.#epoch = 0;
    this.#revision = 0;
  }

  close(): void {
    this.#db.close();
    this.#release();
  }

  #use(catalog: Catalog<Table>): void {
    this.#catalog = catalog;
    this.#reader = new Reader(this.#statements, catalog);
    this.#writer = new Writer(this.#statements, catalog);
  }
}

/**
 * No room for what is appended to the log. The frame that makes a commit is the last one and carries a checksum: what does not fit whole is not there for
 * whoever opens the file next, and SQLite has taken the transaction back.
 */
function isFull(error: unknown): boolean {
  const SQLITE_FULL = 13;
  return error instanceof Error && 'errcode' in error && ((error.errcode as number) & 0xff) === SQLITE_FULL;
}

/** True for what SQLite says of its file, its memory, its locks; false for statements that no row could satisfy. */
function isDatabaseFault(error: unknown): boolean {
  const SQLITE_ERROR = 1;
  const SQLITE_TOOBIG = 18;
  const SQLITE_CONSTRAINT = 19;
  const SQLITE_MISMATCH = 20;
  if (!(error instanceof Error && 'errcode' in error)) return false;
  return ![SQLITE_ERROR, SQLITE_TOOBIG, SQLITE_CONSTRAINT, SQLITE_MISMATCH].includes((error.errcode as number) & 0xff);
}

/** SQLite gives the files that it adds beside a database the mode of that. */
function openDatabase(path: string): DatabaseSync {
  if (path !== ':memory:') keepPrivate(path);
  const db = new DatabaseSync(path, { timeout: 10_000 });
  try {
    const { application_id: owner } = db.prepare('PRAGMA application_id').get() as { application_id: number };
    const { tables } = db.prepare('SELECT count(*) AS tables FROM sqlite_schema').get() as { tables: number };
    if (owner !== APPLICATION_ID && tables > 0) throw new StoreError(`${path} is a database of something else`);
    // Savepoints keep copies of the pages they change; by default those spill to a temporary file that costs more than the write itself.
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16000; PRAGMA temp_store = MEMORY');
    // 32 MiB of log: pages that change with each commit are copied into the database a fifth less often.
    db.exec('PRAGMA wal_autocheckpoint = 8000');
    if (owner !== APPLICATION_ID) db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}
