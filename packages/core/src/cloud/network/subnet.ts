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
  }),
  states: { creating: ['available', 'deleted'], available: ['deleting'], deleting: ['deleted'] },
  initial: 'creating',
  unique: [['networkId', 'cidr']],
  indexed: ['cidr'],
});
