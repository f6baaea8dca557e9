/**
 * Hosts choose by what a connection hashes to, in a table of places: as many as there are entries, made a power of two, and 16 at least. Places that are left over when each entry has
 * as many as the next go to the first ones. So only as many entries as the table has places, or a part of 16, get what they are to get: three would have 6, 5 and 5 of 16.
 */
const PLACES = { least: 16, most: 256 } as const;
/** By how much of its own a share may differ from its weight; beyond that the table is made larger. */
const TOLERANCE = 0.025;

const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));
const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);
const isPowerOfTwo = (n: number): boolean => Number.isInteger(Math.log2(n));

/**
 * OVN knows no weights: who is to get more is named more often. How often each of those with a weight above 0. `mayFail`: hosts leave out who does not answer; whoever that is, the others are to have
 * what their weights say of all, too.
 */
export function countsOf(backends: readonly { readonly weight: number }[], mayFail: boolean): readonly number[] {
  const weights = backends.map(({ weight }) => weight).filter((weight) => weight > 0);
  const common = weights.reduce(divisor, 0) || 1;
  const least = weights.map((weight) => weight / common);
  const sum = total(least);
  const isFair = (counts: readonly number[]) =>
    isSpread(counts, least) && (!mayFail || least.every((_, out) => isSpread(counts, least, out)));
  if (weights.length < 2 || (sum <= PLACES.most && isPowerOfTwo(sum) && isFair(least))) return least;
  for (let places: number = PLACES.least; ; places *= 2) {
    // Nobody is left without.
    if (places < least.length) continue;
    const counts = apportioned(least, places);
    if (places >= PLACES.most || isFair(counts)) return counts;
  }
}

/** Whether places of a host's table are as the weights say, also without one of them. */
function isSpread(counts: readonly number[], weights: readonly number[], out?: number): boolean {
  const entries = interleaved([...counts.keys()], counts).filter((at) => at !== out);
  const places = Math.max(PLACES.least, 2 ** Math.ceil(Math.log2(entries.length)));
  const had = counts.map(() => 0);
  for (let place = 0; place < places; place += 1) {
    const at = entries[place % entries.length] ?? 0;
    had[at] = (had[at] ?? 0) + 1;
  }
  const sum = total(weights) - (out === undefined ? 0 : (weights[out] ?? 0));
  return had.every((count, at) => at === out || isNear(count / places, (weights[at] ?? 0) / sum));
}

const isNear = (share: number, wanted: number): boolean => Math.abs(share / wanted - 1) <= TOLERANCE;

/** So many places by these weights: one each at least, and who is furthest below what is his gets the next. */
function apportioned(weights: readonly number[], places: number): readonly number[] {
  const sum = total(weights);
  const counts = weights.map((weight) => Math.max(1, Math.floor((weight * places) / sum)));
  for (let missing = places - total(counts); missing !== 0; missing -= Math.sign(missing)) {
    const lacking = counts.map((count, at) => ((weights[at] ?? 0) * places) / sum - count);
    // One that has a place because everybody has one keeps it.
    const at =
      missing > 0 ? lacking.indexOf(Math.max(...lacking)) : lacking.indexOf(Math.min(...lacking.filter((_, n) => (counts[n] ?? 0) > 1)));
    counts[at] = (counts[at] ?? 0) + Math.sign(missing);
  }
  return counts;
}

/** Who is named how often, each evenly among the others: when one is left out, since its machine does not answer, what becomes of its places is shared by all. */
export function interleaved<T>(items: readonly T[], counts: readonly number[]): readonly T[] {
  const named = items.flatMap((item, at) => {
    const count = counts[at] ?? 0;
    return Array.from({ length: count }, (_, n) => ({ item, place: (n + 0.5) / count }));
  });
  return named.toSorted((a, b) => a.place - b.place).map(({ item }) => item);
}
