import {
  type Clock,
  CloudError,
  type Id,
  NOTHING_TO_UNDO,
  type Principal,
  type Reader,
  type RowOf,
  saga,
  usable,
} from '../../kernel/index.ts';
import type { Call, IsoSpec } from '../../strategy/index.ts';
import { image, refuseObsolete } from './image.ts';
import type { StorageContext } from './removal.ts';
import { giveSecret, type ReachContext } from './volume-reach.ts';
import { imageFacts } from './volume-source.ts';

export type Iso = RowOf<typeof image> & { readonly virtualSizeBytes: number };

/** An ISO that the caller may use, with its content. @throws CloudError not_found, conflict */
export async function isoFor(reader: Reader, principal: Principal, imageId: string, clock: Clock, pointer: string): Promise<Iso> {
  const row = await usable(reader, image, imageId, principal, pointer);
  refuseObsolete(row, clock, pointer);
  const { virtualSizeBytes } = imageFacts(row, pointer);
  if (row.format === 'iso') return { ...row, virtualSizeBytes };
  throw new CloudError('conflict', `Image ${row.name} is no ISO; drives take ISOs alone.`, {
    pointer,
    params: { format: row.format ?? null },
  });
}

interface PlaceIsoParams {
  readonly imageId: Id<'image'>;
  /** That of the machine's root disk: what reaches the one reaches the other. */
  readonly poolId: Id<'pool'>;
}

/** Gigabytes. */
export const ISO_COPY_TIMEOUT_MS = 3600_000;

/** The pool gets the copy from which machines read an ISO, unless it has it. @throws CloudError unsupported */
export async function copyIso(
  ctx: Pick<StorageContext, 'pools' | 'reader'>,
  imageId: Id<'image'>,
  poolId: string,
  call: Call,
): Promise<void> {
  const pool = await ctx.pools.open(poolId);
  pool.needImageAttach();
  await pool.ensureImage(imageFacts(await ctx.reader.get(image, imageId)), call);
}

/** The same inside the creation of machines. */
export const placeIso = saga<Pick<StorageContext, 'pools' | 'reader'>, PlaceIsoParams>('image.place', 1)
  .effect('image', {
    light: true,
    timeoutMs: ISO_COPY_TIMEOUT_MS,
    do: ({ ctx, params: { imageId, poolId }, call }) => copyIso(ctx, imageId, poolId, call),
    // The copy is a cache: the next machine finds it.
    undo: NOTHING_TO_UNDO,
  })
  .build();

/** An ISO as a machine of that host reads it, whose root disk is in that pool. The pool gets its copy where it has lost it. */
export async function isoSpec(
  ctx: ReachContext & { readonly reader: Reader },
  { imageId, poolId, hostId }: { readonly imageId: Id<'image'>; readonly poolId: string; readonly hostId: string },
  call: Call,
): Promise<IsoSpec> {
  const pool = await ctx.pools.open(poolId);
  await pool.ensureImage(imageFacts(await ctx.reader.get(image, imageId)), call);
  const attachment = await pool.attachImage(imageId, call);
  await giveSecret(ctx, pool, hostId, attachment, call);
  return { imageId, attachment };
}
