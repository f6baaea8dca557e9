import type { JsonObject } from '../kernel/json.ts';
import type { Migration, StoreSchema } from '../kernel/store.ts';
import type { SqliteEngine } from './engine.ts';
import type { Progress } from './schema.ts';
import { MAINTAINED } from './table.ts';

/** Rows changed in one transaction of a data migration. */
const BATCH_ROWS = 500;

type Awaitable<T> = T | Promise<T>;

/** The engine, in this thread or another. The functions of data migrations cannot travel, so they are called here and their rows come and go. */
export type MigrationHost = {
  readonly [K in 'beginPrepare' | 'migrationRows' | 'migrate' | 'endPrepare']: (
    ...args: Parameters<SqliteEngine[K]>
  ) => Awaitable<ReturnType<SqliteEngine[K]>>;
};

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
