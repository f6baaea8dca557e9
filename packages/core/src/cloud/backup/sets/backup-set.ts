import { Type } from 'typebox';
import { defineKind, ref } from '../../../kernel/index.ts';
import { rowDeletion } from '../../row-only.ts';
import { consistencies } from '../../storage/contract.ts';

export const backupSet = defineKind({
  name: 'backupSet',
  plural: 'backup-sets',
  description: 'All disks of a machine as they were at one instant: a backup of each. It goes, and is restored, as a whole.',
  scope: 'project',
  schema: Type.Object({
    description: Type.Optional(Type.String({ maxLength: 1024 })),
    // Not before it is made: a machine that is deleted need not wait for that.
    instanceId: Type.Optional(
      ref('instance', 'detach', { description: 'The machine; absent until it is made, and when that was deleted.' }),
    ),
    instanceName: Type.String({ description: 'As the machine was called.' }),
    planId: Type.Optional(ref('backupPlan', 'detach', { description: 'The plan that has made it, and removes it in its time.' })),
    takenAt: Type.Optional(Type.String({ format: 'date-time', description: 'The instant.' })),
    consistency: Type.Optional(consistencies),
  }),
  states: { creating: ['available', 'deleted'], available: ['deleting'], deleting: ['deleted'] },
  initial: 'creating',
  indexed: ['takenAt'],
});

export const backupSetDeletion = rowDeletion(backupSet, ['available']);
