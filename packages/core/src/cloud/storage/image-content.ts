import type { TObject } from 'typebox';
import {
  bytesText,
  CloudError,
  change,
  describeChain,
  type Endpoint,
  type EndpointRequest,
  isCloudError,
  isFinished,
  type Kernel,
  lookUp,
  type RowOf,
  timestamp,
  toErrorRecord,
  type Uploaded,
  type UploadRequest,
} from '../../kernel/index.ts';
import { given } from '../naming.ts';
import { image, unusable } from './image.ts';
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
    summary:
      'Uploads the content of an image: qcow2 or raw, of a disk of whole sectors (512 bytes). A digest in `Repr-Digest` is verified. After a failed upload the image awaits its content as before; `stateReason` tells what failed.',
    permission: 'image.upload',
    action: 'image.upload',
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
      if (row.state !== 'available') throw unusable(row);
      const content = await context.imageStore.open(row.id);
      return {
        ...given({ tag: row.sha256 }),
        sizeBytes: content.sizeBytes,
        open: () => content.open(),
        mediaType: 'application/octet-stream',
      };
    },
  },
];

async function upload(context: ContentContext, request: UploadRequest): Promise<Uploaded> {
  const { uploads, settings } = context;
  const row = await imageOf(context, request);
  // An earlier try of this request came to its end after all.
  if (request.again && row.state === 'available' && row.sha256 !== undefined) return { answer: row, sha256: row.sha256 };
  const { id } = takesContent(row);
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > settings.imageBytesMax)
    throw new CloudError('too_large', `The content is larger than an image may be: ${bytesText(settings.imageBytesMax)}.`, {
      params: { limitBytes: settings.imageBytesMax },
    });
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

async function receive(context: ContentContext, request: UploadRequest, row: ImageRow): Promise<Uploaded> {
  const { imageStore, uploads, settings } = context;
  const digest = digestOf(request.headers['repr-digest']);
  await request.begin();
  try {
    const facts = await imageStore.write(row.id, request.bytes, settings.imageBytesMax);
    if (digest !== undefined && digest !== facts.sha256)
      throw new CloudError('invalid_input', 'The content does not have the digest of Repr-Digest.', {
        params: { expected: digest, found: facts.sha256 },
      });
    uploads.measure(row.id, facts);
    return { answer: await complete(context, row, request), sha256: facts.sha256 };
  } catch (error) {
    await discard(context, row.id);
    throw await uploadFailed(context, row.id, error);
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

const WHAT_NOW = 'The image awaits its content: upload it again, or delete the image.';

/** The image stays. Its row tells why it has no content and what can be done about it; the error tells the same to a client that is still there. */
async function uploadFailed({ reader, kernel }: ContentContext, imageId: ImageRow['id'], error: unknown): Promise<unknown> {
  const row = await reader.find(image, imageId);
  if (row?.state !== 'awaiting_content' || kernel().holds(imageId)) return error;
  const { environment } = kernel().services;
  const message = `${toErrorRecord(error).message} ${WHAT_NOW}`;
  const stateReason = { code: 'upload_failed', message, at: timestamp(environment.clock) };
  await kernel()
    .observe([change(image, row.id, { stateReason }, { generation: row.generation })])
    .catch((cause: unknown) => environment.logger.warn({ imageId, error: describeChain(cause) }, 'a failed upload was not noted'));
  if (!isCloudError(error)) return error;
  const { code, pointer, params } = error;
  return new CloudError(code, message, { ...given({ pointer, params }), cause: error });
}

/** The image by id or name. @throws CloudError not_found */
async function imageOf({ reader }: ImageContext, { params, principal }: EndpointRequest): Promise<ImageRow> {
  return (await lookUp(reader, image, params.id ?? '', principal)).row as ImageRow;
}

/** The SHA-256 of a `Repr-Digest` header (RFC 9530) as hex. @throws CloudError invalid_input */
function digestOf(header: string | undefined): string | undefined {
  const encoded = header === undefined ? undefined : /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):/.exec(header)?.[1];
  if (header !== undefined && encoded === undefined)
    throw new CloudError('invalid_input', 'Repr-Digest is `sha-256=:base64:`.', { params: { header: 'Repr-Digest' } });
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('hex');
}
