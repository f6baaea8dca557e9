import { type Clock, FairQueue } from '@pileus/core/kernel';

/** An account is at work until so long after its last request. */
const AT_WORK_MS = 10_000;
/** Requests begun in one turn of the event loop while several accounts are at work. */
const BEGUN_A_TURN = 8;
/** The same of an account that is alone: what a hundred connections ask at once would hold the event loop for as long as all of them take. */
const BEGUN_ALONE = 32;
/** From so many on they are counted by the turn: to ask for each turn would cost each request. */
const COUNTED = 8;
/** Requests of one account in work at once while others are at work, too. */
const IN_WORK = 4;
const ACCOUNTS_KEPT = 1000;

export interface TurnsOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Calls back in the next turn of the event loop. */
  readonly next: (run: () => void) => void;
  /** Who is alone here has no more than where others are at work: behind these turns are others, in which he is not. */
  readonly isNobodyAlone?: boolean;
}

/**
 * Begins requests of accounts in turn. What one thread, one queue of commits and a few readers do for one account, all others wait for; so while several are at
 * work each may begin one request in a turn of the event loop, and have a few in work. What it asks beyond that waits. A flood then costs the others what a few
 * requests of it cost. An account that is alone begins what
 * comes, in several turns where it is much at once.
 */
export class Turns {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #next: (run: () => void) => void;
  /** When each was last heard of; the latest last. */
  readonly #heardMs = new Map<string, number>();
  readonly #waiting = new FairQueue<() => void>();
  readonly #inWork = new Map<string, number>();
  /** Accounts that have begun one in this turn. */
  readonly #begun = new Set<string>();
  /** Requests that an account which is alone has begun in this turn, and fewer than `COUNTED` of those before. */
  #begunAlone = 0;
  #turning = false;
  readonly #isNobodyAlone: boolean;

  constructor(options: TurnsOptions) {
    this.#clock = options.clock;
    this.#next = options.next;
    this.#isNobodyAlone = options.isNobodyAlone ?? false;
  }

  /** Undefined when it may begin at once. `leave` follows when it is answered. */
  take(account: string): Promise<void> | undefined {
    const isAlone = this.#isAlone(account);
    if (isAlone) this.#begunAlone += 1;
    if (this.#begunAlone >= COUNTED) this.#turn();
    if (isAlone ? this.#begunAlone <= BEGUN_ALONE : this.#mayBegin(account)) {
      if (!isAlone) this.#turn();
      this.#begin(account);
      return undefined;
    }
    this.#turn();
    return new Promise((begin) =>
      this.#waiting.push(account, () => {
        this.#begin(account);
        begin();
      }),
    );
  }

  leave(account: string): void {
    const left = (this.#inWork.get(account) ?? 0) - 1;
    if (left > 0) this.#inWork.set(account, left);
    else this.#inWork.delete(account);
    if (this.#waiting.length > 0) this.#turn();
  }

  #begin(account: string): void {
    this.#inWork.set(account, (this.#inWork.get(account) ?? 0) + 1);
    this.#begun.add(account);
  }

  #mayBegin(account: string): boolean {
    return this.#begun.size < BEGUN_A_TURN && !this.#begun.has(account) && (this.#inWork.get(account) ?? 0) < IN_WORK;
  }

  #isAlone(account: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    this.#heardMs.delete(account);
    this.#heardMs.set(account, nowMs);
    this.#forgetQuiet(nowMs);
    return this.#heardMs.size === 1 && this.#waiting.length === 0 && !this.#isNobodyAlone;
  }

  #forgetQuiet(nowMs: number): void {
    for (const [oldest, atMs] of this.#heardMs) {
      if (nowMs - atMs < AT_WORK_MS && this.#heardMs.size <= ACCOUNTS_KEPT) break;
      this.#heardMs.delete(oldest);
    }
  }

  #turn(): void {
    if (this.#turning) return;
    this.#turning = true;
    this.#next(() => {
      this.#turning = false;
      this.#begun.clear();
      const begins = this.#heardMs.size === 1 && !this.#isNobodyAlone ? this.#shiftAlone() : this.#shiftFair();
      this.#begunAlone = begins.length;
      for (const begin of begins) begin();
      // Those that may begin no more come to their turn when one of theirs is answered.
      if (begins.length > 0) this.#turn();
    });
  }

  #shiftAlone(): readonly (() => void)[] {
    return Array.from({ length: Math.min(this.#waiting.length, BEGUN_ALONE) }, () => this.#waiting.shift()).filter(
      (begin) => begin !== undefined,
    );
  }

  #shiftFair(): readonly (() => void)[] {
    return this.#waiting.shiftEach(BEGUN_A_TURN, (account) => this.#mayBegin(account)).map(([, begin]) => begin);
  }
}
