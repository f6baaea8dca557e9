import type { Clock, Random } from './environment.ts';

declare const kindOf: unique symbol;
/** A UUIDv7 that names one resource of kind `K`, minted by us before anything is made, never reused. */
export type Id<K extends string> = string & { readonly [kindOf]: K };

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
export const isUuid = (text: string): boolean => UUID.test(text);

/** Mints ids that sort by creation: RFC 9562 version 7, strictly growing within one process even inside a millisecond or when the clock steps back. */
export class Ids {
  readonly #clock: Clock;
  readonly #random: Random;
  #lastMs = 0;
  #sequence = 0;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Everything minted from now on sorts after this id, of an earlier life whose clock may have been ahead. */
  follow(id: string): void {
    const [ms, sequence] = [Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16), Number.parseInt(id.slice(15, 18), 16)];
    if (ms < this.#lastMs || (ms === this.#lastMs && sequence <= this.#sequence)) return;
    this.#lastMs = ms;
    this.#sequence = sequence;
  }

  mint<K extends string>(_kind: K): Id<K> {
    const nowMs = Math.max(this.#clock.nowMs(), this.#lastMs);
    if (nowMs === this.#lastMs) this.#sequence += 1;
    else this.#sequence = 0;
    if (this.#sequence > 0xfff) {
      this.#lastMs = nowMs + 1;
      this.#sequence = 0;
    } else this.#lastMs = nowMs;
    const time = this.#lastMs.toString(16).padStart(12, '0');
    const tail = this.#random.bytes(8);
    tail[0] = ((tail[0] ?? 0) & 0x3f) | 0x80;
    const rest = Buffer.from(tail).toString('hex');
    const sequence = this.#sequence.toString(16).padStart(3, '0');
    return `${time.slice(0, 8)}-${time.slice(8)}-7${sequence}-${rest.slice(0, 4)}-${rest.slice(4)}` as Id<K>;
  }
}
