/** Runs the parts of the demo one after the other, says so, and measures them. */
export class Stages {
  readonly #log: (line: string) => void;
  readonly #signal: AbortSignal;
  readonly #timingsMs: Record<string, number> = {};

  constructor(log: (line: string) => void, signal: AbortSignal) {
    this.#log = log;
    this.#signal = signal;
  }

  /** Milliseconds that each part took, in their order. */
  get timingsMs(): Readonly<Record<string, number>> {
    return this.#timingsMs;
  }

  run<T>(name: string, title: string, body: () => Promise<T>): Promise<T> {
    this.#signal.throwIfAborted();
    return this.finish(name, title, body);
  }

  /** Like `run`, also after an interruption: for what has to be done at the end. */
  async finish<T>(name: string, title: string, body: () => Promise<T>): Promise<T> {
    this.#log(title);
    const startMs = performance.now();
    const result = await body();
    this.#timingsMs[name] = Math.round(performance.now() - startMs);
    return result;
  }
}
