import { setTimeout as sleep } from 'node:timers/promises';
import type { Call } from '@pileus/core/strategy';
import { AbortedError, type CallOptions, TimeoutError } from '../rados/index.ts';

/** The bounds of one driver call, shared by all the calls of the binding that it makes. */
export class Deadline {
  readonly #signal: AbortSignal;
  readonly #endsAtMs: number;

  /** @param closed fires when the driver object is closed */
  constructor({ signal, timeoutMs }: Pick<Call, 'signal' | 'timeoutMs'>, closed: AbortSignal) {
    this.#signal = AbortSignal.any([signal, closed]);
    this.#endsAtMs = performance.now() + timeoutMs;
  }

  /** Bounds for the next call. */
  get left(): CallOptions {
    return { signal: this.#signal, timeoutMs: this.leftMs };
  }

  /** Never 0. */
  get leftMs(): number {
    return Math.max(1, Math.ceil(this.#endsAtMs - performance.now()));
  }

  get passed(): boolean {
    return this.#signal.aborted || performance.now() >= this.#endsAtMs;
  }

  /** Sleeps, and rejects when the deadline or an abort comes first. */
  async pause(delayMs: number, waitingFor: string): Promise<void> {
    await this.bound(sleep(delayMs), waitingFor);
  }

  /** The outcome of `work`, or a rejection as soon as the deadline or an abort comes first. */
  async bound<T>(work: Promise<T>, waitingFor: string): Promise<T> {
    const ends = AbortSignal.any([this.#signal, AbortSignal.timeout(this.leftMs)]);
    const given = Promise.withResolvers<never>();
    const give = () => given.reject(this.#givenUp(waitingFor));
    ends.addEventListener('abort', give);
    if (ends.aborted) give();
    try {
      return await Promise.race([work, given.promise]);
    } finally {
      ends.removeEventListener('abort', give);
    }
  }

  #givenUp(waitingFor: string): Error {
    const { aborted, reason } = this.#signal;
    return aborted ? new AbortedError(waitingFor, 'unknown', { cause: reason }) : new TimeoutError(waitingFor, 'unknown');
  }
}
