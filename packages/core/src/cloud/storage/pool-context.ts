import type { Id, Statement } from '../../kernel/index.ts';
import { poolCounter } from '../placement/contract.ts';
import type { CloudServices } from '../services.ts';
import type { Hosts } from '../topology/contract.ts';
import { promisedBytes } from './pool-capacity.ts';
import type { Pools } from './pools.ts';
import type { StorageContext } from './removal.ts';

/** What a deleted pool owes to its host: copies of images that are there still. */
export const POOL_CLEAR = 'pool.clear';

/** What sagas on pools reach. */
export interface PoolContext extends StorageContext, Pick<CloudServices, 'settings'> {
  readonly pools: Pick<Pools, 'open' | 'factory' | 'forget'>;
  readonly hosts: Pick<Hosts, 'reachable' | 'hypervisor'>;
  /** Names of the storage strategies installed. */
  readonly drivers: () => readonly string[];
}

export const poolLimit = (poolId: Id<'pool'>, totalBytes: number, overcommit: number): Statement => ({
  op: 'limit',
  counter: poolCounter(poolId),
  limit: promisedBytes(totalBytes, overcommit),
});

/** The counter ends with the pool: one at 0 without a limit is as if it had never been. */
export const forgetPoolLimit = (poolId: Id<'pool'>): Statement => ({ op: 'limit', counter: poolCounter(poolId), limit: null });
