import { Type } from 'typebox';
import {
  bytesText,
  CloudError,
  change,
  defineAction,
  FORWARD_ONLY,
  type Id,
  NOTHING_TO_UNDO,
  quotaGrowth,
  quotaReleased,
  type Statement,
  saga,
} from '../../kernel/index.ts';
import { poolCapacity } from '../placement/contract.ts';
import { refuseFull } from './pool-choice.ts';
import { poolReachable, type StorageContext } from './removal.ts';
import { diskBytes, volume } from './volume.ts';

interface ResizeVolumeParams {
  readonly volumeId: Id<'volume'>;
  readonly poolId: Id<'pool'>;
  readonly fromBytes: number;
  readonly sizeBytes: number;
  /** What it grows by, taken when it was accepted. */
  readonly quota?: readonly Statement[];
}

/** A disk that may have grown cannot be made smaller again, so all that can be wrong is asked before. */
const resizeVolume = saga<StorageContext, ResizeVolumeParams>('volume.resize', 1)
  .effect('ready', {
    do: async ({ ctx, params, call }) => {
      const row = await ctx.reader.get(volume, params.volumeId);
      if (row.sizeBytes !== params.fromBytes)
        throw new CloudError('conflict', `Volume ${row.name} was resized meanwhile.`, { params: { sizeBytes: row.sizeBytes } });
      if (!(await poolReachable(ctx, params.poolId))) throw new CloudError('unavailable', 'The host of its pool is out of reach.');
      const pool = await ctx.pools.open(params.poolId);
      const stored = await pool.inspect('volume', params.volumeId, call);
      if (stored === undefined) throw new CloudError('not_found', `${pool.place} has nothing of volume ${row.name}.`);
      if (stored.sizeBytes > params.sizeBytes)
        throw new CloudError('conflict', `Volume ${row.name} has ${bytesText(stored.sizeBytes)} in ${pool.place}, and only grows.`, {
          params: { sizeBytes: stored.sizeBytes },
        });
    },
    undo: NOTHING_TO_UNDO,
  })
  .effect('disk', {
    do: async ({ ctx, params, call }) => (await ctx.pools.open(params.poolId)).resizeVolume(params.volumeId, params.sizeBytes, call),
    undo: FORWARD_ONLY,
  })
  .write('size', {
    do: ({ params }) => [change(volume, params.volumeId, { sizeBytes: params.sizeBytes }), ...quotaReleased(params.quota)],
    undo: FORWARD_ONLY,
  })
  .build();

export const volumeResize = (context: StorageContext) =>
  defineAction({
    kind: volume,
    verb: 'resize',
    description: 'Grows a volume that is not attached.',
    target: 'resource',
    input: Type.Object({ sizeBytes: diskBytes(' Not smaller than now.') }),
    from: ['available'],
    accept: async ({ id, row, input: { sizeBytes }, reader }) => {
      if (sizeBytes < row.sizeBytes)
        throw new CloudError('invalid_input', `A volume only grows; it has ${bytesText(row.sizeBytes)}.`, {
          pointer: '/sizeBytes',
          params: { minimumBytes: row.sizeBytes },
        });
      await refuseFull(reader, row.poolId, sizeBytes - row.sizeBytes);
      const quota = quotaGrowth(volume, row, { sizeBytes });
      return {
        params: { volumeId: id, poolId: row.poolId, fromBytes: row.sizeBytes, sizeBytes, quota },
        statements: [
          { op: 'expect', table: volume.name, key: id, expect: { sizeBytes: row.sizeBytes } },
          poolCapacity(row.poolId, sizeBytes - row.sizeBytes, 1),
          ...quota,
        ],
      };
    },
    saga: resizeVolume,
    context: () => context,
    unwound: ({ poolId, fromBytes, sizeBytes, quota }) => [poolCapacity(poolId, sizeBytes - fromBytes, -1), ...quotaReleased(quota)],
  });
