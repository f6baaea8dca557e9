import { CloudError } from '../../kernel/index.ts';
import type { Pools } from './pools.ts';

/** What keeps a volume of several machines out of a pool: one that cannot have such. */
export const sharedNotIn =
  ({ pools }: { readonly pools: Pick<Pools, 'open'> }, pointer = '/shareable') =>
  async (poolId: string): Promise<CloudError | undefined> => {
    const pool = await pools.open(poolId);
    if (pool.canShare) return undefined;
    return new CloudError('unsupported', `${pool.place} cannot make volumes of several machines.`, { pointer, params: { poolId } });
  };
