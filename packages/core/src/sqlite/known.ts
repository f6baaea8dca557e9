import type { Row } from '../store/table.ts';
import type { Statements } from './reader.ts';
import { Recent, RecentRows } from './recent.ts';

/** Longer texts are not worth their memory. */
export const CHARS_MAX = 8_192;

/** Of each table. */
const ROWS_KEPT = 200;
const COUNTERS_KEPT = 10_000;

const READ = 'SELECT value, "limit" FROM _counter WHERE key = ?';
const WRITE = `INSERT INTO _counter (key, value, "limit") VALUES (?, CAST(? AS INTEGER), CAST(? AS INTEGER))
  ON CONFLICT (key) DO UPDATE SET value = excluded.value, "limit" = excluded."limit"`;

interface Count {
  readonly value: number;
  readonly limit: number | null;
}

/** A row as it was written, as JSON text. */
export interface Written {
  readonly table: string;
  readonly key: string;
  readonly text: string;
}

/** Of a counter as it was before. Undefined: there was none, or it was as in the database. */
interface Counted {
  readonly counter: string;
  readonly count: Count | undefined;
}
/** Without a text the row is gone, or nobody is told of it. */
interface Changed {
  readonly table: string;
  readonly key: string;
  readonly text: string | undefined;
}

/**
 * What the writer knows without asking the database, for nobody else writes there: rows it has read or written, and counters. Counters go to the database once
 * a group, however many transactions of it adjust them. What is taken back in the database is taken back here.
 */
export class Known {
  readonly #statements: Statements;
  readonly #rows = new RecentRows<Row>(ROWS_KEPT);
  /** As they are in the database. */
  readonly #counters = new Recent<Count | 'absent'>(COUNTERS_KEPT);
  /** As this group has made them. */
  readonly #changed = new Map<string, Count>();
  readonly #done: (Counted | Changed)[] = [];
  #written: readonly Written[] = [];
  #version: unknown;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** Called inside a new transaction of the database. Whoever else has written there, by hand, is believed. */
  begin(): void {
    const version = this.#statements.value('PRAGMA data_version');
    if (version !== this.#version) this.forget();
    this.#version = version;
  }

  row(table: string, key: string): Row | undefined {
    return this.#rows.get(table, key);
  }

  /** Nobody changes it from now on. */
  keepRow(table: string, key: string, row: Row): void {
    this.#rows.set(table, key, row);
  }

  /** The same for one that this transaction has written; with its text where others want to know it, too. */
  wroteRow(table: string, key: string, row: Row | undefined, text?: string): void {
    this.#done.push({ table, key, text });
    if (row === undefined) this.#rows.delete(table, key);
    else this.#rows.set(table, key, row);
  }

  counter(key: string): Count | undefined {
    const known = this.#changed.get(key) ?? this.#counters.get(key) ?? this.#read(key);
    return known === 'absent' ? undefined : known;
  }

  setCounter(key: string, count: Count): void {
    this.#done.push({ counter: key, count: this.#changed.get(key) });
    this.#changed.set(key, count);
  }

  /** What was done up to now, for `takeBack`. */
  get mark(): number {
    return this.#done.length;
  }

  takeBack(mark: number): void {
    for (const before of this.#done.splice(mark).reverse()) {
      if ('table' in before) this.#rows.delete(before.table, before.key);
      else if (before.count === undefined) this.#changed.delete(before.counter);
      else this.#changed.set(before.counter, before.count);
    }
  }

  /** What the last group has written and left there. */
  get written(): readonly Written[] {
    return this.#written;
  }

  /** The last thing before the commit. */
  flush(): void {
    const last = new Map<string, Changed>();
    for (const one of this.#done) if ('table' in one) last.set(`${one.table}/${one.key}`, one);
    this.#written = [...last.values()].filter((one): one is Written => one.text !== undefined && one.text.length <= CHARS_MAX);
    for (const [key, count] of this.#changed) {
      this.#statements.get(WRITE).run(key, count.value, count.limit);
      this.#counters.set(key, count);
    }
    this.#changed.clear();
    this.#done.length = 0;
  }

  /** What the database says counts again. */
  forget(): void {
    this.#rows.clear();
    this.#counters.clear();
    this.#changed.clear();
    this.#done.length = 0;
    this.#written = [];
  }

  #read(key: string): Count | 'absent' {
    const [found] = this.#statements.rows<[number, number | null]>(READ, [key]);
    const count = found === undefined ? 'absent' : { value: found[0], limit: found[1] };
    this.#counters.set(key, count);
    return count;
  }
}
