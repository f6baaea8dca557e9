import { Type } from 'typebox';
import { defineKind, ref } from '../../../kernel/index.ts';

export const peering = defineKind({
  name: 'peering',
  plural: 'peerings',
  description:
    'One side of a link between two VPCs. It is active while the owner of the other VPC keeps one that names this VPC: both consent.',
  scope: 'project',
  schema: Type.Object({
    vpcId: ref('vpc', 'cascade'),
    peerVpcId: Type.String({ format: 'uuid', description: 'Of any project.' }),
    sharesNames: Type.Optional(
      Type.Boolean({ description: 'Machines of each VPC find the names of the other, if both sides say so. Default: false.' }),
    ),
  }),
  states: {
    creating: ['pending', 'active', 'deleted'],
    pending: ['active', 'deleting'],
    active: ['pending', 'deleting'],
    deleting: ['deleted'],
  },
  initial: 'creating',
  unique: [['vpcId', 'peerVpcId']],
  indexed: ['peerVpcId'],
  quota: { peerings: 1 },
});
