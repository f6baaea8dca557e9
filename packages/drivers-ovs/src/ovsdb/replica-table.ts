import type { Row } from './row.ts';
import type { Value } from './values.ts';

/** Rows of a table at one moment, as a map by uuid. Rows are never changed: a changed row is another object. */
export interface TableView<R> extends Iterable<R> {
  readonly size: number;
  get(uuid: string): R | undefined;
  has(uuid: string): boolean;
}

class View<R> implements TableView<R> {
  readonly #rows: ReadonlyMap<string, R>;

  constructor(rows: ReadonlyMap<string, R>) {
    this.#rows = rows;
  }

  get size(): number {
    return this.#rows.size;
  }

  get(uuid: string): R | undefined {
    return this.#rows.get(uuid);
  }

  has(uuid: string): boolean {
    return this.#rows.has(uuid);
  }

  [Symbol.iterator](): Iterator<R> {
    return this.#rows.values();
  }
}

/** Rows by the values of some columns. */
class Index<R extends Row> {
  readonly columns: readonly string[];
  /** Mostly there is one row a key: no set is made for it. */
  readonly #uuids = new Map<string, string | Set<string>>();

  constructor(columns: readonly string[]) {
    this.columns = [...columns].sort();
  }

  move(before: R | undefined, after: R | undefined): void {
    const from = before === undefined ? undefined : this.#key(before);
    const to = after === undefined ? undefined : this.#key(after);
    if (from === to) return;
    if (from !== undefined && before !== undefined) this.#remove(from, before._uuid);
    if (to !== undefined && after !== undefined) this.#add(to, after._uuid);
  }

  uuids(values: object): Iterable<string> {
    const found = this.#uuids.get(this.#key(values));
    return typeof found === 'string' ? [found] : (found ?? []);
  }

  #add(key: string, uuid: string): void {
    const there = this.#uuids.get(key);
    if (there === undefined) this.#uuids.set(key, uuid);
    else if (typeof there === 'string') this.#uuids.set(key, new Set([there, uuid]));
    else there.add(uuid);
  }

  #remove(key: string, uuid: string): void {
    const there = this.#uuids.get(key);
    if (there === uuid) this.#uuids.delete(key);
    else if (typeof there === 'object' && there.delete(uuid) && there.size === 0) this.#uuids.delete(key);
  }

  #key(row: object): string {
    const values = row as Readonly<Record<string, Value>>;
    const [first = '', second] = this.columns;
    const only = second === undefined ? values[first] : undefined;
    return typeof only === 'string' ? `=${only}` : JSON.stringify(this.columns.map((column) => values[column] ?? null));
  }
}

/** All rows that a table is to have, put together before it has them. */
export class Draft<R extends Row> {
  readonly rows = new Map<string, R>();
  readonly indexes: readonly Index<R>[];

  constructor(indexes: readonly Index<R>[]) {
    this.indexes = indexes.map(({ columns }) => new Index<R>(columns));
  }

  add(row: R): void {
    this.rows.set(row._uuid, row);
    for (const index of this.indexes) index.move(undefined, row);
  }
}

/** A table of a replica: what the server has, as far as it was told. */
export class ReplicaTable<R extends Row> implements TableView<R> {
  readonly #name: string;
  #indexes: readonly Index<R>[];
  #rows = new Map<string, R>();
  /** A view of these rows is out: they are copied before the next change. */
  #viewed = false;

  constructor(name: string, indexes: readonly (readonly string[])[]) {
    this.#name = name;
    this.#indexes = indexes.map((columns) => new Index<R>(columns));
  }

  get size(): number {
    return this.#rows.size;
  }

  get(uuid: string): R | undefined {
    return this.#rows.get(uuid);
  }

  has(uuid: string): boolean {
    return this.#rows.has(uuid);
  }

  [Symbol.iterator](): Iterator<R> {
    return this.#rows.values();
  }

  /**
   * The rows that have exactly these values, through an index: one of the schema's, or of those asked for.
   * @throws RangeError when no index has exactly these columns
   */
  find(values: Partial<R>): readonly R[] {
    const columns = Object.keys(values).sort();
    const index = this.#indexes.find(
      (each) => each.columns.length === columns.length && each.columns.every((name, at) => name === columns[at]),
    );
    if (index === undefined) throw new RangeError(`${this.#name} has no index on ${columns.join(', ')}`);
    return [...index.uuids(values)].flatMap((uuid) => this.#rows.get(uuid) ?? []);
  }

  /** What is there now, and stays so for who holds it. Costs nothing until the table changes. */
  view(): TableView<R> {
    this.#viewed = true;
    return new View(this.#rows);
  }

  /** Puts a row in the place of the one with its uuid, or takes that out. */
  replace(uuid: string, row: R | undefined): void {
    if (this.#viewed) this.#rows = new Map(this.#rows);
    this.#viewed = false;
    for (const index of this.#indexes) index.move(this.#rows.get(uuid), row);
    if (row === undefined) this.#rows.delete(uuid);
    else this.#rows.set(uuid, row);
  }
  draft(): Draft<R> {
    return new Draft(this.#indexes);
  }

  /** Takes the rows of a draft in the place of its own. */
  adopt({ rows, indexes }: Draft<R>): void {
    this.#viewed = false;
    this.#rows = rows;
    this.#indexes = indexes;
  }
}
