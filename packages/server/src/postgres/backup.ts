import { type FileHandle, open } from 'node:fs/promises';
import type { Environment } from '@pileus/core/kernel';
import { makeFile, type NewFile, ROW } from '@pileus/core/store';
import type { SqlRow } from './message.ts';
import type { OwnTables } from './own-tables.ts';
import { Session } from './session.ts';
import { type Key, quote } from './table.ts';
import type { Target } from './target.ts';

export const FORMAT = 1;
/** The last line: a copy that was cut off lacks it. */
export const END = '["_end"]';
const BATCH_ROWS = 1000;

/**
 * The first line of a backup. Behind it each line is a list: the name of a table and a row of it, or the name of one of the store's own tables and the texts
 * of its columns.
 */
export interface Header {
  readonly pileusBackup: typeof FORMAT;
  readonly epoch: number;
  readonly revision: number;
  readonly trimmed: number;
  readonly tables: readonly { readonly name: string; readonly type: 'resource' | 'plain'; readonly key: Key }[];
}

/** The store's own tables that are copied as they are: their columns and types. */
export const COPIED = {
  _counter: { key: 'text', value: 'bigint', limit: 'bigint' },
  _migration: { plugin: 'text', number: 'integer', cursor: 'text', done: 'boolean' },
  _feed: { revision: 'bigint', ordinal: 'integer', table: 'text', key: 'text', type: 'smallint', projectId: 'text', row: 'text' },
} as const satisfies Record<string, Readonly<Record<string, string>>>;

export interface BackupOptions {
  readonly target: Target;
  readonly own: OwnTables;
  readonly environment: Pick<Environment, 'timers'>;
  readonly to: NewFile;
}

/** Writes all of the store as of one instant into a file of JSON lines, over a connection of its own, while others read and write. */
export async function backUp({ target, own, environment, to }: BackupOptions): Promise<void> {
  await makeFile(to, async (partial) => {
    const session = await Session.open(target.config, environment);
    const file = await open(partial, 'wx', 0o600);
    try {
      await copyAll(session, own, file);
    } finally {
      await file.close();
      await session.close();
    }
  });
}

async function copyAll(session: Session, own: OwnTables, file: FileHandle): Promise<void> {
  await session.rows('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  const header = await headerOf(session, own);
  await file.appendFile(`${JSON.stringify(header)}\n`);
  const copy = async (select: string, lineOf: (row: SqlRow) => string) => {
    await session.rows(`DECLARE copied NO SCROLL CURSOR FOR ${select}`);
    for (;;) {
      const rows = await session.rows(`FETCH ${BATCH_ROWS} FROM copied`);
      if (rows.length === 0) break;
      await file.appendFile(`${rows.map(lineOf).join('\n')}\n`);
    }
    await session.rows('CLOSE copied');
  };
  for (const { name } of header.tables)
    await copy(`SELECT ${ROW} FROM ${quote(own.schema)}.${quote(name)}`, ([row]) => `[${JSON.stringify(name)},${row}]`);
  for (const [name, columns] of Object.entries(COPIED))
    await copy(`SELECT ${Object.keys(columns).map(quote).join(', ')} FROM ${quote(own.schema)}.${name}`, (row) =>
      JSON.stringify([name, ...row]),
    );
  await file.appendFile(`${END}\n`);
}

async function headerOf(session: Session, own: OwnTables): Promise<Header> {
  const [[epoch, revision, trimmed] = []] = await session.rows(`SELECT epoch, revision, trimmed FROM ${own.state}`);
  const tables = await session.rows(`SELECT name, type, key FROM ${own.table} ORDER BY name`);
  return {
    ...{ pileusBackup: FORMAT, epoch: Number(epoch), revision: Number(revision), trimmed: Number(trimmed) },
    tables: tables.map(([name, type, key]) => ({
      name: String(name),
      type: type === 'resource' ? 'resource' : 'plain',
      key: JSON.parse(String(key)) as Key,
    })),
  };
}
