/** Asks whether one of the words that there are was meant. Undefined where none is near. */
export function didYouMean(word: string, known: readonly string[]): string | undefined {
  const far = (candidate: string) => (candidate.startsWith(word) ? 0 : distance(word, candidate));
  const least = Math.min(2, word.length - 1, ...known.map(far));
  const near = known.filter((candidate) => far(candidate) <= least);
  return near.length === 0 ? undefined : `Did you mean ${near.join(' or ')}?`;
}

/** Edits between two words. */
export function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let at = 1; at <= from.length; at += 1) {
    const next = [at];
    for (let index = 1; index <= to.length; index += 1) {
      const same = from[at - 1] === to[index - 1] ? 0 : 1;
      next.push(Math.min((row[index] ?? 0) + 1, (next[index - 1] ?? 0) + 1, (row[index - 1] ?? 0) + same));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
