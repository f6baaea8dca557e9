import { Type } from 'typebox';
import { defineKind, ref } from '../../../kernel/index.ts';

export const natGateway = defineKind({
  name: 'natGateway',
  plural: 'nat-gateways',
  description: 'How a VPC reaches an external network: machines share its address, and elastic IPs and forwarded ports come in through it.',
  scope: 'project',
  schema: Type.Object({
    vpcId: ref('vpc', 'restrict', { recursive: true }),
    externalNetworkId: ref('network', 'restrict'),
    subnetId: Type.Optional(ref('subnet', 'restrict', { description: 'Of the external network, for `address`.' })),
    address: Type.Optional(Type.String({ maxLength: 45, description: 'In IPv4. Absent: it leads out and in by IPv6 alone.' })),
    ipv6SubnetId: Type.Optional(ref('subnet', 'restrict', { description: 'Of the external network, for `ipv6Address`.' })),
    ipv6Address: Type.Optional(Type.String({ maxLength: 45, description: 'Absent: it leads out and in by IPv4 alone.' })),
    snat: Type.Boolean({ description: 'Whether machines without an elastic IP reach out with its address.' }),
    portsPerSubnet: Type.Optional(
      Type.Integer({
        minimum: 64,
        maximum: 16_384,
        description:
          'Each IPv4 subnet reaches out from a block of so many source ports of its own: who it was can be told by the port. Default: all share all.',
      }),
    ),
  }),
  states: { creating: ['available', 'deleted'], available: ['deleting'], deleting: ['deleted'] },
  initial: 'creating',
  unique: [['vpcId'], ['subnetId', 'address'], ['ipv6SubnetId', 'ipv6Address']],
  indexed: ['address', 'ipv6Address'],
  quota: { natGateways: 1 },
});

export const natPortBlock = defineKind({
  name: 'natPortBlock',
  plural: 'nat-port-blocks',
  description: 'The source ports with which the machines of a subnet reach out through a NAT gateway. It comes and goes with the two.',
  scope: 'project',
  schema: Type.Object({
    natGatewayId: ref('natGateway', 'cascade'),
    subnetId: ref('subnet', 'cascade'),
    firstPort: Type.Integer({ minimum: 1, maximum: 65_535 }),
    lastPort: Type.Integer({ minimum: 1, maximum: 65_535, description: 'Inclusive.' }),
  }),
  states: { available: ['deleting', 'deleted'], deleting: ['deleted'] },
  initial: 'available',
  unique: [['natGatewayId', 'subnetId']],
});
