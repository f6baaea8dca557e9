import { Type } from 'typebox';
import { defineDeletion, defineKind, FORWARD_ONLY, type Id, type RowOf, ref, saga, transition, trashed } from '../../kernel/index.ts';

/** So many machines may have one volume: what is done to it holds them all. */
export const MACHINES_MAX = 16;

export const attachment = defineKind({
  name: 'attachment',
  plural: 'attachments',
  description:
    'A volume of several machines, as one of them has it. Made where such a volume is attached, and gone where it is detached, or with the machine.',
  scope: 'project',
  schema: Type.Object({
    volumeId: ref('volume', 'restrict', { recursive: true }),
    instanceId: ref('instance', 'cascade'),
    slot: Type.Integer({ minimum: 1, description: 'Place on the machine, among all its disks.' }),
    trash: trashed(),
  }),
  states: {
    attached: ['deleting', 'deleted'],
    deleting: ['deleted', 'trashed'],
    trashed: ['attached', 'deleting'],
  },
  initial: 'attached',
  unique: [
    ['volumeId', 'instanceId'],
    ['instanceId', 'slot'],
  ],
});

export type AttachmentRow = RowOf<typeof attachment>;

interface EndParams {
  readonly attachmentId: Id<'attachment'>;
  readonly volumeId: Id<'volume'>;
}

const endAttachment = saga<object, EndParams>('attachment.remove', 1)
  .write('deleted', {
    do: ({ params }) => [transition(attachment, params.attachmentId, { from: 'deleting', to: 'deleted' })],
    undo: FORWARD_ONLY,
  })
  .build();

/** Goes with its machine, which leaves its host before; that of a living machine is detached instead. */
export const attachmentDeletion = defineDeletion({
  kind: attachment,
  from: [],
  remove: endAttachment,
  trash: {},
  context: () => ({}),
  params: ({ id, volumeId }: AttachmentRow): EndParams => ({ attachmentId: id, volumeId }),
  // Whoever works on the volume holds the machines that have it: none comes or goes meanwhile.
  shares: ({ volumeId }) => [volumeId],
});
