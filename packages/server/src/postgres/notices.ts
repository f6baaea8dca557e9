import { type Environment, sleep } from '@pileus/core/kernel';
import type { ClientConfig } from 'pg';
import { Link } from './link.ts';
import type { OwnTables } from './own-tables.ts';
import type { Connect } from './session.ts';
import { quote, sql } from './table.ts';

/** So late is news heard that came without a wake-up: while the connection was away, or through a proxy that passes none on. */
const POLL_MS = 5000;
const ANSWER_MS = 10_000;

/** Hears of commits of whatever server: woken by PostgreSQL, and looking by itself now and then. */
export class Notices {
  readonly #link: Link;
  readonly #environment: Environment;
  readonly #own: OwnTables;
  readonly #heard: (revision: number) => void;
  readonly #closing = new AbortController();
  #listening: Promise<void> | undefined;

  constructor(options: {
    config: ClientConfig;
    environment: Environment;
    own: OwnTables;
    connect: Connect;
    heard: (revision: number) => void;
  }) {
    this.#link = new Link(options.config, options.environment, options.connect);
    this.#environment = options.environment;
    this.#own = options.own;
    this.#heard = options.heard;
  }

  start(): void {
    this.#listening = this.#listen();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    // It may wait for an answer that will never come.
    await this.#link.close();
    await this.#listening;
  }

  async #listen(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await this.#hear().catch(() => undefined);
      await sleep(this.#environment.timers, this.#link.pauseMs, signal).catch(() => undefined);
    }
  }

  /** Until the connection ends. */
  async #hear(): Promise<void> {
    const session = await this.#link.session();
    const over = new AbortController();
    void session.ended.then(() => over.abort());
    const signal = AbortSignal.any([over.signal, this.#closing.signal]);
    session.onNotification(({ payload }) => this.#heard(Number(payload)));
    await session.run([sql(`LISTEN ${quote(this.#own.channel)}`)], ANSWER_MS);
    while (!signal.aborted) {
      const [[[revision] = []] = []] = await session.run([sql(`SELECT revision FROM ${this.#own.state}`)], ANSWER_MS);
      this.#heard(Number(revision));
      await sleep(this.#environment.timers, POLL_MS, signal);
    }
  }
}
