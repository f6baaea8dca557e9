import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';

/** Set by `npm run test:full`: nothing is left to chance. */
export const FULL = process.env.PILEUS_FULL === '1';

/** What a commit chooses its share of long work by; the same commit chooses the same. */
export const commit: string = (() => {
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8', cwd: import.meta.dirname }).trim();
  } catch {
    return 'outside of a repository';
  }
})();

/** True for about one title in `parts`, another one with each commit, so that all are played over time; for every title in a full run. */
export const inSlice =
  (parts: number) =>
  (title: string): boolean =>
    FULL || createHash('sha256').update(`${commit} ${title}`).digest().readUInt32BE(0) % parts === 0;

/** So many of them, others with each commit; all of them in a full run. */
export function share<T>(count: number, all: readonly T[], titleOf: (one: T) => string): readonly T[] {
  if (FULL) return all;
  const place = (one: T) =>
    createHash('sha256')
      .update(`${commit} ${titleOf(one)}`)
      .digest('hex');
  return all.toSorted((a, b) => (place(a) < place(b) ? -1 : 1)).slice(0, count);
}
