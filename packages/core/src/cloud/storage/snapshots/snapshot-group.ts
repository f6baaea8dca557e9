import { Type } from 'typebox';
import { defineKind, ref } from '../../../kernel/index.ts';
import { rowDeletion } from '../../row-only.ts';

/** What a group promises of what a guest finds after a revert. */
export const consistencies = Type.Union([Type.Literal('filesystem'), Type.Literal('crash')], {
  description:
    '`filesystem`: the guest had written everything out. `crash`: as after a loss of power, all disks at the same instant; also of a machine that was off, whose guest may have been stopped by force.',
});

export const snapshotGroup = defineKind({
  name: 'snapshotGroup',
  plural: 'snapshot-groups',
  description: 'All disks of a machine at one instant: a snapshot of each.',
  scope: 'project',
  schema: Type.Object({
    description: Type.Optional(Type.String({ maxLength: 1024 })),
    instanceId: Type.Optional(ref('instance', 'detach', { description: 'The machine they were taken of.' })),
    consistency: Type.Optional(consistencies),
  }),
  states: { creating: ['available', 'deleting', 'deleted'], available: ['deleting'], deleting: ['deleted'] },
  initial: 'creating',
});

export const snapshotGroupDeletion = rowDeletion(snapshotGroup, ['available']);
