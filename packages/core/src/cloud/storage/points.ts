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

/** A host does not reach a pool that is well: no machine that needs it is placed there. */
export const hostPoolUnreached = notice<{ readonly hostId: string; readonly poolId: string; readonly reason: string }>(
  'host.poolUnreached',
);
/** A host reaches a pool again. */
export const hostPoolReached = notice<{ readonly hostId: string; readonly poolId: string }>('host.poolReached');
