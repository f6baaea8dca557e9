import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Directory } from '@pileus/core';
import { type Clock, CloudError, isCloudError, notLetIn } from '@pileus/core/kernel';
import type { Authenticator, Presented, Proof } from './authenticator.ts';
import { Nonces } from './nonces.ts';

const ACTION = 'apiKey.use';
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
  readonly #nonces: Nonces;

  constructor(directory: Directory, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
    this.#startedMs = clock.nowMs();
    // As long as a date is good for: from so long before it to so long after.
    this.#nonces = new Nonces(clock, { periodMs: 2 * WINDOW_MS, max: SEEN_MAX });
  }

  authenticate(presented: Presented): undefined | Promise<Proof> {
    return presented.authorization?.startsWith(SCHEME) === true ? this.#verified(presented) : undefined;
  }

  async #verified(presented: Presented): Promise<Proof> {
    const [, key = '', date = '', nonce = '', content = '', signature = ''] = HEADER.exec(presented.authorization ?? '') ?? [];
    if (key === '')
      throw notLetIn(
        new CloudError('unauthenticated', `The Authorization header is: ${SCHEME} key=…, date=…, nonce=…, content=…, signature=…`),
        { reason: 'malformed', action: ACTION },
      );
    this.#assertNear(date, key);
    const text = canonical({ ...presented, date, nonce, content });
    const wanted = Buffer.from(signature, 'hex');
    const isProof = (signing: string) => timingSafeEqual(createHmac('sha256', signing).update(text).digest(), wanted);
    const principal = await this.#directory.byKeyId(key, isProof, presented.project);
    await this.#useOnce(key, nonce);
    return { principal, bodySha256: content };
  }

  async #useOnce(key: string, nonce: string): Promise<void> {
    try {
      this.#nonces.use(key, nonce);
    } catch (error) {
      const isReplay = isCloudError(error) && error.code === 'unauthenticated';
      throw isReplay ? await this.#directory.replayed(key, error) : error;
    }
  }

  #assertNear(date: string, key: string): void {
    const atMs = Date.parse(date);
    const nowMs = this.#clock.nowMs();
    if (!(Math.abs(atMs - nowMs) <= WINDOW_MS))
      throw notLetIn(
        new CloudError(
          'unauthenticated',
          `The date of the signature is not within ${WINDOW_MS / 1000} s of now, ${new Date(nowMs).toISOString()}.`,
        ),
        { reason: 'bad_date', action: ACTION, named: { id: key } },
      );
    // What was seen before the start is not remembered.
    if (atMs < this.#startedMs) throw new CloudError('unavailable', 'This was signed before the server started; sign it again.');
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
