import { type Environment, StoreError } from '@pileus/core/kernel';
import { DatabaseError } from 'pg';
import type { OwnTables } from './own-tables.ts';
import type { Connection } from './session.ts';
import { quote } from './table.ts';

const VERSION_MIN = 130_000;
const INCARNATION_BYTES = 16;

export interface Opening {
  readonly incarnation: string;
  readonly epoch: number;
}

/**
 * Makes the store when the schema holds none yet, and begins its next epoch, which fences off whoever held the one before.
 * @throws StoreError when the server cannot keep what the store promises, or the schema belongs to something else
 */
export async function openSchema(session: Connection, own: OwnTables, { random }: Pick<Environment, 'random'>): Promise<Opening> {
  await checkServer(session);
  await session.rows('BEGIN');
  // Two first openings must not make everything twice.
  await session.rows('SELECT pg_advisory_xact_lock(hashtext($1))', own.channel);
  await makeSchema(session, own);
  const fresh = Buffer.from(random.bytes(INCARNATION_BYTES)).toString('hex');
  const [[home = ''] = []] = await session.rows(HOME);
  await session.rows(
    `INSERT INTO ${own.state} (incarnation, home, epoch, version, revision, trimmed) VALUES ($1, $2, 0, 0, 0, 0) ON CONFLICT DO NOTHING`,
    ...[fresh, home],
  );
  // A copy that was made by other means than ours (pg_dump, a clone of the server) is another incarnation from its first opening on.
  const [[incarnation, epoch] = []] = await session.rows(
    `UPDATE ${own.state} SET epoch = epoch + 1, version = version + 1, home = $2, incarnation = CASE WHEN home = $2 THEN incarnation ELSE $1 END
      RETURNING incarnation, epoch`,
    ...[fresh, home],
  );
  await session.rows('COMMIT');
  return { incarnation: String(incarnation), epoch: Number(epoch) };
}

/** The server's own identity and the database in it. Neither is carried over by a dump. */
const HOME = `SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || oid FROM pg_database WHERE datname = current_database()`;

async function checkServer(session: Connection): Promise<void> {
  const [[version, encoding, fsync] = []] = await session.rows(
    `SELECT current_setting('server_version_num'), current_setting('server_encoding'), current_setting('fsync')`,
  );
  if (Number(version) < VERSION_MIN) throw new StoreError(`PostgreSQL ${VERSION_MIN / 10_000} is the oldest that a store can be kept in`);
  if (encoding !== 'UTF8') throw new StoreError(`the database has the encoding ${encoding}; make one with ENCODING 'UTF8'`);
  if (fsync !== 'on') throw new StoreError('PostgreSQL runs with fsync = off: what it has acknowledged can be lost; turn it on');
}

/** Makes the store's own tables. A schema that is there must be empty. */
export async function makeSchema(session: Connection, own: OwnTables): Promise<'made' | 'found'> {
  const tables = await session.rows(
    `SELECT t.relname FROM pg_namespace n LEFT JOIN pg_class t ON t.relnamespace = n.oid AND t.relkind = 'r' WHERE n.nspname = $1`,
    own.schema,
  );
  if (tables.some(([name]) => name === '_state')) return 'found';
  if (tables.some(([name]) => name !== null)) throw new StoreError(`the schema ${own.schema} holds tables of something else`);
  try {
    if (tables.length === 0) await session.rows(`CREATE SCHEMA ${quote(own.schema)}`);
    for (const text of own.createSql) await session.rows(text);
    return 'made';
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    throw new StoreError(`the schema ${own.schema} cannot be made: ${error.message}`, 'unchanged', { cause: error });
  }
}
