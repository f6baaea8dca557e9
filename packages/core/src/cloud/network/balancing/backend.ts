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
    heldReason: Type.Optional(
      Type.Literal('flapping', {
        description: 'Why it gets no new connections whatever its weight: `flapping`, it went out too often. Absent: it is not held.',
      }),
    ),
    heldUntil: Type.Optional(Type.String({ format: 'date-time', description: 'Then it is tried again.' })),
    flaps: Type.Optional(
      Type.Object(
        {
          outs: Type.Array(Type.String({ format: 'date-time' }), { description: 'When it went out of late, since it was last held.' }),
          holds: Type.Integer({ minimum: 0, description: 'How often it has been held: each time for twice as long.' }),
          freedAt: Type.Optional(Type.String({ format: 'date-time', description: 'When it was tried again last.' })),
        },
        { description: 'What is remembered of its coming and going.' },
      ),
    ),
  }),
  states: { creating: ['available', 'deleted'], available: ['deleting', 'deleted'], deleting: ['deleted'] },
  initial: 'creating',
  unique: [['listenerId', 'nicId', 'port']],
  quota: { backends: 1 },
});
