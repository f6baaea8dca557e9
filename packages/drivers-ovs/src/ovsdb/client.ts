import { setTimeout as sleep } from 'node:timers/promises';
import { BigMessages } from './big-messages.ts';
import { compareSchemas, type Database, type DatabaseSchema, parseSchema } from './database.ts';
import { remaining, within } from './deadline.ts';
import { BusyError, ClusterError, ConnectionLostError, OvsdbError, SchemaError, TimeoutError, UnansweredError } from './errors.ts';
import { Feed } from './feed.ts';
import { Leadership } from './leadership.ts';
import { Lock } from './lock.ts';
import { checkLockName, type Operation, type Results } from './operation.ts';
import { type AnySelection, Replica, type Selected, type Selection } from './replica.ts';
import type { CallOptions } from './requests.ts';
import type { Resident } from './resident.ts';
import { readResults } from './results.ts';
import type { Row } from './row.ts';
import { Session } from './session.ts';
import { type Address, describeAddress } from './transport.ts';

export interface OvsdbClientOptions<T extends Record<string, Row>> {
  readonly database: Database<T>;
  /** The servers: of a cluster all of them. They are tried in turn. */
  readonly remotes: readonly [Address, ...Address[]];
  /** Whether of a cluster only the leader will do. Default true: through others transactions are slow, and what is read may be old. */
  readonly leaderOnly?: boolean | undefined;
  /** Unanswered requests at a time. Default 100. */
  readonly maxInFlight?: number | undefined;
  /** Calls that may wait for that; beyond it they reject with `BusyError`. Default 1,000. */
  readonly maxWaiting?: number | undefined;
  /** Deadline of a call that names none. Default 30,000; 0 is none. */
  readonly callTimeoutMs?: number | undefined;
  /** Bound on one attempt to connect to one server, until its schema is known. Default 10,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** After how much silence we ask for a sign of life. Default 5,000; 0: never. */
  readonly probeIntervalMs?: number | undefined;
  /** Intervals of silence after which the connection counts as lost. Default 3. */
  readonly probeMissesMax?: number | undefined;
  /** First pause between rounds of attempts; it doubles, with jitter. Default 100. */
  readonly reconnectDelayMs?: number | undefined;
  /** Longest pause between rounds of attempts. Default 5,000. */
  readonly reconnectDelayMsMax?: number | undefined;
  /** Longest message, both ways. Default 256 MiB. */
  readonly messageBytesMax?: number | undefined;
  /** Messages from this length on are parsed by another thread. Default 512 KiB. */
  readonly bigMessageBytes?: number | undefined;
}

export type ConnectionState = 'connecting' | 'up' | 'down' | 'closed';

export type ConnectionEvent =
  | { readonly kind: 'connected'; readonly remote: Address }
  | { readonly kind: 'disconnected'; readonly error: Error };

/** Longest pause while a cluster is there and has no leader: elections take a second or two. */
const electionDelayMsMax = 400;

/**
 * A database of an OVSDB server or cluster, over a connection that heals. It connects when it is made; when the connection is lost it connects again, at once
 * and then with growing pauses, until it is closed. Calls made while a round of attempts is under way wait for it; once a round has failed they
 * reject at once with `ConnectionLostError`, outcome `not_sent`, until the next begins. No call is repeated, except by `transactOnce`.
 */
export class OvsdbClient<T extends Record<string, Row>> implements AsyncDisposable {
  readonly database: Database<T>;
  readonly #options: OvsdbClientOptions<T>;
  readonly #feed = new Feed<ConnectionEvent>();
  readonly #closing = new AbortController();
  readonly #bigMessages = new BigMessages();
  readonly #replicas = new Map<string, Replica<Record<string, Row>>>();
  readonly #locks = new Map<string, Lock>();
  readonly #stopped: Promise<void>;
  #state: ConnectionState = 'connecting';
  #session: Session | undefined;
  #missing: ReadonlySet<string> = new Set();
  #attempt = newAttempt();
  #failure: Error | undefined;
  #replicasMade = 0;
  /** Counts attempts to connect. */
  #turn = 0;
  /** Whether in this round a member of the cluster answered, and was not the leader. */
  #isElecting = false;
  /** Calls that wait for a connection. */
  #waiting = 0;

  constructor(options: OvsdbClientOptions<T>) {
    this.#options = options;
    this.database = options.database;
    this.#stopped = this.#run();
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Tables, and columns as `Table.column`, that are described and that the database there has not. Known once connected. */
  get missing(): ReadonlySet<string> {
    return this.#missing;
  }

  /** Resolves when connected, after as many attempts as it takes. Its `TimeoutError` carries the last failure as `cause`. */
  async ready(options: CallOptions = {}): Promise<void> {
    if (this.#session !== undefined) return;
    const up = Promise.withResolvers<void>();
    const unsubscribe = this.subscribe((event) => {
      if (event.kind === 'connected') up.resolve();
    });
    const signal = AbortSignal.any([this.#closing.signal, ...(options.signal === undefined ? [] : [options.signal])]);
    try {
      await within(`connecting to ${this.#where()}`, up.promise, { signal, timeoutMs: this.#timeout(options) });
    } catch (error) {
      if (error instanceof Error) error.cause ??= this.#failure;
      throw error;
    } finally {
      unsubscribe();
    }
  }

  /**
   * Does all operations or none. Answers what each of them answers. A cluster whose leader changes meanwhile may do them twice: what must not be goes through
   * `transactOnce`.
   */
  async transact<const O extends readonly Operation[]>(operations: O, options: CallOptions = {}): Promise<Results<O>> {
    const name = `transaction on ${this.database.name}`;
    const bounds = { signal: options.signal, timeoutMs: this.#timeout(options) };
    const startedAtMs = performance.now();
    const session = this.#session ?? (await this.#nextSession(name, bounds));
    const params = [this.database.name, ...operations.map(({ json }) => json)];
    return session.request(name, 'transact', params, remaining(bounds, startedAtMs), (answer) =>
      readResults(this.database.name, operations, answer),
    );
  }

  /**
   * Does all operations or none, and exactly once, whatever happens to connections and leaders meanwhile. It sends them on the condition that the row that
   * they insert is not there, and again when the outcome is unknown. So one of the operations must insert a row that nobody else makes and that
   * stays for the time of the call: of a root table, or referred to. Answers undefined when it had been done before: by an attempt whose answer was
   * lost, or by an earlier call with the same operations, as after one that rejected with outcome `unknown`.
   */
  async transactOnce<const O extends readonly Operation[]>(operations: O, options: CallOptions = {}): Promise<Results<O> | undefined> {
    const guarded = [this.#unlessDone(operations), ...operations];
    const bounds = { signal: options.signal, timeoutMs: this.#timeout(options) };
    const startedAtMs = performance.now();
    for (let doubtful = false; ; ) {
      try {
        await this.ready(remaining(bounds, startedAtMs));
        const [, ...results] = await this.transact(guarded, remaining(bounds, startedAtMs));
        return results as unknown as Results<O>;
      } catch (error) {
        // A cluster whose leader changes may repeat a transaction by itself: even the first answer can be that it was done before.
        if (error instanceof OvsdbError && error.operation === 0 && error.code === 'wait_failed') return undefined;
        if (!(error instanceof UnansweredError)) throw error;
        doubtful ||= error.outcome === 'unknown';
        const isOver = !(error instanceof ConnectionLostError || error instanceof ClusterError) || this.#closing.signal.aborted;
        if (isOver) throw doubtful && error.outcome === 'not_sent' ? new TimeoutError(error.message, 'unknown', { cause: error }) : error;
      }
    }
  }

  /** Begins to copy tables and to keep the copy up to date; over lost connections too, until the replica is closed. */
  replicate<const S extends Selection<T>>(selection: S): Replica<Selected<T, S>> {
    this.#replicasMade += 1;
    const replica = new Replica<Record<string, Row>>(`replica-${this.#replicasMade}`, this.database, selection as AnySelection, (closed) =>
      this.#dropReplica(closed),
    );
    this.#replicas.set(replica.id, replica);
    if (this.#session !== undefined) this.#restoreLate(replica, this.#session);
    return replica as unknown as Replica<Selected<T, S>>;
  }

  /** The lock of this name, the same each time. @throws RangeError when no lock can have that name */
  lock(name: string): Lock {
    checkLockName(name);
    const lock = this.#locks.get(name) ?? new Lock(name, () => this.#session);
    this.#locks.set(name, lock);
    return lock;
  }

  /** Calls `listener` for each event until the returned function is called. */
  subscribe(listener: (event: ConnectionEvent) => void): () => void {
    return this.#feed.subscribe(listener);
  }

  /** Ends the connection for good, and all replicas; unanswered calls reject with `ConnectionLostError`. */
  async close(): Promise<void> {
    this.#state = 'closed';
    this.#closing.abort();
    this.#session?.end(new Error('closed by its owner'));
    await Promise.all([this.#stopped, ...[...this.#replicas.values()].map((replica) => replica.close())]);
    await this.#bigMessages.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #timeout(options: CallOptions): number {
    return options.timeoutMs ?? this.#options.callTimeoutMs ?? 30_000;
  }

  #where(): string {
    return `${this.database.name} at ${this.#options.remotes.map(describeAddress).join(', ')}`;
  }

  /** Fails the transaction when its own row is there: it was done. */
  #unlessDone(operations: readonly Operation[]): Operation<void> {
    const { tables }: DatabaseSchema = this.database;
    const inserts = operations.filter(({ json }) => json.op === 'insert');
    const insert = inserts.find(({ table = '' }) => tables[table]?.isRoot) ?? inserts[0];
    if (insert?.table === undefined || insert.row === undefined)
      throw new RangeError('only a transaction that inserts a row can be done once');
    const uuid = ['uuid', insert.row];
    const where = [['_uuid', '==', uuid]];
    const json = { op: 'wait', table: insert.table, where, columns: ['_uuid'], until: '!=', rows: [{ _uuid: uuid }], timeout: 0 };
    return { json, table: insert.table, row: insert.row, columns: [], read: () => {} };
  }

  async #nextSession(name: string, bounds: CallOptions): Promise<Session> {
    const { maxWaiting = 1_000 } = this.#options;
    if (this.#state !== 'connecting')
      throw new ConnectionLostError(`${name}: ${this.#where()} is ${this.#state}`, 'not_sent', { cause: this.#failure });
    if (this.#waiting >= maxWaiting) throw new BusyError(`${name}: ${this.#waiting} calls wait already`, 'not_sent');
    this.#waiting += 1;
    try {
      return await within(name, this.#attempt.promise, bounds);
    } finally {
      this.#waiting -= 1;
    }
  }

  async #run(): Promise<void> {
    const { reconnectDelayMs = 100, reconnectDelayMsMax = 5_000 } = this.#options;
    let delayMs = reconnectDelayMs;
    while (!this.#closing.signal.aborted) {
      const startedAtMs = performance.now();
      const session = await this.#round();
      if (session === undefined) this.#failed();
      else this.#lost(await session.closed);
      // Only a connection that lasted is worth an immediate retry: one that is closed as soon as it is open must not spin.
      const lasted = session !== undefined && performance.now() - startedAtMs > reconnectDelayMsMax;
      if (!lasted) await sleep(delayMs * (0.5 + Math.random() / 2), undefined, { signal: this.#closing.signal }).catch(() => {});
      delayMs =
        session === undefined ? Math.min(delayMs * 2, this.#isElecting ? electionDelayMsMax : reconnectDelayMsMax) : reconnectDelayMs;
      if (this.#state === 'down') this.#begin();
    }
    this.#attempt.reject(new ConnectionLostError('the connection was closed by its owner', 'not_sent'));
  }

  /** Tries each server once, beginning after the one that was tried last. */
  async #round(): Promise<Session | undefined> {
    const { remotes } = this.#options;
    this.#isElecting = false;
    for (let tried = 0; tried < remotes.length && !this.#closing.signal.aborted; tried += 1) {
      const remote = remotes[this.#turn % remotes.length] ?? remotes[0];
      this.#turn += 1;
      const session = await this.#connect(remote);
      if (session !== undefined) return session;
    }
    return undefined;
  }

  async #connect(remote: Address): Promise<Session | undefined> {
    const { connectTimeoutMs = 10_000, leaderOnly = true } = this.#options;
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(connectTimeoutMs)]);
    const leadership = new Leadership(this.database.name, leaderOnly);
    let session: Session | undefined;
    try {
      session = await this.#open(remote, leadership, signal);
      await leadership.watch(session, { signal });
      await this.#greet(session, { signal });
    } catch (error) {
      const cause = error instanceof Error ? error : new Error('connecting failed');
      session?.end(cause);
      this.#failure = cause;
      this.#isElecting ||= leadership.isElsewhere;
      return undefined;
    }
    this.#up(session, remote);
    return session;
  }

  #open(remote: Address, leadership: Leadership, signal: AbortSignal): Promise<Session> {
    const { maxInFlight = 100, maxWaiting = 1_000, probeIntervalMs = 5_000, probeMissesMax = 3 } = this.#options;
    const { messageBytesMax = 256 << 20, bigMessageBytes = 512 << 10 } = this.#options;
    const limits = { inFlight: maxInFlight, waiting: maxWaiting };
    const onNotification = (method: string, params: readonly unknown[], session: Session): void | Promise<void> => {
      if (method === 'update3')
        return params[0] === 'server' ? leadership.update(params) : this.#replicas.get(String(params[0]))?.update(params);
      if (method === 'locked' || method === 'stolen') this.#locks.get(String(params[0]))?.notified(method);
      else if (method === 'monitor_canceled') session.end(new Error('the database was changed or taken away'));
    };
    const bigMessages = this.#bigMessages;
    return Session.open(
      remote,
      { limits, probeIntervalMs, probeMissesMax, messageBytesMax, bigMessageBytes, bigMessages, onNotification },
      signal,
    );
  }

  /** Sees that the database is what it should be, and sets up what lives on the connection. */
  async #greet(session: Session, call: CallOptions): Promise<void> {
    const there = await session.request(`schema of ${this.database.name}`, 'get_schema', [this.database.name], call, parseSchema);
    const { missing, incompatible } = compareSchemas(this.database, there);
    if (incompatible.length > 0) throw new SchemaError(this.database.name, incompatible);
    this.#missing = missing;
    // A large database takes the time that it takes: only silence is too long.
    for (const resident of this.#residents()) await resident.restore(session, missing, { signal: this.#closing.signal });
    if (session.isEnded) throw await session.closed;
  }

  #residents(): readonly Resident[] {
    return [...this.#replicas.values(), ...this.#locks.values()];
  }

  /** Sets up on a connection that calls pass over already. */
  #restoreLate(resident: Resident, session: Session): void {
    resident.restore(session, this.#missing, { signal: this.#closing.signal }).catch((error: Error) => session.end(error));
  }

  async #dropReplica(replica: Resident): Promise<void> {
    if (!(replica instanceof Replica) || !this.#replicas.delete(replica.id)) return;
    await this.#session?.request('ending a replica', 'monitor_cancel', [replica.id], { timeoutMs: 1_000 }, () => {}).catch(() => {});
  }

  #up(session: Session, remote: Address): void {
    if (this.#state === 'closed') {
      session.end(new Error('closed by its owner'));
      return;
    }
    this.#state = 'up';
    this.#session = session;
    // What came while the others were set up.
    for (const resident of this.#residents()) this.#restoreLate(resident, session);
    this.#attempt.resolve(session);
    this.#feed.emit({ kind: 'connected', remote });
  }

  #failed(): void {
    if (this.#state !== 'closed') this.#state = 'down';
    this.#attempt.reject(new ConnectionLostError(this.#failure?.message ?? 'connecting failed', 'not_sent', { cause: this.#failure }));
  }

  #lost(cause: Error): void {
    this.#session = undefined;
    for (const resident of this.#residents()) resident.lost(cause);
    if (this.#state === 'closed') return;
    this.#failure = cause;
    this.#begin();
    this.#feed.emit({ kind: 'disconnected', error: cause });
  }

  #begin(): void {
    this.#state = 'connecting';
    this.#attempt = newAttempt();
  }
}

function newAttempt(): PromiseWithResolvers<Session> {
  const attempt = Promise.withResolvers<Session>();
  // Often nobody waits for it.
  attempt.promise.catch(() => {});
  return attempt;
}
