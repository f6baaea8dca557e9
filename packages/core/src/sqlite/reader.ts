import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { AggregateQuery, AggregateRow, Change, Condition, Counter, CountQuery, ListQuery } from '../kernel/store.ts';
import { changeType, wholeRevisions } from '../store/feed.ts';
import type { Catalog } from '../store/table.ts';
import { compileAggregate, compileCount, compileList, compileValues, measured, type Sql, someOf } from './query.ts';
import { indexOf, leadsOf, looksElsewhere, walkOf } from './reach.ts';
import type { Table } from './table.ts';

/** Statements kept prepared; beyond it the cache starts anew, for conditions come in endless shapes. */
const STATEMENTS_KEPT = 500;

/** Rows that are looked at to find by which way there are fewest; first a few, then as many as are not worth another way. */
const FEW_ROWS = 500;
const LOOK_ROWS_MAX = 20_000;

const WITH_PREFIX = 'key >= ?1 AND key < ?1 || char(0x10ffff) ORDER BY key';
const CHANGE_COLUMNS = 'revision, "table", key, type, projectId, row';

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

  list(query: ListQuery): string[] {
    const resolved = this.#resolved(query, LOOK_ROWS_MAX);
    return this.#list(resolved, this.#leadOf(resolved));
  }

  #list(query: ListQuery, from?: Sql): string[] {
    const { text, values } = compileList(this.#catalog, query, from);
    return this.#statements.rows<[string]>(text, values).map(([row]) => row);
  }

  /** The rows, when finding them takes a look at `max` rows at most: then it takes less than asking a thread to. Undefined otherwise. */
  listFew(asked: ListQuery, max: number): string[] | undefined {
    const query = this.#resolved(asked, max);
    if (looksElsewhere(query.where)) return undefined;
    const table = this.#catalog.get(query.table);
    const walk = walkOf(table, query);
    if (walk !== undefined && query.limit === undefined) {
      const rows = this.#list({ ...query, limit: max + 1 }, walk);
      return rows.length <= max ? rows : undefined;
    }
    const from = walk !== undefined && (query.limit ?? 0) <= max ? walk : this.#fewOf(table, query, max);
    return from === undefined ? undefined : this.#list(query, from);
  }

  count(query: CountQuery): number {
    const resolved = this.#resolved(query, LOOK_ROWS_MAX);
    return this.#count(resolved, this.#leadOf(resolved));
  }

  #count(query: CountQuery, from?: Sql): number {
    const { text, values } = compileCount(this.#catalog, query, from);
    return this.#statements.value(text, ...values) as number;
  }

  /** As `listFew`. */
  countFew(asked: CountQuery, max: number): number | undefined {
    const query = this.#resolved(asked, max);
    if (looksElsewhere(query.where)) return undefined;
    const from = this.#fewOf(this.#catalog.get(query.table), query, max);
    return from === undefined ? undefined : this.#count(query, from);
  }

  aggregate(query: AggregateQuery): AggregateRow[] {
    const resolved = this.#resolved(query, LOOK_ROWS_MAX);
    const { text, values } = compileAggregate(this.#catalog, resolved, this.#leadOf(resolved));
    return this.#statements.rows<(string | number | null)[]>(text, values).map((columns) => measured(query, columns));
  }

  /** `max` rows at most among which the answer is, when an index leads to so few or the table has no more. */
  #fewOf(table: Table, query: Pick<ListQuery, 'where' | 'deleted'>, max: number): Sql | undefined {
    const candidates = [...leadsOf(table, query), undefined].map((lead) => someOf(this.#catalog, table, lead?.where, max + 1));
    return candidates.find((some) => this.#size(some) <= max);
  }

  #size({ text, values }: Sql): number {
    return this.#statements.value(`SELECT count(*) FROM ${text}`, ...values) as number;
  }

  /**
   * By which of the indexes that lead to the answer there is least to look at. SQLite keeps no count of what an index leads to, and would take the project's
   * rows for as few as those of one host.
   */
  #leadOf(query: Pick<ListQuery, 'table' | 'where' | 'deleted'>): Sql | undefined {
    const table = this.#catalog.get(query.table);
    const leads = leadsOf(table, query);
    if (leads.length < 2) return undefined;
    for (const max of [FEW_ROWS, LOOK_ROWS_MAX])
      for (const lead of leads) {
        const some = someOf(this.#catalog, table, lead.where, max + 1);
        if (this.#size(some) <= max) return max === FEW_ROWS ? some : (indexOf(table, lead.field) ?? some);
      }
    return undefined;
  }

  /**
   * With each look into another table that finds few rows there replaced by what it finds, so that an index leads from there to the rows here. Other looks
   * are taken row by row, and so are all where there are few rows here.
   */
  #resolved<Q extends Pick<ListQuery, 'table' | 'where' | 'deleted'>>(query: Q, max: number): Q {
    const { where } = query;
    if (where === undefined || !looksElsewhere(where)) return query;
    const table = this.#catalog.get(query.table);
    const isFew = (where: Condition) => this.#size(someOf(this.#catalog, table, where, FEW_ROWS + 1)) <= FEW_ROWS;
    if (max > FEW_ROWS && leadsOf(table, query).some((lead) => isFew(lead.where))) return query;
    return { ...query, where: this.#found(where, max) };
  }

  #found(where: Condition, max: number): Condition {
    if ('and' in where) return { and: where.and.map((part) => this.#found(part, max)) };
    if ('or' in where) return { or: where.or.map((part) => this.#found(part, max)) };
    if ('not' in where) return { not: this.#found(where.not, max) };
    if (!('exists' in where)) return where;
    const { table: name, local, remote, where: filter } = where.exists;
    const table = this.#catalog.get(name);
    const inner = filter === undefined ? {} : { where: this.#found(filter, max) };
    const from = this.#fewOf(table, inner, Math.min(FEW_ROWS, max)) ?? this.#fewOf(table, inner, max);
    if (from === undefined) return { exists: { table: name, local, remote, ...inner } };
    const { text, values } = compileValues(this.#catalog, table, remote, inner.where, from);
    return { field: local, op: 'in', value: this.#statements.rows<[string | number]>(text, values).map(([value]) => value) };
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
