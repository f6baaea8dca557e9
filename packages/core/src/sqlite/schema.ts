import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { StoreError } from '../kernel/store-error.ts';
import type { MigratedBatch, Progress } from '../store/migrate.ts';
import { type Catalog, type FieldType, ROW, type Row } from '../store/table.ts';
import { type ColumnType, columnType, columnValue, type IndexPlan, quote, type Table } from './table.ts';

/**
 * What the store keeps for itself. Names of callers' tables begin with a letter, so these cannot clash. The feed has its rowid: as its own index it would take a
 * page for each row of more than a thousand bytes. One of before stays as it was made.
 */
const OWN_TABLES = `
CREATE TABLE IF NOT EXISTS _meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _table (name TEXT PRIMARY KEY, type TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _migration (plugin TEXT, number INTEGER, cursor TEXT, done INTEGER NOT NULL, PRIMARY KEY (plugin, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _counter (key TEXT PRIMARY KEY, value INTEGER NOT NULL, "limit" INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _feed (revision INTEGER NOT NULL, ordinal INTEGER NOT NULL, "table" TEXT NOT NULL, key TEXT NOT NULL, type INTEGER NOT NULL,
  projectId TEXT, row TEXT NOT NULL, PRIMARY KEY (revision, ordinal));
INSERT OR IGNORE INTO _meta (name, value) VALUES ('epoch', 0), ('trimmed', 0);
`;

/** Told of each statement before it runs; what it throws stops the work there, as a kill would. */
export type StatementHook = (sql: string) => void;

/**
 * Brings a database to a schema. Each step is one SQLite transaction that leaves a state from which the next call can tell what is still to do; nothing is
 * kept in memory between them but which tables are whole.
 */
export class SchemaWriter {
  readonly #db: DatabaseSync;
  readonly #hook: StatementHook;
  /** Tables that are as they should be, for nobody else changes them: not looked at again. By name. */
  readonly #whole = new Map<string, Table>();
  readonly #emptyings = new Map<string, StatementSync>();

  constructor(db: DatabaseSync, hook: StatementHook) {
    this.#db = db;
    this.#hook = hook;
  }

  ownTables(incarnation: string): void {
    this.#step(() => {
      this.#run(OWN_TABLES);
      this.#run("INSERT OR IGNORE INTO _meta (name, value) VALUES ('incarnation', ?)", incarnation);
    });
  }

  /**
   * Tables, columns and the dropping of indexes; data migrations follow, and only then new indexes, which their rows may need. New tables have no rows: they
   * get their indexes with them, and all come in one transaction, for each costs a flush of the disk.
   */
  tables(catalog: Catalog<Table>): void {
    const asked = this.#others(catalog);
    if (asked.length === 0) return;
    for (const { name } of asked) this.#whole.delete(name);
    const types = this.#types();
    const indexes = this.#indexes();
    const added = asked.filter(({ name }) => !types.has(name));
    if (added.length > 0)
      this.#step(() => {
        for (const table of added) this.#create(table);
      });
    for (const table of asked) {
      const type = types.get(table.name);
      if (type !== undefined) this.#step(() => this.#change(table, type, indexes.get(table.name)));
    }
  }

  indexes(catalog: Catalog<Table>): void {
    const asked = this.#others(catalog);
    if (asked.length === 0) return;
    const there = this.#indexes();
    for (const table of asked) {
      for (const index of table.indexes) if (there.get(table.name)?.has(index.name) !== true) this.#index(table, index);
      this.#whole.set(table.name, table);
    }
  }

  /** Takes all rows out, those of the store itself, too: what is left is as after `ownTables`, but that tables are there. */
  empty(): void {
    const own = ['_counter', '_feed', '_migration'];
    this.#step(() => {
      for (const name of [...this.#types().keys(), ...own]) this.#emptying(name).run();
      this.#run("UPDATE _meta SET value = 0 WHERE name IN ('epoch', 'trimmed')");
    });
  }

  #emptying(table: string): StatementSync {
    const statement = this.#emptyings.get(table) ?? this.#db.prepare(`DELETE FROM ${quote(table)}`);
    this.#emptyings.set(table, statement);
    return statement;
  }

  /** Those that are not known to be whole. */
  #others(catalog: Catalog<Table>): readonly Table[] {
    return catalog.all().filter((table) => this.#whole.get(table.name) !== table);
  }

  progress(): Progress[] {
    const rows = this.#db.prepare('SELECT plugin, number, cursor, done FROM _migration').all();
    return rows.map((row) => ({
      plugin: row.plugin as string,
      number: row.number as number,
      cursor: row.cursor as string | null,
      done: row.done === 1,
    }));
  }

  migrate(table: Table, batch: MigratedBatch): void {
    const fields = [...table.columns.keys()].filter((field) => !table.key.includes(field));
    this.#step(() => {
      for (const { key, row } of batch.rows) {
        const parsed = JSON.parse(row) as Row;
        this.#run(table.updateSql(fields), ...fields.map((field) => columnValue(parsed[field])), row, ...table.splitKey(key));
      }
      const { plugin, number, cursor, done } = batch;
      this.#run(
        'INSERT OR REPLACE INTO _migration (plugin, number, cursor, done) VALUES (?, ?, ?, ?)',
        plugin,
        number,
        cursor,
        done ? 1 : 0,
      );
    });
  }

  /** Tables, columns with their types, and indexes, in an order that does not tell how the database came to be. */
  dump(): string[] {
    const names = this.#db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").all();
    const tables = names.flatMap(({ name }) =>
      this.#columns(name as string).map(({ column, type, required, position }) => `${name}.${column} ${type} ${required} ${position}`),
    );
    const indexes = this.#db.prepare("SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL").all();
    return [...tables, ...indexes.map(({ sql }) => String(sql))].sort();
  }

  #create(table: Table): void {
    this.#run(table.createSql);
    this.#run('INSERT INTO _table (name, type) VALUES (?, ?)', table.name, table.spec.type);
    for (const index of table.indexes) this.#index(table, index);
  }

  #index(table: Table, { sql, fields }: IndexPlan): void {
    try {
      this.#run(sql);
    } catch (cause) {
      throw new StoreError(`table ${table.name}: cannot index ${fields.join(', ')}`, 'unchanged', { cause });
    }
  }

  #change(table: Table, type: string, indexes: ReadonlyMap<string, string> = new Map()): void {
    if (type !== table.spec.type)
      throw new StoreError(`table ${table.name} was a ${type} table and cannot become a ${table.spec.type} one`);
    for (const [name, sql] of indexes)
      if (!table.indexes.some((index) => index.name === name && index.sql === sql)) this.#run(`DROP INDEX ${quote(name)}`);
    this.#alterColumns(table);
  }

  #alterColumns(table: Table): void {
    const columns = this.#columns(table.name);
    const key = columns.filter(({ position }) => position > 0).sort((a, b) => a.position - b.position);
    const same =
      key.length === table.key.length &&
      key.every(({ column, type }, index) => column === table.key[index] && type === columnType(table.columns.get(column)));
    if (!same) throw new StoreError(`the key of table ${table.name} cannot change; make a new table`);
    const kept = new Set<string>([ROW]);
    for (const { column, type } of columns) {
      if (column === ROW || (table.columns.has(column) && columnType(table.columns.get(column)) === type)) kept.add(column);
      else {
        // An index of the same name may still use a column whose type changes.
        for (const index of table.indexes) if (index.fields.includes(column)) this.#run(`DROP INDEX IF EXISTS ${quote(index.name)}`);
        this.#run(`ALTER TABLE ${quote(table.name)} DROP COLUMN ${quote(column)}`);
      }
    }
    for (const [field, type] of table.columns) if (!kept.has(field)) this.#addColumn(table, field, type);
  }

  #addColumn(table: Table, field: string, type: FieldType): void {
    this.#run(`ALTER TABLE ${quote(table.name)} ADD COLUMN ${quote(field)} ${columnType(type)}`);
    this.#run(`UPDATE ${quote(table.name)} SET ${quote(field)} = json_extract(${ROW}, '$.${field}')`);
  }

  #columns(table: string) {
    const rows = this.#db.prepare('SELECT name, type, "notnull", pk FROM pragma_table_info(?)').all(table);
    return rows.map((row) => ({
      column: row.name as string,
      type: row.type as ColumnType,
      required: row.notnull as number,
      position: row.pk as number,
    }));
  }

  /** The types of the tables that there are, by their names. */
  #types(): ReadonlyMap<string, string> {
    const rows = this.#db.prepare('SELECT name, type FROM _table').all();
    return new Map(rows.map(({ name, type }) => [name as string, type as string]));
  }

  /** By table, the SQL of indexes by their names; those of keys are left out. */
  #indexes(): ReadonlyMap<string, ReadonlyMap<string, string>> {
    const rows = this.#db.prepare("SELECT tbl_name, name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL").all();
    const byTable = Map.groupBy(rows, ({ tbl_name }) => tbl_name as string);
    return new Map([...byTable].map(([table, own]) => [table, new Map(own.map(({ name, sql }) => [name as string, sql as string]))]));
  }

  #step(work: () => void): void {
    this.#run('BEGIN IMMEDIATE');
    try {
      work();
      this.#run('COMMIT');
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  #run(sql: string, ...values: readonly SQLInputValue[]): void {
    this.#hook(sql);
    if (values.length === 0) this.#db.exec(sql);
    else this.#db.prepare(sql).run(...values);
  }
}
