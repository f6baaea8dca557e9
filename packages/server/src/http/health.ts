import { type Environment, type Store, timestamp } from '@pileus/core/kernel';

/** How long one probe of the store stands for those after it. */
const PROBE_MS = 5000;
/** A store that takes longer is as good as gone: whoever asks has a time-out of its own. */
const ANSWER_MS = 2000;

/** Whether the server should be sent requests: its store takes writes, and it is not stopping. */
export class Health {
  readonly #store: Store;
  readonly #environment: Pick<Environment, 'clock' | 'timers'>;
  #stopping = false;
  #probed: { readonly atMs: number; readonly problem: Promise<string | undefined> } | undefined;

  constructor(store: Store, environment: Pick<Environment, 'clock' | 'timers'>) {
    this.#store = store;
    this.#environment = environment;
  }

  stop(): void {
    this.#stopping = true;
  }

  /** Why not, or undefined when it is ready. */
  problem(): Promise<string | undefined> {
    if (this.#stopping) return Promise.resolve('stopping');
    const nowMs = this.#environment.clock.monotonicMs();
    if (this.#probed === undefined || nowMs - this.#probed.atMs > PROBE_MS)
      this.#probed = { atMs: nowMs, problem: this.#bounded(this.#probe()) };
    return this.#probed.problem;
  }

  #bounded(probe: Promise<string | undefined>): Promise<string | undefined> {
    const late = Promise.withResolvers<string>();
    const cancel = this.#environment.timers.after(ANSWER_MS, () => late.resolve('the store does not answer'));
    return Promise.race([probe, late.promise]).finally(cancel);
  }

  /** A real write, for a full or read-only disk is found in no other way. */
  async #probe(): Promise<string | undefined> {
    try {
      const statements = [{ op: 'adjust', counter: 'health/probes', by: 1 }] as const;
      const result = await this.#store.commit({
        node: 'health',
        epoch: this.#store.epoch,
        at: timestamp(this.#environment.clock),
        statements,
      });
      return result.ok ? undefined : `the store refuses writes: ${result.reason}`;
    } catch {
      return 'the store takes no writes';
    }
  }
}
