import { CloudError } from '../../kernel/index.ts';

/** The root disk and 16 more. */
export const DISKS_MAX = 17;
export const NICS_MAX = 8;

/** The lowest slot that is free. @throws CloudError conflict */
export function freeSlot(taken: readonly number[], max: number, what: 'disks' | 'NICs'): number {
  const slot = Array.from({ length: max }, (_, index) => index).find((index) => !taken.includes(index));
  if (slot === undefined) throw new CloudError('conflict', `A machine takes at most ${max} ${what}.`, { params: { max } });
  return slot;
}
