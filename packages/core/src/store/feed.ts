import type { Change } from '../kernel/store.ts';

const TYPES = ['created', 'updated', 'deleted'] as const;
/** How the feed's table holds what happened. */
export const changeCode = (type: Change['type']): number => TYPES.indexOf(type);
export const changeType = (code: number): Change['type'] => TYPES[code] ?? 'updated';

/**
 * Of up to `limit + 1` changes, oldest first, those whose revisions are whole. A number is a revision that alone has more than the limit: it comes whole, or
 * the reader would never get past it.
 */
export function wholeRevisions(changes: readonly Change[], limit: number): Change[] | number {
  const next = changes[limit]?.revision;
  if (next === undefined) return [...changes];
  const whole = changes.filter(({ revision }) => revision < next);
  return whole.length > 0 || limit < 1 ? whole : next;
}
