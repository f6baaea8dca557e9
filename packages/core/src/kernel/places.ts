/** So much more than there is room for is kept for those who hold little. */
const RESERVE = 0.25;

/**
 * Room for so many at once, whoever they are of. When one has taken all of it, others still find a little: the reserve is parted among all who hold
 * something, and whoever has less than his part of it gets in.
 */
export class Places {
  readonly #max: number;
  readonly #held = new Map<string, number>();
  #total = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get total(): number {
    return this.#total;
  }

  hasRoomFor(whose: string): boolean {
    if (this.#total < this.#max) return true;
    const held = this.#held.get(whose) ?? 0;
    const parts = this.#held.size + (held === 0 ? 1 : 0);
    return held < (this.#max * RESERVE) / parts && this.#total < this.#max * (1 + RESERVE);
  }

  add(whose: string): void {
    this.#held.set(whose, (this.#held.get(whose) ?? 0) + 1);
    this.#total += 1;
  }

  remove(whose: string): void {
    const held = (this.#held.get(whose) ?? 0) - 1;
    if (held > 0) this.#held.set(whose, held);
    else this.#held.delete(whose);
    this.#total -= 1;
  }

  /** Takes a place and answers how to leave it, once; undefined when there is none. */
  take(whose: string): (() => void) | undefined {
    if (!this.hasRoomFor(whose)) return undefined;
    this.add(whose);
    let isIn = true;
    return () => {
      if (isIn) this.remove(whose);
      isIn = false;
    };
  }
}
