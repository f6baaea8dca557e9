import type { Clock } from './environment.ts';

/** So many a second in the long run, and so many at once after a pause. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** What is left for a key. Seconds are whole ones, rounded up. */
export interface Allowance {
  readonly granted: boolean;
  readonly remaining: number;
  /** Until all of the burst is there again. */
  readonly resetSeconds: number;
  /** Until the next request is granted; 0 when one would be now. */
  readonly retrySeconds: number;
  /** By how much it was refused more often than granted: what asks at its rate has few, who does not heed refusals has ever more. */
  readonly refusals: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
  refusals: number;
}

const REFUSALS_COUNTED = 100;

/** So many buckets are kept before those that are full again are let go of for the first time; then twice as many as are left each time. */
const BUCKETS_KEPT = 1000;

/** A bucket of tokens for each key: a request takes one, time brings them back. */
export class Rates {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #rate: Rate;
  readonly #buckets = new Map<string, Bucket>();
  #bucketsMax = BUCKETS_KEPT;

  constructor(rate: Rate, clock: Pick<Clock, 'monotonicMs'>) {
    this.#rate = rate;
    this.#clock = clock;
  }

  get rate(): Rate {
    return this.#rate;
  }

  take(key: string): Allowance {
    const { perSecond, burst } = this.#rate;
    const bucket = this.#filled(key);
    const granted = bucket.tokens >= 1;
    if (granted) bucket.tokens -= 1;
    bucket.refusals = granted ? Math.max(0, bucket.refusals - 1) : Math.min(REFUSALS_COUNTED, bucket.refusals + 1);
    return {
      granted,
      remaining: Math.floor(bucket.tokens),
      resetSeconds: Math.ceil((burst - bucket.tokens) / perSecond),
      retrySeconds: Math.ceil(Math.max(0, 1 - bucket.tokens) / perSecond),
      refusals: bucket.refusals,
    };
  }

  #filled(key: string): Bucket {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#buckets.get(key);
    if (known !== undefined) {
      known.tokens = this.#tokens(known, nowMs);
      known.atMs = nowMs;
      return known;
    }
    if (this.#buckets.size >= this.#bucketsMax) this.#dropFull(nowMs);
    const bucket = { tokens: this.#rate.burst, atMs: nowMs, refusals: 0 };
    this.#buckets.set(key, bucket);
    return bucket;
  }

  #tokens({ tokens, atMs }: Bucket, nowMs: number): number {
    return Math.min(this.#rate.burst, tokens + ((nowMs - atMs) * this.#rate.perSecond) / 1000);
  }

  /** A full bucket is as good as none. */
  #dropFull(nowMs: number): void {
    for (const [key, bucket] of this.#buckets) if (this.#tokens(bucket, nowMs) >= this.#rate.burst) this.#buckets.delete(key);
    this.#bucketsMax = Math.max(BUCKETS_KEPT, 2 * this.#buckets.size);
  }
}

/** The fields of the IETF draft "RateLimit header fields for HTTP". */
export function rateHeaders({ perSecond, burst }: Rate, { remaining, resetSeconds }: Allowance): Readonly<Record<string, string>> {
  return {
    'ratelimit-policy': `"key";q=${burst};w=${Math.ceil(burst / perSecond)}`,
    ratelimit: `"key";r=${remaining};t=${resetSeconds}`,
  };
}
