import type { Marks } from '@pileus/core/kernel';

/** The longest that one turn of the event loop took, by processor time, and what most of it was. */
export interface LongestTurn {
  readonly cpuMs: number;
  readonly what: string;
}

const UNMARKED = 'answers of the store and requests';
const PLACE = /\[[^\]]*\]/g;

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/**
 * Follows turns of this thread's event loop by processor time, which a busy machine stretches less than time. What is marked (steps, driver calls, hooks) names the
 * pieces of a turn: each is what lies between two marks.
 */
export class Turns implements Marks {
  readonly #pieces = new Map<string, number>();
  #fromMs = threadCpuMs();
  #what = UNMARKED;
  #longest: LongestTurn = { cpuMs: 0, what: '' };
  #isStopped = false;

  constructor() {
    this.#turn();
  }

  begin(area: string, name: string): void {
    this.#cut(`${area} ${name.replaceAll(PLACE, '[]')}`);
  }

  end(area: string, name: string): void {
    this.#cut(`after ${area} ${name.replaceAll(PLACE, '[]')}`);
  }

  /** Since it was asked before. */
  longest(): LongestTurn {
    const found = this.#longest;
    this.#longest = { cpuMs: 0, what: '' };
    return found;
  }

  stop(): void {
    this.#isStopped = true;
  }

  #cut(next: string): void {
    const nowMs = threadCpuMs();
    this.#pieces.set(this.#what, (this.#pieces.get(this.#what) ?? 0) + nowMs - this.#fromMs);
    this.#fromMs = nowMs;
    this.#what = next;
  }

  #turn(): void {
    this.#cut(UNMARKED);
    const cpuMs = [...this.#pieces.values()].reduce((sum, piece) => sum + piece, 0);
    if (cpuMs > this.#longest.cpuMs) {
      const [what = ''] = [...this.#pieces].toSorted(([, a], [, b]) => b - a)[0] ?? [];
      this.#longest = { cpuMs, what };
    }
    this.#pieces.clear();
    if (!this.#isStopped) setImmediate(() => this.#turn());
  }
}
