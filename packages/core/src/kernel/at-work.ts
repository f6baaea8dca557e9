/**
 * Operations that have begun and not ended, and how many of them count against the limit. What tries seldom because it is stuck, and what waits for parts of
 * its own or for a backend of which nothing is heard, gives its place to others: else such as wait could keep all places from what they wait for, and one
 * backend that hangs from all that have nothing to do with it.
 */
export class AtWork {
  /** So often each: one that moves back in its queues has begun anew before it has ended. */
  readonly #running = new Map<string, number>();
  readonly #stuck = new Set<string>();
  /** So many waits each. */
  readonly #resting = new Map<string, number>();
  /** Of those that run, the ones that hold no place. */
  readonly #idle = new Set<string>();
  readonly #onRoom: () => void;

  /** @param onRoom told when one begins to wait */
  constructor(onRoom: () => void) {
    this.#onRoom = onRoom;
  }

  get running(): number {
    return this.#running.size;
  }

  /** Those that hold a place. */
  get counted(): number {
    return this.#running.size - this.#idle.size;
  }

  begin(id: string): void {
    this.#running.set(id, (this.#running.get(id) ?? 0) + 1);
    this.#judge(id);
  }

  end(id: string): void {
    const more = (this.#running.get(id) ?? 1) - 1;
    if (more > 0) this.#running.set(id, more);
    else this.#running.delete(id);
    this.#stuck.delete(id);
    this.#judge(id);
  }

  stick(id: string): void {
    this.#stuck.add(id);
    this.#judge(id);
    this.#onRoom();
  }

  free(id: string): void {
    this.#stuck.delete(id);
    this.#judge(id);
  }

  /** It waits: for others, which need places of their own, or for what may never answer. Answers how to go on. */
  rest(id: string): () => void {
    this.#resting.set(id, (this.#resting.get(id) ?? 0) + 1);
    this.#judge(id);
    this.#onRoom();
    return () => {
      const others = (this.#resting.get(id) ?? 1) - 1;
      if (others > 0) this.#resting.set(id, others);
      else this.#resting.delete(id);
      this.#judge(id);
    };
  }

  #judge(id: string): void {
    if (this.#running.has(id) && (this.#stuck.has(id) || this.#resting.has(id))) this.#idle.add(id);
    else this.#idle.delete(id);
  }
}
