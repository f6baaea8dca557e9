import { createHash } from 'node:crypto';
import { type Json, StoreError, type TableSpec } from '@pileus/core/kernel';
import { Catalog, type FieldType, type IndexShape, ROW, type Row, TableShape } from '@pileus/core/store';
import { doubleArray, textArray } from './arrays.ts';
import type { Sql, SqlValue } from './message.ts';

/**
 * The row once more where its text holds what PostgreSQL cannot look into: NUL, or halves of surrogate pairs, each replaced by U+FFFD. Queries look here
 * first. NULL for all other rows, so that hardly any row is stored twice.
 */
const PLAIN = '_plain';
const NAME_BYTES_MAX = 63;

export const quote = (name: string): string => `"${name}"`;

/** The columns of a key and their types. A table keeps its key for good. */
export type Key = readonly (readonly [field: string, type: 'text' | 'integer'])[];

/** A unique or other index, under a name that follows from what it is: one that differs in anything has another name. */
export interface PgIndex extends IndexShape {
  readonly table: PgTable;
  readonly name: string;
  readonly sql: string;
  /** Finds the rows that hold any of many values of its fields, given as arrays. */
  readonly holdersSql: string;
}

/** The statements of a table, worked out once from its spec. */
export class PgTable extends TableShape {
  /** As SQL names it. */
  readonly sqlName: string;
  readonly indexes: readonly PgIndex[];
  readonly uniques: readonly PgIndex[];
  readonly createSql: string;
  readonly readSql: string;
  /** These take arrays: one for each column that is named, see `arrays`. */
  readonly rowsSql: string;
  readonly insertSql: string;
  readonly updateSql: string;
  readonly deleteSql: string;

  constructor(spec: TableSpec, schema: string) {
    super(spec);
    for (const name of [this.name, ...this.columns.keys()])
      if (Buffer.byteLength(name) > NAME_BYTES_MAX)
        throw new StoreError(`table ${this.name}: PostgreSQL takes no names longer than ${NAME_BYTES_MAX} bytes, as ${name} is`);
    this.sqlName = `${quote(schema)}.${quote(spec.name)}`;
    this.indexes = this.shapes.map((shape) => this.#index(shape));
    this.uniques = this.indexes.filter(({ isUnique }) => isUnique);
    const columns = [...this.columns].map(
      ([field, type]) => `${quote(field)} ${sqlType(type)}${this.key.includes(field) ? ' NOT NULL' : ''}`,
    );
    this.createSql = `CREATE TABLE ${this.sqlName} (${columns.join(', ')}, ${ROW} text NOT NULL, ${PLAIN} text, PRIMARY KEY (${this.key.map(quote).join(', ')}))`;
    this.readSql = `SELECT ${ROW} FROM ${this.sqlName} WHERE ${this.key.map((field, index) => `${quote(field)} = $${index + 1}`).join(' AND ')}`;
    const written = [...this.columns.keys()];
    const all = this.#unnested('u', written, [ROW, PLAIN]);
    const names = [...written.map(quote), ROW, PLAIN];
    const keys = this.#unnested('k', this.key);
    const isKey = (alias: string) => this.key.map((field) => `t.${quote(field)} = ${alias}.${quote(field)}`).join(' AND ');
    this.rowsSql = `SELECT t.${ROW} FROM ${keys} JOIN ${this.sqlName} t ON ${isKey('k')}`;
    this.insertSql = `INSERT INTO ${this.sqlName} (${names.join(', ')}) SELECT ${this.#values(written)} FROM ${all}`;
    const others = written.filter((field) => !this.key.includes(field));
    const sets = [...others.map((field) => `${quote(field)} = ${this.#value('u', field)}`), `${ROW} = u.${ROW}`, `${PLAIN} = u.${PLAIN}`];
    this.updateSql = `UPDATE ${this.sqlName} t SET ${sets.join(', ')} FROM ${all} WHERE ${isKey('u')}`;
    this.deleteSql = `DELETE FROM ${this.sqlName} t USING ${keys} WHERE ${isKey('k')}`;
  }

  get keyColumns(): Key {
    return this.key.map((field) => [field, this.columns.get(field) ?? 'text']);
  }

  /** For `readSql`. */
  keyValues(key: string): string[] {
    return this.splitKey(key).map((part) => plainText(String(part)));
  }

  /** The arrays of `rowsSql` and `deleteSql`. */
  keyArrays(keys: Iterable<string>): Buffer[] {
    const parts = [...keys].map((key) => this.splitKey(key));
    return this.key.map((field, index) =>
      this.arrayOf(
        field,
        parts.map((part) => part[index] ?? null),
      ),
    );
  }

  /** The arrays of `insertSql` and `updateSql`. */
  rowArrays(rows: readonly { readonly row: Row; readonly text: string }[]): Buffer[] {
    const columns = [...this.columns.keys()].map((field) =>
      this.arrayOf(
        field,
        rows.map(({ row }) => this.encode(field, row[field])),
      ),
    );
    return [...columns, textArray(rows.map(({ text }) => text)), textArray(rows.map(({ text }) => plainRow(text)))];
  }

  arrayOf(field: string, values: readonly (string | number | null)[]): Buffer {
    return this.columns.get(field) === 'integer' ? doubleArray(values.map(toNumber)) : textArray(values.map(toText));
  }

  /** A field's value as its column holds it. Two values that a column does not tell apart are one. */
  encode(field: string, value: Json | undefined): string | number | null {
    const plain = scalar(value);
    if (plain === null) return null;
    const type = this.columns.get(field);
    if (type === 'text') return plainText(String(plain));
    if (type === 'integer') return toNumber(plain);
    if (this.columns.has(field)) return JSON.stringify(typeof plain === 'string' ? plainText(plain) : plain);
    return typeof plain === 'string' ? plainText(plain) : plain;
  }

  isLive(row: Row): boolean {
    return !this.isResource || row.deletedAt === undefined;
  }

  /** `$1` and on, as a table of these columns. */
  #unnested(alias: string, fields: readonly string[], texts: readonly string[] = []): string {
    const types = [...fields.map((field) => (this.columns.get(field) === 'integer' ? 'float8[]' : 'text[]')), ...texts.map(() => 'text[]')];
    const names = [...fields.map(quote), ...texts];
    return `unnest(${types.map((type, index) => `$${index + 1}::${type}`).join(', ')}) AS ${alias}(${names.join(', ')})`;
  }

  #value(alias: string, field: string): string {
    return `${alias}.${quote(field)}${this.columns.get(field) === undefined ? '::jsonb' : ''}`;
  }

  #values(fields: readonly string[]): string {
    return [...fields.map((field) => this.#value('u', field)), `u.${ROW}`, `u.${PLAIN}`].join(', ');
  }

  /** Nulls come first in every order; a key has none. */
  #index(shape: IndexShape): PgIndex {
    const { isUnique, fields, columns, rows } = shape;
    const terms = columns.map((field) => `${quote(field)}${this.isRequired(field) ? '' : ' NULLS FIRST'}`);
    const where = { all: '', live: ' WHERE "deletedAt" IS NULL', deleted: ' WHERE "deletedAt" IS NOT NULL' }[rows];
    const definition = [isUnique, this.name, terms, where, columns.map((field) => sqlType(this.columns.get(field)))];
    const digest = createHash('sha256').update(JSON.stringify(definition)).digest('hex').slice(0, 12);
    const name = `${[this.name, ...fields].join('_').slice(0, NAME_BYTES_MAX - 13)}_${digest}`;
    const same = fields.map((field) => `t.${quote(field)} = ${this.#value('k', field)}`).join(' AND ');
    return {
      ...shape,
      table: this,
      name,
      sql: `CREATE ${isUnique ? 'UNIQUE ' : ''}INDEX ${quote(name)} ON ${this.sqlName} (${terms.join(', ')})${where}`,
      holdersSql: `SELECT t.${ROW} FROM ${this.#unnested('k', fields)} JOIN ${this.sqlName} t ON ${same}${where.replace('WHERE ', 'WHERE t.')}`,
    };
  }
}

/** What a row holds under the fields of a unique index, or undefined when it takes no part there. */
export function tupleOf({ table, fields }: PgIndex, row: Row): readonly (string | number)[] | undefined {
  if (!table.isLive(row)) return undefined;
  const values = fields.map((field) => table.encode(field, row[field]));
  return values.includes(null) ? undefined : (values as (string | number)[]);
}

/** A look into the row, for what is no column. @param name of the table, where a query has several */
export const jsonRow = (name?: string): string => {
  const of = name === undefined ? '' : `${name}.`;
  return `coalesce(${of}${PLAIN}, ${of}${ROW})::json`;
};

/** Text is compared byte by byte; numbers are doubles, as JSON's are; what nobody declared is kept as what it is. */
export const sqlType = (type: FieldType): string =>
  ({ text: 'text COLLATE "C"', integer: 'double precision', none: 'jsonb' })[type ?? 'none'];

export const catalogOf = (specs: readonly TableSpec[], schema: string): Catalog<PgTable> =>
  new Catalog(specs.map((spec) => plan(spec, schema)));

/** A process has one store as a rule, and tests have a few. */
const SCHEMAS_KEPT = 8;

/** What each start needs several times over is worked out once. */
const planned = new WeakMap<TableSpec, Map<string, PgTable>>();

function plan(spec: TableSpec, schema: string): PgTable {
  const known = planned.get(spec) ?? new Map<string, PgTable>();
  planned.set(spec, known);
  const table = known.get(schema) ?? new PgTable(spec, schema);
  known.set(schema, table);
  for (const other of known.keys()) {
    if (known.size <= SCHEMAS_KEPT) break;
    known.delete(other);
  }
  return table;
}

/** A value as comparisons see it: booleans are 0 and 1, what is no scalar is its text. */
export function scalar(value: Json | undefined): string | number | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'boolean') return value ? 1 : 0;
  return typeof value === 'object' ? JSON.stringify(value) : value;
}

/** What PostgreSQL can hold of a text. */
export const plainText = (text: string): string => text.replaceAll('\0', '\ufffd').toWellFormed();

export function toNumber(value: string | number | null): number | null {
  if (value === null || typeof value === 'number') return value;
  const number = value.trim() === '' ? Number.NaN : Number(value);
  return Number.isNaN(number) ? null : number;
}

const toText = (value: string | number | null): string | null => (value === null ? null : plainText(String(value)));

const ODD = /\\u(?:0000|d[89a-f])/;

/** See PLAIN. A backslash that is itself escaped is stepped over. */
function plainRow(text: string): string | null {
  if (!ODD.test(text)) return null;
  return text.replaceAll(/\\(?:\\|u0000|ud[89a-f][0-9a-f]{2})/g, (found) => (found === '\\\\' ? found : '\\ufffd'));
}

/** A statement whose values are these. */
export const sql = (text: string, ...values: SqlValue[]): Sql => ({ text, values });
