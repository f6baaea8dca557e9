import type { Change, Counter } from '@pileus/core/kernel';
import type { Failure, Row } from '@pileus/core/store';
import { type Facts, type Questions, type Tuple, tupleId, type Use } from './facts.ts';
import { type PgIndex, type PgTable, tupleOf } from './table.ts';

export interface Written {
  readonly row: Row;
  readonly text: string;
}

export interface FeedEntry {
  readonly revision: number;
  readonly ordinal: number;
  readonly table: PgTable;
  readonly key: string;
  readonly type: Change['type'];
  readonly projectId: string | null;
  readonly text: string;
}

/**
 * The store as a group would leave it: the facts, and over them what its transactions have written so far. Each sees those before it; one that fails takes
 * its own part back, and nothing else.
 */
export class Draft {
  readonly facts: Facts;
  /** What turned out not to be known. It is taken for free meanwhile, and the group decided anew once it is known. */
  readonly missing: Questions;
  readonly rows = new Map<PgTable, Map<string, Written | undefined>>();
  readonly counters = new Map<string, Counter>();
  readonly feed: FeedEntry[] = [];
  readonly #holders = new Map<PgIndex, Map<string, string | undefined>>();
  #undo: (() => void)[] = [];

  constructor(facts: Facts, missing: Questions) {
    this.facts = facts;
    this.missing = missing;
  }

  /** From here on a `takeBack` leads here. */
  begin(): void {
    this.#undo = [];
  }

  takeBack(): void {
    for (const undo of this.#undo.reverse()) undo();
    this.#undo = [];
  }

  row(table: PgTable, key: string): Row | undefined {
    const written = this.rows.get(table);
    return written?.has(key) === true ? written.get(key)?.row : this.facts.row(table, key);
  }

  /** Writes a row, or removes it. A clash leaves everything as it is. */
  write(table: PgTable, key: string, row: Row | undefined, text: string): Failure | undefined {
    const old = this.row(table, key);
    const changes = table.uniques.map((index) => ({
      index,
      from: old === undefined ? undefined : tupleOf(index, old),
      to: row === undefined ? undefined : tupleOf(index, row),
    }));
    for (const { index, from, to } of changes) {
      if (to === undefined || (from !== undefined && tupleId(from) === tupleId(to))) continue;
      const holder = this.#holder(index, to);
      if (holder !== undefined && holder !== key) return { reason: 'exists', fields: index.fields };
    }
    for (const { index, from } of changes) if (from !== undefined) this.#set(this.#held(index), tupleId(from), undefined);
    for (const { index, to } of changes) if (to !== undefined) this.#set(this.#held(index), tupleId(to), key);
    this.#set(this.#written(table), key, row === undefined ? undefined : { row, text });
    return undefined;
  }

  tell(entry: Omit<FeedEntry, 'ordinal' | 'projectId'>, row: Row): void {
    const last = this.feed.at(-1);
    const ordinal = last?.revision === entry.revision ? last.ordinal + 1 : 0;
    this.feed.push({ ...entry, ordinal, projectId: typeof row.projectId === 'string' ? row.projectId : null });
    this.#undo.push(() => this.feed.pop());
  }

  counter(key: string): Counter | undefined {
    return this.counters.get(key) ?? this.facts.counter(key);
  }

  setCounter(counter: Counter): void {
    this.#set(this.counters, counter.key, counter);
  }

  /** Whether a live row of the table has the values. */
  isUsed({ table, where }: Use): boolean {
    const wanted = Object.entries(where).map(([field, value]) => [field, table.encode(field, value)] as const);
    if (wanted.some(([, value]) => value === null)) return false;
    const written = this.rows.get(table) ?? new Map<string, Written | undefined>();
    if (this.facts.users({ table, where }).some((key) => !written.has(key))) return true;
    const uses = (row: Row) => table.isLive(row) && wanted.every(([field, value]) => table.encode(field, row[field]) === value);
    return [...written.values()].some((found) => found !== undefined && uses(found.row));
  }

  #holder(index: PgIndex, tuple: Tuple): string | undefined {
    const held = this.#holders.get(index);
    const id = tupleId(tuple);
    if (held?.has(id) === true) return held.get(id);
    const known = this.facts.holder(index, tuple);
    if (known !== 'unasked') return known.key;
    this.missing.tuple(index, tuple);
    return undefined;
  }

  #held(index: PgIndex): Map<string, string | undefined> {
    const held = this.#holders.get(index) ?? new Map<string, string | undefined>();
    this.#holders.set(index, held);
    return held;
  }

  #written(table: PgTable): Map<string, Written | undefined> {
    const written = this.rows.get(table) ?? new Map<string, Written | undefined>();
    this.rows.set(table, written);
    return written;
  }

  #set<V>(map: Map<string, V>, key: string, value: V): void {
    const had = map.has(key);
    const before = map.get(key) as V;
    map.set(key, value);
    this.#undo.push(() => {
      if (had) map.set(key, before);
      else map.delete(key);
    });
  }
}
