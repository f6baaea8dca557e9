import {
  CloudError,
  defineDeletion,
  FORWARD_ONLY,
  forgetSealed,
  type Id,
  NOTHING_TO_UNDO,
  type Reader,
  type RowOf,
  saga,
  transition,
} from '../../kernel/index.ts';
import { instance } from '../compute/contract.ts';
import { poolCapacity } from '../placement/contract.ts';
import { pool } from './pool.ts';
import { deleteVolume, poolReachable, removeOrOwe, type StorageContext } from './removal.ts';
import { volume } from './volume.ts';

type VolumeRow = RowOf<typeof volume>;

interface DeleteVolumeParams {
  readonly volumeId: Id<'volume'>;
  readonly poolId: Id<'pool'>;
  readonly sizeBytes: number;
  readonly force: boolean;
}

export const removeVolume = saga<StorageContext, DeleteVolumeParams>('volume.remove', 1)
  .effect('reach', {
    do: async ({ ctx, params }) => {
      // It may have been moved since this was planned. One that a move is stuck with, which force has passed by, may lie in two pools.
      const { poolId, movingToPoolId, leftPoolId, encryptionKey, otherKey } = await ctx.reader.get(volume, params.volumeId);
      const poolIds = [...new Set([poolId, movingToPoolId, leftPoolId].filter((id) => id !== undefined))];
      for (const id of poolIds)
        if (!params.force && !(await poolReachable(ctx, id)))
          throw new CloudError('unavailable', 'The host of its pool is out of reach; with `force` it is removed when the host is back.');
      // Its key may have been changed since, or be about to be by what force has passed by.
      const home = await ctx.reader.find(pool, poolId);
      const isLost = home === undefined || home.deletedAt !== undefined;
      return { poolId, isLost, poolIds, keys: [encryptionKey, otherKey].filter((key) => key !== undefined) };
    },
    undo: NOTHING_TO_UNDO,
  })
  .effect('disk', {
    do: async (step) => {
      const { volumeId, force } = step.params;
      // Without force nothing is owed: the engine tries until the host answers.
      for (const poolId of step.out.reach.poolIds)
        if (force) await removeOrOwe(step, 'volume.delete', poolId, volumeId);
        else await deleteVolume(step.ctx, await step.ctx.pools.open(poolId), volumeId, step.call);
    },
    undo: FORWARD_ONLY,
  })
  .write('deleted', {
    do: ({ params, out: { reach } }) => [
      transition(volume, params.volumeId, { from: 'deleting', to: 'deleted' }),
      // Of a pool that is gone nothing is counted any more.
      ...(reach.isLost ? [] : [poolCapacity(reach.poolId, params.sizeBytes, -1)]),
      ...reach.keys.map(forgetSealed),
    ],
    undo: FORWARD_ONLY,
  })
  .build();

/** Names the machine that has it, and the way to free it: another for a root disk, which no machine can do without. */
async function heldByInstance(row: VolumeRow, reader: Reader): Promise<CloudError | undefined> {
  const holder = row.instanceId === undefined ? undefined : await reader.find(instance, row.instanceId);
  if (row.state !== 'attached' || holder === undefined) return undefined;
  const message =
    row.slot === 0
      ? `Volume ${row.name} is the root disk of instance ${holder.name}; delete the instance first.`
      : `Volume ${row.name} is attached to instance ${holder.name}; run detach-volume on the instance first.`;
  return new CloudError('in_use', message, { params: { blockers: [{ kind: instance.name, id: holder.id, name: holder.name }] } });
}

/** Alone a volume must be free; a machine's deletion takes those along that go with it. */
export const volumeDeletion = (context: () => StorageContext) =>
  defineDeletion({
    kind: volume,
    from: ['available'],
    heldBy: heldByInstance,
    remove: removeVolume,
    trash: {},
    context,
    params: ({ id, poolId, sizeBytes }: VolumeRow, { force }) => ({ volumeId: id, poolId, sizeBytes, force }),
  });
