import type { Atom, ColumnType } from './column-type.ts';
import { before, decode, decodeAtom, emptyCopy, members, pairs, sorted, type Value, type ValueMap } from './values.ts';

/** From so many members on a set is rebuilt; below, each is put in or taken out where it belongs. */
const rebuiltFrom = 128;

/**
 * A column's value after a `modify`. Columns of at most one value come whole. Of sets come the members that only one side has; of maps those pairs, and the
 * new ones of keys whose values differ.
 */
export function applyDiff(type: ColumnType, old: Value, json: unknown): Value {
  if (type.max === 1) return decode(type, json);
  if (type.value !== undefined) return applyMapDiff(type, old as ValueMap, json);
  const difference = members(json).map((member) => decodeAtom(type.key, member));
  const set = old as readonly Atom[];
  return difference.length < rebuiltFrom ? toggleEach(set, difference) : toggleAll(set, difference);
}

function toggleEach(set: readonly Atom[], difference: readonly Atom[]): readonly Atom[] {
  const result = [...set];
  for (const atom of difference) {
    const at = positionOf(result, atom);
    if (result[at] === atom) result.splice(at, 1);
    else result.splice(at, 0, atom);
  }
  return result;
}

function toggleAll(set: readonly Atom[], difference: readonly Atom[]): readonly Atom[] {
  const result = new Set(set);
  for (const atom of difference) if (!result.delete(atom)) result.add(atom);
  return sorted([...result]);
}

/** Where in a sorted set a member is, or belongs. */
function positionOf(set: readonly Atom[], atom: Atom): number {
  let low = 0;
  let high = set.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (before(set[middle], atom)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function applyMapDiff(type: ColumnType, old: ValueMap, json: unknown): ValueMap {
  const map = emptyCopy();
  // Of a map of a thousand pairs a third of what Object.assign takes.
  for (const key in old) map[key] = old[key] as Atom;
  for (const [k, v] of pairs(json)) {
    const key = String(decodeAtom(type.key, k));
    const value = type.value === undefined ? '' : decodeAtom(type.value, v);
    if (map[key] === value) delete map[key];
    else map[key] = value;
  }
  return map;
}
