import { CloudError, type Id, NOTHING_TO_UNDO, type RowOf, revert, saga, transition } from '../../kernel/index.ts';
import { image } from './image.ts';
import type { ImageFacts } from './pools.ts';
import { removeOrOwe, type StorageContext } from './removal.ts';
import { volume } from './volume.ts';

export type VolumeContext = StorageContext;

export interface CreateVolumeParams {
  readonly volumeId: Id<'volume'>;
  readonly poolId: Id<'pool'>;
  readonly sizeBytes: number;
  readonly imageId?: Id<'image'>;
}

/** Filling a pool's copy of an image moves gigabytes. */
const COPY_TIMEOUT_MS = 3600_000;

/** The disk of a volume whose row is there in `creating`. Also runs inside the creation of machines. */
export const createVolume = saga<VolumeContext, CreateVolumeParams>('volume.create', 1)
  .effect('image', {
    timeoutMs: COPY_TIMEOUT_MS,
    do: async ({ ctx, params, call }) => {
      if (params.imageId === undefined) return;
      const facts = imageFacts(await ctx.reader.get(image, params.imageId));
      await (await ctx.pools.open(params.poolId)).ensureImage(facts, call);
    },
    // The copy is a cache: the next volume finds it, the image's deletion removes it.
    undo: NOTHING_TO_UNDO,
  })
  .effect('disk', {
    do: async ({ ctx, params: { volumeId, poolId, sizeBytes, imageId }, call }) => {
      const pool = await ctx.pools.open(poolId);
      await pool.createVolume({ id: volumeId, sizeBytes, ...(imageId === undefined ? {} : { imageId }) }, call);
    },
    undo: (step) => removeOrOwe(step, 'volume.delete', step.params.poolId, step.params.volumeId),
  })
  .write('available', {
    do: ({ params }) => [transition(volume, params.volumeId, { from: 'creating', to: 'available' })],
    undo: ({ params }) => [revert(volume, params.volumeId, { from: 'available', to: 'creating' })],
  })
  .build();

/** What pools need to know of an image. @throws CloudError conflict while its content is not there */
export function imageFacts(row: RowOf<typeof image>): ImageFacts {
  if (row.format === undefined || row.virtualSizeBytes === undefined)
    throw new CloudError('conflict', `Image ${row.name} has no content yet.`, { pointer: '/imageId' });
  return { id: row.id, format: row.format, virtualSizeBytes: row.virtualSizeBytes };
}
