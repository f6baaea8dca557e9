import { setTimeout as sleep } from 'node:timers/promises';
import type { Call } from '@pileus/core/strategy';
import { AbortedError, type CallOptions, TimeoutError } from './libvirt/index.ts';

/** The bounds of one driver call, shared by all the requests that it makes. */
export class Deadline {
  readonly #call: Call;
  readonly #endsAtMs: number;

  constructor(call: Call) {
    this.#call = call;
    this.#endsAtMs = performance.now() + call.timeoutMs;
  }

  /** Bounds for the next request. */
  get left(): CallOptions & { readonly signal: AbortSignal; readonly timeoutMs: number } {
    return { signal: this.#call.signal, timeoutMs: this.leftMs };
  }

  /** Never 0, which would mean no bound. */
  get leftMs(): number {
    return Math.max(1, Math.ceil(this.#endsAtMs - performance.now()));
  }

  get passed(): boolean {
    return this.#call.signal.aborted || performance.now() >= this.#endsAtMs;
  }

  /** Fires when the call is aborted or its time is over. */
  get signal(): AbortSignal {
    return AbortSignal.any([this.#call.signal, AbortSignal.timeout(this.leftMs)]);
  }

  /** Sleeps, and rejects when the deadline or an abort comes first: what was asked for may then still happen. */
  async pause(delayMs: number, waitingFor: string): Promise<void> {
    await this.bound(sleep(delayMs), waitingFor);
  }

  /** The outcome of `work`, or a rejection as soon as the deadline or an abort comes first. */
  async bound<T>(work: Promise<T>, waitingFor: string): Promise<T> {
    const { signal } = this;
    const given = Promise.withResolvers<never>();
    const give = () => given.reject(this.#givenUp(waitingFor));
    signal.addEventListener('abort', give);
    if (signal.aborted) give();
    try {
      return await Promise.race([work, given.promise]);
    } finally {
      signal.removeEventListener('abort', give);
    }
  }

  #givenUp(waitingFor: string): Error {
    const { signal } = this.#call;
    return signal.aborted ? new AbortedError(waitingFor, 'unknown', { cause: signal.reason }) : new TimeoutError(waitingFor, 'unknown');
  }
}
