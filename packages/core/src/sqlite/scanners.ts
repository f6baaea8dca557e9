import type { Timers } from '../kernel/environment.ts';
import type { TableSpec } from '../kernel/store.ts';
import type { ReaderMethods } from './reader-thread.ts';
import { endThread, Thread } from './thread.ts';

/** Each starts when all before it are busy. */
const THREADS_MAX = 2;

/** A thread holds 10 MiB, and starts in 30 ms. What was not asked for so long is ended, after twice that at the latest. */
const IDLE_MS = 60_000;

interface Scanner {
  readonly thread: Thread<ReaderMethods>;
  /** Since the last look. */
  asked: boolean;
}

/** Threads for what takes longer than a turn of the event loop may. They start when they are needed, and end when nobody needed them for a while. */
export class Scanners {
  readonly #timers: Timers;
  readonly #source: () => { readonly path: string; readonly tables: readonly TableSpec[] };
  #scanners: readonly Scanner[] = [];
  #ended: Promise<unknown> = Promise.resolve();
  #cancel: (() => void) | undefined;

  /** `source` is what a thread that starts is to open. */
  constructor(timers: Timers, source: () => { readonly path: string; readonly tables: readonly TableSpec[] }) {
    this.#timers = timers;
    this.#source = source;
  }

  /** The least busy thread, or a new one when all are busy. Call it at once: one that is not asked may end. */
  get(): Thread<ReaderMethods> {
    const [idlest] = this.#scanners.toSorted((a, b) => a.thread.load - b.thread.load);
    const scanner = idlest !== undefined && (idlest.thread.load === 0 || this.#scanners.length === THREADS_MAX) ? idlest : this.#start();
    scanner.asked = true;
    return scanner.thread;
  }

  async close(): Promise<void> {
    this.#cancel?.();
    this.#end(this.#scanners);
    await this.#ended;
  }

  #start(): Scanner {
    const drop = () => {
      this.#scanners = this.#scanners.filter((other) => other !== scanner);
    };
    const scanner: Scanner = { thread: new Thread<ReaderMethods>('reader-thread', () => {}, drop), asked: true };
    this.#scanners = [...this.#scanners, scanner];
    const { path, tables } = this.#source();
    // Not awaited: calls are served in order, so the first of them may follow at once. A thread that cannot open the file is of no use to the next either.
    scanner.thread.call('open', path, tables).catch(() => scanner.thread.terminate());
    this.#cancel ??= this.#timers.after(IDLE_MS, () => this.#endIdle());
    return scanner;
  }

  #endIdle(): void {
    this.#end(this.#scanners.filter(({ thread, asked }) => !asked && thread.load === 0));
    for (const scanner of this.#scanners) scanner.asked = false;
    this.#cancel = this.#scanners.length === 0 ? undefined : this.#timers.after(IDLE_MS, () => this.#endIdle());
  }

  #end(some: readonly Scanner[]): void {
    this.#scanners = this.#scanners.filter((scanner) => !some.includes(scanner));
    this.#ended = Promise.all([this.#ended, ...some.map(({ thread }) => endThread(thread))]);
  }
}
