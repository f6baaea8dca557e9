import { Type } from 'typebox';
import { defineKind, ref } from '../../../kernel/index.ts';

export const physicalNetwork = defineKind({
  name: 'physicalNetwork',
  plural: 'physical-networks',
  description:
    'Switches and cables that hosts are connected to. Its role says what may be on it: machines never reach those of storage and management.',
  scope: 'cloud',
  schema: Type.Object({
    description: Type.Optional(Type.String({ maxLength: 1024 })),
    clusterId: ref('cluster', 'restrict', { recursive: true, description: 'Whose hosts are connected: machines elsewhere cannot use it.' }),
    label: Type.String({ maxLength: 63, pattern: '^[a-zA-Z0-9][a-zA-Z0-9._-]*$', description: 'What its hosts call it, e.g. `physnet1`.' }),
    role: Type.Union([Type.Literal('tenant'), Type.Literal('storage'), Type.Literal('management'), Type.Literal('external')]),
    mtuBytes: Type.Integer({ minimum: 1280, maximum: 9216 }),
    firstVlanId: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 4094, description: 'VLANs that networks may use; none: untagged alone.' }),
    ),
    lastVlanId: Type.Optional(Type.Integer({ minimum: 1, maximum: 4094 })),
  }),
  states: { available: ['deleting'], deleting: ['deleted'] },
  initial: 'available',
  unique: [['clusterId', 'label']],
});
