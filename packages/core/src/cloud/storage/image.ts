import { Type } from 'typebox';
import { bytes, type Clock, CloudError, defineKind, type JsonObject, type RowOf, timestamp, trashed } from '../../kernel/index.ts';
import { given } from '../naming.ts';

export const image = defineKind({
  name: 'image',
  plural: 'images',
  description: 'A disk that machines are cloned from, or an ISO that they read in their drive. Its content never changes.',
  scope: 'project',
  shareable: true,
  schema: Type.Object({
    description: Type.Optional(Type.String({ maxLength: 1024 })),
    guestOs: Type.Union([Type.Literal('linux'), Type.Literal('windows')]),
    firmware: Type.Union([Type.Literal('bios'), Type.Literal('uefi')]),
    diskBus: Type.Union([Type.Literal('virtio'), Type.Literal('scsi'), Type.Literal('sata')]),
    sourceUrl: Type.Optional(Type.String({ maxLength: 2048 })),
    capturedFrom: Type.Optional(Type.String({ format: 'uuid', description: 'The volume that it was captured from.' })),
    format: Type.Optional(
      Type.Union([Type.Literal('raw'), Type.Literal('qcow2'), Type.Literal('iso')], {
        description: 'As found in the content. Nothing is cloned from an `iso`: it is put into the drives of machines.',
      }),
    ),
    sizeBytes: Type.Optional(bytes({ description: 'Of the content.' })),
    virtualSizeBytes: Type.Optional(bytes({ description: 'Of the disk a guest sees; no volume made from it may be smaller.' })),
    sha256: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$', description: 'Of the content.' })),
    deprecatedAt: Type.Optional(Type.String({ format: 'date-time', description: 'Since when something else should be used.' })),
    obsoleteAt: Type.Optional(
      Type.String({ format: 'date-time', description: 'From when on nothing new is made from it. What is made already stays.' }),
    ),
    replacement: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 255,
        description: 'What to use in its place: the name or id of an image, or a word about it.',
      }),
    ),
    trash: trashed(),
  }),
  states: {
    awaiting_content: ['available', 'deleting', 'deleted'],
    available: ['deleting'],
    deleting: ['deleted', 'trashed'],
    trashed: ['awaiting_content', 'available', 'deleting'],
  },
  initial: 'awaiting_content',
  indexed: ['sha256'],
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

/** What is said of a deprecated image to who makes something from it. */
export const deprecationOf = ({ deprecatedAt, obsoleteAt, replacement }: RowOf<typeof image>): JsonObject | undefined =>
  deprecatedAt === undefined ? undefined : given({ deprecatedAt, obsoleteAt, replacement });

/** @throws CloudError conflict when nothing new is made from the image any more */
export function refuseObsolete(row: RowOf<typeof image>, clock: Clock, pointer: string): void {
  if (row.obsoleteAt === undefined || row.obsoleteAt > timestamp(clock)) return;
  const instead = row.replacement === undefined ? '' : ` Use ${row.replacement}.`;
  throw new CloudError('conflict', `Image ${row.name} is obsolete since ${row.obsoleteAt}.${instead}`, {
    pointer,
    params: { ...deprecationOf(row) },
  });
}

/** A disk made of one would not boot, or be read-only in disguise. @throws CloudError conflict */
export function refuseIso({ name, format }: RowOf<typeof image>, pointer: string): void {
  if (format !== 'iso') return;
  throw new CloudError('conflict', `Image ${name} is an ISO, from which no disk is made: put it into the drive of a machine.`, {
    pointer,
    params: { format },
  });
}
