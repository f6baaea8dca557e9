import { Type } from 'typebox';
import { bytes, CloudError, defineKind, type RowOf, trashed } from '../../kernel/index.ts';

export const image = defineKind({
  name: 'image',
  plural: 'images',
  description: 'A disk that machines are cloned from. Its content never changes.',
  scope: 'project',
  shareable: true,
  schema: Type.Object({
    description: Type.Optional(Type.String({ maxLength: 1024 })),
    guestOs: Type.Union([Type.Literal('linux'), Type.Literal('windows')]),
    firmware: Type.Union([Type.Literal('bios'), Type.Literal('uefi')]),
    diskBus: Type.Union([Type.Literal('virtio'), Type.Literal('scsi'), Type.Literal('sata')]),
    sourceUrl: Type.Optional(Type.String({ maxLength: 2048 })),
    format: Type.Optional(Type.Union([Type.Literal('raw'), Type.Literal('qcow2')], { description: 'As found in the content.' })),
    sizeBytes: Type.Optional(bytes({ description: 'Of the content.' })),
    virtualSizeBytes: Type.Optional(bytes({ description: 'Of the disk a guest sees; no volume made from it may be smaller.' })),
    sha256: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$', description: 'Of the content.' })),
    trash: trashed(),
  }),
  states: {
    awaiting_content: ['available', 'deleting', 'deleted'],
    available: ['deleting'],
    deleting: ['deleted', 'trashed'],
    trashed: ['awaiting_content', 'available', 'deleting'],
  },
  initial: 'awaiting_content',
  quota: { images: 1 },
});

/** Why an image cannot be cloned or read: its content is not there yet, or not any more. */
export const unusable = ({ name, state }: RowOf<typeof image>, pointer?: string): CloudError =>
  new CloudError(
    'conflict',
    state === 'awaiting_content' ? `Image ${name} has no content yet; upload it first.` : `Image ${name} is ${state}.`,
    {
      params: { state },
      ...(pointer === undefined ? {} : { pointer }),
    },
  );
