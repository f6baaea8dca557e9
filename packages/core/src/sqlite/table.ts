import type { SQLInputValue } from 'node:sqlite';
import type { Json } from '../kernel/json.ts';
import type { TableSpec } from '../kernel/store.ts';
import { StoreError } from '../kernel/store-error.ts';

const TABLE_NAME = /^[A-Za-z][A-Za-z0-9_.-]*$/;
const FIELD_NAME = /^[A-Za-z][A-Za-z0-9]*$/;

/** The column that holds the whole row as JSON text. No field can have this name. */
export const ROW = '_row';

/** Fields of resource rows that the store itself writes; what a caller gives for them is ignored, but for `deletedAt: true`. */
export const MAINTAINED = ['generation', 'revision', 'createdAt', 'updatedAt', 'deletedAt'] as const;

export type ColumnType = 'TEXT' | 'INTEGER' | '';
export type Row = Record<string, Json>;

export interface IndexPlan {
  readonly name: string;
  readonly isUnique: boolean;
  /** By which live rows are found. */
  readonly fields: readonly string[];
  readonly sql: string;
}

export const quote = (name: string): string => `"${name}"`;

/** What the store needs to know of a table, worked out once from its spec. */
export class Table {
  readonly spec: TableSpec;
  readonly name: string;
  readonly isResource: boolean;
  readonly key: readonly string[];
  /** Key first. `''` is a column without a type: the field is unique or indexed, but nobody declared what it holds. */
  readonly columns: ReadonlyMap<string, ColumnType>;
  readonly indexes: readonly IndexPlan[];
  readonly whereKey: string;
  readonly readSql: string;
  readonly insertSql: string;
  readonly #updateSql = new Map<string, string>();

  constructor(spec: TableSpec) {
    if (!TABLE_NAME.test(spec.name)) throw new StoreError(`table name ${JSON.stringify(spec.name)} is not allowed`);
    this.spec = spec;
    this.name = spec.name;
    this.isResource = spec.type === 'resource';
    this.key = this.isResource ? ['id'] : spec.key;
    if (this.key.length === 0) throw new StoreError(`table ${spec.name} has no key`);
    this.columns = planColumns(spec, this.key);
    this.indexes = planIndexes(spec, this.key);
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

  get createSql(): string {
    const columns = [...this.columns].map(([field, type]) => `${quote(field)} ${type}${this.key.includes(field) ? ' NOT NULL' : ''}`);
    return `CREATE TABLE ${quote(this.name)} (${columns.join(', ')}, ${ROW} TEXT NOT NULL, PRIMARY KEY (${this.key.map(quote).join(', ')}))`;
  }

  /** The SQL that answers the field's value: its column, or a look into the JSON. */
  expression(field: string): string {
    if (this.columns.has(field)) return quote(field);
    checkField(this.name, field);
    return `json_extract(${ROW}, '$.${field}')`;
  }

  /** Whether an index begins with the field, so that rows with one value of it are found without looking at others. */
  leadsIndex(field: string): boolean {
    return this.key[0] === field || this.indexes.some((index) => index.fields[0] === field);
  }

  /** Whether no row can lack the field. */
  isRequired(field: string): boolean {
    return this.key.includes(field) || (this.isResource && field !== 'deletedAt' && (MAINTAINED as readonly string[]).includes(field));
  }

  keyOf(row: Row): string {
    const parts = this.key.map((field, index) => {
      const value = row[field];
      if (typeof value !== 'string' && typeof value !== 'number')
        throw new StoreError(`a row of ${this.name} needs ${field} as part of its key`);
      const part = String(value);
      if (index < this.key.length - 1 && part.includes('/'))
        throw new StoreError(`${field} of ${this.name} is part of a key and must not hold a slash`);
      return part;
    });
    return parts.length === 1 ? (parts[0] as string) : parts.join('/');
  }

  /** The values of the key columns. Only the last part may hold a slash itself. */
  splitKey(key: string): SQLInputValue[] {
    if (this.key.length === 1) return [key];
    const parts: string[] = [];
    let from = 0;
    for (let index = 1; index < this.key.length; index += 1) {
      const slash = key.indexOf('/', from);
      if (slash < 0) throw new StoreError(`${JSON.stringify(key)} is no key of ${this.name}: it joins ${this.key.join('/')}`);
      parts.push(key.slice(from, slash));
      from = slash + 1;
    }
    parts.push(key.slice(from));
    return parts.map((part, index) => (this.columns.get(this.key[index] as string) === 'INTEGER' ? Number(part) : part));
  }
}

/** A field's value as SQLite holds it, the same as what `json_extract` answers for it. */
export function columnValue(value: Json | undefined): SQLInputValue {
  if (value === undefined || value === null) return null;
  if (typeof value === 'boolean') return value ? 1 : 0;
  return typeof value === 'object' ? JSON.stringify(value) : value;
}

export class Catalog {
  readonly #tables: ReadonlyMap<string, Table>;

  constructor(specs: readonly TableSpec[] = []) {
    this.#tables = new Map(specs.map((spec) => [spec.name, new Table(spec)]));
  }

  get(name: string): Table {
    const table = this.#tables.get(name);
    if (table === undefined) throw new StoreError(`unknown table ${JSON.stringify(name)}`);
    return table;
  }

  all(): readonly Table[] {
    return [...this.#tables.values()];
  }
}

function checkField(table: string, field: string): void {
  if (!FIELD_NAME.test(field)) throw new StoreError(`${JSON.stringify(field)} is no field name (table ${table})`);
}

function planColumns(spec: TableSpec, key: readonly string[]): ReadonlyMap<string, ColumnType> {
  const columns = new Map<string, ColumnType>();
  const add = (field: string, type: ColumnType) => {
    checkField(spec.name, field);
    if (!columns.has(field)) columns.set(field, type);
  };
  const declared = (field: string) => spec.columns[field]?.toUpperCase() as ColumnType | undefined;
  for (const field of key) add(field, declared(field) ?? 'TEXT');
  if (spec.type === 'resource') add('deletedAt', 'TEXT');
  for (const field of Object.keys(spec.columns)) add(field, declared(field) ?? '');
  for (const field of [...spec.unique, ...spec.indexes].flat()) add(field, '');
  return columns;
}

/**
 * Indexes of resource tables hold live rows only, but for one that finds what was deleted longest ago. The key ends each that is not unique, so that a filtered list comes in the order of the key without sorting.
 * Tables keep SQLite's rowid: rows are then appended wherever their keys fall, which writes half the pages that tables ordered by key would.
 */
function planIndexes(spec: TableSpec, key: readonly string[]): readonly IndexPlan[] {
  const live = spec.type === 'resource' ? ' WHERE "deletedAt" IS NULL' : '';
  const plan = (isUnique: boolean, fields: readonly string[]): IndexPlan => {
    const name = `${isUnique ? 'unique' : 'index'}:${spec.name}:${fields.join(',')}`;
    const columns = isUnique ? fields : [...fields, ...key.filter((field) => !fields.includes(field))];
    const sql = `CREATE ${isUnique ? 'UNIQUE ' : ''}INDEX ${quote(name)} ON ${quote(spec.name)} (${columns.map(quote).join(', ')})${live}`;
    return { name, isUnique, fields, sql };
  };
  const deleted = (): IndexPlan => {
    const name = `deleted:${spec.name}`;
    const sql = `CREATE INDEX ${quote(name)} ON ${quote(spec.name)} ("deletedAt", "id") WHERE "deletedAt" IS NOT NULL`;
    return { name, isUnique: false, fields: [], sql };
  };
  const isKey = (fields: readonly string[]) => fields.every((field, index) => field === key[index]);
  return [
    ...spec.unique.map((fields) => plan(true, fields)),
    ...spec.indexes.filter((fields) => !isKey(fields)).map((fields) => plan(false, fields)),
    ...(spec.type === 'resource' ? [deleted()] : []),
  ];
}
