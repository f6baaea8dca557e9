import { Type } from 'typebox';
import { defineKind, ref } from '../../../kernel/index.ts';

export const route = defineKind({
  name: 'route',
  plural: 'routes',
  description: 'Where the router of a VPC sends packets for a destination beyond its subnets.',
  scope: 'project',
  schema: Type.Object({
    vpcId: ref('vpc', 'cascade'),
    destination: Type.String({ maxLength: 49, description: 'Network in canonical form.' }),
    nextHop: Type.Optional(
      Type.String({ maxLength: 45, description: 'An address in one of the subnets. Without one packets are dropped.' }),
    ),
  }),
  states: { creating: ['available', 'deleted'], available: ['deleting'], deleting: ['deleted'] },
  initial: 'creating',
  unique: [['vpcId', 'destination']],
  quota: { routes: 1 },
});
