import { Type } from 'typebox';
import { defineKind, ref } from '../../../kernel/index.ts';

export const securityGroup = defineKind({
  name: 'securityGroup',
  plural: 'security-groups',
  description: 'What NICs that are in it may send and receive. All that no rule allows is dropped; answers to what is allowed pass.',
  scope: 'project',
  schema: Type.Object({
    vpcId: ref('vpc', 'cascade'),
    description: Type.Optional(Type.String({ maxLength: 1024 })),
  }),
  states: { creating: ['available', 'deleted'], available: ['deleting'], deleting: ['deleted'] },
  initial: 'creating',
  quota: { securityGroups: 1 },
});
