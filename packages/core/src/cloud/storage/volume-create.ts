import { Type } from 'typebox';
import {
  bytesText,
  CloudError,
  defineAction,
  type Id,
  NOTHING_TO_UNDO,
  type Principal,
  type Reader,
  type RowOf,
  resourceName,
  revert,
  saga,
  transition,
  usable,
} from '../../kernel/index.ts';
import { given, nameOr } from '../naming.ts';
import { image, unusable } from './image.ts';
import { choosePool } from './pool-choice.ts';
import type { ImageFacts } from './pools.ts';
import { removeOrOwe, type StorageContext } from './removal.ts';
import { diskBytes, volume } from './volume.ts';
import { volumeRows } from './volume-rows.ts';

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
    light: true,
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

/** What pools need to know of an image. @throws CloudError conflict while it has no content, or is being deleted */
export function imageFacts(row: RowOf<typeof image>): ImageFacts {
  if (row.format === undefined || row.virtualSizeBytes === undefined || row.state !== 'available') throw unusable(row, '/imageId');
  return { id: row.id, format: row.format, virtualSizeBytes: row.virtualSizeBytes };
}

const { properties } = volume.schema;
const uuid = Type.Optional(Type.String({ format: 'uuid' }));

export const volumeCreate = (context: VolumeContext) =>
  defineAction({
    kind: volume,
    verb: 'create',
    description: 'Makes a volume, empty or cloned from an image, in the pool given or in the emptiest that fits.',
    target: 'collection',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      description: properties.description,
      sizeBytes: Type.Optional(diskBytes(' Default: the size of the image.')),
      imageId: uuid,
      poolId: uuid,
      storageClass: Type.Optional(Type.String({ minLength: 1, maxLength: 63 })),
      hostId: Type.Optional(Type.String({ format: 'uuid', description: 'A host that must reach it.' })),
    }),
    accept: async ({ id, input, projectId, principal, reader, attempt }) => {
      const source = input.imageId === undefined ? undefined : await imageFor(reader, principal, input.imageId);
      const sizeBytes = sizeFor(input.sizeBytes, source);
      const where = given({ poolId: input.poolId, storageClass: input.storageClass, hostId: input.hostId });
      const { id: poolId } = await choosePool(reader, { ...where, sizeBytes, attempt });
      const cloned = given({ imageId: source?.id });
      return {
        params: { volumeId: id, poolId, sizeBytes, ...cloned },
        statements: volumeRows.reserve({
          ...cloned,
          ...given({ description: input.description }),
          id,
          projectId,
          poolId,
          sizeBytes,
          name: nameOr(input.name, volume, id),
          deleteWithInstance: false,
        }),
      };
    },
    saga: createVolume,
    context: () => context,
    unwound: ({ volumeId, poolId, sizeBytes }) => volumeRows.takeBack({ id: volumeId, poolId, sizeBytes }),
  });

/** An image that the caller may use, with its content. @throws CloudError not_found, conflict */
export async function imageFor(reader: Reader, principal: Principal, imageId: string): Promise<ImageFacts & { readonly id: Id<'image'> }> {
  const row = await usable(reader, image, imageId, principal, '/imageId');
  return { ...imageFacts(row), id: row.id };
}

/** @throws CloudError invalid_input when the image does not fit, or no size is known */
function sizeFor(asked: number | undefined, source: ImageFacts | undefined): number {
  const sizeBytes = asked ?? source?.virtualSizeBytes;
  if (sizeBytes === undefined) throw new CloudError('invalid_input', 'An empty volume needs a size.', { pointer: '/sizeBytes' });
  if (source !== undefined && sizeBytes < source.virtualSizeBytes)
    throw new CloudError('invalid_input', `The image needs ${bytesText(source.virtualSizeBytes)}.`, {
      pointer: '/sizeBytes',
      params: { minimumBytes: source.virtualSizeBytes },
    });
  return sizeBytes;
}
