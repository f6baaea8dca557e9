import type { Change } from './change.ts';
import type { DatabaseSchema } from './database.ts';
import { within } from './deadline.ts';
import { ConnectionLostError, OvsdbError, ProtocolError } from './errors.ts';
import { Feed, type Overflow } from './feed.ts';
import type { Updates } from './message.ts';
import { type MonitoredTable, Stage } from './monitor.ts';
import { ReplicaTable, type TableView } from './replica-table.ts';
import type { CallOptions } from './requests.ts';
import type { Resident } from './resident.ts';
import type { ColumnOf, Condition, Row } from './row.ts';
import type { Session } from './session.ts';
import type { AnyCondition } from './table-schema.ts';

/** What to replicate of a table. */
export interface TableSelection<R> {
  /** Default: all that are described. */
  readonly columns?: readonly ColumnOf<R>[];
  /** Rows that meet all of them. Default: every row. */
  readonly where?: readonly Condition<R>[];
  /** To find rows by, beside the indexes of the schema. */
  readonly indexes?: readonly (readonly ColumnOf<R>[])[];
}

/** Which tables to replicate: `true` for all of one. */
export type Selection<T> = { readonly [N in keyof T & string]?: true | TableSelection<T[N]> };

interface AnyTableSelection {
  readonly columns?: readonly string[];
  readonly where?: readonly AnyCondition[];
  readonly indexes?: readonly (readonly string[])[];
}
export type AnySelection = Readonly<Record<string, true | AnyTableSelection | undefined>>;

/** The rows that a selection leads to. */
export type Selected<T extends Record<string, Row>, S> = {
  readonly [N in keyof S & keyof T & string]: S[N] extends { readonly columns: readonly (infer C)[] }
    ? Row & Pick<T[N], Extract<C | '_uuid', keyof T[N]>>
    : T[N];
};

export type ReplicaEvent<R> =
  /** All changes of one transaction, or of several that came together after a break: what is seen between two such events has been so at the server. */
  | { readonly kind: 'changes'; readonly changes: readonly Change<R>[] }
  /** The connection is gone: what is here may be outdated. */
  | { readonly kind: 'stale'; readonly error: Error }
  /** Up to date again, after the changes that were missed. */
  | { readonly kind: 'current' };

export type ReplicaState = 'syncing' | 'current' | 'stale' | 'closed';

const noTransaction = '00000000-0000-0000-0000-000000000000';

/**
 * A copy of tables, kept up to date by the server. It changes by whole transactions and in their order, never in the middle of a turn of the event loop.
 * Over a lost connection it keeps what it had; the next one brings what was missed, as changes. An answer to a transaction of the same client
 * comes after the replica has that transaction.
 */
export class Replica<R extends Record<string, Row>> implements Resident, AsyncDisposable {
  readonly tables: { readonly [N in keyof R & string]: ReplicaTable<R[N]> };
  readonly id: string;
  readonly #database: DatabaseSchema;
  readonly #tables: ReadonlyMap<string, MonitoredTable>;
  readonly #feed = new Feed<ReplicaEvent<R>>();
  readonly #closing = new AbortController();
  readonly #onClose: (replica: Resident) => Promise<void>;
  readonly #first = Promise.withResolvers<void>();
  #state: ReplicaState = 'syncing';
  #session: Session | undefined;
  #lastTransaction = noTransaction;
  /** Of the connection. What an earlier one has brought and is still being read counts for nothing. */
  #turn = 0;

  /** Made by `client.replicate()`. */
  constructor(id: string, database: DatabaseSchema, selection: AnySelection, onClose: (replica: Resident) => Promise<void>) {
    this.id = id;
    this.#database = database;
    this.#onClose = onClose;
    this.#tables = new Map(
      Object.entries(selection).flatMap(([name, chosen]) => (chosen === undefined ? [] : [[name, monitored(database, name, chosen)]])),
    );
    this.tables = Object.fromEntries([...this.#tables].map(([name, { rows }]) => [name, rows])) as typeof this.tables;
    this.#first.promise.catch(() => {});
  }

  get state(): ReplicaState {
    return this.#state;
  }

  /** Id of the last transaction it has; servers that are no cluster tell none: all zeros. */
  get lastTransaction(): string {
    return this.#lastTransaction;
  }

  /** Resolves when it has everything for the first time. */
  ready(options: CallOptions = {}): Promise<void> {
    if (this.#state !== 'syncing') return this.#first.promise;
    return within(`the first replica of ${this.#database.name}`, this.#first.promise, options);
  }

  /** Resolves once `test` holds, now or after a change: `until(({ Logical_Switch }) => Logical_Switch.has(uuid))`. */
  async until(test: (tables: this['tables']) => boolean, options: CallOptions = {}): Promise<void> {
    if (test(this.tables)) return;
    const seen = Promise.withResolvers<void>();
    const unsubscribe = this.subscribe((event) => {
      if (event.kind === 'changes' && test(this.tables)) seen.resolve();
    });
    const signal = options.signal === undefined ? this.#closing.signal : AbortSignal.any([options.signal, this.#closing.signal]);
    try {
      await within(`waiting for the replica of ${this.#database.name}`, seen.promise, { ...options, signal });
    } finally {
      unsubscribe();
    }
  }

  /** What is there now, of all tables, and stays so for who holds it. */
  snapshot(): { readonly [N in keyof R & string]: TableView<R[N]> } {
    return Object.fromEntries([...this.#tables].map(([name, { rows }]) => [name, rows.view()])) as {
      [N in keyof R & string]: TableView<R[N]>;
    };
  }

  /** Calls `listener` for each event until the returned function is called. The tables show what the event tells, and nothing later. */
  subscribe(listener: (event: ReplicaEvent<R>) => void): () => void {
    return this.#feed.subscribe(listener);
  }

  /** Iterates over events until `signal` fires or the replica is closed. The tables may be further than the event. */
  watch(signal?: AbortSignal): AsyncGenerator<ReplicaEvent<R> | Overflow, void, undefined> {
    return this.#feed.watch(signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]));
  }

  /** Ends it: the server tells it no more, the tables stay as they are. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#first.reject(new ConnectionLostError('the replica was closed by its owner', 'not_sent'));
    this.#closing.abort();
    await this.#onClose(this);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async restore(session: Session, missing: ReadonlySet<string>, call: CallOptions): Promise<void> {
    if (this.#session === session || this.#state === 'closed') return;
    this.#session = session;
    this.#turn += 1;
    const params = [this.#database.name, this.id, this.#requests(missing), this.#lastTransaction];
    try {
      await session.request(`monitor ${this.#database.name}`, 'monitor_cond_since', params, call, (result) => this.#begin(result));
    } catch (error) {
      // What the server refuses it refuses again: that ends the replica, and is no reason to give up the connection.
      if (!(error instanceof OvsdbError)) throw error;
      this.#first.reject(error);
      void this.close();
    }
  }

  /** Takes the parameters of an `update3`. */
  update(params: readonly unknown[]): void | Promise<void> {
    const [, transaction, updates] = params;
    return this.#take(transaction, updates, false);
  }

  lost(error: Error): void {
    if (this.#state === 'closed') return;
    this.#session = undefined;
    this.#turn += 1;
    this.#state = this.#state === 'syncing' ? 'syncing' : 'stale';
    this.#feed.emit({ kind: 'stale', error });
  }

  #requests(missing: ReadonlySet<string>): Readonly<Record<string, unknown>> {
    const there = [...this.#tables].filter(([name]) => !missing.has(name));
    return Object.fromEntries(
      there.map(([name, { columns, where }]) => {
        const known = columns.filter((column) => !missing.has(`${name}.${column}`));
        return [name, [{ columns: known, ...(where === undefined ? {} : { where }) }]];
      }),
    );
  }

  #begin(result: unknown): void | Promise<void> {
    if (!Array.isArray(result) || result.length !== 3) throw new ProtocolError('the answer to a monitor is no list of three');
    const [found, transaction, updates] = result as readonly unknown[];
    const taken = this.#take(transaction, updates, found !== true);
    return taken === undefined ? this.#caughtUp() : taken.then(() => this.#caughtUp());
  }

  #caughtUp(): void {
    if (this.#state === 'closed') return;
    this.#state = 'current';
    this.#first.resolve();
    this.#feed.emit({ kind: 'current' });
  }

  #take(transaction: unknown, updates: unknown, whole: boolean): void | Promise<void> {
    if (this.#state === 'closed') return;
    if (typeof transaction !== 'string' || typeof updates !== 'object' || updates === null)
      throw new ProtocolError('an update of another form');
    const stage = new Stage(this.#tables, whole);
    try {
      const read = stage.read(updates as Updates);
      return read === undefined ? this.#commit(stage, transaction) : this.#commitLater(stage, transaction, read);
    } catch (error) {
      // What it cannot follow it has to see as a whole.
      this.#lastTransaction = noTransaction;
      throw error;
    }
  }

  /** @throws ConnectionLostError when the connection that it came over is gone by then */
  async #commitLater(stage: Stage, transaction: string, read: Promise<void>): Promise<void> {
    const turn = this.#turn;
    try {
      await read;
    } catch (error) {
      if (turn === this.#turn) this.#lastTransaction = noTransaction;
      throw error;
    }
    if (turn !== this.#turn) throw new ConnectionLostError('the connection ended while an update was read', 'unknown');
    if (this.#state !== 'closed') this.#commit(stage, transaction);
  }

  #commit(stage: Stage, transaction: string): void {
    const changes = stage.commit();
    this.#lastTransaction = transaction;
    if (changes.length > 0) this.#feed.emit({ kind: 'changes', changes: changes as unknown as readonly Change<R>[] });
  }
}

function monitored(database: DatabaseSchema, name: string, chosen: true | AnyTableSelection): MonitoredTable {
  const described = database.tables[name];
  if (described === undefined) throw new RangeError(`${database.name} has no table ${name}`);
  const { columns = [...described.columns.keys()], where, indexes = [] }: AnyTableSelection = chosen === true ? {} : chosen;
  for (const column of columns) described.type(column);
  const own = described.indexes.filter((index) => index.every((column) => columns.includes(column)));
  const encoded = where === undefined || where.length === 0 ? undefined : described.encodeConditions(where);
  return { described, columns, where: encoded, rows: new ReplicaTable(name, [...own, ...indexes]) };
}
