import { type FieldPath, type Step, StoreError } from '@pileus/core/kernel';
import type { Catalog } from '@pileus/core/store';
import { Conditions } from './condition.ts';
import { type Operand, type Parameters, TableSource } from './operand.ts';
import type { PgTable } from './table.ts';

/**
 * What fields along ways to other tables need beside the table that is read: each step a join that adds one row at most to each. Its columns have names that
 * no field can have, so that all else may go on naming its own without their table.
 */
export class Ways {
  readonly #tables: Catalog<PgTable>;
  readonly #table: PgTable;
  readonly #parameters: Parameters;
  readonly #known = new Map<string, Operand>();
  readonly #joins: string[] = [];

  constructor(tables: Catalog<PgTable>, table: PgTable, parameters: Parameters) {
    this.#tables = tables;
    this.#table = table;
    this.#parameters = parameters;
  }

  /** What stands behind the table in `FROM`. */
  get text(): string {
    return this.#joins.join('');
  }

  to(path: FieldPath): Operand {
    const { field, via = [] } = path;
    const name = JSON.stringify(path);
    const known = this.#known.get(name) ?? this.#along(field, via);
    this.#known.set(name, known);
    return known;
  }

  #along(field: string, via: readonly Step[]): Operand {
    const locals = [...via.map(({ local }) => local), field];
    let here = new TableSource(this.#table).operand(locals[0] as string);
    for (const [place, step] of via.entries()) here = this.#join(here, step, locals[place + 1] as string);
    return here;
  }

  #join(here: Operand, { table: name, remote, where }: Step, field: string): Operand {
    const table = this.#tables.get(name);
    const alias = `_way${this.#joins.length + 1}`;
    const source = new TableSource(table, alias);
    const key = source.operand(remote, true).text;
    if (here.text === undefined || key === undefined) throw new StoreError(`${remote} of ${name} is no text to find its rows by`);
    const { text, number } = source.operand(field, true);
    const columns = [
      `${key} AS ${alias}_key`,
      ...(text === undefined ? [] : [`${text} AS ${alias}_text`]),
      ...(number === undefined ? [] : [`${number} AS ${alias}_number`]),
    ];
    const filters = [
      ...(table.isResource ? ['"deletedAt" IS NULL'] : []),
      ...(where === undefined ? [] : [new Conditions(this.#tables, this.#parameters).sql(source, where)]),
    ];
    const rows = `SELECT ${columns.join(', ')} FROM ${table.sqlName} AS ${alias}${filters.length === 0 ? '' : ` WHERE ${filters.join(' AND ')}`}`;
    this.#joins.push(` LEFT JOIN (${rows}) AS ${alias}_row ON ${alias}_key = ${here.text}`);
    const isNull = [text === undefined ? [] : [`${alias}_text IS NULL`], number === undefined ? [] : [`${alias}_number IS NULL`]].flat();
    return {
      ...(text === undefined ? {} : { text: `${alias}_text` }),
      ...(number === undefined ? {} : { number: `${alias}_number` }),
      isNull: `(${isNull.join(' AND ')})`,
    };
  }
}
