/** A queue of queues: whoever has something waiting is served in turn, and his own in the order of their coming. */
export class FairQueue<T> {
  /** In order of their turns; none is empty. */
  readonly #waiting = new Map<string, T[]>();
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(whose: string, item: T): void {
    const own = this.#waiting.get(whose);
    if (own === undefined) this.#waiting.set(whose, [item]);
    else own.push(item);
    this.#length += 1;
  }

  /** How many are taken before it, one by one, if no others come; undefined where it does not wait. */
  ahead(whose: string, item: T): number | undefined {
    const place = this.#waiting.get(whose)?.indexOf(item) ?? -1;
    if (place < 0) return undefined;
    let ahead = 0;
    let isEarlier = true;
    for (const [other, own] of this.#waiting) {
      if (other === whose) isEarlier = false;
      ahead += other === whose ? place : Math.min(own.length, isEarlier ? place + 1 : place);
    }
    return ahead;
  }

  /** The next one, of whom it is longest ago that one was taken. */
  shift(): T | undefined {
    return this.shiftEach(1)[0]?.[1];
  }

  /** The next one of each that may have one, of so many at most. */
  shiftEach(max: number, may: (whose: string) => boolean = () => true): readonly (readonly [whose: string, item: T])[] {
    const taken: (readonly [string, T])[] = [];
    for (const [whose, own] of this.#waiting) {
      if (taken.length === max) break;
      if (may(whose)) taken.push([whose, own.shift() as T]);
    }
    for (const [whose] of taken) {
      const own = this.#waiting.get(whose) ?? [];
      this.#waiting.delete(whose);
      if (own.length > 0) this.#waiting.set(whose, own);
    }
    this.#length -= taken.length;
    return taken;
  }
}
