import type { Environment } from '../../kernel/index.ts';

/** A burst of hints (a machine that starts gives half a dozen) becomes one look. */
const SETTLE_MS = 50;
/** So many machines at once are cheaper looked at together. */
const MACHINES_MAX = 16;

/** Turns hints into looks: collected for a moment, one look at a time, and what comes meanwhile is looked at after. */
export class HintedLooks {
  readonly #environment: Environment;
  readonly #look: (machineId: string | undefined) => Promise<void>;
  readonly #hinted = new Set<string>();
  #everything = false;
  #looking = false;
  #cancel: (() => void) | undefined;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(environment: Environment, look: (machineId: string | undefined) => Promise<void>) {
    this.#environment = environment;
    this.#look = look;
  }

  hint(machineId: string | undefined): void {
    if (machineId === undefined) this.#everything = true;
    else this.#hinted.add(machineId);
    this.#schedule();
  }

  /** Resolves when the look at work has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    await this.#running;
  }

  #schedule(): void {
    if (this.#looking || this.#stopped || this.#cancel !== undefined) return;
    this.#cancel = this.#environment.timers.after(SETTLE_MS, () => {
      this.#cancel = undefined;
      this.#running = this.#run();
    });
  }

  async #run(): Promise<void> {
    const all = this.#everything || this.#hinted.size > MACHINES_MAX;
    const machines = all ? [undefined] : [...this.#hinted];
    this.#everything = false;
    this.#hinted.clear();
    this.#looking = true;
    for (const machineId of machines) if (!this.#stopped) await this.#look(machineId);
    this.#looking = false;
    if (this.#everything || this.#hinted.size > 0) this.#schedule();
  }
}
