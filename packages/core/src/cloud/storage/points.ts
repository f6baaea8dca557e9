import { contribution, notice } from '../../kernel/index.ts';
import type { StoredKind } from '../../strategy/index.ts';

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

/** What lies in a pool has a row that explains it (`kept`), or had one, and nobody comes for it any more (`left`). */
export type Explained = 'kept' | 'left';
/**
 * Things lie in a pool that are no volumes and no images by their rows, up to a hundred of one kind: the module that puts such things there answers by id what they
 * are, and nothing of others. What is left is removed, unless an operation is at work under its id; what nobody explains is quarantined as a stray. Of several
 * answers `kept` holds; one that throws is asked about each alone, and says that of those at which it throws then.
 */
export const storedOwner = contribution<{ readonly kind: StoredKind; readonly ids: readonly string[] }, ReadonlyMap<string, Explained>>(
  'pool.storedOwner',
);

/** A host does not reach a pool that is well: no machine that needs it is placed there. */
export const hostPoolUnreached = notice<{ readonly hostId: string; readonly poolId: string; readonly reason: string }>(
  'host.poolUnreached',
);
/** A host reaches a pool again. */
export const hostPoolReached = notice<{ readonly hostId: string; readonly poolId: string }>('host.poolReached');
