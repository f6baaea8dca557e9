import { isCompatible } from './column-type.ts';
import { ProtocolError } from './errors.ts';
import type { Row } from './row.ts';
import { Table } from './table.ts';
import type { AnyRow, TableJson, TableSchema } from './table-schema.ts';

/** What a database can hold. */
export interface DatabaseSchema {
  readonly name: string;
  readonly version: string;
  readonly tables: Readonly<Record<string, TableSchema>>;
}

/** A database as it is described, with typed tables. */
export interface Database<T extends Record<string, Row>> extends DatabaseSchema {
  readonly tables: { readonly [N in keyof T & string]: Table<T[N], N> };
}

/** Describes a database. Generated modules do so; so may you, with the tables and columns that you use. */
export function database<T extends Record<string, Row>>(
  name: string,
  version: string,
  tables: { readonly [N in keyof T & string]: TableJson },
): Database<T> {
  const described = Object.entries<TableJson>(tables).map(([table, json]) => [table, new Table(table, json)]);
  return { name, version, tables: Object.fromEntries(described) as Database<T>['tables'] };
}

/** Reads a schema: the content of an `.ovsschema` file, or what a server has. @throws ProtocolError */
export function parseSchema(json: unknown): Database<Record<string, AnyRow>> {
  if (typeof json !== 'object' || json === null || !('name' in json) || !('tables' in json))
    throw new ProtocolError('what came is no schema');
  const { name, version = '', tables } = json as { name: string; version?: string; tables: Record<string, TableJson> };
  return database(name, version, tables);
}

export interface SchemaDifferences {
  /** Tables and columns (`Table.column`) that are described and not there. */
  readonly missing: ReadonlySet<string>;
  /** Columns whose values cannot be read as described, in words. */
  readonly incompatible: readonly string[];
}

/** What of a description does not hold for the database that is there. */
export function compareSchemas(described: DatabaseSchema, there: DatabaseSchema): SchemaDifferences {
  const missing = new Set<string>();
  const incompatible: string[] = [];
  for (const [name, { columns }] of Object.entries(described.tables)) {
    const real = there.tables[name];
    if (real === undefined) missing.add(name);
    else
      for (const [column, type] of columns) {
        const found = real.columns.get(column);
        if (found === undefined) missing.add(`${name}.${column}`);
        else if (!isCompatible(type, found)) incompatible.push(`${name}.${column} is of another type there`);
      }
  }
  return { missing, incompatible };
}
