import type { TObject } from 'typebox';
import { both, CloudError, type Endpoint, type EndpointRequest, equals, isFinished, type Kernel, type RowOf } from '../../kernel/index.ts';
import { image } from './image.ts';
import type { ImageContext } from './image-context.ts';

type ImageRow = RowOf<typeof image>;
interface ContentContext extends ImageContext {
  readonly kernel: () => Kernel;
}

const COMPLETE_TIMEOUT_MS = 30_000;

/** Images go in and out as streams; what they are is told by their bytes. */
export const imageContentEndpoints = (context: ContentContext): readonly Endpoint[] => [
  {
    type: 'upload',
    method: 'PUT',
    path: '/images/{id}/content',
    summary: 'Uploads the content of an image: qcow2 or raw. A digest in `Repr-Digest` is verified; an interrupted upload leaves nothing.',
    permission: 'image.upload',
    answer: image.rowSchema as TObject,
    handle: (request) => upload(context, request),
  },
  {
    type: 'download',
    method: 'GET',
    path: '/images/{id}/content',
    summary: 'The content of an image, as it was uploaded.',
    permission: 'image.download',
    handle: async (request) => {
      const row = await imageOf(context, request);
      if (row.state !== 'available')
        throw new CloudError('conflict', `Image ${row.name} is ${row.state}.`, { params: { state: row.state } });
      const content = await context.imageStore.open(row.id);
      return { sizeBytes: content.sizeBytes, open: () => content.open(), mediaType: 'application/octet-stream' };
    },
  },
];

async function upload(context: ContentContext, request: EndpointRequest): Promise<ImageRow> {
  const { uploads, settings } = context;
  const { id } = takesContent(await imageOf(context, request));
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > settings.imageBytesMax)
    throw new CloudError('too_large', 'The content is larger than an image may be.', { params: { limitBytes: settings.imageBytesMax } });
  if (!uploads.begin(id)) throw new CloudError('conflict', 'Another upload of this image is under way.');
  try {
    // Another upload may have ended between the look above and this one's begin.
    return await receive(context, request, takesContent(await context.reader.get(image, id)));
  } finally {
    uploads.end(id);
  }
}

/** @throws CloudError conflict */
function takesContent(row: ImageRow): ImageRow {
  if (row.sourceUrl !== undefined) throw new CloudError('conflict', `Image ${row.name} is imported and takes no upload.`);
  if (row.state !== 'awaiting_content')
    throw new CloudError('conflict', `Image ${row.name} is ${row.state} and takes no content.`, { params: { state: row.state } });
  return row;
}

async function receive(context: ContentContext, request: EndpointRequest, row: ImageRow): Promise<ImageRow> {
  const { imageStore, uploads, settings } = context;
  if (request.bytes === undefined) throw new CloudError('invalid_input', 'The content is missing.');
  const digest = digestOf(request.headers['repr-digest']);
  try {
    const facts = await imageStore.write(row.id, request.bytes, settings.imageBytesMax);
    if (digest !== undefined && digest !== facts.sha256)
      throw new CloudError('invalid_input', 'The content does not have the digest of Repr-Digest.', {
        params: { expected: digest, found: facts.sha256 },
      });
    uploads.measure(row.id, facts);
    return await complete(context, row, request);
  } catch (error) {
    await discard(context, row.id);
    throw error;
  }
}

/** @throws CloudError of the operation when it failed */
async function complete({ kernel, reader }: ContentContext, row: ImageRow, { principal, signal }: EndpointRequest): Promise<ImageRow> {
  const accepted = await kernel().submit({ action: 'image.complete', resourceId: row.id, input: {}, principal });
  const ended = await kernel().operations.wait(accepted.operationId, COMPLETE_TIMEOUT_MS, signal);
  if (isFinished(ended) && ended.error !== undefined) throw new CloudError(ended.error.code, ended.error.message);
  return (await reader.find(image, row.id)) ?? row;
}

/** Content of a row that will not become available with it. While an operation holds the image, that one decides. */
async function discard({ reader, imageStore, kernel }: ContentContext, imageId: string): Promise<void> {
  const row = await reader.find(image, imageId);
  if (row?.state !== 'available' && !kernel().holds(imageId)) await imageStore.delete(imageId);
}

/** The image by id or name. @throws CloudError not_found */
async function imageOf({ reader }: ImageContext, { params, principal }: EndpointRequest): Promise<ImageRow> {
  const asked = params.id ?? '';
  const byId = await reader.find(image, asked);
  const row = byId ?? (await reader.list(image, both(equals('projectId', principal.projectId), equals('name', asked))))[0];
  if (row === undefined || row.deletedAt !== undefined || row.projectId !== principal.projectId)
    throw new CloudError('not_found', `No image ${asked}.`);
  return row;
}

/** The SHA-256 of a `Repr-Digest` header (RFC 9530) as hex. @throws CloudError invalid_input */
function digestOf(header: string | undefined): string | undefined {
  const encoded = header === undefined ? undefined : /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):/.exec(header)?.[1];
  if (header !== undefined && encoded === undefined)
    throw new CloudError('invalid_input', 'Repr-Digest is `sha-256=:base64:`.', { params: { header: 'Repr-Digest' } });
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('hex');
}
