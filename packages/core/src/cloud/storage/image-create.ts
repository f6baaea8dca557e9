import { Type } from 'typebox';
import {
  bytesText,
  CloudError,
  create,
  defineAction,
  type Id,
  type RowOf,
  resourceName,
  revert,
  type Statement,
  saga,
  transition,
} from '../../kernel/index.ts';
import { given, nameOr } from '../naming.ts';
import { image } from './image.ts';
import type { ImageContext } from './image-context.ts';
import { type FormatFacts, HEAD_BYTES, tellFormat } from './image-format.ts';
import { bytesFrom, refuseSource } from './image-source.ts';
import type { ContentFacts } from './image-store.ts';
import { imageBytesMax, imageDiskBytesMax } from './settings.ts';

interface CreateImageParams {
  readonly imageId: Id<'image'>;
  readonly sourceUrl?: string;
  /** What the content must have. */
  readonly sha256?: string;
}

/** Of a whole import, from its request on: a source that breaks off is asked again, and gets no more time by it. */
const IMPORT_MS_MAX = 3600_000;
/** That the import's own time ends it, and not the step's, after which it would be tried again. */
const LATER_MS = 60_000;

type Import = CreateImageParams & { readonly sourceUrl: string };

/** What the row says of content that is in the store. */
export type ImageFields = ContentFacts & FormatFacts;

/**
 * Looks at content that was just written.
 * @throws CloudError invalid_input for another digest than expected, or content that is no image; too_large
 */
export async function examine(
  { imageStore, settings }: Pick<ImageContext, 'imageStore' | 'settings'>,
  id: string,
  facts: ContentFacts,
  expected: string | undefined,
): Promise<ImageFields> {
  if (expected !== undefined && expected !== facts.sha256)
    throw new CloudError('invalid_input', 'The content does not have the digest given.', { params: { expected, found: facts.sha256 } });
  const format = tellFormat(await imageStore.head(id, HEAD_BYTES), facts.sizeBytes);
  refuseLargeDisk(settings, format.virtualSizeBytes);
  return { ...facts, ...format };
}

/** @throws CloudError too_large */
export function refuseLargeDisk(settings: ImageContext['settings'], virtualSizeBytes: number): void {
  const limitBytes = settings.global(imageDiskBytesMax);
  if (virtualSizeBytes > limitBytes)
    throw new CloudError(
      'too_large',
      `The image is of a disk of ${bytesText(virtualSizeBytes)}, which is larger than one may be: ${bytesText(limitBytes)}.`,
      { params: { limitBytes } },
    );
}

export const imageAvailable = (imageId: Id<'image'>, fields: ImageFields): Statement =>
  transition(image, imageId, { from: 'awaiting_content', to: 'available', set: { ...fields, stateReason: null } });

const contentTakenBack = (imageId: Id<'image'>): Statement => {
  const set = { format: null, sizeBytes: null, virtualSizeBytes: null };
  return revert(image, imageId, { from: 'available', to: 'awaiting_content', set });
};

/** @throws CloudError refused when the time of the import is over, and what `bytesFrom`, the store and `examine` throw */
async function importContent(ctx: ImageContext, { imageId, sourceUrl, sha256 }: Import, signal: AbortSignal): Promise<ImageFields> {
  const { clock, timers } = ctx.environment;
  const { createdAt } = await ctx.reader.get(image, imageId);
  const over = new CloudError('refused', 'The content did not come within an hour of the request, which is what an import may take.');
  const leftMs = Date.parse(createdAt) + IMPORT_MS_MAX - clock.nowMs();
  if (leftMs <= 0) throw over;
  const [abort, late] = [new AbortController(), Promise.withResolvers<never>()];
  late.promise.catch(() => undefined);
  const cancelTimer = timers.after(leftMs, () => {
    abort.abort(over);
    late.reject(over);
  });
  const take = async (): Promise<ImageFields> => {
    const bytes = bytesFrom(ctx, sourceUrl, AbortSignal.any([signal, abort.signal]));
    return examine(ctx, imageId, await ctx.imageStore.write(imageId, bytes, ctx.settings.global(imageBytesMax)), sha256);
  };
  try {
    return await Promise.race([take(), late.promise]);
  } finally {
    cancelTimer();
  }
}

/** With a source it brings the content, too; without, the row waits for an upload. */
const createImage = saga<ImageContext, CreateImageParams>('image.create', 1)
  .effect('fetch', {
    timeoutMs: IMPORT_MS_MAX + LATER_MS,
    do: async ({ ctx, params: { sourceUrl, ...params }, call }): Promise<ImageFields | null> =>
      sourceUrl === undefined ? null : importContent(ctx, { ...params, sourceUrl }, call.signal),
    undo: ({ ctx, params }) => (params.sourceUrl === undefined ? undefined : ctx.imageStore.delete(params.imageId)),
  })
  .write('available', {
    do: ({ params, out }) => (out.fetch === null ? [] : [imageAvailable(params.imageId, out.fetch)]),
    undo: ({ params, out }) => (out.fetch === null ? [] : [contentTakenBack(params.imageId)]),
  })
  .build();

const { properties } = image.schema;

export const imageCreate = (context: ImageContext) =>
  defineAction({
    kind: image,
    verb: 'create',
    description:
      'Registers an image. Its content is uploaded to `/images/{id}/content`, or fetched from `sourceUrl`: an URL, or a `file:` URL of a file on the server, which operators may name.',
    target: 'collection',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      description: properties.description,
      guestOs: Type.Optional(properties.guestOs),
      firmware: Type.Optional(properties.firmware),
      diskBus: Type.Optional(properties.diskBus),
      sourceUrl: properties.sourceUrl,
      sha256: properties.sha256,
    }),
    accept: ({ id, input, projectId, principal }) => {
      if (input.sourceUrl !== undefined) refuseSource(input.sourceUrl, context.config, principal);
      const row: Pick<RowOf<typeof image>, 'guestOs' | 'firmware' | 'diskBus'> = {
        guestOs: input.guestOs ?? 'linux',
        firmware: input.firmware ?? 'bios',
        diskBus: input.diskBus ?? 'virtio',
      };
      return {
        params: { imageId: id, ...given({ sourceUrl: input.sourceUrl, sha256: input.sha256 }) },
        statements: [create(image, { ...given(input), ...row, id, projectId, name: nameOr(input.name, image, id) })],
      };
    },
    saga: createImage,
    context: () => context,
    unwound: ({ imageId }) => [transition(image, imageId, { from: 'awaiting_content', to: 'deleted' })],
  });
