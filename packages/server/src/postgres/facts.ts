import type { Counter, JsonObject, Statement, Transaction } from '@pileus/core/kernel';
import type { Catalog, Row } from '@pileus/core/store';
import { textArray } from './arrays.ts';
import type { Sql, SqlRow } from './message.ts';
import { usersSql } from './query.ts';
import { type PgIndex, type PgTable, sql, tupleOf } from './table.ts';

/** A value that some row may hold under the fields of a unique index. */
export type Tuple = readonly (string | number)[];
export const tupleId = (tuple: Tuple): string => JSON.stringify(tuple);

/** Values that some row may have, all of them. */
export interface Use {
  readonly table: PgTable;
  readonly where: JsonObject;
}
const useId = ({ table, where }: Use): string => JSON.stringify([table.name, where]);

/** What is known of the store as of one version of it. Nothing has changed for as long as the store still has that version. */
export class Facts {
  readonly version: number;
  readonly revision: number;
  readonly epoch: number;
  readonly #rows = new Map<PgTable, Map<string, Row | undefined>>();
  readonly #holders = new Map<PgIndex, Map<string, string | undefined>>();
  readonly #users = new Map<string, readonly string[]>();
  readonly #counters = new Map<string, Counter | undefined>();

  constructor({ version, revision, epoch }: { readonly version: number; readonly revision: number; readonly epoch: number }) {
    this.version = version;
    this.revision = revision;
    this.epoch = epoch;
  }

  row(table: PgTable, key: string): Row | undefined {
    return this.#rows.get(table)?.get(key);
  }

  /** The key of the live row that holds the tuple, undefined for none, 'unasked' when nobody has looked. */
  holder(index: PgIndex, tuple: Tuple): { readonly key: string | undefined } | 'unasked' {
    const known = this.#holders.get(index);
    const id = tupleId(tuple);
    return known?.has(id) === true ? { key: known.get(id) } : 'unasked';
  }

  /** Keys of live rows that have the values: all of them, or more than the group could change. */
  users(use: Use): readonly string[] {
    return this.#users.get(useId(use)) ?? [];
  }

  counter(key: string): Counter | undefined {
    return this.#counters.get(key);
  }

  learnRows(table: PgTable, asked: Iterable<string>, rows: readonly SqlRow[]): void {
    const known = this.#rows.get(table) ?? new Map<string, Row | undefined>([...asked].map((key) => [key, undefined]));
    for (const row of rows.map(parsed)) known.set(table.keyOf(row), row);
    this.#rows.set(table, known);
  }

  learnHolders(index: PgIndex, asked: Iterable<Tuple>, rows: readonly SqlRow[]): void {
    const known = this.#holders.get(index) ?? new Map<string, string | undefined>();
    for (const tuple of asked) known.set(tupleId(tuple), undefined);
    for (const row of rows.map(parsed)) known.set(tupleId(tupleOf(index, row) ?? []), index.table.keyOf(row));
    this.#holders.set(index, known);
  }

  learnUsers(use: Use, rows: readonly SqlRow[]): void {
    this.#users.set(
      useId(use),
      rows.map(parsed).map((row) => use.table.keyOf(row)),
    );
  }

  learnCounters(rows: readonly SqlRow[]): void {
    for (const [key, value, limit] of rows)
      this.#counters.set(String(key), { key: String(key), value: Number(value), limit: limit === null ? null : Number(limit) });
  }
}

const parsed = ([text]: SqlRow): Row => JSON.parse(text ?? 'null') as Row;

/** What has to be known before a group can be decided. */
export class Questions {
  readonly #rows = new Map<PgTable, Set<string>>();
  readonly #tuples = new Map<PgIndex, Map<string, Tuple>>();
  readonly #uses = new Map<string, Use>();
  readonly #counters = new Set<string>();

  /**
   * All that the statements themselves tell of. What an update that renames a row needs to know follows only from the row.
   * @throws StoreError for statements that make no sense
   */
  add({ statements }: Transaction, catalog: Catalog<PgTable>): void {
    for (const statement of statements) this.#statement(statement, catalog);
  }

  tuple(index: PgIndex, tuple: Tuple): void {
    const asked = this.#tuples.get(index) ?? new Map<string, Tuple>();
    asked.set(tupleId(tuple), tuple);
    this.#tuples.set(index, asked);
  }

  get isEmpty(): boolean {
    return this.#rows.size + this.#tuples.size + this.#uses.size + this.#counters.size === 0;
  }

  /** Statements that ask, and how to learn from the rows of each. */
  asked(counterTable: string): { readonly statement: Sql; readonly learn: (facts: Facts, rows: readonly SqlRow[]) => void }[] {
    const rows = [...this.#rows].map(([table, keys]) => ({
      statement: sql(table.rowsSql, ...table.keyArrays(keys)),
      learn: (facts: Facts, found: readonly SqlRow[]) => facts.learnRows(table, keys, found),
    }));
    const holders = [...this.#tuples].map(([index, tuples]) => ({
      statement: sql(index.holdersSql, ...tupleArrays(index, [...tuples.values()])),
      learn: (facts: Facts, found: readonly SqlRow[]) => facts.learnHolders(index, tuples.values(), found),
    }));
    const users = [...this.#uses.values()].map((use) => ({
      statement: usersSql(use, 1 + (this.#rows.get(use.table)?.size ?? 0)),
      learn: (facts: Facts, found: readonly SqlRow[]) => facts.learnUsers(use, found),
    }));
    const counters = {
      statement: sql(`SELECT key, value, "limit" FROM ${counterTable} WHERE key = ANY ($1::text[])`, textArray([...this.#counters])),
      learn: (facts: Facts, found: readonly SqlRow[]) => facts.learnCounters(found),
    };
    return [...rows, ...holders, ...users, ...(this.#counters.size === 0 ? [] : [counters])];
  }

  #statement(statement: Statement, catalog: Catalog<PgTable>): void {
    if (!('table' in statement)) {
      this.#counters.add(statement.counter);
      return;
    }
    const table = catalog.get(statement.table);
    if (statement.op === 'vacant') {
      const use = { table, where: statement.where };
      for (const field of Object.keys(use.where)) table.checkField(field);
      this.#uses.set(useId(use), use);
      return;
    }
    const key = statement.op === 'insert' ? table.keyOf(statement.row) : statement.key;
    table.splitKey(key);
    const rows = this.#rows.get(table) ?? new Set<string>();
    rows.add(key);
    this.#rows.set(table, rows);
    if (statement.op === 'insert') for (const index of table.uniques) this.#inserted(index, statement.row);
  }

  /** Whether the row is live or not: one question too many does no harm. */
  #inserted(index: PgIndex, row: Row): void {
    const { deletedAt: _, ...live } = row;
    const tuple = tupleOf(index, live);
    if (tuple !== undefined) this.tuple(index, tuple);
  }
}

const tupleArrays = ({ table, fields }: PgIndex, tuples: readonly Tuple[]): Buffer[] =>
  fields.map((field, at) =>
    table.arrayOf(
      field,
      tuples.map((tuple) => tuple[at] ?? null),
    ),
  );
