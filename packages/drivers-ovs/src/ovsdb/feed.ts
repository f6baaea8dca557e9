/** What a reader hears of a feed that he was too slow for: events are lost, so he looks at the state itself. */
export interface Overflow {
  readonly kind: 'overflow';
}

const queueMax = 10_000;

/** Hands events to those who listen, in order. */
export class Feed<E> {
  readonly #listeners = new Set<(event: E) => void>();

  /** Calls `listener` for each event until the returned function is called. */
  subscribe(listener: (event: E) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  emit(event: E): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        // A broken listener is the program's fault, not the connection's: fail as an event emitter would, but outside of our read loop.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  /** Iterates over events from now on, until `signal` fires. A reader that falls 10,000 events behind loses them and gets an `overflow`. */
  watch(signal: AbortSignal): AsyncGenerator<E | Overflow, void, undefined> {
    const backlog = new Backlog<E>();
    const unsubscribe = this.subscribe((event) => backlog.push(event));
    signal.addEventListener('abort', () => {
      unsubscribe();
      backlog.wake();
    });
    return backlog.read(signal, unsubscribe);
  }
}

/** Events that a reader has not taken yet. */
class Backlog<E> {
  #queue: (E | Overflow)[] = [];
  wake = (): void => {};

  push(event: E): void {
    if (this.#queue.length >= queueMax) this.#queue = [{ kind: 'overflow' }];
    else this.#queue.push(event);
    this.wake();
  }

  async *read(signal: AbortSignal, done: () => void): AsyncGenerator<E | Overflow, void, undefined> {
    try {
      for (;;) {
        const batch = this.#queue;
        this.#queue = [];
        yield* batch;
        if (this.#queue.length > 0) continue;
        if (signal.aborted) return;
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
    } finally {
      done();
    }
  }
}
