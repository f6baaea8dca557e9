import {
  bytesText,
  CloudError,
  change,
  describeChain,
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
import { image } from './image.ts';
import type { ImageContext } from './image-context.ts';
import type { ContentFacts } from './image-store.ts';
import { imageBytesMax } from './settings.ts';
import type { Turn } from './uploads.ts';

type ImageRow = RowOf<typeof image>;
export interface UploadContext extends ImageContext {
  readonly kernel: () => Kernel;
}

/** What the headers say of the bytes that come. */
interface Announced {
  /** Of the whole content. Lower-case hex. */
  readonly sha256?: string;
  /** Of the whole content; absent when the client does not know it. */
  readonly sizeBytes?: number;
  /** Where the bytes begin; absent = it is a new upload, and nothing that has come of another is of use. */
  readonly fromBytes?: number;
}

const COMPLETE_TIMEOUT_MS = 30_000;

export async function uploadImage(context: UploadContext, request: UploadRequest): Promise<Uploaded> {
  const { uploads, settings } = context;
  const announced = announcedIn(request.headers);
  const row = await imageOf(context, request);
  const there = contentThere(row, announced, request.again);
  if (there !== undefined) {
    if (!request.again) await request.begin();
    return there;
  }
  const { id } = takesContent(row, announced);
  const limitBytes = settings.global(imageBytesMax);
  if ((announced.sizeBytes ?? 0) > limitBytes)
    throw new CloudError('too_large', `The content is larger than an image may be: ${bytesText(limitBytes)}.`, {
      params: { limitBytes },
    });
  // What is refused in any case takes no turn from an upload that is at work: meanwhile more may come, and no less.
  await refuseGap(context, id, announced);
  const turn = await uploads.begin(id, { goesOn: announced.fromBytes !== undefined, signal: request.signal });
  try {
    // Another upload may have ended between the look above and this one's begin.
    const now = await context.reader.get(image, id);
    const whole = contentThere(now, announced, request.again);
    if (whole === undefined) return await receive(context, { ...request, turn }, takesContent(now, announced), announced);
    await request.begin();
    return whole;
  } finally {
    uploads.end(id);
  }
}

/** The image by id or name. @throws CloudError not_found */
export async function imageOf({ reader }: ImageContext, { params, principal }: EndpointRequest): Promise<ImageRow> {
  return (await lookUp(reader, image, params.id ?? '', principal)).row as ImageRow;
}

/** The answer when this very content came before: by an earlier try of the request, or by one that ended unseen. */
function contentThere(row: ImageRow, announced: Announced, again: boolean): Uploaded | undefined {
  const { state, sha256, sourceUrl } = row;
  if (state !== 'available' || sha256 === undefined || sourceUrl !== undefined) return undefined;
  return again || announced.sha256 === sha256 ? { answer: row, sha256 } : undefined;
}

/** @throws CloudError conflict, invalid_input */
function takesContent(row: ImageRow, announced: Announced): ImageRow {
  if (row.capturedFrom !== undefined) throw new CloudError('conflict', `Image ${row.name} is captured from a volume and takes no upload.`);
  if (row.sourceUrl !== undefined) throw new CloudError('conflict', `Image ${row.name} is imported and takes no upload.`);
  if (row.state !== 'awaiting_content')
    throw new CloudError('conflict', `Image ${row.name} is ${row.state} and takes no content.`, { params: { state: row.state } });
  if (row.sha256 !== undefined && announced.sha256 !== undefined && row.sha256 !== announced.sha256)
    throw new CloudError('invalid_input', `Image ${row.name} was registered with another digest than Repr-Digest has.`, {
      params: { expected: row.sha256, found: announced.sha256 },
    });
  return row;
}

/** @throws CloudError conflict that tells where to go on */
async function refuseGap({ imageStore }: UploadContext, id: string, { sha256, fromBytes = 0 }: Announced): Promise<void> {
  const here = sha256 === undefined ? undefined : await imageStore.part({ id, sha256 });
  const receivedBytes = here?.sizeBytes ?? 0;
  if (fromBytes > receivedBytes)
    throw new CloudError('conflict', `The upload goes on at byte ${fromBytes}, but ${bytesText(receivedBytes)} of it are here.`, {
      params: { receivedBytes },
    });
}

type AtWork = UploadRequest & { readonly turn: Turn };

async function receive(context: UploadContext, request: AtWork, row: ImageRow, announced: Announced): Promise<Uploaded> {
  const { uploads } = context;
  const { sha256 } = announced;
  await refuseGap(context, row.id, announced);
  await request.begin();
  try {
    const facts = await store(context, request, row.id, announced);
    uploads.measure(row.id, facts);
    return { answer: await complete(context, row, request), sha256: facts.sha256 };
  } catch (error) {
    const keptBytes = await kept(context, { id: row.id, sha256 }, error);
    if (keptBytes === undefined) await discard(context, row.id);
    throw await uploadFailed(context, row.id, error, keptBytes);
  }
}

/** How much of an upload that failed can be gone on with. */
async function kept({ imageStore, reader }: UploadContext, { id, sha256 }: { id: string; sha256: string | undefined }, error: unknown) {
  // Whose bytes were not those that were signed has not been proven to be the one who may send them.
  if (sha256 === undefined || (isCloudError(error) && error.code === 'unauthenticated')) return undefined;
  const row = await reader.find(image, id);
  return row?.state === 'awaiting_content' ? (await imageStore.part({ id, sha256 }))?.sizeBytes : undefined;
}

function store({ imageStore, settings }: UploadContext, request: AtWork, id: string, announced: Announced): Promise<ContentFacts> {
  const { sha256, fromBytes = 0 } = announced;
  const { turn, signal } = request;
  const limitBytes = settings.global(imageBytesMax);
  const bytes = turn.bytes(request.bytes);
  if (sha256 === undefined) return imageStore.write(id, bytes, limitBytes);
  const assertWanted = () => {
    turn.assertMine();
    if (signal.aborted) throw new CloudError('invalid_input', 'The request ended before its body was complete.');
  };
  return imageStore.append({ id, sha256, fromBytes }, bytes, limitBytes, assertWanted);
}

/** @throws CloudError of the operation when it failed */
async function complete({ kernel, reader }: UploadContext, row: ImageRow, { principal, signal }: EndpointRequest): Promise<ImageRow> {
  const accepted = await kernel().submit({ action: 'image.complete', resourceId: row.id, input: {}, principal });
  const ended = await kernel().operations.wait(accepted.operationId, COMPLETE_TIMEOUT_MS, { signal });
  if (isFinished(ended) && ended.error !== undefined) throw new CloudError(ended.error.code, ended.error.message);
  return (await reader.find(image, row.id)) ?? row;
}

/** Content of a row that will not become available with it. While an operation holds the image, that one decides. */
async function discard({ reader, imageStore, kernel }: UploadContext, imageId: string): Promise<void> {
  const row = await reader.find(image, imageId);
  if (row?.state !== 'available' && !kernel().holds(imageId)) await imageStore.delete(imageId);
}

const WHAT_NOW = 'The image awaits its content: upload it again, or delete the image.';
const whatNow = (keptBytes: number | undefined): string =>
  keptBytes === undefined
    ? WHAT_NOW
    : `${bytesText(keptBytes)} of it are here. ${WHAT_NOW} An upload of the same content goes on where this one broke off.`;

/** The image stays. Its row tells why it has no content and what can be done about it; the error tells the same to a client that is still there. */
async function uploadFailed(
  { reader, kernel }: UploadContext,
  imageId: ImageRow['id'],
  error: unknown,
  keptBytes: number | undefined,
): Promise<unknown> {
  const row = await reader.find(image, imageId);
  if (row?.state !== 'awaiting_content' || kernel().holds(imageId)) return error;
  const { environment } = kernel().services;
  const message = `${toErrorRecord(error).message} ${whatNow(keptBytes)}`;
  const stateReason = { code: 'upload_failed', message, at: timestamp(environment.clock) };
  await kernel()
    .observe([change(image, row.id, { stateReason }, { generation: row.generation })])
    .catch((cause: unknown) => environment.logger.warn({ imageId, error: describeChain(cause) }, 'a failed upload was not noted'));
  if (!isCloudError(error)) return error;
  const { code, pointer, params } = error;
  return new CloudError(code, message, { ...given({ pointer, params }), cause: error });
}

/** @throws CloudError invalid_input */
function announcedIn(headers: EndpointRequest['headers']): Announced {
  const sha256 = digestOf(headers['repr-digest']);
  const range = headers['content-range'];
  if (range === undefined) return given({ sha256, sizeBytes: sizeOf(headers['content-length']) });
  const [, first, last, size] = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16})$/.exec(range) ?? [];
  const [fromBytes, toBytes, sizeBytes] = [Number(first), Number(last), Number(size)];
  if (!(Number.isSafeInteger(sizeBytes) && fromBytes <= toBytes && toBytes === sizeBytes - 1))
    throw badRange('is `bytes FIRST-LAST/SIZE`, where the last byte is that of the content');
  if (sha256 === undefined) throw badRange('comes with Repr-Digest: by it what comes and what is here are known to be of the same content');
  return { sha256, sizeBytes, fromBytes };
}

const badRange = (says: string): CloudError =>
  new CloudError('invalid_input', `The header Content-Range ${says}.`, { params: { header: 'Content-Range' } });

const sizeOf = (header: string | undefined): number | undefined => (header === undefined ? undefined : Number(header));

/** The SHA-256 of a `Repr-Digest` header (RFC 9530) as hex. @throws CloudError invalid_input */
function digestOf(header: string | undefined): string | undefined {
  const encoded = header === undefined ? undefined : /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):/.exec(header)?.[1];
  if (header !== undefined && encoded === undefined)
    throw new CloudError('invalid_input', 'Repr-Digest is `sha-256=:base64:`.', { params: { header: 'Repr-Digest' } });
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('hex');
}
