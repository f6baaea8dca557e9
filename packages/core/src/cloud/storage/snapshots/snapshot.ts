import { Type } from 'typebox';
import { bytes, defineKind, ref } from '../../../kernel/index.ts';

const id = (description: string) => Type.Optional(Type.String({ format: 'uuid', description }));

export const snapshot = defineKind({
  name: 'snapshot',
  plural: 'snapshots',
  description: 'A volume as it was at one point in time: its content and its size.',
  scope: 'project',
  schema: Type.Object({
    description: Type.Optional(Type.String({ maxLength: 1024 })),
    volumeId: ref('volume', 'restrict', { recursive: true, ownedIf: 'system' }),
    poolId: ref('pool', 'restrict', { recursive: true, description: 'Where it lies: beside its volume.' }),
    sizeBytes: bytes({ description: 'Of the volume at that time. It counts as a whole, whatever it shares with others.' }),
    parentId: id('The snapshot that the content of the volume went on from when this one was taken. Absent for the first.'),
    instanceId: Type.Optional(ref('instance', 'detach', { description: 'The machine that the volume was attached to then.' })),
    groupId: Type.Optional(ref('snapshotGroup', 'cascade', { description: 'Those taken of a machine at the same instant.' })),
    system: Type.Boolean({
      description: 'Kept for a purpose of the cloud, e.g. a backup: no tenant sees it, and it goes with its volume.',
    }),
    status: Type.Union([Type.Literal('unknown'), Type.Literal('present'), Type.Literal('missing')], {
      description:
        '`missing` while its pool answers and does not have it: somebody removed it behind our back. `unknown` until it was made, and for ever where that was given up.',
    }),
    statusReason: Type.Optional(Type.String()),
  }),
  states: { creating: ['available', 'deleting', 'deleted'], available: ['deleting'], deleting: ['deleted'] },
  initial: 'creating',
  operatorsIf: 'system',
  indexed: ['status', 'parentId', 'sizeBytes'],
  quota: { snapshots: 1, snapshotBytes: 'sizeBytes' },
});
