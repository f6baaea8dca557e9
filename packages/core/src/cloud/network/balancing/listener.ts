import { Type } from 'typebox';
import { defineKind, ref } from '../../../kernel/index.ts';

export const healthCheck = Type.Object({
  intervalSeconds: Type.Integer({ minimum: 1, maximum: 300 }),
  timeoutSeconds: Type.Integer({ minimum: 1, maximum: 300 }),
  successes: Type.Integer({ minimum: 1, maximum: 10, description: 'Answers after which a backend is back.' }),
  failures: Type.Integer({
    minimum: 1,
    maximum: 10,
    description:
      'Failures after which a backend gets nothing. With OVN they add up since it was last taken out, whatever it answers in between. Of UDP a refusal alone is a failure, a silence is none. Who goes out again and again is held out (`heldUntil` of the backend).',
  }),
});

export const listener = defineKind({
  name: 'listener',
  plural: 'listeners',
  description: 'A port of a load balancer.',
  scope: 'project',
  schema: Type.Object({
    loadBalancerId: ref('loadBalancer', 'cascade'),
    protocol: Type.Union([Type.Literal('tcp'), Type.Literal('udp')]),
    port: Type.Integer({ minimum: 1, maximum: 65_535 }),
    healthCheck: Type.Optional(healthCheck),
  }),
  states: { creating: ['available', 'deleted'], available: ['deleting'], deleting: ['deleted'] },
  initial: 'creating',
  unique: [['loadBalancerId', 'protocol', 'port']],
  quota: { listeners: 1 },
});
