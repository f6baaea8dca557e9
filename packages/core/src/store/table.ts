import type { Json } from '../kernel/json.ts';
import type { TableSpec } from '../kernel/store.ts';
import { StoreError } from '../kernel/store-error.ts';

const TABLE_NAME = /^[A-Za-z][A-Za-z0-9_.-]*$/;
const FIELD_NAME = /^[A-Za-z][A-Za-z0-9]*$/;
const FIELD_PATH = /^[A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z][A-Za-z0-9]*)*$/;

/** The column that holds the whole row as JSON text. No field can have this name. */
export const ROW = '_row';

/** Fields of resource rows that the store itself writes; what a caller gives for them is ignored, but for `deletedAt: true`. */
export const MAINTAINED = ['generation', 'revision', 'createdAt', 'updatedAt', 'deletedAt'] as const;

/** Undefined: the field is unique or indexed, but nobody declared what it holds. */
export type FieldType = 'text' | 'integer' | undefined;
export type Row = Record<string, Json>;

export interface IndexShape {
  readonly isUnique: boolean;
  /** By which rows are found. */
  readonly fields: readonly string[];
  /** The fields, and behind those of one that is not unique the key: so a filtered list comes in the order of the key without sorting. */
  readonly columns: readonly string[];
  /** Indexes of resource tables hold live rows only, but for one that finds what was deleted longest ago. */
  readonly rows: 'all' | 'live' | 'deleted';
}

/** What every adapter needs to know of a table, worked out once from its spec. */
export class TableShape {
  readonly spec: TableSpec;
  readonly name: string;
  readonly isResource: boolean;
  readonly key: readonly string[];
  /** Key first. */
  readonly columns: ReadonlyMap<string, FieldType>;
  readonly shapes: readonly IndexShape[];

  constructor(spec: TableSpec) {
    if (!TABLE_NAME.test(spec.name)) throw new StoreError(`table name ${JSON.stringify(spec.name)} is not allowed`);
    this.spec = spec;
    this.name = spec.name;
    this.isResource = spec.type === 'resource';
    this.key = this.isResource ? ['id'] : spec.key;
    if (this.key.length === 0) throw new StoreError(`table ${spec.name} has no key`);
    this.columns = planColumns(spec, this.key);
    this.shapes = planIndexes(spec, this.key);
  }

  /** @throws StoreError when the name is none that a field can have */
  checkField(field: string): void {
    checkField(this.name, field);
  }

  /** @throws StoreError when it is no path to a field */
  checkPath(path: string): void {
    checkPath(this.name, path);
  }

  /** Whether an index begins with the field, so that rows with one value of it are found without looking at others. */
  leadsIndex(field: string): boolean {
    return this.key[0] === field || this.shapes.some(({ rows, fields }) => rows !== 'deleted' && fields[0] === field);
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
  splitKey(key: string): (string | number)[] {
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
    return parts.map((part, index) => (this.columns.get(this.key[index] as string) === 'integer' ? Number(part) : part));
  }
}

/** The tables of a schema by their names. */
export class Catalog<T extends TableShape = TableShape> {
  readonly #tables: ReadonlyMap<string, T>;

  constructor(tables: readonly T[] = []) {
    this.#tables = new Map(tables.map((table) => [table.name, table]));
  }

  get(name: string): T {
    const table = this.#tables.get(name);
    if (table === undefined) throw new StoreError(`unknown table ${JSON.stringify(name)}`);
    return table;
  }

  all(): readonly T[] {
    return [...this.#tables.values()];
  }
}

/** @throws StoreError when it is no path to a field */
export function checkPath(within: string, path: string): void {
  if (!FIELD_PATH.test(path)) throw new StoreError(`${JSON.stringify(path)} names no field (${within})`);
}

function checkField(table: string, field: string): void {
  if (!FIELD_NAME.test(field)) throw new StoreError(`${JSON.stringify(field)} is no field name (table ${table})`);
}

function planColumns(spec: TableSpec, key: readonly string[]): ReadonlyMap<string, FieldType> {
  const columns = new Map<string, FieldType>();
  const add = (field: string, type: FieldType) => {
    checkField(spec.name, field);
    if (!columns.has(field)) columns.set(field, type);
  };
  for (const field of key) add(field, spec.columns[field] ?? 'text');
  if (spec.type === 'resource') add('deletedAt', 'text');
  for (const field of Object.keys(spec.columns)) add(field, spec.columns[field]);
  for (const field of [...spec.unique, ...spec.indexes].flat()) add(field, undefined);
  return columns;
}

function planIndexes(spec: TableSpec, key: readonly string[]): readonly IndexShape[] {
  const rows = spec.type === 'resource' ? 'live' : 'all';
  const plan = (isUnique: boolean, fields: readonly string[]): IndexShape => ({
    isUnique,
    fields,
    columns: isUnique ? fields : [...fields, ...key.filter((field) => !fields.includes(field))],
    rows,
  });
  const isKey = (fields: readonly string[]) => fields.every((field, index) => field === key[index]);
  return [
    ...spec.unique.map((fields) => plan(true, fields)),
    ...spec.indexes.filter((fields) => !isKey(fields)).map((fields) => plan(false, fields)),
    ...(spec.type === 'resource'
      ? [{ isUnique: false, fields: ['deletedAt'], columns: ['deletedAt', 'id'], rows: 'deleted' } as const]
      : []),
  ];
}
