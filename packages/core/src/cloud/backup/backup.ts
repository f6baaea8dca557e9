import { Type } from 'typebox';
import { bytes, defineKind, ref } from '../../kernel/index.ts';

export const backup = defineKind({
  name: 'backup',
  plural: 'volume-backups',
  description: 'What was in a volume at one point in time, kept outside of its pool. It is whole by itself, and outlives the volume.',
  scope: 'project',
  schema: Type.Object({
    description: Type.Optional(Type.String({ maxLength: 1024 })),
    volumeId: Type.Optional(ref('volume', 'detach', { description: 'What it is of; absent when that was deleted.' })),
    volumeName: Type.String({ description: 'As the volume was called.' }),
    storeId: ref('backupStore', 'restrict'),
    planId: Type.Optional(ref('backupPlan', 'detach', { description: 'The plan that has made it, and removes it in its time.' })),
    setId: Type.Optional(ref('backupSet', 'cascade', { description: 'Those of all disks of a machine at the same instant.' })),
    slot: Type.Optional(
      Type.Integer({ minimum: 0, description: 'Of one in a set: the place of its disk on the machine; 0 is the root disk.' }),
    ),
    snapshotId: Type.Optional(
      ref('snapshot', 'detach', {
        description: 'The same beside the volume, until the next backup is made: from there it is restored at once.',
      }),
    ),
    encrypted: Type.Optional(
      Type.Boolean({ description: 'Its volume was encrypted: what is restored of it is, too, unless that is asked otherwise.' }),
    ),
    sizeBytes: bytes({ description: 'Of the volume. This counts for the quota, however little of it is kept anew.' }),
    takenAt: Type.Optional(Type.String({ format: 'date-time', description: 'The point in time.' })),
    readBytes: Type.Optional(bytes({ description: 'What was read of the volume to make it.' })),
    newBytes: Type.Optional(bytes({ description: 'What the store did not have yet; without what a try had put that was interrupted.' })),
    checkedAt: Type.Optional(Type.String({ format: 'date-time', description: 'When it was last read back in full.' })),
    condition: Type.Optional(
      Type.Union([Type.Literal('sound'), Type.Literal('damaged')], {
        description: 'What that showed. A damaged one cannot be restored whole.',
      }),
    ),
    restoreSeconds: Type.Optional(
      Type.Integer({ minimum: 0, description: 'What it took to restore it for a test: the time that a recovery would take.' }),
    ),
    damage: Type.Optional(Type.String({ description: 'What is missing or changed.' })),
  }),
  states: {
    creating: ['available', 'deleted'],
    available: ['deleting'],
    deleting: ['deleted'],
  },
  initial: 'creating',
  indexed: ['takenAt', 'condition'],
  quota: { backups: 1, backupBytes: 'sizeBytes' },
});
