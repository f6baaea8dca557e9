import { Type } from 'typebox';
import { CloudError, change, defineAction, equals, type Id, NOTHING_TO_UNDO, saga } from '../../../kernel/index.ts';
import { poolReachable, type StorageContext } from '../removal.ts';
import { volume } from '../volume.ts';
import { snapshot } from './snapshot.ts';
import { WITH_CONTENT } from './snapshot-rows.ts';

/** For one try; the next goes on from there. */
const COPY_TIMEOUT_MS = 3600_000;

const flattenVolume = saga<StorageContext, { readonly volumeId: Id<'volume'>; readonly poolId: Id<'pool'> }>('volume.flatten', 1)
  .effect('copy', {
    timeoutMs: COPY_TIMEOUT_MS,
    do: async ({ ctx, params: { volumeId, poolId }, call }) => {
      if (!(await poolReachable(ctx, poolId))) throw new CloudError('unavailable', 'The host of its pool is out of reach.');
      await (await ctx.pools.open(poolId)).flatten(volumeId, call);
      // Snapshots taken before still share what they shared.
      return (await ctx.reader.list(snapshot, equals('volumeId', volumeId), { limit: 1 })).length === 0;
    },
    undo: NOTHING_TO_UNDO,
  })
  .write('independent', {
    do: ({ params, out }) => [change(volume, params.volumeId, { snapshotId: null, ...(out.copy ? { imageId: null } : {}) })],
    undo: NOTHING_TO_UNDO,
  })
  .build();

export const volumeFlatten = (context: StorageContext) =>
  defineAction({
    kind: volume,
    verb: 'flatten',
    description: 'Makes a clone independent of the snapshot or image that it was cloned from, by copying what it shares with that.',
    target: 'resource',
    input: Type.Object({}),
    from: [...WITH_CONTENT],
    satisfied: ({ snapshotId, imageId }) => snapshotId === undefined && imageId === undefined,
    accept: async ({ row }) => {
      (await context.pools.open(row.poolId)).needSnapshots();
      return { params: { volumeId: row.id, poolId: row.poolId }, statements: [] };
    },
    saga: flattenVolume,
    context: () => context,
  });
