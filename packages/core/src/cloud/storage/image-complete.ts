import { Type } from 'typebox';
import { CloudError, defineAction, FORWARD_ONLY, type Id, saga } from '../../kernel/index.ts';
import { image } from './image.ts';
import type { ImageContext } from './image-context.ts';
import { examine, type ImageFields, imageAvailable } from './image-create.ts';

const completeImage = saga<null, { readonly imageId: Id<'image'>; readonly fields: ImageFields }>('image.complete', 1)
  .write('available', { do: ({ params }) => [imageAvailable(params.imageId, params.fields)], undo: FORWARD_ONLY })
  .build();

/** The end of an upload. It believes nothing but what this node has measured and reads from the content itself. */
export const imageComplete = (context: ImageContext) =>
  defineAction({
    kind: image,
    verb: 'complete',
    description: 'Makes an image available whose content has just been uploaded; the upload does this by itself.',
    permission: 'image.upload',
    target: 'resource',
    input: Type.Object({}),
    from: ['awaiting_content'],
    accept: async ({ id, row }) => {
      const facts = context.uploads.measured(id);
      if (facts === undefined) throw new CloudError('conflict', 'Upload the content first.');
      return { params: { imageId: id, fields: await examine(context, id, facts, row.sha256) }, statements: [] };
    },
    saga: completeImage,
    context: () => null,
  });
