import { Type } from 'typebox';
import { defineKind, ref, trashed } from '../../../kernel/index.ts';

export const securityGroupMember = defineKind({
  name: 'securityGroupMember',
  plural: 'security-group-members',
  description: 'That a NIC is in a security group.',
  scope: 'project',
  schema: Type.Object({
    nicId: ref('nic', 'cascade'),
    instanceId: ref('instance', 'cascade', { description: 'Whose NIC it is.' }),
    securityGroupId: ref('securityGroup', 'restrict'),
    trash: trashed(),
  }),
  states: {
    creating: ['available', 'deleted'],
    available: ['deleting', 'deleted'],
    deleting: ['deleted', 'trashed'],
    trashed: ['available', 'deleting'],
  },
  initial: 'creating',
  unique: [['securityGroupId', 'nicId']],
  quota: { securityGroupMembers: 1 },
});
