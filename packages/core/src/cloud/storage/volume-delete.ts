import { CloudError, defineDeletion, FORWARD_ONLY, type Id, NOTHING_TO_UNDO, type RowOf, saga, transition } from '../../kernel/index.ts';
import { poolCapacity } from '../placement/contract.ts';
import { poolReachable, removeOrOwe, type StorageContext } from './removal.ts';
import { volume } from './volume.ts';

interface DeleteVolumeParams {
  readonly volumeId: Id<'volume'>;
  readonly poolId: Id<'pool'>;
  readonly sizeBytes: number;
  readonly force: boolean;
}

export const removeVolume = saga<StorageContext, DeleteVolumeParams>('volume.remove', 1)
  .effect('reach', {
    do: async ({ ctx, params }) => {
      if (!params.force && !(await poolReachable(ctx, params.poolId)))
        throw new CloudError('unavailable', 'The host of its pool is out of reach; with `force` it is removed when the host is back.');
    },
    undo: NOTHING_TO_UNDO,
  })
  .effect('disk', {
    do: async (step) => {
      const { volumeId, poolId, force } = step.params;
      // Without force nothing is owed: the engine tries until the host answers.
      if (force) return removeOrOwe(step, 'volume.delete', poolId, volumeId);
      await (await step.ctx.pools.open(poolId)).deleteVolume(volumeId, step.call);
    },
    undo: FORWARD_ONLY,
  })
  .write('deleted', {
    do: ({ params }) => [
      transition(volume, params.volumeId, { from: 'deleting', to: 'deleted' }),
      poolCapacity(params.poolId, params.sizeBytes, -1),
    ],
    undo: FORWARD_ONLY,
  })
  .build();

/** Alone a volume must be free; a machine's deletion takes those along that go with it. */
export const volumeDeletion = (context: () => StorageContext) =>
  defineDeletion({
    kind: volume,
    from: ['available'],
    remove: removeVolume,
    context,
    params: ({ id, poolId, sizeBytes }: RowOf<typeof volume>, { force }) => ({ volumeId: id, poolId, sizeBytes, force }),
  });
