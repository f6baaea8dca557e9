import type { Json, JsonObject } from './json.ts';

/**
 * The store port. A store knows tables, guarded statements, counters and a change feed, and nothing of kinds, sagas or clouds.
 * What reads is answered CloudError `unavailable` when the store is away for longer than it waits.
 * Adapters: `@pileus/core/sqlite` (embedded), PostgreSQL (server). Both pass `describeStore` and `describeSagaStore` of `@pileus/core/testing`.
 */
export interface Store {
  /** Random, made with the store, changed by a restore: what was written under another incarnation may be history that the world has moved past. */
  readonly incarnation: string;
  /** Fencing epoch of this opening; it grows by one with each. */
  readonly epoch: number;
  /** Creates and migrates tables to match. Resumable: killed at any point, the next call completes it. Called before anything else, and once more with further tables. */
  prepare(schema: StoreSchema): Promise<void>;
  /**
   * All of the statements or none, in one message. Answers after the change is durable; a read begun after that sees it. A failed guard rolls back this
   * transaction alone and is a result, not an error. Rejects only when the outcome is unknown or the store is closed: the caller may commit the same again.
   */
  commit(transaction: Transaction): Promise<CommitResult>;
  /** The row as the JSON text that was stored, or undefined. Deleted resource rows are answered too. */
  read(table: string, key: string): Promise<string | undefined>;
  /** Rows as JSON texts, in the strict order asked for. */
  list(query: ListQuery): Promise<readonly string[]>;
  /** The same, each with its place in that order, read at once with it. */
  placed(query: ListQuery): Promise<readonly PlacedRow[]>;
  /** So many rows, or `atMost` when there are more: to learn no more than that costs no more. */
  count(query: CountQuery): Promise<number>;
  /** One row a group, in order of the groups, nulls first; without `groupBy` one row. */
  aggregate(query: AggregateQuery): Promise<readonly AggregateRow[]>;
  counter(key: string): Promise<Counter | undefined>;
  counters(prefix: string): Promise<readonly Counter[]>;
  /** Changes of resource tables after a revision, oldest first, whole revisions only. */
  changes(after: number, limit: number): Promise<readonly Change[]>;
  /** Revisions kept: a cursor below `oldest - 1` has lost changes. */
  bounds(): Promise<{ readonly oldest: number; readonly newest: number }>;
  /** Told after each durable commit, with the newest revision; may coalesce. Answers how to stop. */
  onCommit(listener: (revision: number) => void): () => void;
  /** Drops feed entries of revisions up to this one. */
  trimChanges(upTo: number): Promise<void>;
  /**
   * A consistent copy into a file or directory that does not exist yet, while the store is in use. It gets its name when it is whole. With `at`, RFC 3339, it
   * bears that time, by which its maker knows it again.
   */
  backup(target: string, at?: string): Promise<void>;
  close(): Promise<void>;
}

export interface StoreSchema {
  readonly tables: readonly TableSpec[];
  /** Data migrations, by plugin, applied once each in order of `number`. */
  readonly migrations: readonly Migration[];
}

export interface TableSpec {
  readonly name: string;
  /**
   * Resource tables keep `id` (key), `generation`, `revision`, `createdAt`, `updatedAt`, `deletedAt`, which the store maintains, and feed the change feed.
   * Plain tables have the key columns named here, joined by `/` when used as a key in `read`, `remove` and `expect`.
   */
  readonly type: 'resource' | 'plain';
  readonly key: readonly string[];
  /** Fields kept as columns, beside the whole row as JSON. */
  readonly columns: Readonly<Record<string, 'text' | 'integer'>>;
  /** Each is unique among rows that are not deleted. A row that lacks one of the fields does not take part. */
  readonly unique: readonly (readonly string[])[];
  readonly indexes: readonly (readonly string[])[];
}

export interface Migration {
  readonly plugin: string;
  readonly number: number;
  readonly table: string;
  /** Pure: a row's old shape to its new one. Applied in batches; must accept a row it has already changed. */
  up(row: JsonObject): JsonObject;
}

export interface Transaction {
  /** The node that writes and the epoch it holds; a stale epoch is refused with reason `fenced`. */
  readonly node: string;
  readonly epoch: number;
  /** RFC 3339; becomes createdAt, updatedAt, deletedAt of what is written. */
  readonly at: string;
  readonly statements: readonly Statement[];
  /** Answers what the commit would answer, with the newest revision there is, and changes nothing. */
  readonly rehearse?: boolean;
}

/** Field -> the value it must have, or any of several. `null` = must be absent. */
export type Expect = Readonly<Record<string, Json>>;

/**
 * insert: fails `exists` on a key or unique clash. update: top-level merge, `null` removes a field; fails `absent` or `stale`. Both maintain the
 * resource fields; `set: { deletedAt: true }` stamps the deletion. remove: for good, and not told in the feed; of a resource table only a row that is deleted,
 * else it fails `stale`; absent is fine. expect: guard alone. vacant: fails `in_use` when a live row of `table` has all of the values of `where`: with two of
 * them, each told of the other's fields, something is unique across tables. adjust: adds to a counter (made at 0 without limit when new); fails `exceeded`
 * beyond its limit or below 0. limit: sets a counter's limit, `null` = none; never fails, an overdrawn counter only stops growing.
 */
export type Statement =
  | { readonly op: 'insert'; readonly table: string; readonly row: JsonObject }
  | { readonly op: 'update'; readonly table: string; readonly key: string; readonly set: JsonObject; readonly expect?: Expect }
  | { readonly op: 'remove'; readonly table: string; readonly key: string }
  | { readonly op: 'expect'; readonly table: string; readonly key: string; readonly expect: Expect }
  | { readonly op: 'vacant'; readonly table: string; readonly where: Readonly<Record<string, Json>> }
  | { readonly op: 'adjust'; readonly counter: string; readonly by: number }
  | { readonly op: 'limit'; readonly counter: string; readonly limit: number | null };

/**
 * All that one entry of an index may hold, in UTF-8: PostgreSQL's have room for 2,704 bytes, their own head included. Every store refuses what one of them
 * could not take, so that what runs here runs there.
 */
export const INDEXED_BYTES_MAX = 2_600;

export type CommitResult =
  | { readonly ok: true; readonly revision: number }
  | {
      readonly ok: false;
      /** Index of the statement whose guard failed; -1 for `fenced`. */
      readonly statement: number;
      readonly reason: 'exists' | 'absent' | 'stale' | 'in_use' | 'exceeded' | 'too_long' | 'fenced';
      /** For `exists`: the fields that clash. For `stale`: the field that differs. For `too_long`: the one that an index cannot take. For a quota that is `exceeded`: its counter. */
      readonly fields?: readonly string[];
    };

export interface Counter {
  readonly key: string;
  readonly value: number;
  readonly limit: number | null;
}

/**
 * Fields are paths into the row, e.g. `stateReason.code`. A comparison with an absent field is false, `not` is plain negation. Values of one type are compared,
 * text by code point.
 */
export type Condition =
  | { readonly field: string; readonly op: '=' | '!=' | '<' | '<=' | '>' | '>='; readonly value: string | number | boolean }
  | { readonly field: string; readonly op: 'in'; readonly value: readonly (string | number | boolean)[] }
  | { readonly field: string; readonly op: 'like'; readonly value: string }
  | { readonly field: string; readonly op: 'null' | 'not null' }
  | { readonly and: readonly Condition[] }
  | { readonly or: readonly Condition[] }
  | { readonly not: Condition }
  /** Holds when a live row of `table` has in `remote` what this row has in `local`, and `where` holds for it. An absent field equals nothing. */
  | { readonly exists: { readonly table: string; readonly local: string; readonly remote: string; readonly where?: Condition } }
  /** Holds when `where` holds for one of the elements of a list, or values of a map: there `$` is the element itself, `$key` its key in the map. */
  | { readonly some: { readonly field: string; readonly where?: Condition } };

/** A way from a row to one of another table: the live row that has in `remote` what this row has in `local`, and for which `where` holds. */
export interface Step {
  readonly table: string;
  readonly local: string;
  /** No two live rows for which `where` holds may have the same here. */
  readonly remote: string;
  readonly where?: Condition;
}

/** A field of a row, or of the one that the steps lead to; where they lead to none it is absent. */
export interface FieldPath {
  readonly field: string;
  readonly via?: readonly Step[];
}

export interface ListQuery {
  readonly table: string;
  readonly where?: Condition;
  /** Resource tables: `false` (default) live rows only, `true` all. */
  readonly deleted?: boolean;
  /** The key is always added last, so that the order is strict. Default: the key. */
  readonly order?: readonly (FieldPath & { readonly descending?: boolean })[];
  /** Values of the order fields and the key of the last row seen. */
  readonly after?: readonly (string | number | null)[];
  readonly limit?: number;
}

export interface PlacedRow {
  readonly text: string;
  /** As `ListQuery.after` takes it. */
  readonly place: readonly (string | number | null)[];
}

export interface CountQuery extends Pick<ListQuery, 'table' | 'where' | 'deleted'> {
  readonly atMost?: number;
}

export interface AggregateQuery extends Pick<ListQuery, 'table' | 'where' | 'deleted'> {
  readonly groupBy?: readonly FieldPath[];
  /** `count` without a field counts rows, with one those that have it. `sum` takes numbers alone. */
  readonly measures: readonly ({ readonly op: 'count' | 'sum' | 'min' | 'max' } & Partial<FieldPath>)[];
  /** Groups at most. */
  readonly limit?: number;
}

/** The values that a group has in common, then what was measured, in the order asked for. Sums are decimal strings, exact for whole numbers; true is 1, false 0. */
export type AggregateRow = readonly (string | number | null)[];

export interface Change {
  readonly revision: number;
  readonly table: string;
  readonly key: string;
  readonly type: 'created' | 'updated' | 'deleted';
  readonly projectId?: string;
  /** The row as of this change, as JSON text. */
  readonly row: string;
}
