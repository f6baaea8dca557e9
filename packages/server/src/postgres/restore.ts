import { createReadStream } from 'node:fs';
import { type Environment, StoreError } from '@pileus/core/kernel';
import type { Row } from '@pileus/core/store';
import { textArray } from './arrays.ts';
import { COPIED, END, FORMAT, type Header } from './backup.ts';
import { makeSchema } from './open.ts';
import { OwnTables } from './own-tables.ts';
import { Session } from './session.ts';
import { PgTable, quote } from './table.ts';
import { type PostgresOptions, targetOf } from './target.ts';

const BATCH_LINES = 500;

/**
 * Makes a store from a backup, in a schema that holds none, in one transaction. Columns and indexes follow at the next `prepare`, which knows them.
 * @throws StoreError when there is a store already, or `from` is no backup
 */
export async function restorePostgres(
  { from, ...options }: PostgresOptions & { readonly from: string },
  environment: Environment,
): Promise<void> {
  const target = targetOf(options);
  const session = await Session.open(target.config, environment);
  try {
    await session.rows('BEGIN');
    await new Restoring(session, new OwnTables(target.schema)).all(from);
    await session.rows('COMMIT');
  } catch (cause) {
    throw new StoreError(`${from} cannot be restored into ${target.name}: ${(cause as Error).message}`, 'unchanged', { cause });
  } finally {
    await session.close();
  }
}

class Restoring {
  readonly #session: Session;
  readonly #own: OwnTables;
  readonly #tables = new Map<string, PgTable>();

  constructor(session: Session, own: OwnTables) {
    this.#session = session;
    this.#own = own;
  }

  async all(from: string): Promise<void> {
    let batch: string[] = [];
    let header: Header | undefined;
    let isWhole = false;
    for await (const line of linesOf(from)) {
      if (header === undefined) {
        header = headerOf(line);
        await this.#begin(header);
      } else if (line === END) isWhole = true;
      else batch.push(line);
      if (batch.length < BATCH_LINES) continue;
      await this.#lines(batch);
      batch = [];
    }
    if (header === undefined) throw new StoreError('it is empty');
    if (!isWhole) throw new StoreError('its end is missing');
    await this.#lines(batch);
  }

  async #begin({ epoch, revision, trimmed, tables }: Header): Promise<void> {
    if ((await makeSchema(this.#session, this.#own)) === 'found') throw new StoreError('there is a store already; name another schema');
    // Without a home: whoever opens it first finds that it has moved, and makes the incarnation new, for the world may have moved on since.
    await this.#session.rows(
      `INSERT INTO ${this.#own.state} (incarnation, home, epoch, version, revision, trimmed) VALUES ('', '', $1, 0, $2, $3)`,
      ...[epoch, revision, trimmed].map(String),
    );
    for (const { name, type, key } of tables) {
      const columns = Object.fromEntries(key);
      const table = new PgTable({ name, type, key: Object.keys(columns), columns, unique: [], indexes: [] }, this.#own.schema);
      this.#tables.set(name, table);
      await this.#session.rows(table.createSql);
      await this.#session.rows(
        `INSERT INTO ${this.#own.table} (name, type, key, filling) VALUES ($1, $2, $3, '')`,
        ...[name, type, JSON.stringify(key)],
      );
    }
  }

  async #lines(lines: readonly string[]): Promise<void> {
    const byTable = Map.groupBy(
      lines.map((line) => JSON.parse(line) as readonly [string, ...unknown[]]),
      ([name]) => name,
    );
    for (const [name, found] of byTable) {
      const table = this.#tables.get(name);
      if (table === undefined) await this.#copied(name, found as readonly (readonly (string | null)[])[]);
      else {
        const rows = found.map(([, row]) => ({ row: row as Row, text: JSON.stringify(row) }));
        await this.#session.rows(table.insertSql, ...table.rowArrays(rows));
      }
    }
  }

  /** Texts become what their columns hold. */
  async #copied(name: string, lines: readonly (readonly (string | null)[])[]): Promise<void> {
    if (!Object.hasOwn(COPIED, name)) throw new StoreError(`it holds rows of ${JSON.stringify(name)}, which nothing is known of`);
    const columns = Object.entries(COPIED[name as keyof typeof COPIED]);
    const names = columns.map(([column]) => quote(column)).join(', ');
    const casts = columns.map(([column, type]) => `u.${quote(column)}::${type}`).join(', ');
    const arrays = columns.map((_, index) => `$${index + 1}::text[]`).join(', ');
    await this.#session.rows(
      `INSERT INTO ${quote(this.#own.schema)}.${name} (${names}) SELECT ${casts} FROM unnest(${arrays}) AS u(${names})`,
      ...columns.map((_, index) => textArray(lines.map((line) => line[index + 1] ?? null))),
    );
  }
}

/** Texts of rows may hold what `readline` takes for the end of a line. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = '';
  for await (const text of createReadStream(path, 'utf8') as AsyncIterable<string>) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}

function headerOf(line: string): Header {
  const refused = new StoreError('it is no backup of a PostgreSQL store');
  let header: Partial<Header>;
  try {
    header = JSON.parse(line) as Partial<Header>;
  } catch {
    throw refused;
  }
  if (header?.pileusBackup !== FORMAT) throw refused;
  return header as Header;
}
