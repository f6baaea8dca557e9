import { Type } from 'typebox';
import { defineKind, ref } from '../../../kernel/index.ts';

/** VXLAN and Geneve have 24 bits for it. */
export const TUNNEL_KEY_MAX = 2 ** 24 - 1;

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
    cidr: Type.Optional(
      Type.String({
        maxLength: 49,
        description:
          'Of one of the role `storage` or `management`: where its hosts have addresses on it, by which their links to it are found. Default: by its label.',
      }),
    ),
    mtuBytes: Type.Integer({ minimum: 1280, maximum: 9216 }),
    firstVlanId: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 4094, description: 'VLANs that networks may use; none: untagged alone.' }),
    ),
    lastVlanId: Type.Optional(Type.Integer({ minimum: 1, maximum: 4094 })),
    encapsulation: Type.Optional(
      Type.Union([Type.Literal('vxlan'), Type.Literal('geneve')], {
        description: 'In what frames travel from host to host. Absent: as they are, on the wire.',
      }),
    ),
    firstTunnelKey: Type.Optional(
      Type.Integer({ minimum: 1, maximum: TUNNEL_KEY_MAX, description: 'Keys that networks may use, with an encapsulation.' }),
    ),
    lastTunnelKey: Type.Optional(Type.Integer({ minimum: 1, maximum: TUNNEL_KEY_MAX })),
  }),
  states: { available: ['deleting'], deleting: ['deleted'] },
  initial: 'available',
  unique: [['clusterId', 'label']],
});
