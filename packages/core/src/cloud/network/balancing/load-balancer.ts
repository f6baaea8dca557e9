import { Type } from 'typebox';
import { defineKind, ref } from '../../../kernel/index.ts';

export const loadBalancer = defineKind({
  name: 'loadBalancer',
  plural: 'load-balancers',
  description: 'An address in a subnet whose connections are spread over machines that know nothing of each other.',
  scope: 'project',
  schema: Type.Object({
    description: Type.Optional(Type.String({ maxLength: 1024 })),
    vpcId: ref('vpc', 'restrict', { recursive: true }),
    subnetId: ref('subnet', 'restrict', { recursive: true }),
    address: Type.String({ maxLength: 45 }),
  }),
  states: { creating: ['available', 'deleted'], available: ['deleting'], deleting: ['deleted'] },
  initial: 'creating',
  unique: [['subnetId', 'address']],
  indexed: ['address'],
  quota: { loadBalancers: 1 },
});
