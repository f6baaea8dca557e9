import { DatabaseSync } from 'node:sqlite';

export interface StoreFacts {
  /** Rows that are not deleted, by kind. */
  readonly live: Readonly<Record<string, readonly Record<string, unknown>[]>>;
  /** What is reserved; counters at zero are left out. */
  readonly counters: Readonly<Record<string, number>>;
  readonly unfinished: readonly Record<string, unknown>[];
}

/** Reads the database file with SQLite alone: what is left in it says the file, not the program that wrote it. */
export function readStore(path: string): StoreFacts {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    const kinds = db
      .prepare("SELECT name FROM _table WHERE type != 'plain'")
      .all()
      .map(({ name }) => String(name));
    const live = kinds.map((kind) => [kind, rowsOf(db, `SELECT _row FROM "${kind}" WHERE deletedAt IS NULL`)] as const);
    const counters = db.prepare('SELECT key, value FROM _counter WHERE value != 0').all();
    const unfinished = rowsOf(db, "SELECT _row FROM operation WHERE state NOT IN ('succeeded', 'failed', 'cancelled')");
    return {
      live: Object.fromEntries(live.filter(([kind]) => kind !== 'operation')),
      counters: Object.fromEntries(counters.map(({ key, value }) => [String(key), Number(value)])),
      unfinished,
    };
  } finally {
    db.close();
  }
}

const rowsOf = (db: DatabaseSync, sql: string): Record<string, unknown>[] =>
  db
    .prepare(sql)
    .all()
    .map(({ _row }) => JSON.parse(String(_row)) as Record<string, unknown>);
