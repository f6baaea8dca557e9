import type { Clock, Timers } from './environment.ts';

/** An account writes until so long after its last transaction. Who writes more seldom has long waited for other things than the one flush that he meets. */
const WRITES_MS = 1000;
/** Statements of one account on their way to the store at once while nobody else writes: enough to share a flush of the disk well. */
const ALONE = 512;
/** Of all accounts that write together, and so of each its part: what is on its way goes before what comes. */
const TOGETHER = 96;
/** How long an account may have something on its way beside others who write little: a tenth of the time in the long run, and this much at once. */
const SHARE = 0.1;
const BURST_MS = 100;
/** A store that is slow for everybody holds nobody back for longer than ten times this. */
const DEBT_MS = 10;

interface Writer {
  wroteMs: number;
  /** Statements on their way. */
  underWay: number;
  /** What it may still have something on its way for, when it was last counted. */
  creditMs: number;
  countedMs: number;
  isHeld: boolean;
  readonly waiting: { readonly statements: number; readonly go: () => void }[];
}

/**
 * Keeps what is on its way to the store small while several accounts write. A transaction waits for all that is there before it, in its group and in the one
 * that is being flushed: a flood of one account would be a part of every wait of the others. An account that is alone keeps the store busy; so do several that
 * all write much. Beside one that writes little they gather what they have and send it together, with pauses, so that mostly nothing is in its way.
 */
export class CommitTurns {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #timers: Timers;
  /** Who has written last comes last. */
  readonly #writers = new Map<string, Writer>();

  constructor({ clock, timers }: { readonly clock: Pick<Clock, 'monotonicMs'>; readonly timers: Timers }) {
    this.#clock = clock;
    this.#timers = timers;
  }

  /** Writes so many statements for an account when it is their turn. */
  async run<T>(account: string, statements: number, write: () => Promise<T>): Promise<T> {
    const writer = this.#heed(account);
    if (writer.waiting.length === 0 && this.#mayGo(writer, statements)) writer.underWay += statements;
    else await new Promise<void>((go) => void writer.waiting.push({ statements, go }));
    try {
      return await write();
    } finally {
      this.#count(writer);
      writer.underWay -= statements;
      this.#pass(writer);
    }
  }

  #pass(writer: Writer): void {
    for (let [next] = writer.waiting; next !== undefined && this.#mayGo(writer, next.statements); [next] = writer.waiting) {
      writer.waiting.shift();
      writer.underWay += next.statements;
      next.go();
    }
  }

  #mayGo(writer: Writer, statements: number): boolean {
    this.#count(writer);
    const writers = this.#writers.size;
    const isShaped = writers > 1 && this.#writesMuch(writer) && [...this.#writers.values()].some((other) => !this.#writesMuch(other));
    if (isShaped && writer.creditMs < 0) {
      this.#hold(writer);
      return false;
    }
    // One at least, however large: it would never go else.
    if (writer.underWay === 0) return true;
    return writer.underWay + statements <= (writers === 1 ? ALONE : isShaped ? TOGETHER : TOGETHER / writers);
  }

  #writesMuch(writer: Writer): boolean {
    this.#count(writer);
    return writer.creditMs < BURST_MS / 2;
  }

  #count(writer: Writer): void {
    const nowMs = this.#clock.monotonicMs();
    const passedMs = nowMs - writer.countedMs;
    const earnedMs = SHARE * passedMs - (writer.underWay > 0 ? passedMs : 0);
    writer.creditMs = Math.max(-DEBT_MS, Math.min(BURST_MS, writer.creditMs + earnedMs));
    writer.countedMs = nowMs;
  }

  #hold(writer: Writer): void {
    // What is on its way asks again when it is answered.
    if (writer.isHeld || writer.underWay > 0) return;
    writer.isHeld = true;
    this.#timers.after(Math.ceil(-writer.creditMs / SHARE), () => {
      writer.isHeld = false;
      this.#pass(writer);
    });
  }

  #heed(account: string): Writer {
    const nowMs = this.#clock.monotonicMs();
    const writer = this.#writers.get(account) ?? {
      wroteMs: nowMs,
      underWay: 0,
      creditMs: BURST_MS,
      countedMs: nowMs,
      isHeld: false,
      waiting: [],
    };
    writer.wroteMs = nowMs;
    this.#writers.delete(account);
    this.#writers.set(account, writer);
    for (const [other, { wroteMs, underWay, waiting }] of this.#writers) {
      if (nowMs - wroteMs < WRITES_MS) break;
      if (underWay === 0 && waiting.length === 0) this.#writers.delete(other);
    }
    return writer;
  }
}
