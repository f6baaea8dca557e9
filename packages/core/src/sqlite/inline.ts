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
  Transaction,
} from '../kernel/store.ts';
import { StoreError } from '../kernel/store-error.ts';
import { makeFile } from '../store/file.ts';
import { Listeners } from '../store/listeners.ts';
import { prepareStore } from '../store/migrate.ts';
import { SqliteEngine } from './engine.ts';

/**
 * A store whose engine runs in the caller's thread: each call is done when its promise is made. It is one opening of the engine, which outlives it: a
 * simulated crash drops this object, and the next one, with the next epoch, finds what was committed. Closing it does not close the engine.
 */
export function inlineSqlite(engine: SqliteEngine = new SqliteEngine({ path: ':memory:', incarnation: 'inline' })): Store {
  return new InlineStore(engine);
}

class InlineStore implements Store {
  readonly incarnation: string;
  readonly epoch: number;
  readonly #engine: SqliteEngine;
  readonly #listeners = new Listeners();
  #closed = false;

  constructor(engine: SqliteEngine) {
    this.#engine = engine;
    this.incarnation = engine.incarnation;
    this.epoch = engine.open();
  }

  async prepare(schema: StoreSchema): Promise<void> {
    await prepareStore(this.#here(), schema);
  }

  async commit(transaction: Transaction): Promise<CommitResult> {
    // As it would reach a thread: what the caller changes afterwards does not reach the store.
    const sent = JSON.parse(JSON.stringify(transaction)) as Transaction;
    const [outcome] = this.#here().apply([sent]);
    if (outcome === undefined || 'rejected' in outcome) throw new StoreError(outcome?.rejected ?? 'no outcome', outcome?.outcome);
    if (outcome.ok) this.#listeners.tell(outcome.revision);
    return outcome;
  }

  async read(table: string, key: string): Promise<string | undefined> {
    return this.#here().reader.read(table, key);
  }

  async list(query: ListQuery): Promise<readonly string[]> {
    return this.#here().reader.list(query);
  }

  async placed(query: ListQuery): Promise<readonly PlacedRow[]> {
    return this.#here().reader.placed(query);
  }

  async count(query: CountQuery): Promise<number> {
    return this.#here().reader.count(query);
  }

  async aggregate(query: AggregateQuery): Promise<readonly AggregateRow[]> {
    return this.#here().reader.aggregate(query);
  }

  async counter(key: string): Promise<Counter | undefined> {
    return this.#here().reader.counter(key);
  }

  async counters(prefix: string): Promise<readonly Counter[]> {
    return this.#here().reader.counters(prefix);
  }

  async changes(after: number, limit: number): Promise<readonly Change[]> {
    return this.#here().reader.changes(after, limit);
  }

  async bounds(): Promise<{ readonly oldest: number; readonly newest: number }> {
    return this.#here().reader.bounds();
  }

  onCommit(listener: (revision: number) => void): () => void {
    return this.#listeners.add(listener);
  }

  async trimChanges(upTo: number): Promise<void> {
    while (this.#here().trimSome(upTo));
  }

  async backup(target: string, at?: string): Promise<void> {
    await makeFile({ path: target, at }, async (partial) => this.#here().reader.vacuumInto(partial));
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #here(): SqliteEngine {
    if (this.#closed) throw new StoreError('the store is closed');
    return this.#engine;
  }
}
