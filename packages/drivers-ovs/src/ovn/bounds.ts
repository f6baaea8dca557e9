import type { Call } from '@pileus/core/strategy';
import { AbortedError, type CallOptions, type Outcome, TimeoutError } from '../ovsdb/index.ts';

/** The bounds of one driver call, shared by all the requests that it makes. */
export class Bounds {
  readonly #signal: AbortSignal;
  readonly #endsAtMs: number;

  constructor(call: Pick<Call, 'signal' | 'timeoutMs'>) {
    this.#signal = call.signal;
    this.#endsAtMs = performance.now() + call.timeoutMs;
  }

  /** For the next request. */
  get left(): CallOptions {
    return { signal: this.#signal, timeoutMs: this.leftMs };
  }

  /** Never 0, which would mean no bound. */
  get leftMs(): number {
    return Math.max(1, Math.ceil(this.#endsAtMs - performance.now()));
  }

  get passed(): boolean {
    return this.#signal.aborted || performance.now() >= this.#endsAtMs;
  }

  /** The outcome of `work`, or a rejection as soon as the deadline or an abort comes first; `outcome` is asked then. */
  async of<T>(work: Promise<T>, name: string, outcome: () => Outcome): Promise<T> {
    const cut = Promise.withResolvers<never>();
    const abort = (): void => cut.reject(new AbortedError(name, outcome(), { cause: this.#signal.reason }));
    const expire = (): void => cut.reject(new TimeoutError(`${name}: no end in time`, outcome()));
    const timer = setTimeout(expire, this.leftMs);
    this.#signal.addEventListener('abort', abort);
    if (this.#signal.aborted) abort();
    try {
      return await Promise.race([work, cut.promise]);
    } finally {
      clearTimeout(timer);
      this.#signal.removeEventListener('abort', abort);
    }
  }
}
