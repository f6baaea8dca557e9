import { Observable } from 'rxjs';

/**
 * A sequence of this client (`cloud.events()`, `cloud.instances.watch()`, `.follow()`, `.list()`) as an observable. Each subscription starts one; unsubscribing
 * ends it and its connection.
 * @example observe((signal) => cloud.instances.watch({ signal })).subscribe((change) => …)
 */
export function observe<T>(start: (signal: AbortSignal) => AsyncIterable<T>): Observable<T> {
  return new Observable<T>((subscriber) => {
    const ended = new AbortController();
    void pump(start(ended.signal), (value) => subscriber.next(value), ended.signal).then(
      () => subscriber.complete(),
      (error: unknown) => subscriber.error(error),
    );
    return () => ended.abort();
  });
}

async function pump<T>(source: AsyncIterable<T>, next: (value: T) => void, signal: AbortSignal): Promise<void> {
  for await (const value of source) {
    if (signal.aborted) return;
    next(value);
  }
}
