import { StoreError, type TableSpec } from '@pileus/core/kernel';
import { Catalog, type KeyedRow, type MigratedBatch, type MigrationHost, type Progress, type Row } from '@pileus/core/store';
import type { SqlValue } from './message.ts';
import type { OwnTables } from './own-tables.ts';
import { listSql } from './query.ts';
import type { Connection } from './session.ts';
import { catalogOf, type PgTable, quote, sqlType } from './table.ts';

/** Rows that get new columns in one transaction. */
const BATCH_ROWS = 500;

/** Told of each statement before it runs; what it throws stops the work there, as a kill would. */
export type StatementHook = (sql: string) => void;

interface Column {
  readonly name: string;
  readonly type: string;
}

/**
 * Brings a database to a schema. Each step is one transaction that leaves a state from which the next call can tell what is still to do; nothing is kept in
 * memory between them. It begins by looking whether the store was opened anew meanwhile: then somebody else is at it, and this one ends.
 */
export class SchemaWriter implements MigrationHost {
  readonly #session: Connection;
  readonly #own: OwnTables;
  readonly #epoch: number;
  readonly #hook: StatementHook;
  #catalog = new Catalog<PgTable>();

  constructor(options: { session: Connection; own: OwnTables; epoch: number; beforeStatement?: StatementHook }) {
    this.#session = options.session;
    this.#own = options.own;
    this.#epoch = options.epoch;
    this.#hook = options.beforeStatement ?? (() => {});
  }

  /** The rows of tables whose columns are new get them before anything else looks at them. */
  async beginPrepare(tables: readonly TableSpec[]): Promise<readonly Progress[]> {
    this.#catalog = catalogOf(tables, this.#own.schema);
    await this.#tables();
    const filling = await this.#run(`SELECT name, filling FROM ${this.#own.table} WHERE filling IS NOT NULL`);
    for (const [name, cursor] of filling) {
      const table = this.#catalog.all().find((known) => known.name === name);
      if (table !== undefined) await this.#fill(table, cursor || null);
    }
    const rows = await this.#run(`SELECT plugin, number, cursor, done FROM ${this.#own.migration}`);
    return rows.map(([plugin, number, cursor, done]) => ({
      plugin: String(plugin),
      number: Number(number),
      cursor: cursor ?? null,
      done: done === 't',
    }));
  }

  async migrationRows(name: string, after: string | null, limit: number): Promise<readonly KeyedRow[]> {
    return this.#rows(this.#catalog.get(name), after, limit);
  }

  async migrate({ plugin, number, table, rows, cursor, done }: MigratedBatch): Promise<void> {
    await this.#step(async () => {
      await this.#rewrite(this.#catalog.get(table), rows);
      await this.#run(
        `INSERT INTO ${this.#own.migration} (plugin, number, cursor, done) VALUES ($1, $2, $3, $4)
          ON CONFLICT (plugin, number) DO UPDATE SET cursor = excluded.cursor, done = excluded.done`,
        ...[plugin, String(number), cursor, String(done)],
      );
    });
  }

  async endPrepare(): Promise<void> {
    const there = await this.#indexes();
    for (const table of this.#catalog.all()) {
      const missing = table.indexes.filter(({ name }) => there.get(name) !== table.name);
      if (missing.length === 0) continue;
      await this.#step(async () => {
        for (const { sql, fields } of missing)
          try {
            await this.#run(sql);
          } catch (cause) {
            throw new StoreError(`table ${table.name}: cannot index ${fields.join(', ')}`, 'unchanged', { cause });
          }
      });
    }
  }

  /** Tables, columns and the dropping of indexes, in one go: none of it touches a row. */
  async #tables(): Promise<void> {
    await this.#step(async () => {
      const recorded = new Map((await this.#run(`SELECT name, type, key FROM ${this.#own.table}`)).map(([name, ...rest]) => [name, rest]));
      const columns = await this.#columns();
      const indexes = [...(await this.#indexes())];
      for (const table of this.#catalog.all()) {
        const [type, key] = recorded.get(table.name) ?? [];
        if (type === undefined) await this.#create(table);
        else if (type !== table.spec.type)
          throw new StoreError(`table ${table.name} was a ${type} table and cannot become a ${table.spec.type} one`);
        else if (key !== JSON.stringify(table.keyColumns))
          throw new StoreError(`the key of table ${table.name} cannot change; make a new table`);
        else {
          const unwanted = indexes.filter(([name, of]) => of === table.name && !table.indexes.some((index) => index.name === name));
          for (const [name] of unwanted) await this.#run(`DROP INDEX ${quote(this.#own.schema)}.${quote(name)}`);
          await this.#alter(table, columns.get(table.name) ?? []);
        }
      }
    });
  }

  async #create(table: PgTable): Promise<void> {
    await this.#run(table.createSql);
    await this.#run(
      `INSERT INTO ${this.#own.table} (name, type, key) VALUES ($1, $2, $3)`,
      table.name,
      table.spec.type,
      JSON.stringify(table.keyColumns),
    );
  }

  async #alter(table: PgTable, columns: readonly Column[]): Promise<void> {
    const typeOf = (field: string) => PG_TYPES[sqlType(table.columns.get(field))];
    const fields = columns.filter(({ name }) => !name.startsWith('_'));
    const kept = fields.filter(({ name, type }) => table.columns.has(name) && typeOf(name) === type).map(({ name }) => name);
    for (const { name } of fields) if (!kept.includes(name)) await this.#run(`ALTER TABLE ${table.sqlName} DROP COLUMN ${quote(name)}`);
    const missing = [...table.columns].filter(([field]) => !kept.includes(field));
    for (const [field, type] of missing) await this.#run(`ALTER TABLE ${table.sqlName} ADD COLUMN ${quote(field)} ${sqlType(type)}`);
    if (missing.length > 0) await this.#run(`UPDATE ${this.#own.table} SET filling = '' WHERE name = $1`, table.name);
  }

  async #fill(table: PgTable, from: string | null): Promise<void> {
    let cursor = from;
    for (let done = false; !done; ) {
      const rows = await this.#rows(table, cursor, BATCH_ROWS);
      cursor = rows.at(-1)?.key ?? cursor;
      done = rows.length < BATCH_ROWS;
      await this.#step(async () => {
        await this.#rewrite(table, rows);
        await this.#run(`UPDATE ${this.#own.table} SET filling = $2 WHERE name = $1`, table.name, done ? null : cursor);
      });
    }
  }

  async #rows(table: PgTable, after: string | null, limit: number): Promise<readonly KeyedRow[]> {
    const { text, values } = listSql(this.#catalog, {
      table: table.name,
      deleted: true,
      limit,
      ...(after === null ? {} : { after: [after] }),
    });
    return (await this.#run(text, ...values)).map(([row]) => ({ key: table.keyOf(JSON.parse(row ?? '') as Row), row: row ?? '' }));
  }

  async #rewrite(table: PgTable, rows: readonly KeyedRow[]): Promise<void> {
    const parsed = rows.map(({ row }) => ({ row: JSON.parse(row) as Row, text: row }));
    if (parsed.length > 0) await this.#run(table.updateSql, ...table.rowArrays(parsed));
  }

  /** Of each table of the schema. */
  async #columns(): Promise<ReadonlyMap<string, readonly Column[]>> {
    const rows = await this.#run(
      `SELECT t.relname, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid
        WHERE t.relnamespace = $1::regnamespace AND t.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped`,
      quote(this.#own.schema),
    );
    const columns = new Map<string, Column[]>();
    for (const [table = '', name = '', type = ''] of rows as readonly (readonly string[])[])
      columns.set(table, [...(columns.get(table) ?? []), { name, type }]);
    return columns;
  }

  /** Names of indexes, and of the tables they are of; those of keys are left out. */
  async #indexes(): Promise<ReadonlyMap<string, string>> {
    const rows = await this.#run(
      `SELECT i.relname, t.relname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
        WHERE t.relnamespace = $1::regnamespace AND NOT x.indisprimary`,
      quote(this.#own.schema),
    );
    return new Map(rows.map(([index, table]) => [String(index), String(table)]));
  }

  async #step(work: () => Promise<void>): Promise<void> {
    await this.#run('BEGIN');
    const [[epoch] = []] = await this.#run(`SELECT epoch FROM ${this.#own.state} FOR UPDATE`);
    if (Number(epoch) !== this.#epoch) throw new StoreError('another server has opened the store meanwhile');
    await work();
    await this.#run('COMMIT');
  }

  async #run(text: string, ...values: readonly SqlValue[]) {
    this.#hook(text);
    return this.#session.rows(text, ...values);
  }
}

/** How PostgreSQL's catalog writes the types of our columns. */
const PG_TYPES: Readonly<Record<string, string>> = {
  'text COLLATE "C"': 'text',
  'double precision': 'double precision',
  jsonb: 'jsonb',
};
