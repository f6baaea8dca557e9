import type { JsonObject } from '../kernel/json.ts';
import type { Migration, StoreSchema, TableSpec } from '../kernel/store.ts';
import { MAINTAINED } from './table.ts';

/** Rows changed in one transaction of a data migration. */
const BATCH_ROWS = 500;

type Awaitable<T> = T | Promise<T>;

/** How far a data migration has come: `cursor` is the key of the last row that it changed. */
export interface Progress {
  readonly plugin: string;
  readonly number: number;
  readonly cursor: string | null;
  readonly done: boolean;
}

export interface MigratedBatch extends Progress {
  readonly table: string;
  /** New texts of rows, by key. */
  readonly rows: readonly KeyedRow[];
}

export interface KeyedRow {
  readonly key: string;
  readonly row: string;
}

/**
 * The adapter's part of `prepare`, wherever it runs: the functions of data migrations cannot travel to another thread or machine, so they are called here
 * and their rows come and go. Each call leaves a state from which the next `prepare` can tell what is still to do.
 */
export interface MigrationHost {
  /** Makes tables and columns; drops indexes that are declared no longer. Answers how far data migrations have come. */
  beginPrepare(tables: readonly TableSpec[]): Awaitable<readonly Progress[]>;
  /** Up to `limit` rows behind a key, deleted ones too, in order of the key. */
  migrationRows(table: string, after: string | null, limit: number): Awaitable<readonly KeyedRow[]>;
  /** Keeps the batch and how far it has come, both or neither. */
  migrate(batch: MigratedBatch): Awaitable<void>;
  /** Makes new indexes, which migrated rows may need. */
  endPrepare(): Awaitable<void>;
}

export async function prepareStore(host: MigrationHost, { tables, migrations }: StoreSchema, batchRows = BATCH_ROWS): Promise<void> {
  const progress = await host.beginPrepare(tables);
  for (const migration of inOrder(migrations)) {
    const known = progress.find(({ plugin, number }) => plugin === migration.plugin && number === migration.number);
    if (known?.done !== true) await migrateRows(host, migration, known, batchRows);
  }
  await host.endPrepare();
}

/** Plugins as they come, the migrations of each by number. */
function inOrder(migrations: readonly Migration[]): Migration[] {
  const plugins = new Map<string, Migration[]>();
  for (const migration of migrations) plugins.set(migration.plugin, [...(plugins.get(migration.plugin) ?? []), migration]);
  return [...plugins.values()].flatMap((own) => own.sort((a, b) => a.number - b.number));
}

async function migrateRows(
  host: MigrationHost,
  { plugin, number, table, up }: Migration,
  known: Progress | undefined,
  batchRows: number,
): Promise<void> {
  let cursor = known?.cursor ?? null;
  for (let done = false; !done; ) {
    const found = await host.migrationRows(table, cursor, batchRows);
    const rows = found.map(({ key, row }) => ({ key, row: migrateRow(row, up) }));
    cursor = found.at(-1)?.key ?? cursor;
    done = found.length < batchRows;
    await host.migrate({ plugin, number, table, rows, cursor, done });
  }
}

function migrateRow(text: string, up: Migration['up']): string {
  const old = JSON.parse(text) as JsonObject;
  const kept = ['id', ...MAINTAINED].flatMap((field) => (old[field] === undefined ? [] : [[field, old[field]]]));
  return JSON.stringify({ ...up(old), ...Object.fromEntries(kept) });
}
