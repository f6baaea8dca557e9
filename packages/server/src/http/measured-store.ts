import type { AggregateQuery, CommitResult, CountQuery, ListQuery, Store, StoreSchema, Transaction } from '@pileus/core/kernel';
import type { Duration } from './durations.ts';

/** A store with its commits measured. Written out, for a proxy would take as long with each read as much else of it. */
export class MeasuredStore implements Store {
  readonly #store: Store;
  readonly #time: Duration;
  readonly #monotonicMs: () => number;

  constructor(store: Store, time: Duration, monotonicMs: () => number) {
    this.#store = store;
    this.#time = time;
    this.#monotonicMs = monotonicMs;
  }

  get incarnation(): string {
    return this.#store.incarnation;
  }
  get epoch(): number {
    return this.#store.epoch;
  }

  commit(transaction: Transaction): Promise<CommitResult> {
    const startedMs = this.#monotonicMs();
    const observe = () => this.#time.observe((this.#monotonicMs() - startedMs) / 1000);
    return this.#store.commit(transaction).then(
      (result) => {
        observe();
        return result;
      },
      (error: unknown) => {
        observe();
        throw error;
      },
    );
  }

  prepare(schema: StoreSchema) {
    return this.#store.prepare(schema);
  }
  read(table: string, key: string) {
    return this.#store.read(table, key);
  }
  list(query: ListQuery) {
    return this.#store.list(query);
  }
  placed(query: ListQuery) {
    return this.#store.placed(query);
  }
  count(query: CountQuery) {
    return this.#store.count(query);
  }
  aggregate(query: AggregateQuery) {
    return this.#store.aggregate(query);
  }
  counter(key: string) {
    return this.#store.counter(key);
  }
  counters(prefix: string) {
    return this.#store.counters(prefix);
  }
  changes(after: number, limit: number) {
    return this.#store.changes(after, limit);
  }
  bounds() {
    return this.#store.bounds();
  }
  onCommit(listener: (revision: number) => void) {
    return this.#store.onCommit(listener);
  }
  trimChanges(upTo: number) {
    return this.#store.trimChanges(upTo);
  }
  backup(target: string, at?: string) {
    return this.#store.backup(target, at);
  }
  close() {
    return this.#store.close();
  }
}
