import type { SQLInputValue } from 'node:sqlite';
import type { JsonObject } from '../kernel/json.ts';
import type { Change, CommitResult, Statement, Transaction } from '../kernel/store.ts';
import { StoreError } from '../kernel/store-error.ts';
import { changeCode } from '../store/feed.ts';
import { changeOf, checkCount, type Failure, insertedRow, type Stamp, stale, tooLong, updatedRow } from '../store/row.ts';
import type { Catalog, Row } from '../store/table.ts';
import { CHARS_MAX, Known } from './known.ts';
import type { Statements } from './reader.ts';
import { columnValue, quote, type Table } from './table.ts';

/** One that nobody has set or adjusted yet. */
const NEW_COUNTER = { value: 0, limit: null } as const;

const UNIQUE_VIOLATIONS = new Set([1555, 2067]);

const ADD_FEED = 'INSERT INTO _feed (revision, ordinal, "table", key, type, projectId, row) VALUES (?, ?, ?, ?, ?, ?, ?)';

/** Applies the statements of transactions to one connection, inside whatever transaction the caller has open there. */
export class Writer {
  readonly #statements: Statements;
  readonly #catalog: Catalog<Table>;
  readonly known: Known;

  constructor(statements: Statements, catalog: Catalog<Table>) {
    this.#statements = statements;
    this.#catalog = catalog;
    this.known = new Known(statements);
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
        return this.#vacant(this.#catalog.get(statement.table), statement.where);
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
    const refused = tooLong(table, undefined, row, text);
    if (refused !== undefined) return refused;
    const values: SQLInputValue[] = [];
    for (const field of table.columns.keys()) values.push(columnValue(row[field]));
    values.push(text);
    const clash = this.#run(table.insertSql, values);
    if (clash !== undefined) return clash;
    // Of other tables next to nothing is ever looked at again here, but for calls, which are sealed soon.
    if (!table.isResource) {
      if (text.length <= CHARS_MAX) this.known.wroteRow(table.name, key, row);
      return undefined;
    }
    this.known.wroteRow(table.name, key, row, text);
    write.feed(table, key, changeOf(undefined, row), row, text);
    return undefined;
  }

  #update(table: Table, { key, set, expect }: Extract<Statement, { op: 'update' }>, write: Write): Failure | undefined {
    const old = this.#read(table, key);
    if (old === undefined) return { reason: 'absent' };
    const failure = expect === undefined ? undefined : stale(old, expect);
    if (failure !== undefined) return failure;
    const row = updatedRow(table, old, set, write);
    const text = JSON.stringify(row);
    const clash = tooLong(table, old, row, text) ?? this.#rewrite(table, key, old, row, text);
    if (clash !== undefined) return clash;
    this.known.wroteRow(table.name, key, row, table.isResource ? text : undefined);
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
    this.known.wroteRow(table.name, key, undefined);
    if (changes > 0 || !table.isResource || this.#read(table, key) === undefined) return undefined;
    return { reason: 'stale', fields: ['deletedAt'] };
  }

  #vacant(table: Table, where: JsonObject): Failure | undefined {
    const guards = Object.keys(where).map((field) => `${table.expression(field)} = ?`);
    if (table.isResource) guards.push('"deletedAt" IS NULL');
    const found = this.#statements.value(
      `SELECT 1 FROM ${quote(table.name)} WHERE ${guards.join(' AND ')} LIMIT 1`,
      ...Object.values(where).map(columnValue),
    );
    return found === undefined ? undefined : { reason: 'in_use' };
  }

  #adjust(statement: Extract<Statement, { op: 'adjust' }>): Failure | undefined {
    checkCount(statement);
    const { counter, by } = statement;
    const { value, limit } = this.known.counter(counter) ?? NEW_COUNTER;
    // `MAX - by` and not `value + by`: the sum itself must not leave the range of exact numbers.
    const fits = by < 0 ? value + by >= 0 : value <= Number.MAX_SAFE_INTEGER - by && (limit === null || by === 0 || value <= limit - by);
    if (!fits) return { reason: 'exceeded' };
    this.known.setCounter(counter, { value: value + by, limit });
    return undefined;
  }

  #limit(statement: Extract<Statement, { op: 'limit' }>): undefined {
    checkCount(statement);
    const { value } = this.known.counter(statement.counter) ?? NEW_COUNTER;
    this.known.setCounter(statement.counter, { value, limit: statement.limit });
    return undefined;
  }

  #read(table: Table, key: string): Row | undefined {
    const known = this.known.row(table.name, key);
    if (known !== undefined) return known;
    const text = this.#statements.value(table.readSql, ...table.splitKey(key));
    if (text === undefined) return undefined;
    const row = JSON.parse(text as string) as Row;
    this.known.keepRow(table.name, key, row);
    return row;
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
