import { Type } from 'typebox';
import { defineKind, type RowOf, ref, type Statement } from '../../../kernel/index.ts';
import type { network } from '../network.ts';

export const reservedAddress = defineKind({
  name: 'reservedAddress',
  plural: 'reserved-addresses',
  description:
    'An address of a subnet that no NIC gets: of a gateway, an elastic IP or a load balancer, or kept for machines that share it.',
  scope: 'project',
  schema: Type.Object({
    subnetId: ref('subnet', 'restrict', { recursive: true }),
    address: Type.String({ maxLength: 45 }),
    natGatewayId: Type.Optional(ref('natGateway', 'cascade')),
    elasticIpId: Type.Optional(ref('elasticIp', 'cascade')),
    loadBalancerId: Type.Optional(ref('loadBalancer', 'cascade')),
  }),
  states: { available: ['deleting', 'deleted'], deleting: ['deleted'] },
  initial: 'available',
  unique: [['subnetId', 'address']],
  indexed: ['address'],
  quota: { reservedAddresses: 1 },
});

/** In others nothing is ever reserved, and their NICs pay nothing for it. */
export const holdsReserved = ({ mode }: Pick<RowOf<typeof network>, 'mode'>): boolean => mode === 'routed' || mode === 'provider';

/** With a new NIC: the address is nobody else's. Its counterpart goes with each address that is reserved, so that two at once cannot both come through. */
export const notReserved = (subnetId: string, address: string): Statement => ({
  op: 'vacant',
  table: reservedAddress.name,
  where: { subnetId, address },
});

export const isReserved = (statement: Statement | undefined): boolean =>
  statement?.op === 'vacant' && statement.table === reservedAddress.name;
