import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Directory } from '@pileus/core';
import { type Clock, CloudError } from '@pileus/core/kernel';
import type { Authenticator, Presented, Proof } from './authenticator.ts';

const SCHEME = 'PILEUS-HMAC-SHA256';
const HEADER = new RegExp(
  `^${SCHEME} key=([0-9a-f-]{36}), ?date=([0-9T:.Z-]{20,24}), ?nonce=([A-Za-z0-9_-]{16,64}), ?content=([0-9a-f]{64}), ?signature=([0-9a-f]{64})$`,
);

/** How far the clocks of a client and of this server may be apart. */
const WINDOW_MS = 300_000;
/** Requests that are remembered in twice that time. */
const SEEN_MAX = 1_000_000;

/**
 * API keys that sign each request and are never sent: HMAC-SHA256, with the key's signing key (SHA-256 of `pileus-signing:` and the key, in hex), over the
 * lines of `canonical`. A request that was made once is refused when it comes again: by its nonce, while its date is near, and by its date after that.
 */
export class Signatures implements Authenticator {
  readonly #directory: Directory;
  readonly #clock: Clock;
  readonly #startedMs: number;
  /** Nonces of this time and of the one before; each is longer than a date is good for. */
  #seen: [Set<string>, Set<string>] = [new Set(), new Set()];
  #turnedMs: number;

  constructor(directory: Directory, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
    this.#startedMs = clock.nowMs();
    this.#turnedMs = this.#startedMs;
  }

  authenticate(presented: Presented): undefined | Promise<Proof> {
    return presented.authorization?.startsWith(SCHEME) === true ? this.#verified(presented) : undefined;
  }

  async #verified(presented: Presented): Promise<Proof> {
    const [, key = '', date = '', nonce = '', content = '', signature = ''] = HEADER.exec(presented.authorization ?? '') ?? [];
    if (key === '')
      throw new CloudError('unauthenticated', `The Authorization header is: ${SCHEME} key=…, date=…, nonce=…, content=…, signature=…`);
    this.#assertNear(date);
    const text = canonical({ ...presented, date, nonce, content });
    const wanted = Buffer.from(signature, 'hex');
    const isProof = (signing: string) => timingSafeEqual(createHmac('sha256', signing).update(text).digest(), wanted);
    const principal = await this.#directory.byKeyId(key, isProof, presented.project);
    this.#assertNew(`${key} ${nonce}`);
    return { principal, bodySha256: content };
  }

  #assertNear(date: string): void {
    const atMs = Date.parse(date);
    const nowMs = this.#clock.nowMs();
    if (!(Math.abs(atMs - nowMs) <= WINDOW_MS))
      throw new CloudError(
        'unauthenticated',
        `The date of the signature is not within ${WINDOW_MS / 1000} s of now, ${new Date(nowMs).toISOString()}.`,
      );
    // What was seen before the start is not remembered.
    if (atMs < this.#startedMs) throw new CloudError('unavailable', 'This was signed before the server started; sign it again.');
  }

  #assertNew(nonce: string): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#turnedMs > 2 * WINDOW_MS) {
      this.#seen = [new Set(), this.#seen[0]];
      this.#turnedMs = nowMs;
    }
    const [now, before] = this.#seen;
    if (now.has(nonce) || before.has(nonce)) throw new CloudError('unauthenticated', 'This request was made before.');
    if (now.size >= SEEN_MAX) throw new CloudError('busy', 'Too many signed requests to remember.', { params: { retryAfterSeconds: 60 } });
    now.add(nonce);
  }
}

/** What is signed: these lines, each but the last ended by a line feed. `url` is the path with its query, as it is sent. */
export const canonical = (request: {
  readonly method: string;
  readonly url: string;
  readonly date: string;
  readonly nonce: string;
  readonly content: string;
  readonly project: string | undefined;
}): string => [SCHEME, request.method, request.url, request.date, request.nonce, request.content, request.project ?? ''].join('\n');
