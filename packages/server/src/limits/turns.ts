import { type Clock, FairQueue } from '@pileus/core/kernel';

/** An account is at work until so long after its last request. */
const AT_WORK_MS = 10_000;
/** Requests begun in one turn of the event loop while several accounts are at work. */
const BEGUN_A_TURN = 8;
const ACCOUNTS_KEPT = 1000;

/**
 * Begins requests of accounts in turn. What one thread does for one account, all others wait for; so while several are at work each may begin one request in
 * a turn of the event loop, and what it asks beyond that waits for the next. A flood then costs the others what one request of it costs. An account that is
 * alone begins as many as come.
 */
export class Turns {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  /** Calls back in the next turn of the event loop. */
  readonly #next: (run: () => void) => void;
  /** When each was last heard of; the latest last. */
  readonly #heardMs = new Map<string, number>();
  readonly #waiting = new FairQueue<() => void>();
  /** Accounts that have begun one in this turn. */
  readonly #begun = new Set<string>();
  #turning = false;

  constructor(options: { readonly clock: Pick<Clock, 'monotonicMs'>; readonly next: (run: () => void) => void }) {
    this.#clock = options.clock;
    this.#next = options.next;
  }

  /** Undefined when it may begin at once. */
  take(account: string): Promise<void> | undefined {
    if (this.#isAlone(account)) return undefined;
    this.#turn();
    if (!this.#begun.has(account) && this.#begun.size < BEGUN_A_TURN) {
      this.#begun.add(account);
      return undefined;
    }
    return new Promise((begin) => this.#waiting.push(account, begin));
  }

  #isAlone(account: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    this.#heardMs.delete(account);
    this.#heardMs.set(account, nowMs);
    for (const [oldest, atMs] of this.#heardMs) {
      if (nowMs - atMs < AT_WORK_MS && this.#heardMs.size <= ACCOUNTS_KEPT) break;
      this.#heardMs.delete(oldest);
    }
    return this.#heardMs.size === 1 && this.#waiting.length === 0;
  }

  #turn(): void {
    if (this.#turning) return;
    this.#turning = true;
    this.#next(() => {
      this.#turning = false;
      this.#begun.clear();
      const begins = this.#waiting.shiftEach(BEGUN_A_TURN);
      for (const [account, begin] of begins) {
        this.#begun.add(account);
        begin();
      }
      if (begins.length > 0) this.#turn();
    });
  }
}
