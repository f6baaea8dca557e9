import { type ColumnType, type ColumnTypeJson, parseColumnType } from './column-type.ts';
import { InvalidValueError, ProtocolError } from './errors.ts';
import type { Row } from './row.ts';
import { decode, defaultOf, encode, isUuid, type Value } from './values.ts';

/** A table in the form of schema files, as far as a client needs it. */
export interface TableJson {
  readonly columns: Readonly<Record<string, ColumnTypeJson | { readonly type: ColumnTypeJson }>>;
  readonly indexes?: readonly (readonly string[])[];
  readonly isRoot?: boolean;
}

/** A row of whatever table. */
export interface AnyRow extends Row {
  readonly [column: string]: Value;
}

/** A condition on whatever column. */
export type AnyCondition = readonly [column: string, is: string, value: unknown];

const uuidType = parseColumnType('uuid');

const typeOf = (json: TableJson['columns'][string]): ColumnType =>
  parseColumnType(typeof json === 'object' && 'type' in json ? json.type : json);

/** What a table can hold, and how it is written and read. */
export class TableSchema {
  readonly name: string;
  readonly columns: ReadonlyMap<string, ColumnType>;
  /** Of unique columns, as the schema declares them. */
  readonly indexes: readonly (readonly string[])[];
  /** Rows of other tables go when nothing refers to them any more. */
  readonly isRoot: boolean;

  constructor(name: string, json: TableJson) {
    this.name = name;
    this.columns = new Map(Object.entries(json.columns).map(([column, type]) => [column, typeOf(type)]));
    this.indexes = json.indexes ?? [];
    this.isRoot = json.isRoot ?? false;
  }

  /** @throws InvalidValueError when there is no such column */
  type(column: string): ColumnType {
    const type = column === '_uuid' ? uuidType : this.columns.get(column);
    if (type === undefined) throw new InvalidValueError(this.name, column, undefined, 'there is no such column');
    return type;
  }

  /** @throws InvalidValueError */
  checkUuid(uuid: string): void {
    if (!isUuid(uuid)) throw new InvalidValueError(this.name, '_uuid', uuid, `'${uuid}' is no uuid in lower case`);
  }

  /** Does something with a column's value; a `RangeError` becomes one that tells the place. @throws InvalidValueError */
  at<T>(column: string, row: string | undefined, body: (type: ColumnType) => T): T {
    const type = this.type(column);
    try {
      return body(type);
    } catch (error) {
      throw error instanceof RangeError ? new InvalidValueError(this.name, column, row, error.message) : error;
    }
  }

  /** @throws InvalidValueError */
  encodeRow(row: object, uuid: string | undefined): Readonly<Record<string, unknown>> {
    return Object.fromEntries(Object.entries(row).map(([column, value]) => [column, this.at(column, uuid, (type) => encode(type, value))]));
  }

  /** @throws InvalidValueError */
  encodeConditions(where: readonly AnyCondition[]): readonly unknown[] {
    return where.map(([column, is, value]) => [column, is, this.at(column, undefined, (type) => encode(type, value))]);
  }

  /** Reads a row. A column that did not come has its default. @throws ProtocolError */
  decodeRow(json: unknown, columns: Iterable<string> = this.columns.keys(), uuid?: string): AnyRow {
    if (typeof json !== 'object' || json === null) throw new ProtocolError('no row where a row should be');
    const from = json as Readonly<Record<string, unknown>>;
    const row: Record<string, Value> & { _uuid: string } = { _uuid: uuid ?? String(decode(uuidType, from._uuid)) };
    for (const column of columns) {
      const type = this.type(column);
      const value = from[column];
      row[column] = value === undefined ? defaultOf(type) : decode(type, value);
    }
    return row;
  }
}
