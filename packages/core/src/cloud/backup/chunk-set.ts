/** Numbers of chunks below a bound, in a bit each: of a PiB they take 32 MiB. */
export class ChunkSet {
  readonly #bits: Uint8Array;
  #size = 0;

  constructor(bound: number) {
    this.#bits = new Uint8Array(Math.ceil(bound / 8));
  }

  get size(): number {
    return this.#size;
  }

  add(index: number): void {
    if (this.has(index)) return;
    this.#bits[index >> 3] = (this.#bits[index >> 3] ?? 0) | (1 << (index & 7));
    this.#size += 1;
  }

  has(index: number): boolean {
    return ((this.#bits[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
  }

  /** Those among `count` numbers from the first on, ascending. */
  within({ first, count }: { readonly first: number; readonly count: number }): readonly number[] {
    const found: number[] = [];
    for (let index = first; index < first + count; index += 1) {
      const isEmpty = (index & 7) === 0 && this.#bits[index >> 3] === 0;
      if (isEmpty) index += 7;
      else if (this.has(index)) found.push(index);
    }
    return found;
  }
}
