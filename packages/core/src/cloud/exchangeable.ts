interface Held<D> {
  readonly driver: D;
  calls: number;
}

/**
 * A driver that can be exchanged for another one of the same place while it is used: what is under way ends with the driver that it began with, which is closed after
 * the last of it; what begins later is done by the new one.
 */
export class Exchangeable<D extends { close(): Promise<void> }> {
  #now: Held<D>;
  readonly #leaving = new Set<Held<D>>();
  /** Told of a driver that did not close as it should: nobody waits for that. */
  readonly #failed: (error: unknown) => void;

  constructor(driver: D, failed: (error: unknown) => void) {
    this.#now = { driver, calls: 0 };
    this.#failed = failed;
  }

  get driver(): D {
    return this.#now.driver;
  }

  /** The body asks for `driver` at once, if at all. */
  async use<T>(body: () => Promise<T>): Promise<T> {
    const held = this.#now;
    held.calls += 1;
    try {
      return await body();
    } finally {
      held.calls -= 1;
      this.#endUnused(held);
    }
  }

  exchange(driver: D): void {
    const before = this.#now;
    this.#now = { driver, calls: 0 };
    this.#leaving.add(before);
    this.#endUnused(before);
  }

  /** At once, whatever is under way. */
  async close(): Promise<void> {
    const all = [this.#now, ...this.#leaving];
    this.#leaving.clear();
    await Promise.all(all.map(({ driver }) => driver.close()));
  }

  #endUnused(held: Held<D>): void {
    if (held.calls === 0 && this.#leaving.delete(held)) held.driver.close().catch(this.#failed);
  }
}
