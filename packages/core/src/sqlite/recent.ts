/** What was used last: of about `max` to twice as many entries. Those that nobody asked for while `max` others came are forgotten. */
export class Recent<V> {
  readonly #max: number;
  #young = new Map<string, V>();
  #old = new Map<string, V>();

  constructor(max: number) {
    this.#max = max;
  }

  get(key: string): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: V): void {
    if (this.#young.size >= this.#max) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  delete(key: string): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}

/** The same of rows, of each table so many. */
export class RecentRows<V> {
  readonly #max: number;
  readonly #tables = new Map<string, Recent<V>>();

  constructor(max: number) {
    this.#max = max;
  }

  get(table: string, key: string): V | undefined {
    return this.#tables.get(table)?.get(key);
  }

  set(table: string, key: string, value: V): void {
    const known = this.#tables.get(table);
    const rows = known ?? new Recent<V>(this.#max);
    if (known === undefined) this.#tables.set(table, rows);
    rows.set(key, value);
  }

  delete(table: string, key: string): void {
    this.#tables.get(table)?.delete(key);
  }

  clear(): void {
    this.#tables.clear();
  }
}
