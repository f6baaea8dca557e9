/** Something that will happen at a virtual instant. */
export interface Due {
  readonly atMs: number;
  /** Order of registration: timers of one instant run first come, first served. */
  readonly order: number;
  run: (() => void) | undefined;
}

const before = (a: Due, b: Due): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

/** A binary heap by instant, then by registration. A cancelled entry stays until it surfaces, or until cancelled entries are the majority. */
export class TimerQueue {
  #heap: Due[] = [];
  #order = 0;
  #cancelled = 0;

  /** How many will still run. */
  get size(): number {
    return this.#heap.length - this.#cancelled;
  }

  add(atMs: number, run: () => void): Due {
    const due: Due = { atMs, order: this.#order, run };
    this.#order += 1;
    this.#heap.push(due);
    this.#rise(this.#heap.length - 1);
    return due;
  }

  cancel(due: Due): void {
    if (due.run === undefined) return;
    due.run = undefined;
    this.#cancelled += 1;
    if (this.#cancelled > 64 && this.#cancelled * 2 > this.#heap.length) this.#compact();
  }

  /** The next that will run, left in place. */
  peek(): Due | undefined {
    while (this.#heap[0] !== undefined && this.#heap[0].run === undefined) {
      this.#pop();
      this.#cancelled -= 1;
    }
    return this.#heap[0];
  }

  /** Takes the next out; its `run` counts as spent, so that cancelling it later does nothing. */
  take(): { readonly atMs: number; readonly order: number; readonly run: () => void } | undefined {
    const due = this.peek();
    if (due?.run === undefined) return undefined;
    this.#pop();
    const taken = { atMs: due.atMs, order: due.order, run: due.run };
    due.run = undefined;
    return taken;
  }

  #compact(): void {
    this.#heap = this.#heap.filter((due) => due.run !== undefined).sort((a, b) => (before(a, b) ? -1 : 1));
    this.#cancelled = 0;
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink();
  }

  #rise(from: number): void {
    let at = from;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!this.#swapIfBefore(at, up)) return;
      at = up;
    }
  }

  #sink(): void {
    let at = 0;
    for (;;) {
      const [left, right] = [this.#heap[2 * at + 1], this.#heap[2 * at + 2]];
      if (left === undefined) return;
      const down = right !== undefined && before(right, left) ? 2 * at + 2 : 2 * at + 1;
      if (!this.#swapIfBefore(down, at)) return;
      at = down;
    }
  }

  #swapIfBefore(lower: number, upper: number): boolean {
    const [low, up] = [this.#heap[lower], this.#heap[upper]];
    if (low === undefined || up === undefined || !before(low, up)) return false;
    this.#heap[lower] = up;
    this.#heap[upper] = low;
    return true;
  }
}
