import type { SQLInputValue } from 'node:sqlite';
import type { Condition } from '../kernel/store.ts';
import { StoreError } from '../kernel/store-error.ts';
import { type Catalog, checkPath, ROW } from '../store/table.ts';
import { columnValue, quote, type Table } from './table.ts';

const COMPARISONS = new Set(['=', '!=', '<', '<=', '>', '>=']);
/** Of more values one parameter holds them all, so that texts of statements stay few. */
const VALUES_APART_MAX = 20;

type Existence = Extract<Condition, { readonly exists: unknown }>['exists'];
type Element = Extract<Condition, { readonly some: unknown }>['some'];

/** What fields are looked up in: the row of a table, or an element of a list in one. */
interface Source {
  /** @param qualified where other sources have come between, whose fields may have the same names */
  value(field: string, qualified?: boolean): string;
  /** What `json_each` and `json_type` take to find a field. */
  json(field: string): string;
}

export class TableSource implements Source {
  readonly table: Table;
  readonly #name: string;

  constructor(table: Table, name: string) {
    this.table = table;
    this.#name = name;
  }

  value(field: string, qualified = false): string {
    return this.table.expression(field, qualified ? this.#name : undefined);
  }

  json(field: string): string {
    this.table.checkPath(field);
    return `${this.#name}.${ROW}, '$.${field}'`;
  }
}

class ElementSource implements Source {
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  value(field: string): string {
    if (field === '$') return `${this.#name}.value`;
    if (field === '$key') return `${this.#name}.key`;
    checkPath('an element', field);
    return `json_extract(${this.#object()}, '$.${field}')`;
  }

  json(field: string): string {
    if (field === '$') return `CASE ${this.#name}.type WHEN 'array' THEN ${this.#name}.value END, '$'`;
    checkPath('an element', field);
    return `${this.#object()}, '$.${field}'`;
  }

  /** What is no object has no fields, and must not be read as JSON. */
  #object(): string {
    return `CASE ${this.#name}.type WHEN 'object' THEN ${this.#name}.value END`;
  }
}

/** Conditions of one statement, whose values are appended in the order in which they stand there. */
export class Conditions {
  readonly #tables: Catalog<Table>;
  readonly #values: SQLInputValue[];
  #sources = 0;

  constructor(tables: Catalog<Table>, values: SQLInputValue[]) {
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
    if ('some' in condition) return this.#some(source, condition.some);
    const field = source.value(condition.field);
    switch (condition.op) {
      case 'null':
        return `${field} IS NULL`;
      case 'not null':
        return `${field} IS NOT NULL`;
      case 'in':
        return `(${field} IN (${this.#list(condition.value)}))`;
      case 'like':
        this.#values.push(globPattern(condition.value));
        return `(${field} GLOB ?)`;
      default:
        if (!COMPARISONS.has(condition.op)) throw new StoreError(`unknown comparison ${JSON.stringify(condition.op)}`);
        this.#values.push(columnValue(condition.value));
        return `(${field} ${condition.op} ?)`;
    }
  }

  #list(given: readonly (string | number | boolean)[]): string {
    const values = given.map(columnValue);
    if (values.length > VALUES_APART_MAX) {
      this.#values.push(JSON.stringify(values));
      return 'SELECT value FROM json_each(?)';
    }
    this.#values.push(...values);
    return values.map(() => '?').join(', ');
  }

  #join(source: Source, parts: readonly Condition[], word: 'AND' | 'OR'): string {
    if (parts.length === 0) return word === 'AND' ? '(TRUE)' : '(FALSE)';
    return `(${parts.map((part) => this.sql(source, part)).join(` ${word} `)})`;
  }

  /** "Is true" says nothing new, but keeps SQLite from turning it into a join and beginning at the other end, of whose size it knows nothing. */
  #exists(source: Source, { table: name, local, remote, where }: Existence): string {
    const alias = this.#name();
    const joined = new TableSource(this.#tables.get(name), alias);
    const filters = [
      ...(joined.table.isResource ? ['"deletedAt" IS NULL'] : []),
      `${joined.value(remote)} = ${source.value(local, true)}`,
      ...(where === undefined ? [] : [this.sql(joined, where)]),
    ];
    return `(EXISTS (SELECT 1 FROM ${quote(name)} AS ${alias} WHERE ${filters.join(' AND ')}) IS TRUE)`;
  }

  #some(source: Source, { field, where }: Element): string {
    const json = source.json(field);
    const name = this.#name();
    const filters = [
      `json_type(${json}) IN ('array', 'object')`,
      ...(where === undefined ? [] : [this.sql(new ElementSource(name), where)]),
    ];
    return `(EXISTS (SELECT 1 FROM json_each(${json}) AS ${name} WHERE ${filters.join(' AND ')}))`;
  }

  #name(): string {
    this.#sources += 1;
    return `j${this.#sources}`;
  }
}

/** SQLite's LIKE ignores case, its GLOB does not and can use an index. `\` makes the next character of a LIKE pattern literal. */
function globPattern(like: string): string {
  return like.replaceAll(/\\?[\s\S]/gu, (part) => {
    if (part === '%') return '*';
    if (part === '_') return '?';
    const literal = part.length > 1 && part.startsWith('\\') ? part.slice(1) : part;
    return '*?['.includes(literal) ? `[${literal}]` : literal;
  });
}
