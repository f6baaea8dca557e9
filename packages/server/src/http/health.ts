import { type Clock, type Store, timestamp } from '@pileus/core/kernel';

/** How long one probe of the store stands for those after it. */
const PROBE_MS = 5000;

/** Whether the server should be sent requests: its store takes writes, and it is not stopping. */
export class Health {
  readonly #store: Store;
  readonly #clock: Clock;
  #stopping = false;
  #probed: { readonly atMs: number; readonly problem: Promise<string | undefined> } | undefined;

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  stop(): void {
    this.#stopping = true;
  }

  /** Why not, or undefined when it is ready. */
  problem(): Promise<string | undefined> {
    if (this.#stopping) return Promise.resolve('stopping');
    const nowMs = this.#clock.monotonicMs();
    if (this.#probed === undefined || nowMs - this.#probed.atMs > PROBE_MS) this.#probed = { atMs: nowMs, problem: this.#probe() };
    return this.#probed.problem;
  }

  /** A real write, for a full or read-only disk is found in no other way. */
  async #probe(): Promise<string | undefined> {
    try {
      const statements = [{ op: 'adjust', counter: 'health/probes', by: 1 }] as const;
      const result = await this.#store.commit({ node: 'health', epoch: this.#store.epoch, at: timestamp(this.#clock), statements });
      return result.ok ? undefined : `the store refuses writes: ${result.reason}`;
    } catch {
      return 'the store takes no writes';
    }
  }
}
