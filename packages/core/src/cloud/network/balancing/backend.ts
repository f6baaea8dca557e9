import { Type } from 'typebox';
import { defineKind, ref } from '../../../kernel/index.ts';

export const backend = defineKind({
  name: 'backend',
  plural: 'backends',
  description: 'A machine that takes connections of a listener.',
  scope: 'project',
  schema: Type.Object({
    loadBalancerId: ref('loadBalancer', 'cascade'),
    listenerId: ref('listener', 'cascade'),
    nicId: ref('nic', 'cascade'),
    port: Type.Integer({ minimum: 1, maximum: 65_535 }),
    weight: Type.Integer({
      minimum: 0,
      maximum: 100,
      description: 'Its share of new connections. 0: none; those that it has go on (drain).',
    }),
  }),
  states: { creating: ['available', 'deleted'], available: ['deleting', 'deleted'], deleting: ['deleted'] },
  initial: 'creating',
  unique: [['listenerId', 'nicId', 'port']],
  quota: { backends: 1 },
});
