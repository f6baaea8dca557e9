import type { SQLInputValue } from 'node:sqlite';
import type { Condition, ListQuery } from '../kernel/store.ts';
import { StoreError } from '../kernel/store-error.ts';
import { type Catalog, ROW } from '../store/table.ts';
import { columnValue, quote, type Table } from './table.ts';

export interface Sql {
  readonly text: string;
  readonly values: readonly SQLInputValue[];
}

const COMPARISONS = new Set(['=', '!=', '<', '<=', '>', '>=']);

type Tables = Catalog<Table>;

/** Answers are looked for in `from`: the whole table, or a part of it that holds them all. */
export function compileList(tables: Tables, query: ListQuery, from?: Sql): Sql {
  const table = tables.get(query.table);
  const source = from ?? wholeTable(table);
  const values: SQLInputValue[] = [...source.values];
  const terms = [
    ...(query.order ?? []).map(({ field, descending }) => ({ field, descending: descending === true })),
    ...table.key.map((field) => ({ field, descending: false })),
  ];
  const filters = filterSql(tables, table, query, values);
  if (query.after !== undefined) {
    const after = afterSql(table, terms, afterValues(table, query.after, terms.length - table.key.length));
    filters.push(after.text);
    values.push(...after.values);
  }
  // A field that comes again changes nothing, but would keep SQLite from taking the order of an index for it.
  const distinct = terms.filter(({ field }, place) => terms.findIndex((other) => other.field === field) === place);
  const order = distinct.map(({ field, descending }) => `${table.expression(field)}${descending ? ' DESC' : ''}`);
  const limit = query.limit === undefined ? '' : ' LIMIT ?';
  if (query.limit !== undefined) values.push(query.limit);
  return { text: `SELECT ${ROW} FROM ${source.text}${whereSql(filters)} ORDER BY ${order.join(', ')}${limit}`, values };
}

export function compileCount(tables: Tables, query: Pick<ListQuery, 'table' | 'where' | 'deleted'>, from?: Sql): Sql {
  const table = tables.get(query.table);
  const source = from ?? wholeTable(table);
  const values: SQLInputValue[] = [...source.values];
  return { text: `SELECT count(*) FROM ${source.text}${whereSql(filterSql(tables, table, query, values))}`, values };
}

const wholeTable = (table: Table): Sql => ({ text: quote(table.name), values: [] });

/** So many of the rows for which the condition holds, in no order, to look further in. Without a condition deleted ones, too. */
export function someOf(tables: Tables, table: Table, where: Condition | undefined, limit: number): Sql {
  const values: SQLInputValue[] = [];
  const filters = where === undefined ? [] : filterSql(tables, table, { where }, values);
  const name = quote(table.name);
  return { text: `(SELECT * FROM ${name}${whereSql(filters)} LIMIT ?) AS ${name}`, values: [...values, limit] };
}

const whereSql = (filters: readonly string[]): string => (filters.length === 0 ? '' : ` WHERE ${filters.join(' AND ')}`);

function filterSql(tables: Tables, table: Table, query: Pick<ListQuery, 'where' | 'deleted'>, values: SQLInputValue[]): string[] {
  const filters = table.isResource && query.deleted !== true ? ['"deletedAt" IS NULL'] : [];
  if (query.where !== undefined) filters.push(new Conditions(tables, values).sql({ table, name: quote(table.name) }, query.where));
  return filters;
}

/** A table as a query names it. What stands in the innermost one needs no name, so that simple queries read as they always did. */
interface Source {
  readonly table: Table;
  readonly name: string;
}

/** Conditions of one statement, whose values are appended in the order in which they stand there. */
class Conditions {
  readonly #tables: Tables;
  readonly #values: SQLInputValue[];
  #joined = 0;

  constructor(tables: Tables, values: SQLInputValue[]) {
    this.#tables = tables;
    this.#values = values;
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
    const field = source.table.expression(condition.field);
    switch (condition.op) {
      case 'null':
        return `${field} IS NULL`;
      case 'not null':
        return `${field} IS NOT NULL`;
      case 'in':
        this.#values.push(...condition.value.map(columnValue));
        return `(${field} IN (${condition.value.map(() => '?').join(', ')}))`;
      case 'like':
        this.#values.push(globPattern(condition.value));
        return `(${field} GLOB ?)`;
      default:
        if (!COMPARISONS.has(condition.op)) throw new StoreError(`unknown comparison ${JSON.stringify(condition.op)}`);
        this.#values.push(columnValue(condition.value));
        return `(${field} ${condition.op} ?)`;
    }
  }

  #join(source: Source, parts: readonly Condition[], word: 'AND' | 'OR'): string {
    if (parts.length === 0) return word === 'AND' ? '(TRUE)' : '(FALSE)';
    return `(${parts.map((part) => this.sql(source, part)).join(` ${word} `)})`;
  }

  /** "Is true" says nothing new, but keeps SQLite from turning it into a join and beginning at the other end, of whose size it knows nothing. */
  #exists(source: Source, { table: name, local, remote, where }: Existence): string {
    this.#joined += 1;
    const joined: Source = { table: this.#tables.get(name), name: `j${this.#joined}` };
    const filters = [
      ...(joined.table.isResource ? ['"deletedAt" IS NULL'] : []),
      `${joined.table.expression(remote)} = ${source.table.expression(local, source.name)}`,
      ...(where === undefined ? [] : [this.sql(joined, where)]),
    ];
    return `(EXISTS (SELECT 1 FROM ${quote(name)} AS ${joined.name}${whereSql(filters)}) IS TRUE)`;
  }
}

type Existence = Extract<Condition, { readonly exists: unknown }>['exists'];

/** SQLite's LIKE ignores case, its GLOB does not and can use an index. `\` makes the next character of a LIKE pattern literal. */
function globPattern(like: string): string {
  return like.replaceAll(/\\?[\s\S]/gu, (part) => {
    if (part === '%') return '*';
    if (part === '_') return '?';
    const literal = part.length > 1 && part.startsWith('\\') ? part.slice(1) : part;
    return '*?['.includes(literal) ? `[${literal}]` : literal;
  });
}

interface Term {
  readonly field: string;
  readonly descending: boolean;
}

function afterValues(table: Table, after: readonly (string | number | null)[], fields: number): SQLInputValue[] {
  const key = after[fields];
  if (after.length !== fields + 1 || (typeof key !== 'string' && typeof key !== 'number'))
    throw new StoreError(`a page of ${table.name} goes on after the values of ${fields} order fields and the key`);
  return [...after.slice(0, fields), ...table.splitKey(String(key))];
}

/** Rows strictly behind the given place: the first term lies behind, or it is equal and the rest lies behind. Nulls come first, descending last. */
function afterSql(table: Table, [term, ...rest]: readonly Term[], [value, ...others]: readonly SQLInputValue[]): Sql {
  if (term === undefined) return { text: '(FALSE)', values: [] };
  const field = table.expression(term.field);
  const tail = afterSql(table, rest, others);
  if (value === undefined || value === null)
    return {
      text: term.descending ? `(${field} IS NULL AND ${tail.text})` : `(${field} IS NOT NULL OR ${tail.text})`,
      values: tail.values,
    };
  if (term.descending && !table.isRequired(term.field))
    return { text: `(${field} < ? OR ${field} IS NULL OR (${field} = ? AND ${tail.text}))`, values: [value, value, ...tail.values] };
  const sign = term.descending ? '<' : '>';
  // The first bound says nothing new, but it lets SQLite start inside an index.
  return { text: `(${field} ${sign}= ? AND (${field} ${sign} ? OR ${tail.text}))`, values: [value, value, ...tail.values] };
}
