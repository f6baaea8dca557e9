import type { SQLInputValue } from 'node:sqlite';
import type { Json } from '../kernel/json.ts';
import type { TableSpec } from '../kernel/store.ts';
import { Catalog, type FieldType, type IndexShape, ROW, TableShape } from '../store/table.ts';

export type ColumnType = 'TEXT' | 'INTEGER' | '';

export interface IndexPlan {
  readonly name: string;
  readonly isUnique: boolean;
  /** By which live rows are found. */
  readonly fields: readonly string[];
  readonly sql: string;
}

export const quote = (name: string): string => `"${name}"`;

/** Columns without a declared type have none in SQLite either. */
export const columnType = (type: FieldType): ColumnType => (type === undefined ? '' : type === 'text' ? 'TEXT' : 'INTEGER');

/** The statements of a table, worked out once from its spec. */
export class Table extends TableShape {
  readonly indexes: readonly IndexPlan[];
  readonly whereKey: string;
  readonly readSql: string;
  readonly insertSql: string;
  readonly #updateSql = new Map<string, string>();

  constructor(spec: TableSpec) {
    super(spec);
    this.indexes = this.shapes.map((shape) => planIndex(this, shape));
    this.whereKey = this.key.map((field) => `${quote(field)} = ?`).join(' AND ');
    const columns = [...this.columns.keys(), ROW].map(quote);
    this.insertSql = `INSERT INTO ${quote(spec.name)} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`;
    this.readSql = `SELECT ${ROW} FROM ${quote(spec.name)} WHERE ${this.whereKey}`;
  }

  /** Rewrites the row and some columns; an index whose columns are not named is left alone. */
  updateSql(fields: readonly string[]): string {
    const shape = fields.join(',');
    const known = this.#updateSql.get(shape);
    if (known !== undefined) return known;
    const sets = [...fields, ROW].map((column) => `${quote(column)} = ?`).join(', ');
    const sql = `UPDATE ${quote(this.name)} SET ${sets} WHERE ${this.whereKey}`;
    this.#updateSql.set(shape, sql);
    return sql;
  }

  /** Tables keep SQLite's rowid: rows are then appended wherever their keys fall, which writes half the pages that tables ordered by key would. */
  get createSql(): string {
    const columns = [...this.columns].map(
      ([field, type]) => `${quote(field)} ${columnType(type)}${this.key.includes(field) ? ' NOT NULL' : ''}`,
    );
    return `CREATE TABLE ${quote(this.name)} (${columns.join(', ')}, ${ROW} TEXT NOT NULL, PRIMARY KEY (${this.key.map(quote).join(', ')}))`;
  }

  /** The SQL that answers the field's value: its column, or a look into the JSON. Inside of another table's query it goes by the name given. */
  expression(field: string, name?: string): string {
    const of = name === undefined ? '' : `${name}.`;
    if (this.columns.has(field)) return of + quote(field);
    this.checkPath(field);
    return `json_extract(${of}${ROW}, '$.${field}')`;
  }
}

/** Of specs that are the same value, as those of a kind are: of each history that a simulation plays. */
const planned = new WeakMap<TableSpec, Table>();

function tableOf(spec: TableSpec): Table {
  const known = planned.get(spec);
  if (known !== undefined) return known;
  const table = new Table(spec);
  planned.set(spec, table);
  return table;
}

export const catalogOf = (specs: readonly TableSpec[]): Catalog<Table> => new Catalog(specs.map(tableOf));

/** A field's value as SQLite holds it, the same as what `json_extract` answers for it. */
export function columnValue(value: Json | undefined): SQLInputValue {
  if (value === undefined || value === null) return null;
  if (typeof value === 'boolean') return value ? 1 : 0;
  return typeof value === 'object' ? JSON.stringify(value) : value;
}

function planIndex(table: TableShape, { isUnique, fields, columns, rows }: IndexShape): IndexPlan {
  const name = rows === 'deleted' ? `deleted:${table.name}` : `${isUnique ? 'unique' : 'index'}:${table.name}:${fields.join(',')}`;
  const where = { all: '', live: ' WHERE "deletedAt" IS NULL', deleted: ' WHERE "deletedAt" IS NOT NULL' }[rows];
  const sql = `CREATE ${isUnique ? 'UNIQUE ' : ''}INDEX ${quote(name)} ON ${quote(table.name)} (${columns.map(quote).join(', ')})${where}`;
  return { name, isUnique, fields: rows === 'deleted' ? [] : fields, sql };
}
