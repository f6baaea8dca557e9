import { Places } from './places.ts';

/**
 * Operations that have begun and not ended, and how many of them count against the limit. What tries seldom because it is stuck, and what waits for parts of
 * its own or for a backend of which nothing is heard, gives its place to others: else such as wait could keep all places from what they wait for, and one
 * backend that hangs from all that have nothing to do with it. When those of one account have taken all places, others still find a few.
 */
export class AtWork {
  /** Whose each is, and how often it runs: one that moves back in its queues has begun anew before it has ended. */
  readonly #running = new Map<string, { readonly account: string; times: number }>();
  readonly #stuck = new Set<string>();
  /** So many waits each. */
  readonly #resting = new Map<string, number>();
  /** Of those that run, the ones that hold a place. */
  readonly #counted = new Set<string>();
  readonly #places: Places;
  readonly #onRoom: () => void;

  /** @param onRoom told when one begins to wait */
  constructor(max: number, onRoom: () => void) {
    this.#places = new Places(max);
    this.#onRoom = onRoom;
  }

  get running(): number {
    return this.#running.size;
  }

  hasRoomFor(account: string): boolean {
    return this.#places.hasRoomFor(account);
  }

  begin(id: string, account: string): void {
    const run = this.#running.get(id);
    if (run === undefined) this.#running.set(id, { account, times: 1 });
    else run.times += 1;
    this.#judge(id);
  }

  end(id: string): void {
    const run = this.#running.get(id);
    if (run === undefined) return;
    run.times -= 1;
    this.#stuck.delete(id);
    if (run.times > 0) this.#judge(id);
    else {
      this.#leave(id, run.account);
      this.#running.delete(id);
    }
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
    const run = this.#running.get(id);
    if (run === undefined) return;
    if (this.#stuck.has(id) || this.#resting.has(id)) this.#leave(id, run.account);
    else if (!this.#counted.has(id)) {
      this.#counted.add(id);
      this.#places.add(run.account);
    }
  }

  #leave(id: string, account: string): void {
    if (this.#counted.delete(id)) this.#places.remove(account);
  }
}
