import { type Connect, type Connection, Session } from '../../src/postgres/session.ts';

/**
 * Connections that outlive the stores that use them, with what the server has learnt of tables and statements: for many stores in one schema, one after the
 * other. One that hears notices ends with its store.
 */
export class KeptConnections {
  readonly #idle: Session[] = [];

  readonly connect: Connect = async (config, environment) => {
    const session = this.#idle.pop() ?? (await Session.open(config, environment));
    return new Lent(session, () => this.#idle.push(session));
  };

  async close(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map((session) => session.close()));
  }
}

class Lent implements Connection {
  readonly #session: Session;
  readonly #back: () => void;
  readonly #closed = Promise.withResolvers<void>();
  #hears = false;
  #isClosed = false;

  constructor(session: Session, back: () => void) {
    this.#session = session;
    this.#back = back;
  }

  get isLost(): boolean {
    return this.#isClosed || this.#session.isLost;
  }

  get ended(): Promise<void> {
    return Promise.race([this.#session.ended, this.#closed.promise]);
  }

  run: Connection['run'] = (statements, limitMs) => this.#session.run(statements, limitMs);

  rows: Connection['rows'] = (text, ...values) => this.#session.rows(text, ...values);

  onNotification: Connection['onNotification'] = (listener) => {
    this.#hears = true;
    this.#session.onNotification(listener);
  };

  /** What was asked before is answered first, and what was begun and not committed is undone. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closed.resolve();
    if (!this.#hears && !this.#session.isLost && (await this.#isClean())) this.#back();
    else await this.#session.close();
  }

  async #isClean(): Promise<boolean> {
    try {
      await this.#session.rows('ROLLBACK');
      return true;
    } catch {
      return false;
    }
  }

  destroy(): void {
    this.#isClosed = true;
    this.#closed.resolve();
    this.#session.destroy();
  }
}
