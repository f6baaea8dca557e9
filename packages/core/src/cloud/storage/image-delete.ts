import {
  defineDeletion,
  equals,
  FORWARD_ONLY,
  type Id,
  NOTHING_TO_UNDO,
  type Reader,
  type RowOf,
  saga,
  transition,
} from '../../kernel/index.ts';
import { image } from './image.ts';
import type { ImageContext } from './image-context.ts';
import { pool } from './pool.ts';
import { removeOrOwe } from './removal.ts';
import { volume } from './volume.ts';

const PARALLEL = 16;
const PAGE = 1000;

/**
 * Pools that may hold a copy: those in which a volume was made from the image, deleted ones included. Where even its row is gone, the next look at the pool
 * finds the copy and removes it.
 */
async function poolsWithCopy(reader: Reader, imageId: string): Promise<readonly string[]> {
  const ids = new Set<string>();
  for (let after: string | undefined; ; ) {
    const page: readonly RowOf<typeof volume>[] = await reader.list(volume, equals('imageId', imageId), {
      deleted: true,
      limit: PAGE,
      ...(after === undefined ? {} : { after: [after] }),
    });
    for (const row of page) ids.add(row.poolId);
    after = page.at(-1)?.id;
    if (page.length < PAGE) break;
  }
  const rows = await Promise.all([...ids].map((id) => reader.find(pool, id)));
  return rows.flatMap((row) => (row === undefined || row.deletedAt !== undefined ? [] : [row.id]));
}

const removeImage = saga<ImageContext, { readonly imageId: Id<'image'> }>('image.remove', 1)
  .effect('pools', { do: ({ ctx, params }) => poolsWithCopy(ctx.reader, params.imageId), undo: NOTHING_TO_UNDO, needed: true })
  .each('copies', {
    items: ({ out }) => out.pools,
    limit: PARALLEL,
    do: (step) => removeOrOwe(step, 'image.delete', step.item, step.params.imageId),
    undo: FORWARD_ONLY,
  })
  .effect('content', { do: ({ ctx, params }) => ctx.imageStore.delete(params.imageId), undo: FORWARD_ONLY })
  .write('deleted', {
    do: ({ params }) => [transition(image, params.imageId, { from: 'deleting', to: 'deleted' })],
    undo: FORWARD_ONLY,
  })
  .build();

export const imageDeletion = (context: ImageContext) =>
  defineDeletion({
    kind: image,
    from: ['awaiting_content', 'available'],
    remove: removeImage,
    trash: {},
    context: () => context,
    params: (row: RowOf<typeof image>) => ({ imageId: row.id }),
  });
