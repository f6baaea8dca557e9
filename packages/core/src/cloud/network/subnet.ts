import { Type } from 'typebox';
import { defineKind, ref } from '../../kernel/index.ts';

export const subnet = defineKind({
  name: 'subnet',
  plural: 'subnets',
  description: 'A range of addresses on a network, handed out by the cloud.',
  scope: 'project',
  shareable: 'networkId',
  schema: Type.Object({
    networkId: ref('network', 'cascade'),
    cidr: Type.String({ maxLength: 49, description: 'Network in canonical form, e.g. `10.10.0.0/24`.' }),
    gateway: Type.String({ maxLength: 45, description: 'Default: the first address.' }),
    dnsServers: Type.Array(Type.String({ maxLength: 45 }), { maxItems: 8, description: 'Default: the gateway.' }),
    firstAddress: Type.String({ description: 'First address handed out.' }),
    lastAddress: Type.String({ description: 'Last address handed out.' }),
    serviceAddress: Type.Optional(
      Type.String({ description: 'Where the cloud answers in a VPC: names, metadata. The first address after the gateway.' }),
    ),
    hostRoutes: Type.Optional(
      Type.Array(Type.Object({ destination: Type.String({ maxLength: 49 }), nextHop: Type.String({ maxLength: 45 }) }), {
        maxItems: 32,
        description: 'Routes told to guests with their addresses.',
      }),
    ),
    ipv6Mode: Type.Optional(
      Type.Union([Type.Literal('stateful'), Type.Literal('slaac')], {
        description: 'Of IPv6: addresses by DHCPv6, or made by the guests from what the router advertises.',
      }),
    ),
  }),
  states: { creating: ['available', 'deleted'], available: ['deleting'], deleting: ['deleted'] },
  initial: 'creating',
  unique: [['networkId', 'cidr']],
  indexed: ['cidr'],
  quota: { subnets: 1 },
});
