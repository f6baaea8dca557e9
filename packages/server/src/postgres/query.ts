import { type Condition, type Json, type ListQuery, StoreError } from '@pileus/core/kernel';
import { Catalog, ROW } from '@pileus/core/store';
import { doubleArray, textArray } from './arrays.ts';
import type { Sql, SqlValue } from './message.ts';
import { jsonRow, type PgTable, plainText, quote, scalar, toNumber } from './table.ts';

type Tables = Catalog<PgTable>;

const COMPARISONS = { '=': '=', '!=': '<>', '<': '<', '<=': '<=', '>': '>', '>=': '>=' } as const;

/** Values of a statement, which come to stand as `$1` and on. */
class Parameters {
  readonly values: SqlValue[] = [];

  add(value: SqlValue): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }
}

/**
 * How SQL sees a field: as text, as a number, or, where nobody declared what it holds, as both, of which one is NULL. Of values of several types numbers come
 * before texts, as in SQLite.
 */
interface Operand {
  readonly text?: string;
  readonly number?: string;
  /** A column without a declared type, which an index may find equal values in. */
  readonly column?: string;
  readonly isNull: string;
}

/** @param name by which the query knows the table; within one that is not joined to others none is needed */
function operandOf(table: PgTable, field: string, name?: string): Operand {
  const column = name === undefined ? quote(field) : `${name}.${quote(field)}`;
  const type = table.columns.get(field);
  if (type === 'text') return { text: column, isNull: `${column} IS NULL` };
  if (type === 'integer') return { number: column, isNull: `${column} IS NULL` };
  table.checkField(field);
  const isColumn = table.columns.has(field);
  const json = isColumn ? column : `(${jsonRow(name)} -> '${field}')`;
  const typeOf = `${isColumn ? 'jsonb' : 'json'}_typeof(${json})`;
  const text = `${json} #>> '{}'`;
  return {
    text: `((CASE WHEN ${typeOf} IN ('number', 'boolean') THEN NULL ELSE ${text} END) COLLATE "C")`,
    number: `(CASE ${typeOf} WHEN 'number' THEN (${text})::float8 WHEN 'boolean' THEN (${text})::boolean::int::float8 END)`,
    ...(isColumn ? { column } : {}),
    isNull: `(${text}) IS NULL`,
  };
}

export function listSql(tables: Tables, query: ListQuery): Sql {
  const table = tables.get(query.table);
  const parameters = new Parameters();
  const terms = [
    ...(query.order ?? []).flatMap(({ field, descending }) => termsOf(table, field, descending === true)),
    ...table.key.flatMap((field) => termsOf(table, field, false)),
  ];
  const filters = filtersOf(tables, table, query, parameters);
  if (query.after !== undefined) filters.push(afterSql(terms, afterValues(table, query, query.after), parameters));
  // A field that comes again changes nothing, but would keep PostgreSQL from taking the order of an index for it.
  const distinct = terms.filter((term, place) => terms.findIndex((other) => other.sql === term.sql) === place);
  const order = distinct.map(({ sql, descending, required }) => sql + (descending ? ' DESC' : '') + nulls(descending, required));
  const limit = query.limit === undefined ? '' : ` LIMIT ${parameters.add(String(query.limit))}`;
  return { text: `SELECT ${ROW} FROM ${table.sqlName}${where(filters)} ORDER BY ${order.join(', ')}${limit}`, values: parameters.values };
}

export function countSql(tables: Tables, query: Pick<ListQuery, 'table' | 'where' | 'deleted'>): Sql {
  const table = tables.get(query.table);
  const parameters = new Parameters();
  const filters = filtersOf(tables, table, query, parameters);
  return { text: `SELECT count(*) FROM ${table.sqlName}${where(filters)}`, values: parameters.values };
}

/** Up to `limit` live rows whose field has the value. */
export function usersSql(table: PgTable, field: string, value: Json, limit: number): Sql {
  const parameters = new Parameters();
  const filters = filtersOf(new Catalog([table]), table, { where: { field, op: '=', value: scalar(value) ?? '' } }, parameters);
  return { text: `SELECT ${ROW} FROM ${table.sqlName}${where(filters)} LIMIT ${parameters.add(String(limit))}`, values: parameters.values };
}

const where = (filters: readonly string[]): string => (filters.length === 0 ? '' : ` WHERE ${filters.join(' AND ')}`);
const nulls = (descending: boolean, required: boolean): string => (required ? '' : descending ? ' NULLS LAST' : ' NULLS FIRST');

function filtersOf(tables: Tables, table: PgTable, query: Pick<ListQuery, 'where' | 'deleted'>, parameters: Parameters): string[] {
  const filters = table.isResource && query.deleted !== true ? ['"deletedAt" IS NULL'] : [];
  if (query.where !== undefined) filters.push(new Conditions(tables, parameters).sql({ table, name: quote(table.name) }, query.where));
  return filters;
}

/** A table as a query names it. What stands in the innermost one needs no name. */
interface Source {
  readonly table: PgTable;
  readonly name: string;
}

/** Conditions of one statement. */
class Conditions {
  readonly #tables: Tables;
  readonly #parameters: Parameters;
  #joined = 0;

  constructor(tables: Tables, parameters: Parameters) {
    this.#tables = tables;
    this.#parameters = parameters;
  }

  /**
   * A comparison with an absent field is false, and `not` is plain negation: `not (a = 1)` holds for a row without `a`. SQL's unknown does the same once
   * each negation reads "is not true", for `and` and `or` never turn unknown into true.
   */
  sql(source: Source, condition: Condition): string {
    if ('and' in condition) return this.#join(source, condition.and, 'AND');
    if ('or' in condition) return this.#join(source, condition.or, 'OR');
    if ('not' in condition) return `(${this.sql(source, condition.not)} IS NOT TRUE)`;
    if ('exists' in condition) return this.#exists(source, condition.exists);
    const operand = operandOf(source.table, condition.field);
    switch (condition.op) {
      case 'null':
        return `(${operand.isNull})`;
      case 'not null':
        return `(NOT ${operand.isNull})`;
      case 'in':
        return inSql(operand, condition.value.map(scalar), this.#parameters);
      case 'like':
        return operand.text === undefined ? '(FALSE)' : `(${operand.text} LIKE ${this.#parameters.add(likePattern(condition.value))})`;
      default:
        return comparisonSql(operand, condition, this.#parameters);
    }
  }

  #join(source: Source, parts: readonly Condition[], word: 'AND' | 'OR'): string {
    if (parts.length === 0) return word === 'AND' ? '(TRUE)' : '(FALSE)';
    return `(${parts.map((part) => this.sql(source, part)).join(` ${word} `)})`;
  }

  #exists(source: Source, { table: name, local, remote, where: filter }: Existence): string {
    this.#joined += 1;
    const joined: Source = { table: this.#tables.get(name), name: `j${this.#joined}` };
    const filters = [
      ...(joined.table.isResource ? ['"deletedAt" IS NULL'] : []),
      equalSql(operandOf(joined.table, remote, joined.name), operandOf(source.table, local, source.name)),
      ...(filter === undefined ? [] : [this.sql(joined, filter)]),
    ];
    return `(EXISTS (SELECT 1 FROM ${joined.table.sqlName} AS ${joined.name}${where(filters)}))`;
  }
}

type Existence = Extract<Condition, { readonly exists: unknown }>['exists'];

/** Texts equal texts, and numbers numbers; of what nobody declared either may be the one that is there. */
function equalSql(a: Operand, b: Operand): string {
  const pairs = [
    ...(a.text === undefined || b.text === undefined ? [] : [`${a.text} = ${b.text}`]),
    ...(a.number === undefined || b.number === undefined ? [] : [`${a.number} = ${b.number}`]),
  ];
  return pairs.length === 0 ? '(FALSE)' : `(${pairs.join(' OR ')})`;
}

type Comparison = Extract<Condition, { op: keyof typeof COMPARISONS }>;

function comparisonSql(operand: Operand, { op, value }: Comparison, parameters: Parameters): string {
  const sign = COMPARISONS[op];
  if (sign === undefined) throw new StoreError(`unknown comparison ${JSON.stringify(op)}`);
  const plain = scalar(value);
  if (op === '=' && operand.column !== undefined) return `(${operand.column} = ${parameters.add(jsonOf(plain))}::jsonb)`;
  const isNumber = operand.text === undefined || (operand.number !== undefined && typeof plain === 'number');
  if (!isNumber) return `(${operand.text} ${sign} ${parameters.add(plainText(String(plain)))})`;
  const number = toNumber(plain);
  return number === null ? '(FALSE)' : `(${operand.number} ${sign} ${parameters.add(String(number))})`;
}

function inSql({ text, number, column }: Operand, values: readonly (string | number | null)[], parameters: Parameters): string {
  if (column !== undefined) return `(${column} = ANY (${parameters.add(textArray(values.map(jsonOf)))}::text[]::jsonb[]))`;
  const isBoth = text !== undefined && number !== undefined;
  const texts = isBoth ? values.filter((value) => typeof value === 'string') : values;
  const numbers = isBoth ? values.filter((value) => typeof value === 'number') : values;
  const parts = [
    ...(text === undefined ? [] : [`${text} = ANY (${parameters.add(textArray(texts.map((value) => plainText(String(value)))))}::text[])`]),
    ...(number === undefined ? [] : [`${number} = ANY (${parameters.add(doubleArray(numbers.map(toNumber)))}::float8[])`]),
  ];
  return `(${parts.join(' OR ')})`;
}

const jsonOf = (value: string | number | null): string => JSON.stringify(typeof value === 'string' ? plainText(value) : value);

/** PostgreSQL refuses a pattern that ends within an escape; here a backslash at the end is a backslash. */
function likePattern(like: string): string {
  const pattern = plainText(like);
  const atEnd = /\\*$/.exec(pattern)?.[0].length ?? 0;
  return atEnd % 2 === 0 ? pattern : `${pattern}\\`;
}

interface Term {
  readonly sql: string;
  readonly descending: boolean;
  /** No row can lack it. */
  readonly required: boolean;
  readonly type: 'text' | 'number';
}

/** Text first: it is NULL for a number, and so a number comes before a text, and what is absent before both. */
function termsOf(table: PgTable, field: string, descending: boolean): Term[] {
  const { text, number } = operandOf(table, field);
  const required = table.columns.has(field) && table.isRequired(field);
  return [
    ...(text === undefined ? [] : [{ sql: text, descending, required, type: 'text' } as const]),
    ...(number === undefined ? [] : [{ sql: number, descending, required, type: 'number' } as const]),
  ];
}

/** The place to go on behind: a value for each term. */
function afterValues(table: PgTable, { order = [] }: ListQuery, after: NonNullable<ListQuery['after']>): (string | null)[] {
  const key = after[order.length];
  if (after.length !== order.length + 1 || (typeof key !== 'string' && typeof key !== 'number'))
    throw new StoreError(`a page of ${table.name} goes on after the values of ${order.length} order fields and the key`);
  const keys = table.splitKey(String(key));
  return [
    ...order.flatMap(({ field }, index) => placeOf(table, field, after[index] ?? null)),
    ...table.key.flatMap((field, index) => placeOf(table, field, keys[index] ?? null)),
  ];
}

function placeOf(table: PgTable, field: string, value: string | number | null): (string | null)[] {
  const text = (of: string | number | null) => (of === null ? null : plainText(String(of)));
  const number = (of: string | number | null) => {
    const found = toNumber(of);
    return found === null ? null : String(found);
  };
  const type = table.columns.get(field);
  if (type === 'text') return [text(value)];
  if (type === 'integer') return [number(value)];
  return typeof value === 'number' ? [null, number(value)] : [text(value), null];
}

/** Rows strictly behind the given place: the first term lies behind, or it is equal and the rest lies behind. Nulls come first, descending last. */
function afterSql([term, ...rest]: readonly Term[], [value, ...others]: readonly (string | null)[], parameters: Parameters): string {
  if (term === undefined) return '(FALSE)';
  const tail = afterSql(rest, others, parameters);
  const { sql, descending, required, type } = term;
  if (value === undefined || value === null) return descending ? `(${sql} IS NULL AND ${tail})` : `(${sql} IS NOT NULL OR ${tail})`;
  const place = `${parameters.add(value)}::${type === 'text' ? 'text' : 'float8'}`;
  if (descending && !required) return `(${sql} < ${place} OR ${sql} IS NULL OR (${sql} = ${place} AND ${tail}))`;
  const sign = descending ? '<' : '>';
  // The first bound says nothing new, but it lets PostgreSQL start inside an index.
  return `(${sql} ${sign}= ${place} AND (${sql} ${sign} ${place} OR ${tail}))`;
}
