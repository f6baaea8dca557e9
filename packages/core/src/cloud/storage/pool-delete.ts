import { CloudError, defineDeletion, FORWARD_ONLY, type Id, NOTHING_TO_UNDO, type RowOf, saga, transition } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { pool } from './pool.ts';
import { forgetPoolLimit, type PoolContext } from './pool-context.ts';
import { hostOfPool, poolReachable } from './removal.ts';

interface DeletePoolParams {
  readonly poolId: Id<'pool'>;
  readonly force: boolean;
}

/** Copies of images go with their pool; what else is found in it is not ours to judge and stays. */
export async function clearPool({ pools }: Pick<PoolContext, 'pools'>, poolId: string, call: Call): Promise<void> {
  const opened = await pools.open(poolId);
  for (const object of await opened.list(call)) if (object.kind === 'image') await opened.deleteImage(object.id, call);
  await opened.release(call);
  await pools.forget(poolId);
}

const removePool = saga<PoolContext, DeletePoolParams>('pool.remove', 1)
  .effect('reach', {
    do: async ({ ctx, params }) => {
      if (!params.force && !(await poolReachable(ctx, params.poolId)))
        throw new CloudError('unavailable', 'The host of the pool is out of reach; with `force` it is cleaned up when the host is back.');
    },
    undo: NOTHING_TO_UNDO,
  })
  .effect('clear', {
    do: async ({ ctx, params, call, owe }) => {
      const hostId = await hostOfPool(ctx.reader, params.poolId);
      if (params.force && hostId !== undefined && !(await ctx.hosts.reachable(hostId)))
        owe({ task: 'pool.clear', place: hostId, target: { poolId: params.poolId } });
      else await clearPool(ctx, params.poolId, call);
    },
    undo: FORWARD_ONLY,
  })
  .write('deleted', {
    do: ({ params }) => [
      transition(pool, params.poolId, { from: 'deleting', to: 'deleted', set: { status: 'disconnected' } }),
      forgetPoolLimit(params.poolId),
    ],
    undo: FORWARD_ONLY,
  })
  .build();

export const poolDeletion = (context: PoolContext) =>
  defineDeletion({
    kind: pool,
    from: ['available', 'disabled'],
    remove: removePool,
    context: () => context,
    params: (row: RowOf<typeof pool>, { force }) => ({ poolId: row.id, force }),
  });
