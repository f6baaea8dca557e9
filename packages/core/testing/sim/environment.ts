import { setImmediate as drained } from 'node:timers/promises';
import type { Clock, Environment, Logger, Timers } from '../../src/kernel/environment.ts';
import { silentLogger } from '../../src/kernel/environment.ts';
import { SimRandom } from './random.ts';
import type { Due } from './timer-queue.ts';
import { TimerQueue } from './timer-queue.ts';

export interface SimOptions {
  /** What the clock shows at the beginning, milliseconds since the epoch. */
  readonly startMs?: number;
  readonly logger?: Logger;
  /** Is told every line of the history, to print a failing one. */
  readonly onTrace?: (line: string) => void;
}

/**
 * Virtual time and seeded chance: one seed, one history, proved by `historyHash`. Nothing happens but what timers cause, one after the other; nothing inside
 * may wait for real I/O but by way of `outside`. This object is the outside world's environment; what can crash lives in an `incarnation()` of it.
 */
export class SimEnvironment implements Environment {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: SimRandom;
  readonly logger: Logger;
  readonly #queue = new TimerQueue();
  readonly #onTrace: ((line: string) => void) | undefined;
  readonly #outside = new Set<Promise<void>>();
  #elapsedMs = 0;
  #hash = 0x811c9dc5;
  #hashHigh = 0x9747b28c;

  constructor(seed: string | number, options: SimOptions = {}) {
    const startMs = options.startMs ?? Date.UTC(2030, 0, 1);
    this.clock = { nowMs: () => Math.floor(startMs + this.#elapsedMs), monotonicMs: () => this.#elapsedMs };
    this.timers = { after: (delayMs, run) => this.#after(delayMs, run) };
    this.random = new SimRandom(seed);
    this.logger = options.logger ?? silentLogger;
    this.#onTrace = options.onTrace;
  }

  /** An environment that can be killed, sharing this one's time and chance. */
  incarnation(): Incarnation {
    return new Incarnation(this);
  }

  /** Real work, for which virtual time stands still. */
  outside<T>(work: Promise<T>): Promise<T> {
    const settled = work.then(
      () => undefined,
      () => undefined,
    );
    this.#outside.add(settled);
    void settled.then(() => this.#outside.delete(settled));
    return work;
  }

  /** Lets what is ready run out, then moves time to the next timer and runs it. False when no timer is left: all is quiet. */
  async step(): Promise<boolean> {
    await this.#drained();
    return this.#fire();
  }

  /** Steps until quiet, or until the virtual instant (`clock.monotonicMs`), which time then shows. */
  async run(untilMs: number = Number.POSITIVE_INFINITY): Promise<void> {
    for (;;) {
      await this.#drained();
      if ((this.#queue.peek()?.atMs ?? Number.POSITIVE_INFINITY) > untilMs || !this.#fire()) break;
    }
    if (Number.isFinite(untilMs)) this.#elapsedMs = Math.max(this.#elapsedMs, untilMs);
  }

  /** Steps until the work has settled, and gives its outcome. Rejects if all is quiet before, or if it takes longer than `limitMs` of virtual time. */
  async complete<T>(work: Promise<T>, limitMs: number = Number.POSITIVE_INFINITY): Promise<T> {
    const deadlineMs = this.#elapsedMs + limitMs;
    let settled = false;
    const mark = () => {
      settled = true;
    };
    work.then(mark, mark);
    for (;;) {
      await this.#drained();
      if (settled) return work;
      const next = this.#queue.peek();
      if (next === undefined) throw new Error('all is quiet, but the work has not settled');
      if (next.atMs > deadlineMs) throw new Error(`the work has not settled within ${limitMs} virtual ms`);
      this.#fire();
    }
  }

  /** Adds a line to the history: for whatever is worth comparing between two runs. */
  trace(line: string): void {
    this.#onTrace?.(`${this.#elapsedMs.toFixed(3)} ${line}`);
    this.#mix(line);
  }

  /** Digest of everything that has happened: timers run, lines traced, and where chance stands. Equal histories have equal hashes. */
  historyHash(): string {
    const hex = (word: number) => (word >>> 0).toString(16).padStart(8, '0');
    return `${hex(this.#hashHigh)}${hex(this.#hash)}-${this.random.state()}`;
  }

  /** A turn of the event loop ends only after every microtask, and every microtask those start, has run. */
  async #drained(): Promise<void> {
    await drained();
    while (this.#outside.size > 0) {
      await Promise.all(this.#outside);
      await drained();
    }
  }

  #fire(): boolean {
    const due = this.#queue.take();
    if (due === undefined) return false;
    this.#elapsedMs = due.atMs;
    this.#mix(`timer ${due.order} at ${due.atMs}`);
    due.run();
    return true;
  }

  #after(delayMs: number, run: () => void): () => void {
    if (Number.isNaN(delayMs)) throw new RangeError('a delay that is no number would stop the clock');
    const due: Due = this.#queue.add(this.#elapsedMs + Math.max(0, delayMs), run);
    return () => this.#queue.cancel(due);
  }

  #mix(text: string): void {
    for (let at = 0; at < text.length; at += 1) {
      const unit = text.charCodeAt(at);
      this.#hash = Math.imul(this.#hash ^ unit, 0x01000193);
      this.#hashHigh = Math.imul(this.#hashHigh ^ unit ^ (this.#hash >>> 15), 0x85ebca6b);
    }
  }
}

/**
 * One life of a process in the simulation. `kill()` is a crash: none of its timers fires any more, nothing asked through `port` is answered, and so none of its
 * code goes on: no `catch`, no `finally`. What it has sent into the world before may still land there.
 */
export class Incarnation implements Environment {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: SimRandom;
  readonly world: SimEnvironment;
  #alive = true;

  constructor(world: SimEnvironment) {
    this.world = world;
    this.clock = world.clock;
    this.random = world.random;
    this.timers = {
      after: (delayMs, run) =>
        this.#alive
          ? world.timers.after(delayMs, () => {
              if (this.#alive) run();
            })
          : () => undefined,
    };
  }

  get logger(): Logger {
    return this.#alive ? this.world.logger : silentLogger;
  }

  get alive(): boolean {
    return this.#alive;
  }

  kill(): void {
    this.#alive = false;
    this.world.trace('killed');
  }

  /**
   * How everything outside is asked (drivers, store, network): the answer reaches the caller only while this incarnation lives. Once it is killed nothing is
   * asked any more, and the promise never settles.
   */
  port<T>(ask: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!this.#alive) return;
      ask().then(
        (value) => {
          if (this.#alive) resolve(value);
        },
        (error) => {
          if (this.#alive) reject(error);
        },
      );
    });
  }
}
