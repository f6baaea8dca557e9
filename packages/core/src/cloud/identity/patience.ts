import { type Clock, CloudError } from '../../kernel/index.ts';

/** Wrong passwords in a row before the next one has to wait. */
const FREE = 5;
const WAIT_SECONDS_MAX = 300;
/** Names that are remembered: more than are guessed at in the time. */
const NAMES_MAX = 10_000;

/** Has who guesses at passwords wait, twice as long with each. Known to this process only. */
export class Patience {
  readonly #clock: Clock;
  readonly #failures = new Map<string, { readonly count: number; readonly untilMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A try is under way: it counts as wrong until it was right, or many at once would all be free. @throws CloudError `busy` while the name has to wait */
  begin(name: string): void {
    const leftMs = (this.#failures.get(name)?.untilMs ?? 0) - this.#clock.monotonicMs();
    if (leftMs > 0)
      throw new CloudError('busy', 'Too many wrong passwords; wait a while.', { params: { retryAfterSeconds: Math.ceil(leftMs / 1000) } });
    const count = (this.#failures.get(name)?.count ?? 0) + 1;
    const waitMs = count < FREE ? 0 : Math.min(2 ** (count - FREE), WAIT_SECONDS_MAX) * 1000;
    this.#failures.delete(name);
    this.#failures.set(name, { count, untilMs: this.#clock.monotonicMs() + waitMs });
    const [oldest] = this.#failures.keys();
    if (this.#failures.size > NAMES_MAX && oldest !== undefined) this.#failures.delete(oldest);
  }

  /** The try came to nothing: whether it was wrong is not known. */
  undecided(name: string): void {
    const count = (this.#failures.get(name)?.count ?? 0) - 1;
    if (count > 0) this.#failures.set(name, { count, untilMs: 0 });
    else this.#failures.delete(name);
  }

  succeeded(name: string): void {
    this.#failures.delete(name);
  }
}
