import type { Json, JsonObject } from '../kernel/json.ts';
import { type Change, type CommitResult, type Expect, INDEXED_BYTES_MAX, type Statement } from '../kernel/store.ts';
import { StoreError } from '../kernel/store-error.ts';
import { MAINTAINED, type Row, type TableShape } from './table.ts';

export type Failure = Omit<Extract<CommitResult, { ok: false }>, 'ok' | 'statement'>;

/** What became of one transaction of a group: its result, or the reason why it was never tried to its end. */
export type Outcome = CommitResult | { readonly rejected: string; readonly outcome: StoreError['outcome'] };

/** The transaction that a row is written in: its time, RFC 3339, and its revision. */
export interface Stamp {
  readonly at: string;
  readonly revision: number;
}

/** What an insert stores: the row as given, but for the fields that the store maintains. */
export function insertedRow(table: TableShape, given: JsonObject, { at, revision }: Stamp): Row {
  const row: Row = { ...given };
  if (!table.isResource) return row;
  row.generation = 1;
  row.revision = revision;
  row.createdAt = at;
  row.updatedAt = at;
  if (given.deletedAt === true) row.deletedAt = at;
  else if (given.deletedAt !== undefined) delete row.deletedAt;
  return row;
}

/** What an update makes of a row. @throws StoreError when it would change the key */
export function updatedRow(table: TableShape, old: Row, set: JsonObject, { at, revision }: Stamp): Row {
  const row = merge(old, set);
  if (table.isResource) {
    for (const field of MAINTAINED) if (field in set) keep(row, old, field);
    row.generation = (old.generation as number) + 1;
    row.revision = revision;
    row.updatedAt = at;
    if (set.deletedAt === true) row.deletedAt = old.deletedAt ?? at;
  }
  for (const field of table.key)
    if (row[field] !== old[field]) throw new StoreError(`an update of ${table.name} cannot change its key ${field}`);
  return row;
}

/** What is written into an index is too long for it. What is there already, and stays, is not looked at. */
export function tooLong(table: TableShape, old: Row | undefined, row: Row, text: string): Failure | undefined {
  // A code unit is three bytes at most.
  if (text.length * 3 <= INDEXED_BYTES_MAX) return undefined;
  for (const { rows, columns } of [{ rows: 'all', columns: table.key }, ...table.shapes]) {
    if (rows !== 'all' && (rows === 'deleted') !== (row.deletedAt !== undefined)) continue;
    if (columns.every((field) => row[field] === old?.[field])) continue;
    const sizes = columns.map((field) => bytesOf(row[field]));
    if (sizes.reduce((sum, size) => sum + size, 0) > INDEXED_BYTES_MAX)
      return { reason: 'too_long', fields: [columns[sizes.indexOf(Math.max(...sizes))] ?? ''] };
  }
  return undefined;
}

const bytesOf = (value: Json | undefined): number =>
  value === undefined || value === null
    ? 0
    : typeof value === 'number'
      ? 8
      : Buffer.byteLength(typeof value === 'string' ? value : JSON.stringify(value));

/** What the feed calls a write. */
export function changeOf(old: Row | undefined, row: Row): Change['type'] {
  if (old === undefined) return 'created';
  return row.deletedAt !== undefined && old.deletedAt === undefined ? 'deleted' : 'updated';
}

/** The first field that is not as expected. */
export function stale(row: Row, expect: Expect): Failure | undefined {
  for (const field in expect) {
    const wanted = expect[field] as Json;
    const actual = row[field] ?? null;
    const agrees = Array.isArray(wanted) ? wanted.some((value) => same(value, actual)) : same(wanted, actual);
    if (!agrees) return { reason: 'stale', fields: [field] };
  }
  return undefined;
}

/** @throws StoreError when a counter's statement names no exact whole number */
export function checkCount(statement: Extract<Statement, { op: 'adjust' | 'limit' }>): void {
  const { counter } = statement;
  if (statement.op === 'adjust') {
    if (!Number.isSafeInteger(statement.by)) throw new StoreError(`counter ${counter} cannot be adjusted by ${statement.by}`);
  } else if (statement.limit !== null && !Number.isSafeInteger(statement.limit))
    throw new StoreError(`counter ${counter} cannot be limited to ${statement.limit}`);
}

/** Top-level merge; `null` removes. Fields keep their places, so that a row reads the same after many updates. */
function merge(old: Row, set: JsonObject): Row {
  const row: Row = {};
  for (const field in old) {
    const value = field in set ? set[field] : old[field];
    if (value !== null && value !== undefined) row[field] = value;
  }
  for (const field in set) {
    const value = set[field];
    if (value !== null && value !== undefined && !(field in old)) row[field] = value;
  }
  return row;
}

function keep(row: Row, old: Row, field: string): void {
  const value = old[field];
  if (value === undefined) delete row[field];
  else row[field] = value;
}

function same(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null || Array.isArray(a) !== Array.isArray(b)) return false;
  const left = a as JsonObject;
  const right = b as JsonObject;
  const fields = Object.keys(left);
  return (
    fields.length === Object.keys(right).length &&
    fields.every((field) => field in right && same(left[field] as Json, right[field] as Json))
  );
}
