import { inWords } from './article.ts';
import { CloudError } from './errors.ts';
import type { AnyKind, RowOf } from './kind.ts';
import type { Condition, Counter, ListQuery, Store } from './store.ts';

/** Typed reads over a store. Answers are parsed rows; what passes rows through untouched uses the store's texts instead. */
export class Reader {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** The row, deleted ones included, or undefined. */
  async find<K extends AnyKind>(kind: K, id: string): Promise<RowOf<K> | undefined> {
    const text = await this.text(kind, id);
    return text === undefined ? undefined : (JSON.parse(text) as RowOf<K>);
  }

  /** The same as it is stored. */
  text(kind: AnyKind, id: string): Promise<string | undefined> {
    return this.#store.read(kind.name, id);
  }

  /** The live row. @throws CloudError `not_found`, with the pointer of the field that named it. */
  async get<K extends AnyKind>(kind: K, id: string, pointer?: string): Promise<RowOf<K>> {
    const row = await this.find(kind, id);
    if (row === undefined || row.deletedAt !== undefined)
      throw new CloudError('not_found', `No ${inWords(kind.name)} ${id}.`, pointer === undefined ? {} : { pointer });
    return row;
  }

  async list<K extends AnyKind>(
    kind: K,
    where?: Condition,
    options: Partial<Omit<ListQuery, 'table' | 'where'>> = {},
  ): Promise<readonly RowOf<K>[]> {
    return (await this.texts(kind, where, options)).map((text) => JSON.parse(text) as RowOf<K>);
  }

  /** The same as they are stored. */
  texts(kind: AnyKind, where?: Condition, options: Partial<Omit<ListQuery, 'table' | 'where'>> = {}): Promise<readonly string[]> {
    return this.#store.list({ table: kind.name, ...(where === undefined ? {} : { where }), ...options });
  }

  counter(key: string): Promise<Counter | undefined> {
    return this.#store.counter(key);
  }

  counters(prefix: string): Promise<readonly Counter[]> {
    return this.#store.counters(prefix);
  }
}

export const equals = (field: string, value: string | number | boolean): Condition => ({ field, op: '=', value });
export const both = (...and: readonly Condition[]): Condition => ({ and });
