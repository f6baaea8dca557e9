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
} from '../../src/kernel/store.ts';
import { StoreError } from '../../src/kernel/store-error.ts';
import type { Incarnation } from './environment.ts';

const CALL_MS = 2;

/** A real store below simulated clouds. */
export interface SimBackend {
  /** Another opening of the same store; the one before has crashed. */
  open(): Promise<Store>;
  /** How tests look past the control plane. */
  readonly witness: Pick<Store, 'read' | 'list' | 'counters'>;
}

/**
 * One opening of a real store in virtual time, which stands still while the store is at work: chance draws how long each call seems to take, and one seed has
 * one history here, too. After `kill` no promise made here ever settles, and what was asked for may or may not be durable.
 */
export class OutsideStore implements Store {
  readonly incarnation: string;
  readonly epoch: number;
  readonly #real: Store;
  readonly #environment: Incarnation;
  readonly #listeners = new Set<(revision: number) => void>();
  #killed = false;
  #closed = false;

  constructor(real: Store, environment: Incarnation) {
    this.#real = real;
    this.#environment = environment;
    this.incarnation = real.incarnation;
    this.epoch = real.epoch;
  }

  kill(): void {
    this.#killed = true;
    this.#listeners.clear();
  }

  prepare(schema: StoreSchema): Promise<void> {
    return this.#call(() => this.#real.prepare(schema));
  }

  async commit(transaction: Transaction): Promise<CommitResult> {
    if (this.#closed) throw new StoreError('the store is closed');
    // What was sent is sent: later changes to the caller's objects do not reach the store.
    const sent = JSON.parse(JSON.stringify(transaction)) as Transaction;
    const result = await this.#call(() => this.#real.commit(sent));
    if (result.ok) for (const listener of [...this.#listeners]) listener(result.revision);
    return result;
  }

  read(table: string, key: string): Promise<string | undefined> {
    return this.#call(() => this.#real.read(table, key));
  }

  list(query: ListQuery): Promise<readonly string[]> {
    return this.#call(() => this.#real.list(query));
  }

  placed(query: ListQuery): Promise<readonly PlacedRow[]> {
    return this.#call(() => this.#real.placed(query));
  }

  count(query: CountQuery): Promise<number> {
    return this.#call(() => this.#real.count(query));
  }

  aggregate(query: AggregateQuery): Promise<readonly AggregateRow[]> {
    return this.#call(() => this.#real.aggregate(query));
  }

  counter(key: string): Promise<Counter | undefined> {
    return this.#call(() => this.#real.counter(key));
  }

  counters(prefix: string): Promise<readonly Counter[]> {
    return this.#call(() => this.#real.counters(prefix));
  }

  changes(after: number, limit: number): Promise<readonly Change[]> {
    return this.#call(() => this.#real.changes(after, limit));
  }

  bounds(): Promise<{ readonly oldest: number; readonly newest: number }> {
    return this.#call(() => this.#real.bounds());
  }

  /** Of commits of this opening: when others are heard of is not for chance to draw. */
  onCommit(listener: (revision: number) => void): () => void {
    const own = (revision: number) => listener(revision);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  trimChanges(upTo: number): Promise<void> {
    return this.#call(() => this.#real.trimChanges(upTo));
  }

  backup(target: string, at?: string): Promise<void> {
    return this.#call(() => this.#real.backup(target, at));
  }

  /** The backend closes the real one. */
  async close(): Promise<void> {
    this.#closed = true;
  }

  /** On the way there and on the way back a crash may come between. */
  async #call<T>(ask: () => Promise<T>): Promise<T> {
    await this.#travel();
    const answer = this.#environment.port(() => this.#environment.world.outside(ask()));
    const settled = await answer.then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    await this.#travel();
    if ('error' in settled) throw settled.error;
    return settled.value;
  }

  #travel(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#killed) return;
      this.#environment.timers.after(this.#environment.random.next() * CALL_MS, resolve);
    });
  }
}
