/** At most `width` bodies at once; the others wait in the order of their coming. */
export class Lane {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(width: number) {
    this.#free = width;
  }

  async run<T>(body: () => Promise<T>): Promise<T> {
    const leave = await this.enter();
    try {
      return await body();
    } finally {
      leave();
    }
  }

  /** For whoever prepares no more than there is room for. Answers how to leave, which is called once. */
  async enter(): Promise<() => void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return () => {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    };
  }
}
