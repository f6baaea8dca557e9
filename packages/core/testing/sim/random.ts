import type { Random } from '../../src/kernel/environment.ts';

/** A seeded generator: sfc32, which passes the usual batteries and is a few additions a draw. Equal seeds give equal draws. */
export class SimRandom implements Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: string | number) {
    const words = seedWords(String(seed));
    this.#a = words[0] ?? 0;
    this.#b = words[1] ?? 0;
    this.#c = words[2] ?? 0;
    for (let round = 0; round < 12; round += 1) this.#word();
  }

  next(): number {
    return ((this.#word() >>> 5) * 2 ** 26 + (this.#word() >>> 6)) / 2 ** 53;
  }

  bytes(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    for (let at = 0; at < count; at += 4) {
      const word = this.#word();
      for (let part = 0; part < 4 && at + part < count; part += 1) bytes[at + part] = (word >>> (8 * part)) & 0xff;
    }
    return bytes;
  }

  /** A whole number from 0 to `limit - 1`. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  chance(probability: number): boolean {
    return probability > 0 && this.next() < probability;
  }

  pick<T>(from: readonly [T, ...T[]]): T {
    return from[this.below(from.length)] ?? from[0];
  }

  /** Where the generator stands; equal states draw equally from now on. */
  state(): string {
    return [this.#a, this.#b, this.#c, this.#counter].map((word) => (word >>> 0).toString(16)).join('.');
  }

  #word(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }
}

/** Spreads a text over three words (FNV-1a with three bases, finished as murmur3 is). */
function seedWords(text: string): number[] {
  return [0x811c9dc5, 0x9747b28c, 0x3c6ef372].map((base) => {
    let hash = base;
    for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return hash ^ (hash >>> 16);
  });
}
