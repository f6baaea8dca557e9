import type { SQLInputValue } from 'node:sqlite';
import type { Json, JsonObject } from '../kernel/json.ts';
import type { Change, CommitResult, Statement, Transaction } from '../kernel/store.ts';
import { StoreError } from '../kernel/store-error.ts';
import { changeCode } from '../store/feed.ts';
import { changeOf, checkCount, type Failure, insertedRow, type Stamp, stale, updatedRow } from '../store/row.ts';
import type { Catalog, Row } from '../store/table.ts';
import type { Statements } from './reader.ts';
import { columnValue, quote, type Table } from './table.ts';

const UNIQUE_VIOLATIONS = new Set([1555, 2067]);

const ADD_FEED = 'INSERT INTO _feed (revision, ordinal, "table", key, type, projectId, row) VALUES (?, ?, ?, ?, ?, ?, ?)';
const MAX = Number.MAX_SAFE_INTEGER;
// `MAX - by` and not `value + by`: the sum itself must not leave the range of exact numbers.
const GROW = `INSERT INTO _counter (key, value) VALUES (?1, CAST(?2 AS INTEGER)) ON CONFLICT (key) DO UPDATE SET value = value + excluded.value
  WHERE value <= ${MAX} - excluded.value AND ("limit" IS NULL OR excluded.value = 0 OR value <= "limit" - excluded.value)`;
const SHRINK = 'UPDATE _counter SET value = value + CAST(?2 AS INTEGER) WHERE key = ?1 AND value + CAST(?2 AS INTEGER) >= 0';
const LIMIT = 'INSERT INTO _counter (key, value, "limit") VALUES (?, 0, ?) ON CONFLICT (key) DO UPDATE SET "limit" = excluded."limit"';

/** Applies the statements of transactions to one connection, inside whatever transaction the caller has open there. */
export class Writer {
  readonly #statements: Statements;
  readonly #catalog: Catalog<Table>;

  constructor(statements: Statements, catalog: Catalog<Table>) {
    this.#statements = statements;
    this.#catalog = catalog;
  }

  /**
   * Answers how many changes it fed under `revision`, or which guard failed; then the caller rolls back what was done before it.
   * @throws StoreError for statements that make no sense, SQLite's own errors for input and output.
   */
  apply(transaction: Transaction, revision: number): number | Extract<CommitResult, { ok: false }> {
    let ordinal = 0;
    const feed: Write['feed'] = (table, key, type, row, text) => {
      const projectId = typeof row.projectId === 'string' ? row.projectId : null;
      this.#statements.get(ADD_FEED).run(revision, ordinal, table.name, key, changeCode(type), projectId, text);
      ordinal += 1;
    };
    const statements = transaction.statements;
    for (let index = 0; index < statements.length; index += 1) {
      const failure = this.#apply(statements[index] as Statement, { at: transaction.at, revision, feed });
      if (failure !== undefined) return { ok: false, statement: index, ...failure };
    }
    return ordinal;
  }

  #apply(statement: Statement, write: Write): Failure | undefined {
    switch (statement.op) {
      case 'insert':
        return this.#insert(this.#catalog.get(statement.table), statement.row, write);
      case 'update':
        return this.#update(this.#catalog.get(statement.table), statement, write);
      case 'remove':
        return this.#remove(this.#catalog.get(statement.table), statement.key);
      case 'expect': {
        const row = this.#read(this.#catalog.get(statement.table), statement.key);
        return row === undefined ? { reason: 'absent' } : stale(row, statement.expect);
      }
      case 'vacant':
        return this.#vacant(this.#catalog.get(statement.table), statement.field, statement.value);
      case 'adjust':
        return this.#adjust(statement);
      case 'limit':
        return this.#limit(statement);
      default:
        throw new StoreError(`unknown statement ${JSON.stringify(statement)}`);
    }
  }

  #insert(table: Table, given: JsonObject, write: Write): Failure | undefined {
    const row = insertedRow(table, given, write);
    const key = table.keyOf(row);
    const text = JSON.stringify(row);
    const values: SQLInputValue[] = [];
    for (const field of table.columns.keys()) values.push(columnValue(row[field]));
    values.push(text);
    const clash = this.#run(table.insertSql, values);
    if (clash !== undefined) return clash;
    if (table.isResource) write.feed(table, key, changeOf(undefined, row), row, text);
    return undefined;
  }

  #update(table: Table, { key, set, expect }: Extract<Statement, { op: 'update' }>, write: Write): Failure | undefined {
    const old = this.#read(table, key);
    if (old === undefined) return { reason: 'absent' };
    const failure = expect === undefined ? undefined : stale(old, expect);
    if (failure !== undefined) return failure;
    const row = updatedRow(table, old, set, write);
    const text = JSON.stringify(row);
    const clash = this.#rewrite(table, key, old, row, text);
    if (clash !== undefined) return clash;
    if (table.isResource) write.feed(table, key, changeOf(old, row), row, text);
    return undefined;
  }

  #rewrite(table: Table, key: string, old: Row, row: Row, text: string): Failure | undefined {
    const values: SQLInputValue[] = [];
    const changed: string[] = [];
    for (const field of table.columns.keys()) {
      const value = columnValue(row[field]);
      if (value === columnValue(old[field])) continue;
      changed.push(field);
      values.push(value);
    }
    values.push(text, ...table.splitKey(key));
    return this.#run(table.updateSql(changed), values);
  }

  #run(text: string, values: readonly SQLInputValue[]): Failure | undefined {
    try {
      this.#statements.get(text).run(...values);
      return undefined;
    } catch (error) {
      if (!(error instanceof Error && 'errcode' in error && UNIQUE_VIOLATIONS.has(error.errcode as number))) throw error;
      return { reason: 'exists', fields: clashingFields(error.message) };
    }
  }

  /** Of resources only what is deleted goes; that it was deleted is in the feed already. */
  #remove(table: Table, key: string): Failure | undefined {
    const deleted = table.isResource ? ' AND "deletedAt" IS NOT NULL' : '';
    const { changes } = this.#statements
      .get(`DELETE FROM ${quote(table.name)} WHERE ${table.whereKey}${deleted}`)
      .run(...table.splitKey(key));
    if (changes > 0 || !table.isResource || this.#read(table, key) === undefined) return undefined;
    return { reason: 'stale', fields: ['deletedAt'] };
  }

  #vacant(table: Table, field: string, value: Json): Failure | undefined {
    const live = table.isResource ? ' AND "deletedAt" IS NULL' : '';
    const found = this.#statements.value(
      `SELECT 1 FROM ${quote(table.name)} WHERE ${table.expression(field)} = ?${live} LIMIT 1`,
      columnValue(value),
    );
    return found === undefined ? undefined : { reason: 'in_use' };
  }

  #adjust(statement: Extract<Statement, { op: 'adjust' }>): Failure | undefined {
    checkCount(statement);
    const { counter, by } = statement;
    const { changes } = this.#statements.get(by < 0 ? SHRINK : GROW).run(counter, by);
    return changes === 0 ? { reason: 'exceeded' } : undefined;
  }

  #limit(statement: Extract<Statement, { op: 'limit' }>): undefined {
    checkCount(statement);
    this.#statements.get(LIMIT).run(statement.counter, statement.limit);
    return undefined;
  }

  #read(table: Table, key: string): Row | undefined {
    const text = this.#statements.value(table.readSql, ...table.splitKey(key));
    return text === undefined ? undefined : (JSON.parse(text as string) as Row);
  }
}

interface Write extends Stamp {
  readonly feed: (table: Table, key: string, type: Change['type'], row: Row, text: string) => void;
}

/** SQLite names the columns: `UNIQUE constraint failed: t.a, t.b`. */
function clashingFields(message: string): string[] {
  const columns = message.slice(message.indexOf(': ') + 2).split(', ');
  return columns.map((column) => column.slice(column.lastIndexOf('.') + 1));
}
