import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { Change, Condition, Counter, ListQuery, Page } from '../kernel/store.ts';
import { compileCount, compileList } from './query.ts';
import { type Catalog, ROW, type Table } from './table.ts';

/** Statements kept prepared; beyond it the cache starts anew, for conditions come in endless shapes. */
const STATEMENTS_KEPT = 500;

const CHANGE_TYPES = ['created', 'updated', 'deleted'] as const;
export const changeCode = (type: Change['type']): number => CHANGE_TYPES.indexOf(type);

const CHANGE_COLUMNS = 'revision, "table", key, type, projectId, row';
const LINE_FEED = 10;
const decoder = new TextDecoder();

type ChangeRow = [number, string, string, number, string | null, string];

/** Prepares each text once. Rows come as arrays: nobody needs column names. */
export class Statements {
  readonly #db: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  get(text: string): StatementSync {
    const known = this.#prepared.get(text);
    if (known !== undefined) return known;
    if (this.#prepared.size >= STATEMENTS_KEPT) this.#prepared.clear();
    const statement = this.#db.prepare(text);
    statement.setReturnArrays(true);
    this.#prepared.set(text, statement);
    return statement;
  }

  /** The first column of the first row. */
  value(text: string, ...values: readonly SQLInputValue[]): unknown {
    return (this.get(text).get(...values) as unknown as readonly unknown[] | undefined)?.[0];
  }

  rows<T>(text: string, values: readonly SQLInputValue[]): T[] {
    return this.get(text).all(...values) as unknown as T[];
  }
}

/** All that the store port answers without writing, over one connection. */
export class Reader {
  readonly #statements: Statements;
  readonly #catalog: Catalog;

  constructor(statements: Statements, catalog: Catalog) {
    this.#statements = statements;
    this.#catalog = catalog;
  }

  read(table: string, key: string): string | undefined {
    const known = this.#catalog.get(table);
    return this.#statements.value(known.readSql, ...known.splitKey(key)) as string | undefined;
  }

  list(query: ListQuery): string[] {
    const { text, values } = compileList(this.#catalog.get(query.table), query);
    return this.#statements.rows<[string]>(text, values).map(([row]) => row);
  }

  /**
   * The rows, when an index leads to few of which they are some: then finding them takes less than asking a thread to. Undefined otherwise, after at most
   * `max` rows and one.
   */
  listFew(query: ListQuery, max: number): string[] | undefined {
    const lead = query.deleted === true ? undefined : leadOf(this.#catalog.get(query.table), query.where);
    if (lead === undefined) return undefined;
    const candidates = this.list({ table: query.table, where: lead, limit: max + 1 });
    if (candidates.length > max) return undefined;
    const isWhole = lead === query.where && query.order === undefined && query.after === undefined && query.limit === undefined;
    return isWhole ? candidates : this.list(query);
  }

  /** SQLite joins the texts itself: making strings of them here takes five times as long. No text holds a bare line feed, so that one ends each row. */
  page(query: ListQuery & { readonly limit: number }): Page {
    const { text, values } = compileList(this.#catalog.get(query.table), { ...query, limit: query.limit + 1 });
    const joined = `SELECT CAST(group_concat(${ROW}, ',' || char(10)) AS BLOB), count(*) FROM (${text})`;
    const [[json, count] = [null, 0]] = this.#statements.rows<[Uint8Array | null, number]>(joined, values);
    if (json === null) return { json: new Uint8Array() };
    if (count <= query.limit) return { json };
    const page = json.subarray(0, json.lastIndexOf(LINE_FEED) - 1);
    return { json: page, last: decoder.decode(page.subarray(page.lastIndexOf(LINE_FEED) + 1)) };
  }

  count(query: Pick<ListQuery, 'table' | 'where' | 'deleted'>): number {
    const { text, values } = compileCount(this.#catalog.get(query.table), query);
    return this.#statements.value(text, ...values) as number;
  }

  counter(key: string): Counter | undefined {
    return this.#counters('key = ?', key)[0];
  }

  counters(prefix: string): Counter[] {
    return this.#counters('key >= ?1 AND key < ?1 || char(0x10ffff) ORDER BY key', prefix);
  }

  #counters(where: string, value: string): Counter[] {
    const rows = this.#statements.rows<[string, number, number | null]>(`SELECT key, value, "limit" FROM _counter WHERE ${where}`, [value]);
    return rows.map(([key, count, limit]) => ({ key, value: count, limit }));
  }

  changes(after: number, limit: number): Change[] {
    const ordered = `SELECT ${CHANGE_COLUMNS} FROM _feed WHERE revision`;
    const rows = this.#statements.rows<ChangeRow>(`${ordered} > ? ORDER BY revision, ordinal LIMIT ?`, [after, limit + 1]);
    const next = rows[limit]?.[0];
    if (next === undefined) return rows.map(toChange);
    const whole = rows.filter(([revision]) => revision < next);
    if (whole.length > 0 || limit < 1) return whole.map(toChange);
    // One revision alone is more than was asked for: it comes whole, or the reader would never get past it.
    return this.#statements.rows<ChangeRow>(`${ordered} = ? ORDER BY ordinal`, [next]).map(toChange);
  }

  bounds(): { readonly oldest: number; readonly newest: number } {
    const trimmed = this.#statements.value("SELECT value FROM _meta WHERE name = 'trimmed'") as number;
    const newest = this.#statements.value('SELECT max(revision) FROM _feed') as number | null;
    return { oldest: trimmed + 1, newest: Math.max(trimmed, newest ?? 0) };
  }

  /** A consistent copy as of now, made while others write. */
  vacuumInto(target: string): void {
    this.#statements.get('VACUUM INTO ?').run(target);
  }
}

/** The part of a condition that an index answers: the field at its head has one value. */
function leadOf(table: Table, where: Condition | undefined): Condition | undefined {
  if (where === undefined) return undefined;
  if ('and' in where) return where.and.find((part) => leadOf(table, part) === part);
  return 'op' in where && where.op === '=' && table.leadsIndex(where.field) ? where : undefined;
}

function toChange([revision, table, key, type, projectId, row]: ChangeRow): Change {
  return { revision, table, key, type: CHANGE_TYPES[type] ?? 'updated', ...(projectId === null ? {} : { projectId }), row };
}
