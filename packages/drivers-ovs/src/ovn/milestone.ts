/** So long a switch has to get as far as it was told to: thousands of ports take seconds. */
const PATIENCE_MS = 10_000;

/** A number that grows, and that somebody was told to reach: whether he has had the time for it. */
export class Milestone {
  readonly #patienceMs: number;
  #told: { readonly number: number; readonly atMs: number } | undefined;
  #due: number | undefined;

  constructor(patienceMs = PATIENCE_MS) {
    this.#patienceMs = patienceMs;
  }

  /** Whether it is time to tell the next. */
  get isTime(): boolean {
    return this.#told === undefined || performance.now() - this.#told.atMs >= this.#patienceMs;
  }

  /** Was told now: the one before is due. */
  tell(number: number): void {
    const before = this.#told?.number;
    // Who counts from the beginning was begun anew.
    this.#due = before === undefined || before >= number ? undefined : before;
    this.#told = { number, atMs: performance.now() };
  }

  /** Whether somebody who has got so far is behind. */
  isAhead(of: number): boolean {
    return this.#due !== undefined && of < this.#due;
  }
}
