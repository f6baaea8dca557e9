import { randomUUID } from 'node:crypto';
import { InvalidValueError, ProtocolError } from './errors.ts';
import { encodeMutation } from './mutation.ts';
import { member, type Operation } from './operation.ts';
import type { Mutations, NewRow, Row, RowChanges, RowUuid, Where } from './row.ts';
import { type TableJson, TableSchema } from './table-schema.ts';

export interface WaitFor<R, C extends keyof R & string> {
  readonly until: '==' | '!=';
  readonly columns: readonly C[];
  /** What the rows have, or have not, in `columns`. */
  readonly rows: readonly Pick<R, C>[];
  /** How long the server waits for it. Default 0: it is so now, or the transaction fails with `wait_failed`. */
  readonly timeoutMs?: number;
}

/** A table with typed rows: makes operations on it. Each throws `InvalidValueError` for what the table cannot hold. */
export class Table<R extends Row, N extends string = string> extends TableSchema {
  constructor(name: N, json: TableJson) {
    super(name, json);
  }

  /** Answers the row's uuid: the given one, which makes the insertion one that cannot happen twice, or a new one. */
  insert(row: NewRow<R>, uuid: RowUuid<N> = randomUUID()): Operation<RowUuid<N>> {
    this.checkUuid(uuid);
    const json = { op: 'insert', table: this.name, uuid, row: this.encodeRow(row, uuid) };
    return { json, table: this.name, row: uuid, columns: Object.keys(row), read: () => uuid };
  }

  /** Answers rows with these columns and `_uuid`; by default with all that are described. */
  select<C extends keyof R & string = keyof R & string>(
    where: Where<R>,
    columns?: readonly C[],
  ): Operation<readonly Pick<R, C | '_uuid'>[]> {
    const names = columns?.filter((column) => column !== '_uuid');
    for (const name of names ?? []) this.type(name);
    const asked = names === undefined ? {} : { columns: ['_uuid', ...names] };
    const json = { op: 'select', table: this.name, where: this.#encodeWhere(where), ...asked };
    const read = (result: unknown): readonly Pick<R, C | '_uuid'>[] => {
      const rows = member(result, 'rows');
      if (!Array.isArray(rows)) throw new ProtocolError('no rows where rows should be');
      return rows.map((row) => this.decodeRow(row, names)) as unknown as readonly Pick<R, C | '_uuid'>[];
    };
    return { json, table: this.name, row: rowOf(where), columns: [], read };
  }

  /** Answers how many rows it found. */
  update(where: Where<R>, row: RowChanges<R>): Operation<number> {
    const json = { op: 'update', table: this.name, where: this.#encodeWhere(where), row: this.encodeRow(row, rowOf(where)) };
    return { json, table: this.name, row: rowOf(where), columns: Object.keys(row), read: readCount };
  }

  /** Changes parts of values: adds to numbers, puts members into sets and maps or takes them out. Answers how many rows it found. */
  mutate(where: Where<R>, mutations: Mutations<R>): Operation<number> {
    const row = rowOf(where);
    const list = Object.entries(mutations as Readonly<Record<string, object>>).flatMap(([column, mutation]) =>
      this.at(column, row, (type) => encodeMutation(column, type, mutation)),
    );
    const json = { op: 'mutate', table: this.name, where: this.#encodeWhere(where), mutations: list };
    return { json, table: this.name, row, columns: Object.keys(mutations), read: readCount };
  }

  /** Answers how many rows it deleted. */
  delete(where: Where<R>): Operation<number> {
    const json = { op: 'delete', table: this.name, where: this.#encodeWhere(where) };
    return { json, table: this.name, row: rowOf(where), columns: [], read: readCount };
  }

  /** Lets the transaction go on only when the rows are as told: compare and set, or waiting for others. */
  wait<C extends keyof R & string>(where: Where<R>, { until, columns, rows, timeoutMs = 0 }: WaitFor<R, C>): Operation<void> {
    const encoded = rows.map((row) => this.encodeRow(row, rowOf(where)));
    const json = { op: 'wait', table: this.name, where: this.#encodeWhere(where), columns, until, rows: encoded, timeout: timeoutMs };
    return { json, table: this.name, row: rowOf(where), columns, read: () => {} };
  }

  #encodeWhere(where: Where<R>): readonly unknown[] {
    if (typeof where === 'string') {
      this.checkUuid(where);
      return [['_uuid', '==', ['uuid', where]]];
    }
    if ('everyRow' in where) return [];
    // A list that is empty by mistake must not mean all of a table.
    if (where.length === 0) throw new InvalidValueError(this.name, '_uuid', undefined, 'no condition at all; everyRow means every row');
    return this.encodeConditions(where);
  }
}

/** Of a row that is named by nothing but its uuid. */
const rowOf = (where: unknown): string | undefined => (typeof where === 'string' ? where : undefined);

function readCount(result: unknown): number {
  const count = member(result, 'count');
  if (typeof count !== 'number') throw new ProtocolError('a count that is no number');
  return count;
}
