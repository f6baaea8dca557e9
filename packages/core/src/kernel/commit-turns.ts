import type { Clock } from './environment.ts';

/** An account writes until so long after its last transaction. Who writes more seldom has long waited for other things than the one flush that he meets. */
const WRITES_MS = 1000;
/** Statements of one account on their way to the store at once while nobody else writes: enough to share a flush of the disk well. */
const ALONE = 512;
/** Of all accounts that write together, and so of each its part: what is on its way goes before what comes. */
const TOGETHER = 96;

interface Writer {
  wroteMs: number;
  /** Statements on their way. */
  underWay: number;
  readonly waiting: { readonly statements: number; readonly go: () => void }[];
}

/**
 * Keeps what is on its way to the store small while several accounts write. A transaction waits for all that is there before it, in its group and in the one
 * that is being flushed: a flood of one account would be a part of every wait of the others. An account that is alone keeps the store busy.
 */
export class CommitTurns {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  /** Who has written last comes last. */
  readonly #writers = new Map<string, Writer>();

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** Writes so many statements for an account when it is their turn. */
  async run<T>(account: string, statements: number, write: () => Promise<T>): Promise<T> {
    const writer = this.#heed(account);
    if (writer.waiting.length === 0 && this.#mayGo(writer, statements)) writer.underWay += statements;
    else await new Promise<void>((go) => writer.waiting.push({ statements, go }));
    try {
      return await write();
    } finally {
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

  /** One at least, however large: it would never go else. */
  #mayGo({ underWay }: Writer, statements: number): boolean {
    if (underWay === 0) return true;
    const writers = this.#writers.size;
    return underWay + statements <= (writers === 1 ? ALONE : TOGETHER / writers);
  }

  #heed(account: string): Writer {
    const nowMs = this.#clock.monotonicMs();
    const writer = this.#writers.get(account) ?? { wroteMs: nowMs, underWay: 0, waiting: [] };
    writer.wroteMs = nowMs;
    this.#writers.delete(account);
    this.#writers.set(account, writer);
    for (const [other, { wroteMs, underWay }] of this.#writers) {
      if (nowMs - wroteMs < WRITES_MS) break;
      if (underWay === 0) this.#writers.delete(other);
    }
    return writer;
  }
}
