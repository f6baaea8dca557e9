import type { PoolCapacity } from '../../strategy/index.ts';

/** How large a pool is, as its row and its counter say. */
export interface CountedCapacity {
  /** At most 2^53−1, as is the next. */
  readonly totalBytes: number;
  readonly freeBytes: number;
  /** Of all that there is, also where that is more than is counted; by whomever. */
  readonly usedShare: number;
}

const COUNTED_BYTES_MAX = Number.MAX_SAFE_INTEGER;

const atMost = (bytes: bigint): number => (bytes > COUNTED_BYTES_MAX ? COUNTED_BYTES_MAX : Number(bytes));

/** What a driver tells, as far as one number tells it exactly. */
export function counted(told: PoolCapacity): CountedCapacity {
  const [total, free] = [BigInt(told.totalBytes), BigInt(told.freeBytes)];
  return { totalBytes: atMost(total), freeBytes: atMost(free), usedShare: total === 0n ? 0 : Number(total - free) / Number(total) };
}

/** What volumes may be promised of a pool in all: no more than counters tell exactly. */
export const promisedBytes = (totalBytes: number, overcommit: number): number =>
  Math.min(COUNTED_BYTES_MAX, Math.floor(totalBytes * overcommit));

/** As the row shows it: whether there is more of it, or may be promised of it, than is counted. */
export const cappedBy = (totalBytes: number, overcommit: number): true | null =>
  totalBytes >= COUNTED_BYTES_MAX || Math.floor(totalBytes * overcommit) > COUNTED_BYTES_MAX ? true : null;
