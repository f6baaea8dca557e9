import type { Json, JsonObject } from '../json.ts';
import type { AggregateQuery, AggregateRow } from '../store.ts';
import { compareValues, type Rows, valueAlong } from './matches.ts';

type Group = string | number | null;

/** What `aggregate` means, said in the plainest way. Stores answer the same. */
export function tally(
  rows: readonly JsonObject[],
  { groupBy = [], measures, limit }: Omit<AggregateQuery, 'table'>,
  others?: Rows,
): AggregateRow[] {
  const groups = new Map<string, { readonly values: readonly Group[]; readonly rows: JsonObject[] }>();
  if (groupBy.length === 0) groups.set('[]', { values: [], rows: [] });
  for (const row of rows) {
    const values = groupBy.map((path) => plain(valueAlong(row, path, others)));
    const key = JSON.stringify(values);
    const group = groups.get(key) ?? { values, rows: [] };
    groups.set(key, group);
    group.rows.push(row);
  }
  const sorted = [...groups.values()].sort((a, b) => compareGroups(a.values, b.values)).slice(0, limit);
  return sorted.map((group) => [...group.values, ...measures.map((measure) => measured(measure, group.rows, others))]);
}

function measured({ op, field, ...way }: AggregateQuery['measures'][number], rows: readonly JsonObject[], others: Rows | undefined): Group {
  if (field === undefined) return rows.length;
  const values = rows.map((row) => plain(valueAlong(row, { field, ...way }, others))).filter((value) => value !== null);
  if (op === 'count') return values.length;
  if (op === 'sum') return sum(values.filter((value) => typeof value === 'number'));
  const sorted = values.toSorted(compareValues);
  return (op === 'min' ? sorted[0] : sorted.at(-1)) ?? null;
}

function sum(numbers: readonly number[]): string {
  const whole = numbers.filter(Number.isInteger).reduce((total, value) => total + BigInt(value), 0n);
  const fraction = numbers.filter((value) => !Number.isInteger(value)).reduce((total, value) => total + value, 0);
  return fraction === 0 ? String(whole) : String(Number(whole) + fraction);
}

function compareGroups(a: readonly Group[], b: readonly Group[]): number {
  for (const [place, left] of a.entries()) {
    const right = b[place] ?? null;
    if (left === right) continue;
    if (left === null) return -1;
    if (right === null) return 1;
    return compareValues(left, right);
  }
  return 0;
}

/** A value as stores hold it. */
function plain(value: Json): Group {
  if (value === null) return null;
  if (typeof value === 'boolean') return value ? 1 : 0;
  return typeof value === 'object' ? JSON.stringify(value) : value;
}
