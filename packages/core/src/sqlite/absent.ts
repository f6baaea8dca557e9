import type { Condition, ListQuery } from '../kernel/store.ts';

/** Looks by one field before its values are learned: to learn them takes about as long as these did. */
const LOOKS = 64;
/** When more have a value, none are learned. */
export const ROWS_MAX = 500;

/** Of a field of one table, since the last change of the table. */
interface Known {
  looks: number;
  /** Of its live rows. Undefined = not learned, or too many. */
  values: ReadonlySet<string> | undefined;
}

/** The texts that live rows have in a field, or undefined where that would take a long look. */
export type Learn = (table: string, field: string) => ReadonlySet<string> | undefined;

/**
 * What no row of a quiet table has, known without a look. A deletion asks each kind that may refer to a row, and each that may be attached to it; nearly all
 * of them have few rows, seldom changed, and nothing to say about this one.
 */
export class Absent {
  readonly #tables = new Map<string, Map<string, Known>>();

  /** True only if no live row is what is asked for. */
  of({ table, where, deleted }: ListQuery, learn: Learn): boolean {
    if (deleted === true || where === undefined) return false;
    const parts = 'and' in where ? where.and : [where];
    return parts.some((part) => this.#lacks(table, part, learn));
  }

  /** The table may have changed. */
  forget(table: string): void {
    this.#tables.delete(table);
  }

  clear(): void {
    this.#tables.clear();
  }

  #lacks(table: string, part: Condition, learn: Learn): boolean {
    if (!('op' in part) || (part.op !== '=' && part.op !== 'in')) return false;
    const asked: readonly (string | number | boolean)[] = part.op === 'in' ? part.value : [part.value];
    if (!asked.every((value) => typeof value === 'string')) return false;
    const values = this.#valuesOf(table, part.field, learn);
    return values !== undefined && !asked.some((value) => values.has(value));
  }

  #valuesOf(table: string, field: string, learn: Learn): ReadonlySet<string> | undefined {
    const fields = this.#tables.get(table) ?? new Map<string, Known>();
    this.#tables.set(table, fields);
    const known = fields.get(field) ?? { looks: 0, values: undefined };
    fields.set(field, known);
    known.looks += 1;
    if (known.looks === LOOKS) known.values = learn(table, field);
    return known.values;
  }
}
