import type { Json, JsonObject } from '../../src/kernel/json.ts';
import type { AggregateQuery, AggregateRow, Condition, FieldPath } from '../../src/kernel/store.ts';

/**
 * What comparison, order, patterns and sums mean, as docs/guides/queries.md has them, and nothing of the product: what stores answer is held against this, and
 * so is what the product itself takes conditions for.
 */
export type Scalar = string | number | boolean;

/** A value as rows are told apart by it: absent, a number, or a text. */
export type Plain = string | number | null;

/** Live rows of a table. */
export type RowsOf = (table: string) => readonly JsonObject[];

const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** True counts as 1 and false as 0. */
export function plainOf(value: Json | undefined): Plain {
  if (value === true) return 1;
  if (value === false) return 0;
  return value === undefined || value === null ? null : typeof value === 'object' ? JSON.stringify(value) : value;
}

/** Below 0 where `a` comes first: what is absent, then numbers by size, then texts, character by character by their number in Unicode. */
export function order(a: Plain, b: Plain): number {
  if (a === b) return 0;
  const rank = (value: Plain) => (value === null ? 0 : typeof value === 'number' ? 1 : 2);
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (typeof a === 'number' && typeof b === 'number') return a < b ? -1 : a > b ? 1 : 0;
  const [left, right] = [a, b].map((text) => Array.from(String(text), (character) => character.codePointAt(0) as number));
  if (a === null || left === undefined || right === undefined) return 0;
  const differs = left.findIndex((point, place) => point !== right[place]);
  if (differs < 0) return left.length - right.length;
  return (left[differs] as number) - (right[differs] ?? -1);
}

/** In order of some values each, then of the last one, which none has in common. A sign of -1 turns one round. */
export function orderAll(a: readonly Plain[], b: readonly Plain[], signs: readonly number[]): number {
  for (const [place, left] of a.entries()) {
    const sign = order(left, b[place] ?? null);
    if (sign !== 0) return sign * (signs[place] ?? 1);
  }
  return 0;
}

/** Character by character, without regular expressions. */
export function isLike(text: string, pattern: string): boolean {
  const letters = [...text];
  const signs: { readonly sign: string; readonly literal: boolean }[] = [];
  const given = [...pattern];
  for (let at = 0; at < given.length; at += 1) {
    const escaped = given[at] === '\\' && at + 1 < given.length;
    if (escaped) at += 1;
    signs.push({ sign: given[at] ?? '', literal: escaped });
  }
  const from = (letter: number, sign: number): boolean => {
    const wanted = signs[sign];
    if (wanted === undefined) return letter === letters.length;
    if (!wanted.literal && wanted.sign === '%') return from(letter, sign + 1) || (letter < letters.length && from(letter + 1, sign));
    if (letter === letters.length) return false;
    return ((!wanted.literal && wanted.sign === '_') || wanted.sign === letters[letter]) && from(letter + 1, sign + 1);
  };
  return from(0, 0);
}

export const OPERATORS = ['=', '!=', '<', '<=', '>', '>='] as const;

/** Whether a comparison holds between what is there, which is a scalar, and what was given. */
export function compares(value: Scalar, op: (typeof OPERATORS)[number], given: Scalar): boolean {
  const sign = order(plainOf(value), plainOf(given));
  if (op === '=') return sign === 0;
  if (op === '!=') return sign !== 0;
  return op.startsWith('<') ? sign < 0 || (op === '<=' && sign === 0) : sign > 0 || (op === '>=' && sign === 0);
}

/** What lies under the path in the row; absent is null. */
export function partAt(row: Json, path: string): Json {
  const found = path.split('.').reduce<Json | undefined>((at, name) => (isObject(at) && Object.hasOwn(at, name) ? at[name] : null), row);
  return found ?? null;
}

/** Whether a condition of a store holds for the row. */
export function holds(row: JsonObject, condition: Condition, rows: RowsOf): boolean {
  if ('and' in condition) return condition.and.every((part) => holds(row, part, rows));
  if ('or' in condition) return condition.or.some((part) => holds(row, part, rows));
  if ('not' in condition) return !holds(row, condition.not, rows);
  if ('exists' in condition) {
    const { table, where, ...by } = condition.exists;
    return linked(row, by, rows(table)).some((other) => where === undefined || holds(other, where, rows));
  }
  if ('some' in condition) {
    const { field, where } = condition.some;
    return within(partAt(row, field)).some((element) => where === undefined || holds(element, where, rows));
  }
  const value = partAt(row, condition.field);
  if (!('value' in condition)) return (value === null) === (condition.op === 'null');
  if (value === null || typeof value === 'object') return false;
  if (condition.op === 'like') return typeof value === 'string' && isLike(value, condition.value);
  if (condition.op === 'in') return condition.value.some((given) => compares(value, '=', given));
  return compares(value, condition.op, condition.value);
}

/** Nothing is linked by what is absent. */
const linked = (row: JsonObject, { local, remote }: { readonly local: string; readonly remote: string }, others: readonly JsonObject[]) => {
  const by = partAt(row, local);
  return by === null ? [] : others.filter((other) => partAt(other, remote) === by);
};

/** Elements of a list, or entries of a map, as conditions on them see them. */
function within(value: Json): readonly JsonObject[] {
  const entries = Array.isArray(value) ? value.map((each) => [undefined, each] as const) : isObject(value) ? Object.entries(value) : [];
  return entries.map(([key, each]) => ({
    ...(isObject(each) ? each : {}),
    $: each as Json,
    ...(key === undefined ? {} : { $key: key }),
  }));
}

/** What the way leads to from the row; null where it leads nowhere. */
export function valueBy(row: JsonObject, { field, via = [] }: FieldPath, rows: RowsOf): Plain {
  let at: JsonObject | undefined = row;
  for (const { table, where, ...by } of via) {
    const others: readonly JsonObject[] = at === undefined ? [] : linked(at, by, rows(table));
    at = others.find((other) => where === undefined || holds(other, where, rows));
  }
  return at === undefined ? null : plainOf(partAt(at, field));
}

const NO_ROWS: RowsOf = () => [];

/** Groups in order of their values, each with what was measured. Without `groupBy` there is one, of all rows. */
export function grouped(
  rows: readonly JsonObject[],
  { groupBy = [], measures, limit }: Omit<AggregateQuery, 'table'>,
  others: RowsOf = NO_ROWS,
): AggregateRow[] {
  const values = rows.map((row) => ({ row, by: groupBy.map((path) => valueBy(row, path, others)) }));
  const sorted = values.toSorted((a, b) => orderAll(a.by, b.by, []));
  const groups: (typeof sorted)[] = groupBy.length === 0 ? [sorted] : [];
  for (const [place, each] of groupBy.length === 0 ? [] : sorted.entries()) {
    const before = sorted[place - 1];
    if (before === undefined || orderAll(before.by, each.by, []) !== 0) groups.push([]);
    groups.at(-1)?.push(each);
  }
  return groups.slice(0, limit).map((group) => [
    ...(group[0]?.by ?? []),
    ...measures.map(({ op, field, ...way }) => {
      if (field === undefined) return group.length;
      return measured(
        op,
        group.map(({ row }) => valueBy(row, { field, ...way }, others)).filter((value) => value !== null),
      );
    }),
  ]);
}

function measured(op: AggregateQuery['measures'][number]['op'], values: readonly (string | number)[]): Plain {
  if (op === 'count') return values.length;
  if (op === 'sum') return added(values.filter((value) => typeof value === 'number'));
  return values.reduce<Plain>((best, value) => (best === null || order(value, best) < 0 === (op === 'min') ? value : best), null);
}

/** Exact where all are whole; fractions are added as such. */
function added(numbers: readonly number[]): string {
  const fractions = numbers.filter((number) => number % 1 !== 0);
  let whole = 0n;
  for (const number of numbers) whole += number % 1 === 0 ? BigInt(number) : 0n;
  let fraction = 0;
  for (const each of fractions) fraction += each;
  return fraction === 0 ? whole.toString() : `${Number(whole) + fraction}`;
}
