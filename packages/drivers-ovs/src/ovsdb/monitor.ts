import type { AnyChange } from './change.ts';
import { ProtocolError } from './errors.ts';
import type { RowUpdate, TableUpdates, Updates } from './message.ts';
import type { Draft, ReplicaTable } from './replica-table.ts';
import type { Row } from './row.ts';
import { applyDiff } from './row-diff.ts';
import type { AnyRow, TableSchema } from './table-schema.ts';
import { isEqual, type Value } from './values.ts';

/** A table of a monitor: what it is, what of it is asked for, and what is known of it. */
export interface MonitoredTable {
  readonly described: TableSchema;
  readonly columns: readonly string[];
  /** The conditions as they are sent; undefined: every row. */
  readonly where: readonly unknown[] | undefined;
  readonly rows: ReplicaTable<Row>;
}

/** Reads updates: what would change, with nothing changed yet. */
export class Stage {
  readonly #tables: ReadonlyMap<string, MonitoredTable>;
  readonly #changes: AnyChange[] = [];
  /** Of a whole picture: what each table is to have. Rows that are not in it are gone. */
  readonly #drafts: ReadonlyMap<string, Draft<Row>> | undefined;

  constructor(tables: ReadonlyMap<string, MonitoredTable>, whole: boolean) {
    this.#tables = tables;
    this.#drafts = whole ? new Map([...tables].map(([name, { rows }]) => [name, rows.draft()])) : undefined;
  }

  /** At once where the updates are in one piece. */
  read(updates: Updates): void | Promise<void> {
    if (Symbol.asyncIterator in updates) return this.#readSlices(updates as AsyncIterable<TableUpdates>);
    this.#add(updates);
    this.#finish();
  }

  /** Makes the tables what was read. Answers the changes, in the order in which they came. */
  commit(): readonly AnyChange[] {
    if (this.#drafts === undefined) for (const { table, uuid, row } of this.#changes) this.#tables.get(table)?.rows.replace(uuid, row);
    else for (const [name, draft] of this.#drafts) this.#tables.get(name)?.rows.adopt(draft);
    return this.#changes;
  }

  async #readSlices(slices: AsyncIterable<TableUpdates>): Promise<void> {
    for await (const slice of slices) this.#add(slice);
    this.#finish();
  }

  #add(updates: TableUpdates): void {
    for (const [name, rows] of Object.entries(updates)) {
      const table = this.#tables.get(name);
      if (table === undefined) throw new ProtocolError(`updates of ${name}, which was not asked for`);
      const draft = this.#drafts?.get(name);
      for (const [uuid, update] of Object.entries(rows)) {
        const change = changeOf(table, uuid, update);
        if (change !== undefined) this.#changes.push(change);
        // What is as it was stays the same object.
        const row = change === undefined ? table.rows.get(uuid) : change.row;
        if (row !== undefined) draft?.add(row);
      }
    }
  }

  #finish(): void {
    for (const [table, draft] of this.#drafts ?? [])
      for (const before of this.#tables.get(table)?.rows ?? []) {
        const uuid = before._uuid;
        if (!draft.rows.has(uuid)) this.#changes.push({ table, uuid, kind: 'delete', before, row: undefined });
      }
  }
}

function changeOf(table: MonitoredTable, uuid: string, update: RowUpdate): AnyChange | undefined {
  const { name } = table.described;
  const before = table.rows.get(uuid) as AnyRow | undefined;
  if ('delete' in update) return before === undefined ? undefined : { table: name, uuid, kind: 'delete', before, row: undefined };
  if ('modify' in update) {
    if (before === undefined) throw new ProtocolError(`a change of ${name} ${uuid}, which is not known`);
    return modified(table, before, update.modify);
  }
  const row = table.described.decodeRow('initial' in update ? update.initial : update.insert, table.columns, uuid);
  if (before === undefined) return { table: name, uuid, kind: 'insert', before, row };
  const columns = table.columns.filter((column) => !isEqual(before[column], row[column]));
  return columns.length === 0 ? undefined : { table: name, uuid, kind: 'modify', before, row, columns };
}

function modified(table: MonitoredTable, before: AnyRow, differences: Readonly<Record<string, unknown>>): AnyChange {
  const row: Record<string, Value> & { _uuid: string } = { ...before };
  const columns = Object.keys(differences);
  for (const column of columns) row[column] = applyDiff(table.described.type(column), before[column], differences[column]);
  return { table: table.described.name, uuid: before._uuid, kind: 'modify', before, row, columns };
}
