import { Type } from 'typebox';
import { type Clock, change, defineAction, type Id, instant, NOTHING_TO_UNDO, saga, timestamp } from '../../kernel/index.ts';
import { image } from './image.ts';

interface DeprecateParams {
  readonly imageId: Id<'image'>;
  /** All three fields; null = none. */
  readonly set: { readonly deprecatedAt: string | null; readonly obsoleteAt: string | null; readonly replacement: string | null };
}

const deprecateImage = saga<null, DeprecateParams>('image.deprecate', 1)
  .write('set', {
    do: ({ params }) => [change(image, params.imageId, params.set)],
    undo: NOTHING_TO_UNDO,
  })
  .build();

const { properties } = image.schema;

export const imageDeprecate = (clock: Clock) =>
  defineAction({
    kind: image,
    verb: 'deprecate',
    description:
      'Says that something else should be used. What is made from the image is told so, and from `obsoleteAt` on nothing new is made from it. Asked again, it says anew what holds.',
    target: 'resource',
    input: Type.Object({ obsoleteAt: properties.obsoleteAt, replacement: properties.replacement }),
    from: ['available'],
    accept: ({ id, row, input }) => {
      const set = {
        deprecatedAt: row.deprecatedAt ?? timestamp(clock),
        obsoleteAt: input.obsoleteAt === undefined ? null : instant(input.obsoleteAt, '/obsoleteAt'),
        replacement: input.replacement ?? null,
      };
      return { params: { imageId: id, set }, statements: [] };
    },
    saga: deprecateImage,
    context: () => null,
  });

export const imageReinstate = defineAction({
  kind: image,
  verb: 'reinstate',
  description: 'Takes back that the image is deprecated.',
  target: 'resource',
  input: Type.Object({}),
  from: ['available'],
  satisfied: ({ deprecatedAt }) => deprecatedAt === undefined,
  accept: ({ id }) => ({ params: { imageId: id, set: { deprecatedAt: null, obsoleteAt: null, replacement: null } }, statements: [] }),
  saga: deprecateImage,
  context: () => null,
});
