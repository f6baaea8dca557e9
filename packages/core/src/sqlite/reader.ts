import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { AggregateQuery, AggregateRow, Change, Condition, Counter, CountQuery, ListQuery, PlacedRow } from '../kernel/store.ts';
import { changeType, wholeRevisions } from '../store/feed.ts';
import type { Catalog } from '../store/table.ts';
import {
  compileAggregate,
  compileCount,
  compileFollowing,
  compileList,
  compilePlaced,
  compileValues,
  limitSql,
  measured,
  type Rows,
  type Sql,
  someOf,
} from './query.ts';
import { type Following, followingsOf, indexOf, leadsOf, looksElsewhere, walkOf, without } from './reach.ts';
import { quote, type Table } from './table.ts';

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
  /** Of looks by one text, by table, field and number of rows. */
  readonly #lookups = new Map<string, { readonly text: string | undefined }>();

  constructor(statements: Statements, catalog: Catalog<Table>) {
    this.#statements = statements;
    this.#catalog = catalog;
  }

  read(table: string, key: string): string | undefined {
    const known = this.#catalog.get(table);
    return this.#statements.value(known.readSql, ...known.splitKey(key)) as string | undefined;
  }

  list(query: ListQuery): string[] {
    const { query: found, from } = this.#wayTo(query);
    return this.#list(found, from);
  }

  placed(query: ListQuery): PlacedRow[] {
    const { query: found, from } = this.#wayTo(query);
    const { text, values } = compilePlaced(this.#catalog, found, from);
    const keys = this.#catalog.get(query.table).key.length;
    return this.#statements.rows<[string, ...(string | number | null)[]]>(text, values).map(([row, ...place]) => {
      const key = place.splice(-keys);
      return { text: row, place: [...place, key.join('/')] };
    });
  }

  #wayTo(query: ListQuery): { readonly query: ListQuery; readonly from: Rows | undefined } {
    const followed = query.limit === undefined ? undefined : this.#followed(query);
    if (followed !== undefined) return followed;
    const resolved = this.#resolved(query, LOOK_ROWS_MAX);
    return { query: resolved, from: this.#leadOf(resolved) };
  }

  /** The way along an index of another table, unless few rows lead to the answer. */
  #followed<Q extends ListQuery>(query: Q): { readonly query: Q; readonly from: Rows } | undefined {
    if (!looksElsewhere(query.where)) return undefined;
    const table = this.#catalog.get(query.table);
    const near = this.#resolved(query, FEW_ROWS);
    const ways = followingsOf(this.#catalog, table, near);
    if (ways.length === 0 || this.#hasFewLeads(table, near)) return undefined;
    const sizes = ways.map(({ table: other, where }) =>
      ways.length === 1 ? 0 : this.#size(someOf(this.#catalog, other, where, LOOK_ROWS_MAX)),
    );
    const way = ways[sizes.indexOf(Math.min(...sizes))] as Following;
    return { query: { ...near, where: without(near.where, way.part) }, from: compileFollowing(this.#catalog, table, way) };
  }

  #list(query: ListQuery, from?: Rows): string[] {
    const { text, values } = compileList(this.#catalog, query, from);
    return this.#statements.rows<[string]>(text, values).map(([row]) => row);
  }

  /** The rows, when finding them takes a look at `max` rows at most: then it takes less than asking a thread to. Undefined otherwise. */
  listFew(asked: ListQuery, max: number): string[] | undefined {
    const value = lookedUp(asked);
    const text = value === undefined ? undefined : this.#lookup(asked, max);
    if (value === undefined || text === undefined) return this.#searched(asked, max);
    const rows = this.#statements.rows<[string]>(text, [value]);
    return rows.length <= max ? rows.map(([row]) => row) : undefined;
  }

  /** By one text in one field: compiled once. Undefined where no index leads there in order. */
  #lookup(asked: ListQuery, max: number): string | undefined {
    const { table, where } = asked;
    const name = `${table}/${where !== undefined && 'field' in where ? where.field : ''}/${max}`;
    const known = this.#lookups.get(name);
    if (known !== undefined) return known.text;
    const walk = walkOf(this.#catalog.get(table), asked);
    const text = walk === undefined ? undefined : compileList(this.#catalog, { ...asked, limit: max + 1 }, walk).text;
    this.#lookups.set(name, { text });
    return text;
  }

  #searched(asked: ListQuery, max: number): string[] | undefined {
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

  /** The texts that live rows have in a field, if an index holds them and so many rows at most have one. */
  textsFew(name: string, field: string, max: number): ReadonlySet<string> | undefined {
    const table = this.#catalog.get(name);
    const index = table.indexes.find(({ fields }) => fields[0] === field);
    if (index === undefined || table.columns.get(field) !== 'text') return undefined;
    const live = table.isResource ? '"deletedAt" IS NULL AND ' : '';
    const from = `${quote(name)} INDEXED BY ${quote(index.name)}`;
    // No text lies before the empty one, and what is absent is no text.
    const some = `SELECT ${quote(field)} FROM ${from} WHERE ${live}${quote(field)} >= ''${limitSql(max + 1)}`;
    const found = this.#statements.rows<[string]>(some, []);
    return found.length > max ? undefined : new Set(found.map(([text]) => text));
  }

  count(query: CountQuery): number {
    const followed = this.#followed<CountQuery>(query);
    if (followed !== undefined) return this.#count(followed.query, followed.from);
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
    if (max <= FEW_ROWS) return { ...query, where: this.#found(where, max) };
    if (this.#hasFewLeads(table, query)) return query;
    const near = { ...query, where: this.#found(where, FEW_ROWS) };
    return this.#hasFewLeads(table, near) ? near : { ...near, where: this.#found(near.where, max) };
  }

  #hasFewLeads(table: Table, query: Pick<ListQuery, 'where' | 'deleted'>): boolean {
    return leadsOf(table, query).some(({ where }) => this.#size(someOf(this.#catalog, table, where, FEW_ROWS + 1)) <= FEW_ROWS);
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
    const counters = this.#counters(`${WITH_PREFIX}${limitSql(max + 1)}`, prefix);
    return counters.length <= max ? counters : undefined;
  }

  #counters(where: string, value: string): Counter[] {
    const rows = this.#statements.rows<[string, number, number | null]>(`SELECT key, value, "limit" FROM _counter WHERE ${where}`, [value]);
    return rows.map(([key, count, limit]) => ({ key, value: count, limit }));
  }

  changes(after: number, limit: number): Change[] {
    const ordered = `SELECT ${CHANGE_COLUMNS} FROM _feed WHERE revision`;
    const rows = this.#statements.rows<ChangeRow>(`${ordered} > ? ORDER BY revision, ordinal${limitSql(limit + 1)}`, [after]);
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

/** The text, of a query for the live rows that have it in a field, and nothing else. */
function lookedUp({ where, deleted, order, after, limit }: ListQuery): string | undefined {
  if (where === undefined || !('op' in where) || where.op !== '=' || typeof where.value !== 'string') return undefined;
  return deleted === true || order !== undefined || after !== undefined || limit !== undefined ? undefined : where.value;
}
