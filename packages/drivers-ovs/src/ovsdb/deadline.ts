import { AbortedError, TimeoutError } from './errors.ts';
import type { CallOptions } from './requests.ts';

/** Waits for something that was not asked of the server, so whatever cuts it short has outcome `not_sent`. */
export async function within<T>(name: string, work: Promise<T>, options: CallOptions): Promise<T> {
  const { signal, timeoutMs = 0 } = options;
  const cut = Promise.withResolvers<never>();
  const abort = (): void => cut.reject(new AbortedError(name, 'not_sent', { cause: signal?.reason }));
  const expire = (): void => cut.reject(new TimeoutError(`${name}: not in ${Math.round(timeoutMs)} ms`, 'not_sent'));
  const timer = timeoutMs > 0 ? setTimeout(expire, timeoutMs) : undefined;
  signal?.addEventListener('abort', abort);
  if (signal?.aborted) abort();
  try {
    return await Promise.race([work, cut.promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

/** The same bounds after some of the time is gone; never down to 0, which would mean no deadline. */
export function remaining(options: CallOptions, startedAtMs: number): CallOptions {
  const { timeoutMs = 0 } = options;
  return timeoutMs > 0 ? { ...options, timeoutMs: Math.max(1, timeoutMs - (performance.now() - startedAtMs)) } : options;
}
