import type { Operation, OvnNorthbound, OvsdbClient, Table } from '../ovsdb/index.ts';
import type { OwnTable } from './compiled.ts';
import type { AnyOwnRow } from './inventory.ts';
import { placeParts } from './marks.ts';

interface Members {
  readonly insert: Set<string>;
  readonly delete: Set<string>;
}

/** What is to be changed, of one object or of many: equal places are changed by one operation, since each costs the server a look at all that is there. */
export class Changes {
  readonly #inserts: { readonly table: OwnTable; readonly uuid: string; readonly columns: Readonly<Record<string, unknown>> }[] = [];
  readonly #updates: { readonly table: OwnTable; readonly uuid: string; readonly columns: Readonly<Record<string, unknown>> }[] = [];
  readonly #marks: { readonly table: OwnTable; readonly uuid: string; readonly external_ids: object }[] = [];
  readonly #deletes: { readonly table: OwnTable; readonly uuid: string }[] = [];
  readonly #others: Operation[] = [];
  readonly #members = new Map<string, Members>();
  readonly #entries = new Map<string, Map<string, string | undefined>>();

  /** Rows that are written, and places that are changed. */
  get size(): number {
    return this.rows + this.#members.size + this.#entries.size;
  }

  /** Rows that are written. */
  get rows(): number {
    return this.#inserts.length + this.#updates.length + this.#marks.length + this.#deletes.length + this.#others.length;
  }

  insert(table: OwnTable, uuid: string, columns: Readonly<Record<string, unknown>>): void {
    this.#inserts.push({ table, uuid, columns });
  }

  update(table: OwnTable, uuid: string, columns: Readonly<Record<string, unknown>>): void {
    this.#updates.push({ table, uuid, columns });
  }

  mark(table: OwnTable, uuid: string, external_ids: object): void {
    this.#marks.push({ table, uuid, external_ids });
  }

  delete(table: OwnTable, uuid: string): void {
    this.#deletes.push({ table, uuid });
  }

  /** That a set has a member, or has it no more. */
  member(place: string, value: string, isThere: boolean): void {
    const members = this.#members.get(place) ?? { insert: new Set(), delete: new Set() };
    this.#members.set(place, members);
    members[isThere ? 'insert' : 'delete'].add(value);
  }

  /** What a map has for a key: undefined for nothing. */
  entry(place: string, key: string, value: string | undefined): void {
    this.#entries.set(place, (this.#entries.get(place) ?? new Map()).set(key, value));
  }

  /** What is no object's. */
  operation(operation: Operation): void {
    this.#others.push(operation);
  }

  add(other: Changes): void {
    this.#inserts.push(...other.#inserts);
    this.#updates.push(...other.#updates);
    this.#marks.push(...other.#marks);
    this.#deletes.push(...other.#deletes);
    this.#others.push(...other.#others);
    for (const [place, members] of other.#members) {
      for (const value of members.insert) this.member(place, value, true);
      for (const value of members.delete) this.member(place, value, false);
    }
    for (const [place, entries] of other.#entries) for (const [key, value] of entries) this.entry(place, key, value);
  }

  /** In an order in which each finds what it needs. @throws InvalidValueError */
  operations(client: Pick<OvsdbClient<OvnNorthbound>, 'database'>): readonly Operation[] {
    const tables = client.database.tables as unknown as Readonly<Record<string, Table<AnyOwnRow>>>;
    const at = (name: string): Table<AnyOwnRow> => {
      const table = tables[name];
      if (table === undefined) throw new RangeError(`there is no table ${name}`);
      return table;
    };
    const members = [...this.#members].map(([place, { insert, delete: gone }]) => {
      const { table, column, uuid } = placeParts(place);
      return at(table).mutate(uuid, { [column]: { delete: [...gone], insert: [...insert] } });
    });
    const entries = [...this.#entries].map(([place, changed]) => {
      const { table, column, uuid } = placeParts(place);
      const put = [...changed].filter((entry): entry is [string, string] => entry[1] !== undefined);
      const gone = [...changed].filter(([, value]) => value === undefined).map(([key]) => key);
      return at(table).mutate(uuid, { [column]: { delete: gone, put: Object.fromEntries(put) } });
    });
    return [
      ...this.#inserts.map(({ table, uuid, columns }) => at(table).insert(columns, uuid)),
      ...this.#updates.map(({ table, uuid, columns }) => at(table).update(uuid, columns)),
      ...this.#marks.map(({ table, uuid, external_ids }) => at(table).mutate(uuid, { external_ids })),
      ...members,
      ...entries,
      ...this.#deletes.map(({ table, uuid }) => at(table).delete(uuid)),
      ...this.#others,
    ];
  }
}
