import { type TObject, Type } from 'typebox';
import {
  CloudError,
  type Condition,
  type Downloaded,
  type Endpoint,
  isCloudError,
  type Principal,
  type RowOf,
  timestampOf,
  visibleRows,
} from '../../kernel/index.ts';
import { given } from '../naming.ts';
import { image, unusable } from './image.ts';
import { keptUntilMs } from './image-sweep.ts';
import { imageOf, type UploadContext, uploadImage } from './image-upload.ts';

const DOWNLOAD = 'image.download';
/** Of those with one content. */
const IMAGES_TRIED = 20;

/** Images go in and out as streams; what they are is told by their bytes. */
export const imageContentEndpoints = (context: UploadContext): readonly Endpoint[] => [
  {
    type: 'upload',
    method: 'PUT',
    path: '/images/{id}/content',
    summary:
      'Uploads the content of an image: qcow2 or raw, of a disk of whole sectors (512 bytes), or an ISO. A digest in `Repr-Digest` is verified. With it, what has come of an upload that breaks off is kept for a day (`images.partHours`), and `Content-Range: bytes 4096-8191/8192` goes on with it: from any byte that is here or the first that is not, to the end. After a failed upload the image awaits its content as before; `stateReason` tells what failed.',
    permission: 'image.upload',
    action: 'image.upload',
    noDryRun:
      'Whether content will do is known when all of it has come. `GET /v1/images/{id}/content/received` tells what is there already.',
    answer: image.rowSchema as TObject,
    isResumable: true,
    handle: (request) => uploadImage(context, request),
  },
  {
    type: 'value',
    method: 'GET',
    path: '/images/{id}/content/received',
    summary:
      'How much of its content has come: all of it, or what an upload that broke off has left, and until when that is kept to be gone on with.',
    permission: 'image.upload',
    query: Type.Object({ sha256: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'Of the whole content.' }) }),
    answer: Type.Object({
      receivedBytes: Type.Integer({ minimum: 0 }),
      keptUntil: Type.Optional(Type.String({ format: 'date-time' })),
    }),
    handle: async (request) => {
      const row = await imageOf(context, request);
      if (row.state === 'available' && row.sha256 === request.query.sha256) return { receivedBytes: row.sizeBytes };
      const part = await context.imageStore.part({ id: row.id, sha256: String(request.query.sha256) });
      if (part === undefined) return { receivedBytes: 0 };
      return { receivedBytes: part.sizeBytes, keptUntil: timestampOf(keptUntilMs(context, part)) };
    },
  },
  {
    type: 'download',
    method: 'GET',
    path: '/images/{id}/content',
    summary: 'The content of an image, as it was uploaded.',
    permission: DOWNLOAD,
    handle: async (request) => {
      const row = await imageOf(context, request);
      if (row.state !== 'available') throw unusable(row);
      return contentOf(context, row);
    },
  },
  {
    type: 'download',
    method: 'GET',
    path: '/image-contents/{sha256}',
    summary: 'The content of any image that the caller may download, by its digest: the same in every cloud that has it.',
    permission: DOWNLOAD,
    scope: 'project',
    handle: ({ params, principal }) => contentWith(context, params.sha256 ?? '', principal),
  },
];

async function contentOf({ imageStore }: UploadContext, { id, sha256 }: RowOf<typeof image>): Promise<Downloaded> {
  return { ...given({ tag: sha256, sha256 }), ...(await imageStore.open(id)), mediaType: 'application/octet-stream' };
}

/** Of several images that have it, what is lost of one is there of another. @throws CloudError not_found */
async function contentWith(context: UploadContext, sha256: string, principal: Principal): Promise<Downloaded> {
  const has: Condition = {
    and: [
      { field: 'sha256', op: '=', value: sha256 },
      { field: 'state', op: '=', value: 'available' },
    ],
  };
  const visible = visibleRows(image, principal, DOWNLOAD, { allProjects: true });
  const where = visible === undefined ? has : { and: [has, visible] };
  for (const row of await context.reader.list(image, where, { limit: IMAGES_TRIED })) {
    try {
      return await contentOf(context, row);
    } catch (error) {
      if (!isCloudError(error) || error.code !== 'not_found') throw error;
    }
  }
  throw new CloudError('not_found', 'No image that you may download has this content.');
}
