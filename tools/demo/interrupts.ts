/** Whoever forwards signals (npm, timeout) sends a second one at once that nobody meant. */
const ECHO_MS = 1000;

/** What a signal to the demo means: the first takes everything down; another Ctrl-C, when it is meant, ends at once. */
export class Interrupts {
  #firstMs: number | undefined;

  take(signal: NodeJS.Signals, nowMs: number): 'take-down' | 'end-at-once' | 'ignore' {
    if (this.#firstMs === undefined) {
      this.#firstMs = nowMs;
      return 'take-down';
    }
    // Terminals that close send more than one signal.
    return signal === 'SIGINT' && nowMs - this.#firstMs >= ECHO_MS ? 'end-at-once' : 'ignore';
  }
}
