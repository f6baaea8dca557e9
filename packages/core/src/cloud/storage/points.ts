import { notice } from '../../kernel/index.ts';

/** A pool as its backend says it is now; `reason` in the backend's own words, empty where it gives none. */
export type PoolEvent = {
  readonly poolId: string;
  readonly health: 'healthy' | 'degraded' | 'unavailable';
  readonly reason: string;
};
/** A pool keeps fewer copies than it should, has reads or writes waiting, or cannot be had (`unavailable`): nothing new is placed there. */
export const poolDegraded = notice<PoolEvent>('pool.degraded');
/** The backend of a pool warns that it will soon refuse writes: nothing new is placed there. */
export const poolNearlyFull = notice<PoolEvent>('pool.nearlyFull');
/** A pool is healthy again and has room. */
export const poolRecovered = notice<PoolEvent>('pool.recovered');
