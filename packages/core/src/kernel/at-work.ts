/**
 * Operations that have begun and not ended, and how many of them count against the limit. What tries seldom because it is stuck, and what waits for parts of
 * its own, gives its place to others: else such as wait could keep all places from what they wait for.
 */
export class AtWork {
  #running = 0;
  readonly #stuck = new Set<string>();
  /** So many waits each. */
  readonly #resting = new Map<string, number>();
  readonly #onRoom: () => void;

  /** @param onRoom told when one begins to wait */
  constructor(onRoom: () => void) {
    this.#onRoom = onRoom;
  }

  get running(): number {
    return this.#running;
  }

  /** Those that hold a place. */
  get counted(): number {
    let counted = this.#running - this.#stuck.size;
    for (const id of this.#resting.keys()) if (!this.#stuck.has(id)) counted -= 1;
    return counted;
  }

  begin(): void {
    this.#running += 1;
  }

  end(id: string): void {
    this.#running -= 1;
    this.#stuck.delete(id);
  }

  stick(id: string): void {
    this.#stuck.add(id);
  }

  free(id: string): void {
    this.#stuck.delete(id);
  }

  /** It waits for others, which need places of their own. Answers how to go on. */
  rest(id: string): () => void {
    this.#resting.set(id, (this.#resting.get(id) ?? 0) + 1);
    this.#onRoom();
    return () => {
      const others = (this.#resting.get(id) ?? 1) - 1;
      if (others > 0) this.#resting.set(id, others);
      else this.#resting.delete(id);
    };
  }
}
