import type { ListQuery, Transaction } from '../kernel/store.ts';
import { CHARS_MAX, type Written } from './known.ts';
import { looksElsewhere } from './reach.ts';
import { Recent, RecentRows } from './recent.ts';

/** Of each table. */
const ROWS_KEPT = 200;
const LISTS_KEPT = 100;
const LIST_ROWS_MAX = 20;

/** What may not be afterwards as it was. */
export interface Touched {
  readonly rows: readonly { readonly table: string; readonly key: string }[];
  readonly tables: ReadonlySet<string>;
}

export function touchedBy({ statements }: Transaction): Touched {
  const rows: { readonly table: string; readonly key: string }[] = [];
  const tables = new Set<string>();
  for (const statement of statements) {
    if (statement.op !== 'insert' && statement.op !== 'update' && statement.op !== 'remove') continue;
    tables.add(statement.table);
    // A row that was not there is not kept as such.
    if (statement.op !== 'insert') rows.push({ table: statement.table, key: statement.key });
  }
  return { rows, tables };
}

/**
 * Answers that are still right, for the one writer there is tells of each change: rows and short lists that are read again and again, as of types and hosts.
 * To read them from the database would go back to the file after each commit.
 */
export class Answers {
  readonly #rows = new RecentRows<string>(ROWS_KEPT);
  readonly #lists = new Map<string, Recent<readonly string[]>>();

  row(table: string, key: string, read: () => string | undefined): string | undefined {
    const kept = this.#rows.get(table, key);
    if (kept !== undefined) return kept;
    const text = read();
    if (text !== undefined && text.length <= CHARS_MAX) this.#rows.set(table, key, text);
    return text;
  }

  list(query: ListQuery, read: () => readonly string[] | undefined): readonly string[] | undefined {
    // What is in other tables may change without a word about this one.
    if (looksElsewhere(query.where) || query.order?.some(({ via }) => via !== undefined)) return read();
    const lists = this.#lists.get(query.table) ?? new Recent<readonly string[]>(LISTS_KEPT);
    const name = JSON.stringify(query);
    const kept = lists.get(name);
    if (kept !== undefined) return kept;
    const texts = read();
    if (texts === undefined || texts.length > LIST_ROWS_MAX || sizeOf(texts) > CHARS_MAX) return texts;
    lists.set(name, texts);
    this.#lists.set(query.table, lists);
    return texts;
  }

  /** Called before anybody is told that the change is durable, and once it can be read. */
  forget({ rows, tables }: Touched): void {
    for (const { table, key } of rows) this.#rows.delete(table, key);
    for (const table of tables) this.#lists.delete(table);
  }

  /** Called after that: what was written is read next, by the operation that wrote it. */
  keep(written: readonly Written[]): void {
    for (const { table, key, text } of written) this.#rows.set(table, key, text);
  }

  clear(): void {
    this.#rows.clear();
    this.#lists.clear();
  }
}

const sizeOf = (texts: readonly string[]): number => texts.reduce((sum, { length }) => sum + length, 0);
