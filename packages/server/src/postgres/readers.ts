import { CloudError, type Environment, StoreError, sleep } from '@pileus/core/kernel';
import type { ClientConfig } from 'pg';
import { Link } from './link.ts';
import { ConnectionLost, type Sql, type SqlRow } from './message.ts';
import type { Connect } from './session.ts';

/** Connections for reads; each is made when all before it are busy. */
const LINKS_MAX = 4;
/** Reads that share a message at most. */
const SHARED_MAX = 32;
/** How long a read waits for a server that is away: a restart or a takeover should pass unnoticed. */
const PATIENCE_MS = 60_000;
const ANSWER_MS = 60_000;

interface Pending {
  readonly statement: Sql;
  /** It may take long: others should not wait for it in its message. */
  readonly alone: boolean;
  readonly sinceMs: number;
  readonly resolve: (rows: readonly SqlRow[]) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Reads over a few connections. What is asked for in one turn of the event loop, or while all connections are busy, shares a message. What breaks on the way
 * is asked again, for reading changes nothing.
 */
export class Readers {
  readonly #config: ClientConfig;
  readonly #environment: Environment;
  readonly #connect: Connect;
  readonly #closing = new AbortController();
  readonly #idle: Link[] = [];
  readonly #links: Link[] = [];
  #waiting: Pending[] = [];
  #scheduled = false;

  constructor(config: ClientConfig, environment: Environment, connect: Connect) {
    this.#config = config;
    this.#environment = environment;
    this.#connect = connect;
  }

  rows(statement: Sql, { alone = false }: { readonly alone?: boolean } = {}): Promise<readonly SqlRow[]> {
    if (this.#closing.signal.aborted) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ statement, alone, sinceMs: this.#environment.clock.monotonicMs(), resolve, reject });
      this.#schedule();
    });
  }

  async close(): Promise<void> {
    this.#closing.abort(closed());
    for (const { reject } of this.#waiting.splice(0)) reject(closed());
    await Promise.all(this.#links.map((link) => link.close()));
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      while (this.#waiting.length > 0) {
        const link = this.#idle.pop() ?? this.#another();
        if (link === undefined) return;
        void this.#serve(link, this.#share());
      }
    });
  }

  /** The next reads that go together. */
  #share(): Pending[] {
    const alone = this.#waiting.findIndex((pending) => pending.alone);
    return this.#waiting.splice(0, alone === 0 ? 1 : Math.min(SHARED_MAX, alone < 0 ? SHARED_MAX : alone));
  }

  #another(): Link | undefined {
    if (this.#links.length === LINKS_MAX) return undefined;
    const link = new Link(this.#config, this.#environment, this.#connect);
    this.#links.push(link);
    return link;
  }

  async #serve(link: Link, first: readonly Pending[]): Promise<void> {
    await this.#answer(link, first);
    while (this.#waiting.length > 0) await this.#answer(link, this.#share());
    this.#idle.push(link);
  }

  async #answer(link: Link, pending: readonly Pending[]): Promise<void> {
    // The store was open once, so that a refusal will pass, too: a password that is changed, a database that lets nobody in for a moment.
    const session = await link.session().catch((error) => error as Error);
    if (session instanceof Error) return this.#again(link, pending, session);
    try {
      const answers = await session.run(
        pending.map(({ statement }) => statement),
        ANSWER_MS,
      );
      for (const [index, { resolve }] of pending.entries()) resolve(answers[index] ?? []);
    } catch (error) {
      if (error instanceof ConnectionLost) await this.#again(link, pending, error);
      else if (pending.length > 1) for (const one of pending) await this.#answer(link, [one]);
      else for (const { reject } of pending) reject(new StoreError(String((error as Error).message), 'unchanged', { cause: error }));
    }
  }

  async #again(link: Link, pending: readonly Pending[], error: Error): Promise<void> {
    const { clock, timers } = this.#environment;
    const late = pending.filter(({ sinceMs }) => clock.monotonicMs() - sinceMs > PATIENCE_MS);
    for (const { reject } of late) reject(new CloudError('unavailable', 'The store does not answer.', { cause: error }));
    const patient = pending.filter((one) => !late.includes(one));
    if (patient.length === 0) return;
    try {
      await sleep(timers, link.pauseMs, this.#closing.signal);
      await this.#answer(link, patient);
    } catch {
      for (const { reject } of patient) reject(closed());
    }
  }
}

const closed = (): StoreError => new StoreError('the store is closed');
