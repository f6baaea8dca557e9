import { Type } from 'typebox';
import { defineKind, type Migration, ref } from '../../../kernel/index.ts';

export const elasticIp = defineKind({
  name: 'elasticIp',
  plural: 'elastic-ips',
  description:
    'An address of an external network that belongs to the project, and stands for whichever NIC or load balancer it is bound to.',
  scope: 'project',
  schema: Type.Object({
    description: Type.Optional(Type.String({ maxLength: 1024 })),
    externalNetworkId: ref('network', 'restrict'),
    subnetId: ref('subnet', 'restrict', { description: 'Of the external network.' }),
    address: Type.String({ maxLength: 45 }),
    family: Type.Union([Type.Literal(4), Type.Literal(6)], { description: 'Of IP: a NIC has at most one elastic IP of each.' }),
    nicId: Type.Optional(ref('nic', 'detach')),
    loadBalancerId: Type.Optional(ref('loadBalancer', 'detach')),
    natGatewayId: Type.Optional(ref('natGateway', 'restrict', { description: 'What it comes in through while it is bound.' })),
    distributed: Type.Boolean({ description: "Whether packets leave from the machine's own host in place of the gateway's." }),
  }),
  states: {
    available: ['binding', 'deleting'],
    binding: ['bound', 'available'],
    bound: ['unbinding', 'available'],
    unbinding: ['available'],
    deleting: ['deleted'],
  },
  initial: 'available',
  unique: [['subnetId', 'address'], ['nicId', 'family'], ['loadBalancerId']],
  indexed: ['address'],
  quota: { elasticIps: 1 },
  detached: {
    nicId: { from: ['binding', 'bound', 'unbinding'], to: 'available', clears: ['natGatewayId'] },
    loadBalancerId: { from: ['binding', 'bound', 'unbinding'], to: 'available', clears: ['natGatewayId'] },
  },
});

/** Elastic IPs were of IPv4 alone. */
export const elasticIpFamilies: Migration = {
  plugin: 'network',
  number: 1,
  table: elasticIp.name,
  up: (row) => ({ family: 4, ...row }),
};
