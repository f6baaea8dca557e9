import type { SQLInputValue } from 'node:sqlite';
import type { FieldPath, Step } from '../kernel/store.ts';
import type { Catalog } from '../store/table.ts';
import { Conditions, TableSource } from './condition.ts';
import { quote, type Table } from './table.ts';

/**
 * What fields along ways to other tables need beside the table that is read: each step a join that adds one row at most to each. Its columns have names that
 * no field can have, so that all else may go on naming its own without their table.
 */
export class Ways {
  readonly values: SQLInputValue[] = [];
  readonly #tables: Catalog<Table>;
  readonly #table: Table;
  readonly #known = new Map<string, string>();
  #joins = '';

  constructor(tables: Catalog<Table>, table: Table) {
    this.#tables = tables;
    this.#table = table;
  }

  /** What stands behind the table in `FROM`; its values are `values`. */
  get text(): string {
    return this.#joins;
  }

  /** What SQL calls the field. */
  to(path: FieldPath): string {
    const { field, via = [] } = path;
    const name = JSON.stringify(path);
    const known = this.#known.get(name) ?? this.#along(field, via);
    this.#known.set(name, known);
    return known;
  }

  #along(field: string, via: readonly Step[]): string {
    const locals = [...via.map(({ local }) => local), field];
    let here = this.#table.expression(locals[0] as string);
    for (const [place, step] of via.entries()) here = this.#join(here, step, locals[place + 1] as string);
    return here;
  }

  #join(here: string, { table: name, remote, where }: Step, field: string): string {
    const table = this.#tables.get(name);
    const alias = `_way${this.#joins.split(' LEFT JOIN ').length}`;
    const source = new TableSource(table, quote(name));
    const filters = [
      ...(table.isResource ? ['"deletedAt" IS NULL'] : []),
      ...(where === undefined ? [] : [new Conditions(this.#tables, this.values).sql(source, where)]),
    ];
    const columns = `${table.expression(remote)} AS ${alias}_key, ${table.expression(field)} AS ${alias}_value`;
    const rows = `SELECT ${columns} FROM ${quote(name)}${filters.length === 0 ? '' : ` WHERE ${filters.join(' AND ')}`}`;
    this.#joins += ` LEFT JOIN (${rows}) ON ${alias}_key = ${here}`;
    return `${alias}_value`;
  }
}
