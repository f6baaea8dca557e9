import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { Change, Counter, ListQuery } from '../kernel/store.ts';
import { changeType, wholeRevisions } from '../store/feed.ts';
import type { Catalog } from '../store/table.ts';
import { compileCount, compileList, type Sql, someOf } from './query.ts';
import { leadsOf, walkOf } from './reach.ts';
import type { Table } from './table.ts';

/** Statements kept prepared; beyond it the cache starts anew, for conditions come in endless shapes. */
const STATEMENTS_KEPT = 500;

const WITH_PREFIX = 'key >= ?1 AND key < ?1 || char(0x10ffff) ORDER BY key';
const CHANGE_COLUMNS = 'revision, "table", key, type, projectId, row';

export type CountQuery = Pick<ListQuery, 'table' | 'where' | 'deleted'>;
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
  readonly #catalog: Catalog<Table>;

  constructor(statements: Statements, catalog: Catalog<Table>) {
    this.#statements = statements;
    this.#catalog = catalog;
  }

  read(table: string, key: string): string | undefined {
    const known = this.#catalog.get(table);
    return this.#statements.value(known.readSql, ...known.splitKey(key)) as string | undefined;
  }

  list(query: ListQuery, from?: Sql): string[] {
    const { text, values } = compileList(this.#catalog, query, from);
    return this.#statements.rows<[string]>(text, values).map(([row]) => row);
  }

  /** The rows, when finding them takes a look at `max` rows at most: then it takes less than asking a thread to. Undefined otherwise. */
  listFew(query: ListQuery, max: number): string[] | undefined {
    const table = this.#catalog.get(query.table);
    const walk = walkOf(table, query);
    if (walk !== undefined && query.limit === undefined) {
      const rows = this.list({ ...query, limit: max + 1 }, walk);
      return rows.length <= max ? rows : undefined;
    }
    const from = walk !== undefined && (query.limit ?? 0) <= max ? walk : this.#fewOf(table, query, max);
    return from === undefined ? undefined : this.list(query, from);
  }

  count(query: CountQuery, from?: Sql): number {
    const { text, values } = compileCount(this.#catalog, query, from);
    return this.#statements.value(text, ...values) as number;
  }

  /** As `listFew`. */
  countFew(query: CountQuery, max: number): number | undefined {
    const from = this.#fewOf(this.#catalog.get(query.table), query, max);
    return from === undefined ? undefined : this.count(query, from);
  }

  /** `max` rows at most among which the answer is, when an index leads to so few or the table has no more. */
  #fewOf(table: Table, query: CountQuery, max: number): Sql | undefined {
    const candidates = [...leadsOf(table, query), undefined].map((lead) => someOf(this.#catalog, table, lead, max + 1));
    return candidates.find(({ text, values }) => (this.#statements.value(`SELECT count(*) FROM ${text}`, ...values) as number) <= max);
  }

  counter(key: string): Counter | undefined {
    return this.#counters('key = ?', key)[0];
  }

  counters(prefix: string): Counter[] {
    return this.#counters(WITH_PREFIX, prefix);
  }

  /** As `listFew`. */
  countersFew(prefix: string, max: number): Counter[] | undefined {
    const counters = this.#counters(`${WITH_PREFIX} LIMIT ${max + 1}`, prefix);
    return counters.length <= max ? counters : undefined;
  }

  #counters(where: string, value: string): Counter[] {
    const rows = this.#statements.rows<[string, number, number | null]>(`SELECT key, value, "limit" FROM _counter WHERE ${where}`, [value]);
    return rows.map(([key, count, limit]) => ({ key, value: count, limit }));
  }

  changes(after: number, limit: number): Change[] {
    const ordered = `SELECT ${CHANGE_COLUMNS} FROM _feed WHERE revision`;
    const rows = this.#statements.rows<ChangeRow>(`${ordered} > ? ORDER BY revision, ordinal LIMIT ?`, [after, limit + 1]);
    const whole = wholeRevisions(rows.map(toChange), limit);
    if (typeof whole !== 'number') return whole;
    return this.#statements.rows<ChangeRow>(`${ordered} = ? ORDER BY ordinal`, [whole]).map(toChange);
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

function toChange([revision, table, key, type, projectId, row]: ChangeRow): Change {
  return { revision, table, key, type: changeType(type), ...(projectId === null ? {} : { projectId }), row };
}
