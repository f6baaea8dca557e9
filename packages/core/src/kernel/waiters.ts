import type { Timers } from './environment.ts';

/** One who waits. */
export interface Waiter {
  /** Resolves when it is woken, its time is over, or it is ended. */
  readonly over: Promise<void>;
  readonly leave: () => void;
}

/** What ends a wait before its time. */
export interface WaitEnds {
  readonly signal?: AbortSignal | undefined;
  /** Of who may end many waits at once: each is in there while it lasts, and ends when it is called. */
  readonly all?: Set<() => void>;
}

/** Those who wait for something with an id to end. */
export class Waiters {
  readonly #timers: Timers;
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Waits from now on: what is read after this and has not ended will wake it. */
  add(id: string, timeoutMs: number, { signal, all }: WaitEnds = {}): Waiter {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = this.#waiting.get(id) ?? new Set();
    waiting.add(resolve);
    this.#waiting.set(id, waiting);
    const cancel = this.#timers.after(timeoutMs, resolve);
    const onAbort = () => resolve();
    if (signal?.aborted === true) resolve();
    signal?.addEventListener('abort', onAbort, { once: true });
    all?.add(resolve);
    const leave = () => {
      cancel();
      signal?.removeEventListener('abort', onAbort);
      all?.delete(resolve);
      waiting.delete(resolve);
      if (waiting.size === 0) this.#waiting.delete(id);
    };
    return { over: promise, leave };
  }

  wake(id: string): void {
    for (const resolve of this.#waiting.get(id) ?? []) resolve();
  }
}
