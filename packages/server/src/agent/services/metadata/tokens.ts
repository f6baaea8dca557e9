import { createHmac, timingSafeEqual } from 'node:crypto';

/** As long as one may be good for. */
export const TOKEN_SECONDS_MAX = 21_600;

/** Tokens that are good for one machine, for a time. They hold over restarts: what they say is signed, and kept nowhere. */
export class Tokens {
  readonly #key: Uint8Array;
  readonly #nowMs: () => number;

  constructor(key: Uint8Array, nowMs: () => number) {
    this.#key = key;
    this.#nowMs = nowMs;
  }

  issue(instanceId: string, seconds: number): string {
    const until = Math.floor(this.#nowMs() / 1000) + seconds;
    return `${until.toString(36)}.${this.#sign(instanceId, until)}`;
  }

  isGood(instanceId: string, token: string): boolean {
    const [time = '', signature = ''] = token.split('.');
    const until = Number.parseInt(time, 36);
    if (!Number.isSafeInteger(until) || until * 1000 <= this.#nowMs()) return false;
    const expected = this.#sign(instanceId, until);
    return signature.length === expected.length && timingSafeEqual(Buffer.from(signature), Buffer.from(expected));
  }

  #sign(instanceId: string, until: number): string {
    return createHmac('sha256', this.#key).update(`${instanceId}/${until}`).digest('base64url');
  }
}
