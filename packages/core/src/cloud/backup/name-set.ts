import type { ChunkRef } from './manifest.ts';

const FIRST_SLOTS = 1024;
/** Of four bytes in a name. */
const DIGITS = 8;

/**
 * Names of chunks, by the first eight bytes of each, which are noise as all of a digest is: in those and at most three times as much room. By so little of it
 * another name may be taken for one that is there: of some millions of names in a million looks one. So it serves where that does no harm.
 */
export class NameSet {
  #slots = new Uint32Array(2 * FIRST_SLOTS);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add({ digest, variant }: ChunkRef): void {
    if (2 * (this.#size + 1) > this.#slots.length / 2) this.#grow();
    const parts = new DataView(digest.buffer, digest.byteOffset);
    if (this.#put(parts.getUint32(0), second(parts.getUint32(4), variant))) this.#size += 1;
  }

  /** Of a name as `chunkName` makes them; of any other it is false, or as good as. */
  has(name: string): boolean {
    const variant = Number(name.slice(name.lastIndexOf('-') + 1));
    const [high, low] = [name.slice(0, DIGITS), name.slice(DIGITS, 2 * DIGITS)].map((digits) => Number.parseInt(digits, 16));
    return this.#slots[this.#find((high ?? 0) >>> 0, second(low ?? 0, variant)) + 1] !== 0;
  }

  /** Where it is, or would be. */
  #find(high: number, low: number): number {
    const count = this.#slots.length / 2;
    for (let slot = high % count; ; slot = (slot + 1) % count) {
      const at = 2 * slot;
      if (this.#slots[at + 1] === 0 || (this.#slots[at] === high && this.#slots[at + 1] === low)) return at;
    }
  }

  #put(high: number, low: number): boolean {
    const at = this.#find(high, low);
    if (this.#slots[at + 1] !== 0) return false;
    this.#slots[at] = high;
    this.#slots[at + 1] = low;
    return true;
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new Uint32Array(2 * before.length);
    for (let at = 0; at < before.length; at += 2) if (before[at + 1] !== 0) this.#put(before[at] ?? 0, before[at + 1] ?? 0);
  }
}

/** Never 0: that is what an empty place has. */
const second = (part: number, variant: number): number => (part ^ variant) >>> 0 || 1;

/** `known`, and those found that are not in the set: so many of all at most. */
export async function missingIn(
  named: NameSet,
  found: AsyncIterable<string>,
  known: ReadonlySet<string>,
  most: number,
): Promise<ReadonlySet<string>> {
  const missing = new Set(known);
  for await (const name of found) {
    if (missing.size >= most) break;
    if (!named.has(name)) missing.add(name);
  }
  return missing;
}
