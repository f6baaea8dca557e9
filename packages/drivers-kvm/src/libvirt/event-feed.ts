import type { DomainEvent } from './generated/types.ts';

/** What a subscriber hears besides domain events. After `resync` it must list again: events may have been missed. */
export type ConnectionEvent =
  | { readonly kind: 'connected' }
  | { readonly kind: 'disconnected'; readonly error: Error }
  | { readonly kind: 'resync'; readonly reason: 'connected' | 'overflow' };

export type LibvirtEvent = DomainEvent | ConnectionEvent;

export type LibvirtListener = (event: LibvirtEvent) => void;

const queueMax = 10_000;

/** Hands events to those who listen. */
export class EventFeed {
  readonly #listeners = new Set<LibvirtListener>();

  /** Calls `listener` for each event until the returned function is called. */
  subscribe(listener: LibvirtListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  emit(event: LibvirtEvent): void {
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

  /** Iterates over events from now on, until `signal` fires. A reader that falls 10,000 events behind loses them and gets a `resync`. */
  async *watch(signal: AbortSignal): AsyncGenerator<LibvirtEvent, void, undefined> {
    let queue: LibvirtEvent[] = [];
    let wake = (): void => {};
    const unsubscribe = this.subscribe((event) => {
      if (queue.length >= queueMax) queue = [{ kind: 'resync', reason: 'overflow' }];
      else queue.push(event);
      wake();
    });
    const stop = (): void => wake();
    signal.addEventListener('abort', stop);
    try {
      while (!signal.aborted) {
        const batch = queue;
        queue = [];
        yield* batch;
        if (queue.length > 0 || signal.aborted) continue;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      unsubscribe();
      signal.removeEventListener('abort', stop);
    }
  }
}
