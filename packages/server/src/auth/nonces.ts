import { type Clock, CloudError } from '@pileus/core/kernel';

interface Period {
  readonly seen: Map<string, Set<string>>;
  total: number;
}

/** So much more than there is room for is kept for keys that have less than their part. */
const OVER = 2;

const period = (): Period => ({ seen: new Map(), total: 0 });

/** What was used once, of each key: for at least one period, for two at most. */
export class Nonces {
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #periodMs: number;
  /** In one period; a key that has less than its part of them is let in beyond, so that one that floods does not keep the others out. */
  readonly #max: number;
  #now = period();
  #before = period();
  #turnedMs: number;

  constructor(clock: Pick<Clock, 'nowMs'>, options: { readonly periodMs: number; readonly max: number }) {
    this.#clock = clock;
    this.#periodMs = options.periodMs;
    this.#max = options.max;
    this.#turnedMs = clock.nowMs();
  }

  /** @throws CloudError `unauthenticated` for one that was used, `busy` when there is no room to remember it */
  use(key: string, nonce: string): void {
    this.#turn();
    const own = this.#now.seen.get(key) ?? new Set();
    if (own.has(nonce) || this.#before.seen.get(key)?.has(nonce) === true)
      throw new CloudError('unauthenticated', 'This request was made before.');
    this.#now.seen.set(key, own);
    const { total, seen } = this.#now;
    if (total >= this.#max * OVER || (total >= this.#max && own.size >= this.#max / seen.size))
      throw new CloudError('busy', 'Too many signed requests to remember.', { params: { retryAfterSeconds: 60 } });
    own.add(nonce);
    this.#now.total += 1;
  }

  #turn(): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#turnedMs <= this.#periodMs) return;
    this.#before = this.#now;
    this.#now = period();
    this.#turnedMs = nowMs;
  }
}
