import { type Environment, StoreError } from '@pileus/core/kernel';
import { Client, type ClientConfig, DatabaseError, type Notification } from 'pg';
import { ConnectionLost, Message, Prepared, type Sql, type SqlRow } from './message.ts';

const CONNECT_MS = 10_000;
const CLOSE_MS = 1000;
const ALIVE_MS = 10_000;

/**
 * What the store relies on, whatever the role's or the server's defaults are: an answered commit is on disk, a statement sees what was committed before it
 * began, numbers are told with all of their digits, and a connection whose other end is gone neither holds locks for long nor waits for them.
 */
const GUARANTEES = [
  ['synchronous_commit', 'on'],
  ['default_transaction_isolation', 'read\\ committed'],
  ['idle_in_transaction_session_timeout', '30s'],
  ['extra_float_digits', '1'],
  ['lock_timeout', '60s'],
  ['tcp_keepalives_idle', '10'],
  ['tcp_keepalives_interval', '5'],
  ['tcp_keepalives_count', '3'],
  ['statement_timeout', '0'],
] as const;

/**
 * Rows are found by their keys and by indexes. Plans are kept with prepared statements: one that was made while a table was small, and reads all of it, would
 * still be in use when it has grown. What no index leads to is read as a whole nonetheless, and must not be compiled for its forbidding cost.
 */
const PLANS = [
  ['enable_seqscan', 'off'],
  ['enable_hashjoin', 'off'],
  ['enable_mergejoin', 'off'],
  ['jit', 'off'],
  ['random_page_cost', '1'],
] as const;

const SETTINGS = [...GUARANTEES, ...PLANS].map(([name, value]) => `-c ${name}=${value}`);

/** What the store asks of a connection. */
export type Connection = Pick<Session, 'run' | 'rows' | 'isLost' | 'ended' | 'onNotification' | 'close' | 'destroy'>;

/** Makes a connection, as `Session.open`. */
export type Connect = (config: ClientConfig, environment: Pick<Environment, 'timers'>) => Promise<Connection>;

/** One connection. It is used by one caller at a time, and used no more once something on the way has failed. */
export class Session {
  readonly #client: Client;
  readonly #environment: Pick<Environment, 'timers'>;
  readonly #prepared = new Prepared();
  readonly #ended = Promise.withResolvers<void>();
  #isLost = false;

  private constructor(client: Client, environment: Pick<Environment, 'timers'>) {
    this.#client = client;
    this.#environment = environment;
    const lost = () => {
      this.#isLost = true;
      this.#ended.resolve();
    };
    // Without a listener, a connection that breaks while nobody asks anything would end the process.
    client.on('error', lost);
    client.on('end', lost);
  }

  /** @throws ConnectionLost when there is no answer; StoreError when the answer is a refusal that no retry mends */
  static async open(config: ClientConfig, environment: Pick<Environment, 'timers'>): Promise<Session> {
    const client = new Client({
      keepAlive: true,
      keepAliveInitialDelayMillis: ALIVE_MS,
      connectionTimeoutMillis: CONNECT_MS,
      fallback_application_name: 'pileus',
      ...config,
      options: [config.options ?? '', ...SETTINGS].join(' ').trim(),
    });
    const session = new Session(client, environment);
    try {
      await client.connect();
    } catch (error) {
      throw refusal(error as Error);
    }
    await session.#expectPrimary();
    return session;
  }

  /** What a standby answers may be old, and go on being so for as long as nobody looks for another server. */
  async #expectPrimary(): Promise<void> {
    const [[[readOnly] = []] = []] = await this.run([{ text: 'SHOW transaction_read_only', values: [] }], CONNECT_MS);
    if (readOnly !== 'on') return;
    await this.close();
    throw new ConnectionLost(new Error('it takes no writes, as a standby'));
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** Resolves when the connection has ended, whoever ended it. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /**
   * Answers the rows of each statement. All of them happen or none, unless the session is inside of a BEGIN.
   * @param limitMs after which the connection is given up
   * @throws DatabaseError: nothing has happened. ConnectionLost: nobody knows.
   */
  async run(statements: readonly Sql[], limitMs?: number): Promise<readonly (readonly SqlRow[])[]> {
    if (this.#isLost) throw new ConnectionLost(new Error('it has ended'));
    const message = this.#client.query(new Message(statements, this.#prepared));
    const cancel =
      limitMs === undefined
        ? () => {}
        : this.#environment.timers.after(limitMs, () => this.#give(new Error(`no answer within ${limitMs / 1000} s`)));
    try {
      return await message.answer;
    } catch (error) {
      if (error instanceof ConnectionLost) this.#isLost = true;
      throw error;
    } finally {
      cancel();
    }
  }

  /** One statement, and its rows. */
  async rows(text: string, ...values: Sql['values']): Promise<readonly SqlRow[]> {
    return (await this.run([{ text, values }]))[0] ?? [];
  }

  onNotification(listener: (notification: Notification) => void): void {
    this.#client.on('notification', listener);
  }

  /** Says good-bye, but does not wait for long to be heard. */
  async close(): Promise<void> {
    this.#isLost = true;
    const cancel = this.#environment.timers.after(CLOSE_MS, () => this.#give(new Error('closed')));
    await this.#client.end();
    cancel();
  }

  /** Ends the connection as a crash of this process would: without a word. */
  destroy(): void {
    this.#give(new Error('given up'));
  }

  #give(reason: Error): void {
    this.#isLost = true;
    // The stream is the client's own business, but for this there is no other way.
    (this.#client as unknown as { readonly connection: { readonly stream: { destroy(error: Error): void } } }).connection.stream.destroy(
      reason,
    );
  }
}

/** Codes of what passes: the server starts, stops, or has no room for another connection. */
const PASSING = /^(57P0[1-3]|53...|08...)$/;

function refusal(error: Error): Error {
  if (error instanceof DatabaseError && !PASSING.test(error.code ?? ''))
    return new StoreError(`PostgreSQL refuses the connection: ${error.message}`, 'unchanged', { cause: error });
  return new ConnectionLost(error);
}
