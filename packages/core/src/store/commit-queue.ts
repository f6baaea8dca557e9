import type { CommitResult, Transaction } from '../kernel/store.ts';
import { StoreError } from '../kernel/store-error.ts';
import type { Outcome } from './row.ts';

/** Transactions of one group; more would make the first of them wait for the last. */
const GROUP_MAX = 256;
/** Answers dealt out in one turn of the event loop, each of which sets off what an operation or a request does next: all of a small group, for a turn costs, too. */
const SMALL_GROUP = 24;
const ANSWERS_AT_ONCE = 8;

export interface CommitQueueOptions<T> {
  /** How a transaction waits for its group: what the caller changes afterwards must not reach the store. */
  readonly keep: (transaction: Transaction) => T;
  /** Takes one group at a time; `settle` or `fail` ends it. */
  readonly send: (group: readonly T[]) => void;
  /** Told of the newest revision after each group that fed one. */
  readonly onDurable: (revision: number) => void;
}

interface Pending<T> {
  readonly kept: T;
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: StoreError) => void;
}

/**
 * Group commit, seen from the side that asks: what is committed in one turn of the event loop, and all that comes while a group is under way, forms the
 * next group. So an idle store answers at once, and a busy one pays for a disk flush and a message to the writer only once a group.
 */
export class CommitQueue<T> {
  readonly #options: CommitQueueOptions<T>;
  #waiting: Pending<T>[] = [];
  #underWay: Pending<T>[] = [];
  /** Of the group under way, once it is durable: those that were not dealt out yet. */
  #answers: (() => void)[] = [];
  #scheduled = false;
  #failure: StoreError | undefined;
  #onIdle: (() => void)[] = [];

  constructor(options: CommitQueueOptions<T>) {
    this.#options = options;
  }

  commit(transaction: Transaction): Promise<CommitResult> {
    if (this.#failure !== undefined) return Promise.reject(new StoreError(this.#failure.message));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ kept: this.#options.keep(transaction), resolve, reject });
      if (this.#underWay.length === 0) this.#schedule();
    });
  }

  settle(outcomes: readonly Outcome[]): void {
    const group = this.#underWay;
    const durable = outcomes.reduce((newest, outcome) => ('ok' in outcome && outcome.ok ? outcome.revision : newest), 0);
    this.#answers = group.map(({ resolve, reject }, index) => {
      const outcome = outcomes[index] as Outcome;
      return 'rejected' in outcome ? () => reject(new StoreError(outcome.rejected, outcome.outcome)) : () => resolve(outcome);
    });
    this.#deal(durable, group.length <= SMALL_GROUP ? SMALL_GROUP : ANSWERS_AT_ONCE);
  }

  /** In slices, or what two hundred operations do next would hold the event loop in one go. What they commit meanwhile is one group all the same. */
  #deal(durable: number, atOnce: number): void {
    for (const answer of this.#answers.splice(0, atOnce)) answer();
    if (this.#answers.length > 0) return void setImmediate(() => this.#deal(durable, atOnce));
    this.#underWay = [];
    if (durable > 0) this.#options.onDurable(durable);
    // Not at once: most of those who have their answer now commit the next thing in this very turn.
    this.#schedule();
  }

  /** Refuses what comes from now on. */
  stop(failure: StoreError): void {
    this.#failure ??= failure;
  }

  /** The writer is gone: whether the group under way became durable, nobody knows. */
  fail(failure: StoreError): void {
    this.stop(failure);
    for (const answer of this.#answers.splice(0)) answer();
    for (const { reject } of this.#underWay) reject(new StoreError(failure.message, 'unknown', { cause: failure }));
    for (const { reject } of this.#waiting) reject(new StoreError(failure.message, 'unchanged', { cause: failure }));
    this.#underWay = [];
    this.#waiting = [];
    this.#tellIdle();
  }

  /** Resolves once everything has its answer. */
  idle(): Promise<void> {
    if (this.#waiting.length === 0 && this.#underWay.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle.push(resolve);
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#next());
  }

  #next(): void {
    this.#scheduled = false;
    this.#underWay = this.#waiting.splice(0, GROUP_MAX);
    if (this.#underWay.length === 0) this.#tellIdle();
    else this.#options.send(this.#underWay.map(({ kept }) => kept));
  }

  #tellIdle(): void {
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }
}
