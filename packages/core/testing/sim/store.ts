import type { Environment } from '../../src/kernel/environment.ts';
import { CloudError } from '../../src/kernel/errors.ts';
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
import type { SqliteEngine } from '../../src/sqlite/engine.ts';
import { inlineSqlite } from '../../src/sqlite/inline.ts';
import type { Outcome } from '../../src/store/row.ts';

const COMMIT_MS = 2;
const READ_MS = 0.2;

/** How often, as fractions in [0, 1], a group of commits goes wrong. May be changed while the store runs. */
export interface StoreFaults {
  /** Nothing of the group was written, and the caller cannot know that. */
  commitFails?: number;
  /** The group is durable, and the caller cannot know that. */
  acknowledgementLost?: number;
  /** A read finds the store away. */
  readFails?: number;
  /** What strikes the next groups, one each. */
  readonly next?: ('commitFails' | 'acknowledgementLost')[];
  /** Told of each group that is durable, before anybody is answered. */
  readonly onApplied?: () => void;
}

interface Pending {
  readonly transaction: Transaction;
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: Error) => void;
}

/**
 * One opening of an embedded store in virtual time. The environment's chance draws how long each call takes, where groups of commits begin and end, and
 * which of them fail. The engine outlives it: after `kill`, another simulated store on the same engine finds what was durable.
 */
export class SimulatedStore implements Store {
  readonly incarnation: string;
  readonly epoch: number;
  readonly #engine: SqliteEngine;
  readonly #inline: Store;
  readonly #environment: Environment;
  readonly #faults: StoreFaults;
  readonly #listeners = new Set<(revision: number) => void>();
  #waiting: Pending[] = [];
  #busy = false;
  #killed = false;
  #closed = false;

  constructor(engine: SqliteEngine, environment: Environment, faults: StoreFaults = {}) {
    this.#engine = engine;
    this.#inline = inlineSqlite(engine);
    this.#environment = environment;
    this.#faults = faults;
    this.incarnation = this.#inline.incarnation;
    this.epoch = this.#inline.epoch;
  }

  /** Ends this opening at once, as SIGKILL would: what is not durable yet is lost, and no promise made here ever settles. */
  kill(): void {
    this.#killed = true;
    this.#waiting = [];
    this.#listeners.clear();
  }

  prepare(schema: StoreSchema): Promise<void> {
    return this.#later(() => this.#inline.prepare(schema));
  }

  commit(transaction: Transaction): Promise<CommitResult> {
    if (this.#closed) return Promise.reject(new StoreError('the store is closed'));
    // What was sent is sent: later changes to the caller's objects do not reach the store.
    const sent = JSON.parse(JSON.stringify(transaction)) as Transaction;
    return new Promise((resolve, reject) => {
      if (this.#killed) return;
      this.#waiting.push({ transaction: sent, resolve, reject });
      this.#startGroup();
    });
  }

  read(table: string, key: string): Promise<string | undefined> {
    return this.#read(() => this.#inline.read(table, key));
  }

  list(query: ListQuery): Promise<readonly string[]> {
    return this.#read(() => this.#inline.list(query));
  }

  placed(query: ListQuery): Promise<readonly PlacedRow[]> {
    return this.#read(() => this.#inline.placed(query));
  }

  count(query: CountQuery): Promise<number> {
    return this.#read(() => this.#inline.count(query));
  }

  aggregate(query: AggregateQuery): Promise<readonly AggregateRow[]> {
    return this.#read(() => this.#inline.aggregate(query));
  }

  counter(key: string): Promise<Counter | undefined> {
    return this.#later(() => this.#inline.counter(key));
  }

  counters(prefix: string): Promise<readonly Counter[]> {
    return this.#later(() => this.#inline.counters(prefix));
  }

  changes(after: number, limit: number): Promise<readonly Change[]> {
    return this.#later(() => this.#inline.changes(after, limit));
  }

  bounds(): Promise<{ readonly oldest: number; readonly newest: number }> {
    return this.#later(() => this.#inline.bounds());
  }

  onCommit(listener: (revision: number) => void): () => void {
    const own = (revision: number) => listener(revision);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  trimChanges(upTo: number): Promise<void> {
    return this.#later(() => this.#inline.trimChanges(upTo));
  }

  backup(target: string, at?: string): Promise<void> {
    return this.#later(() => this.#inline.backup(target, at));
  }

  async close(): Promise<void> {
    this.#closed = true;
    while (this.#busy) await this.#later(async () => {});
    await this.#later(() => this.#inline.close());
  }

  #startGroup(): void {
    if (this.#busy || this.#waiting.length === 0) return;
    this.#busy = true;
    this.#after(COMMIT_MS, () => {
      const random = this.#environment.random;
      const group = this.#waiting.splice(0, 1 + Math.floor(random.next() * this.#waiting.length));
      const struck = this.#faults.next?.shift();
      const fails = struck === 'commitFails' || random.next() < (this.#faults.commitFails ?? 0);
      const lost = struck === 'acknowledgementLost' || random.next() < (this.#faults.acknowledgementLost ?? 0);
      const outcomes = fails ? [] : this.#engine.apply(group.map(({ transaction }) => transaction));
      if (!fails) this.#faults.onApplied?.();
      if (this.#killed) return;
      this.#after(COMMIT_MS, () => this.#acknowledge(group, outcomes, lost));
    });
  }

  #acknowledge(group: readonly Pending[], outcomes: readonly Outcome[], lost: boolean): void {
    for (const [index, { resolve, reject }] of group.entries()) {
      const outcome = lost ? undefined : outcomes[index];
      if (outcome === undefined) reject(new StoreError('the store did not answer the commit', 'unknown'));
      else if ('rejected' in outcome) reject(new StoreError(outcome.rejected, outcome.outcome));
      else resolve(outcome);
    }
    if (outcomes.some((outcome) => 'ok' in outcome && outcome.ok)) {
      const { newest } = this.#engine.reader.bounds();
      for (const listener of [...this.#listeners]) listener(newest);
    }
    this.#busy = false;
    this.#startGroup();
  }

  #read<T>(run: () => Promise<T>): Promise<T> {
    const { readFails = 0 } = this.#faults;
    const fails = readFails > 0 && this.#environment.random.next() < readFails;
    return this.#later(fails ? () => Promise.reject(new CloudError('unavailable', 'The store is away.')) : run);
  }

  #later<T>(run: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const alive =
        <A>(settle: (answer: A) => void) =>
        (answer: A) => {
          if (!this.#killed) settle(answer);
        };
      this.#after(READ_MS, () => void run().then(alive(resolve), alive(reject)));
    });
  }

  #after(atMostMs: number, run: () => void): void {
    if (this.#killed) return;
    this.#environment.timers.after(this.#environment.random.next() * atMostMs, () => {
      if (!this.#killed) run();
    });
  }
}
