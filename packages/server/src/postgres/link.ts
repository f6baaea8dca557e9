import { type Environment, StoreError } from '@pileus/core/kernel';
import type { ClientConfig } from 'pg';
import type { Connect, Connection } from './session.ts';

const BACKOFF_MS = 50;
const BACKOFF_MS_MAX = 5000;

/** A connection that is made when it is needed, and made again after it broke, with growing pauses between attempts that fail. */
export class Link {
  readonly #config: ClientConfig;
  readonly #environment: Environment;
  readonly #connect: Connect;
  #opening: Promise<Connection> | undefined;
  #session: Connection | undefined;
  #failures = 0;
  #lastFailure: unknown;
  #pauseUntilMs = 0;
  #closed = false;

  constructor(config: ClientConfig, environment: Environment, connect: Connect) {
    this.#config = config;
    this.#environment = environment;
    this.#connect = connect;
  }

  /** The open connection, or one attempt to open it; between two attempts it rejects at once with the failure of the last. */
  session(): Promise<Connection> {
    if (this.#closed) return Promise.reject(new StoreError('the store is closed'));
    if (this.#session !== undefined && !this.#session.isLost) return Promise.resolve(this.#session);
    if (this.pauseMs > 0) return Promise.reject(this.#lastFailure);
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  /** How long until the next attempt. */
  get pauseMs(): number {
    return Math.max(0, this.#pauseUntilMs - this.#environment.clock.monotonicMs());
  }

  /** The connection, if there is one. */
  get current(): Connection | undefined {
    return this.#session;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#opening?.catch(() => undefined);
    await this.#session?.close();
  }

  async #open(): Promise<Connection> {
    const { clock, logger, random } = this.#environment;
    try {
      const session = await this.#connect(this.#config, this.#environment);
      if (this.#failures > 0) logger.info({ attempts: this.#failures + 1 }, 'PostgreSQL is back');
      this.#failures = 0;
      this.#session = session;
      return session;
    } catch (error) {
      if (this.#failures === 0) logger.warn({ error: String(error) }, 'PostgreSQL does not answer; trying again');
      // Some chance, so that many servers do not come back in step.
      this.#pauseUntilMs = clock.monotonicMs() + Math.min(BACKOFF_MS * 2 ** this.#failures, BACKOFF_MS_MAX) * (0.5 + random.next() / 2);
      this.#failures += 1;
      this.#lastFailure = error;
      throw error;
    }
  }
}
