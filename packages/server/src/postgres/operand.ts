import { checkPath } from '@pileus/core/store';
import type { SqlValue } from './message.ts';
import { jsonRow, type PgTable, quote } from './table.ts';

/** Values of a statement, which come to stand as `$1` and on. */
export class Parameters {
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
export interface Operand {
  readonly text?: string;
  readonly number?: string;
  /** A column without a declared type, which an index may find equal values in. */
  readonly column?: string;
  readonly isNull: string;
}

/** What fields are looked up in: the row of a table, or an element of a list in one. */
export interface Source {
  /** @param qualified where other sources have come between, whose fields may have the same names */
  operand(field: string, qualified?: boolean): Operand;
  /** The field as PostgreSQL's json. */
  json(field: string): string;
}

export class TableSource implements Source {
  readonly table: PgTable;
  readonly #name: string;

  constructor(table: PgTable, name = quote(table.name)) {
    this.table = table;
    this.#name = name;
  }

  operand(field: string, qualified = false): Operand {
    const name = qualified ? this.#name : undefined;
    const column = name === undefined ? quote(field) : `${name}.${quote(field)}`;
    const type = this.table.columns.get(field);
    if (type === 'text') return { text: column, isNull: `${column} IS NULL` };
    if (type === 'integer') return { number: column, isNull: `${column} IS NULL` };
    if (this.table.columns.has(field)) return { ...jsonOperand(column, 'jsonb'), column };
    return jsonOperand(this.#json(field, name), 'json');
  }

  json(field: string): string {
    return this.#json(field, this.#name);
  }

  #json(field: string, name: string | undefined): string {
    this.table.checkPath(field);
    return `(${jsonRow(name)} #> ${pathOf(field)})`;
  }
}

/** An element of a list, or a value of a map. */
export class ElementSource implements Source {
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  operand(field: string): Operand {
    if (field === '$key') return { text: `(${this.#name}.key COLLATE "C")`, isNull: `${this.#name}.key IS NULL` };
    return jsonOperand(this.json(field), 'json');
  }

  json(field: string): string {
    if (field === '$') return `${this.#name}.value`;
    checkPath('an element', field);
    return `(${this.#name}.value #> ${pathOf(field)})`;
  }
}

/** The elements of what is a list or a map. */
export const elementsSql = (json: string): string =>
  `(SELECT NULL::text AS key, value FROM json_array_elements(CASE json_typeof(${json}) WHEN 'array' THEN ${json} END)
    UNION ALL SELECT key, value FROM json_each(CASE json_typeof(${json}) WHEN 'object' THEN ${json} END))`;

const pathOf = (field: string): string => `'{${field.replaceAll('.', ',')}}'`;

function jsonOperand(json: string, type: 'json' | 'jsonb'): Operand {
  const typeOf = `${type}_typeof(${json})`;
  const text = `${json} #>> '{}'`;
  return {
    text: `((CASE WHEN ${typeOf} IN ('number', 'boolean') THEN NULL ELSE ${text} END) COLLATE "C")`,
    number: `(CASE ${typeOf} WHEN 'number' THEN (${text})::float8 WHEN 'boolean' THEN (${text})::boolean::int::float8 END)`,
    isNull: `(${text}) IS NULL`,
  };
}
