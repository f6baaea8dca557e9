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
    ['instanceId', 'slot'],
  ],
  indexed: ['address', 'mac'],
});
