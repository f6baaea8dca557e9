import { Type } from 'typebox';
import { defineKind, ref, trashed } from '../../kernel/index.ts';

export const nicLimits = Type.Object(
  {
    inboundBytesPerSecond: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: '0 lifts the limit.' })),
    outboundBytesPerSecond: Type.Optional(
      Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: '0 lifts the limit.' }),
    ),
  },
  { minProperties: 1 },
);

export const nic = defineKind({
  name: 'nic',
  plural: 'nics',
  description: 'A machine on a network: a MAC and its addresses. Made and deleted with the machine, or attached and detached live.',
  scope: 'project',
  schema: Type.Object({
    instanceId: ref('instance', 'cascade'),
    networkId: ref('network', 'restrict'),
    subnetId: ref('subnet', 'restrict'),
    mac: Type.String({ pattern: '^[0-9a-f]{2}(:[0-9a-f]{2}){5}$' }),
    address: Type.String({ maxLength: 45 }),
    ipv6SubnetId: Type.Optional(ref('subnet', 'restrict', { description: 'Of a second address, of the other family.' })),
    ipv6Address: Type.Optional(Type.String({ maxLength: 45 })),
    allowedAddresses: Type.Optional(
      Type.Array(
        Type.Object({
          cidr: Type.String({ maxLength: 49 }),
          mac: Type.Optional(Type.String({ pattern: '^[0-9a-f]{2}(:[0-9a-f]{2}){5}$' })),
        }),
        { maxItems: 32, description: 'What it may send from beside its own addresses.' },
      ),
    ),
    slot: Type.Integer({ minimum: 0 }),
    limits: Type.Optional(nicLimits),
    trash: trashed(),
  }),
  states: {
    creating: ['attached', 'deleted'],
    attached: ['deleting'],
    deleting: ['deleted', 'trashed'],
    trashed: ['attached', 'deleting'],
  },
  initial: 'creating',
  unique: [
    ['networkId', 'mac'],
    ['subnetId', 'address'],
    ['ipv6SubnetId', 'ipv6Address'],
    ['instanceId', 'slot'],
  ],
  indexed: ['address', 'mac'],
});
