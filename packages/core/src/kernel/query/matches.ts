import type { Json, JsonObject } from '../json.ts';
import type { Condition, FieldPath } from '../store.ts';

type Scalar = string | number | boolean;

/** Live rows of a table, for conditions that look into others. */
export type Rows = (table: string) => Iterable<JsonObject>;

const NOWHERE: Rows = (table) => {
  throw new Error(`a condition that looks into the table ${table} needs its rows`);
};

/**
 * Whether the condition holds for the row: what it means, said in the plainest way. A comparison with an absent field is false, all else is ordinary logic.
 * Stores answer the same by their indexes.
 * @throws Error when the condition looks into other tables and no rows of theirs are given
 */
export function matches(row: JsonObject, condition: Condition, rows: Rows = NOWHERE): boolean {
  if ('and' in condition) return condition.and.every((part) => matches(row, part, rows));
  if ('or' in condition) return condition.or.some((part) => matches(row, part, rows));
  if ('not' in condition) return !matches(row, condition.not, rows);
  if ('exists' in condition) {
    const { table, local, remote, where } = condition.exists;
    const wanted = valueAt(row, local);
    if (wanted === null) return false;
    return [...rows(table)].some((other) => valueAt(other, remote) === wanted && (where === undefined || matches(other, where, rows)));
  }
  if ('some' in condition) {
    const { field, where } = condition.some;
    return elementsOf(valueAt(row, field)).some((element) => where === undefined || matches(element, where, rows));
  }
  const value = valueAt(row, condition.field);
  if (!('value' in condition)) return (value === null) === (condition.op === 'null');
  if (value === null || typeof value === 'object') return false;
  if (condition.op === 'in') return condition.value.some((wanted) => compareValues(value, wanted) === 0);
  if (condition.op === 'like') return typeof value === 'string' && isLike(value, condition.value);
  const order = compareValues(value, condition.value);
  return { '=': order === 0, '!=': order !== 0, '<': order < 0, '<=': order <= 0, '>': order > 0, '>=': order >= 0 }[condition.op];
}

const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

export function valueAt(row: JsonObject, field: string): Json {
  let at: Json = row;
  for (const name of field.split('.')) {
    if (!isObject(at)) return null;
    at = (Object.hasOwn(at, name) ? at[name] : null) ?? null;
  }
  return at;
}

/** The value at the end of the way; null where it leads to no row. */
export function valueAlong(row: JsonObject, { field, via = [] }: FieldPath, rows: Rows = NOWHERE): Json {
  let at: JsonObject | undefined = row;
  for (const { table, local, remote, where } of via) {
    const wanted: Json = at === undefined ? null : valueAt(at, local);
    const leads = (other: JsonObject) => valueAt(other, remote) === wanted && (where === undefined || matches(other, where, rows));
    at = wanted === null ? undefined : [...rows(table)].find(leads);
  }
  return at === undefined ? null : valueAt(at, field);
}

/** An element as a condition sees it: its own fields, if it has some, and itself. */
function elementsOf(value: Json): readonly JsonObject[] {
  const of = (element: Json) => ({ ...(isObject(element) ? element : {}), $: element });
  if (Array.isArray(value)) return value.map(of);
  return isObject(value) ? Object.entries(value).map(([key, each]) => ({ ...of(each as Json), $key: key })) : [];
}

/** The order of stores: numbers before texts, false as 0 and true as 1, text by code point. */
export function compareValues(a: Scalar, b: Scalar): number {
  if (typeof a === 'string' && typeof b === 'string') return compareTexts(a, b);
  if (typeof a === 'string') return 1;
  if (typeof b === 'string') return -1;
  return Number(a) - Number(b);
}

/** JavaScript compares code units, which puts what lies beyond the basic plane before the last of it. */
function compareTexts(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at += 1;
  if (at === a.length || at === b.length) return a.length - b.length;
  const isSurrogate = (text: string) => (text.charCodeAt(at) & 0xf800) === 0xd800;
  if (isSurrogate(a) !== isSurrogate(b)) return isSurrogate(a) ? 1 : -1;
  return a.charCodeAt(at) - b.charCodeAt(at);
}

const ANY_TEXT = Symbol('any text');
const ANY_CHARACTER = Symbol('any character');

/**
 * `%` is any text, `_` one character, `\` takes what follows literally. Patterns are of callers: none takes longer than its length times that of the text, as
 * a regular expression would that tries all ways to part it.
 */
function isLike(text: string, pattern: string): boolean {
  const wanted = (pattern.match(/\\?[\s\S]/gu) ?? []).map((part) =>
    part === '%' ? ANY_TEXT : part === '_' ? ANY_CHARACTER : part.length > 1 && part.startsWith('\\') ? part.slice(1) : part,
  );
  const found = [...text];
  let at = 0;
  let place = 0;
  // Where the last `%` was, and what is tried behind it: what came before that fits as it is.
  let behindAny = -1;
  let triedFrom = 0;
  while (at < found.length) {
    const part = wanted[place];
    if (part === ANY_TEXT) {
      place += 1;
      [behindAny, triedFrom] = [place, at];
    } else if (part === ANY_CHARACTER || part === found[at]) {
      at += 1;
      place += 1;
    } else if (behindAny >= 0) {
      triedFrom += 1;
      [at, place] = [triedFrom, behindAny];
    } else return false;
  }
  return wanted.slice(place).every((part) => part === ANY_TEXT);
}
