import type { CommitResult, Statement, Transaction } from '@pileus/core/kernel';
import { Pool, type PoolClient } from 'pg';

const CONNECTIONS = 20;

const TABLES = `
  CREATE TABLE IF NOT EXISTS bare_row (owner text, key text, row text NOT NULL, PRIMARY KEY (owner, key));
  CREATE TABLE IF NOT EXISTS bare_counter (key text PRIMARY KEY, value bigint NOT NULL)`;

/** What writing the same rows by hand takes: a transaction on a connection of a pool, a prepared statement for each row, and nothing that guards or feeds. */
export class BarePostgres {
  readonly epoch = 0;
  readonly #pool: Pool;

  private constructor(pool: Pool) {
    this.#pool = pool;
  }

  static async open(url: string): Promise<BarePostgres> {
    const pool = new Pool({ connectionString: url, max: CONNECTIONS });
    await pool.query(TABLES);
    return new BarePostgres(pool);
  }

  async commit({ statements }: Transaction): Promise<CommitResult> {
    const client = await this.#pool.connect();
    try {
      await client.query('BEGIN');
      for (const statement of statements) await write(client, statement);
      await client.query('COMMIT');
      return { ok: true, revision: 0 };
    } finally {
      client.release();
    }
  }
}

async function write(client: PoolClient, statement: Statement): Promise<void> {
  const run = (name: string, text: string, ...values: unknown[]) => client.query({ name, text, values });
  if (statement.op === 'insert') {
    const { table, row } = statement;
    const key = typeof row.id === 'string' ? row.id : Object.values(row).slice(0, 2).join('/');
    await run('insert', 'INSERT INTO bare_row (owner, key, row) VALUES ($1, $2, $3)', table, key, JSON.stringify(row));
  } else if (statement.op === 'update') {
    const { table, key, set } = statement;
    await run('update', 'UPDATE bare_row SET row = $3 WHERE owner = $1 AND key = $2', table, key, JSON.stringify(set));
  } else if (statement.op === 'adjust') {
    const add = 'INSERT INTO bare_counter VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = bare_counter.value + excluded.value';
    await run('adjust', add, statement.counter, statement.by);
  } else if (statement.op === 'remove')
    await run('remove', 'DELETE FROM bare_row WHERE owner = $1 AND key = $2', statement.table, statement.key);
}
