import { hash } from 'node:crypto';
import { CloudError, equals, type Id, type Reader, type RowOf } from '../../../kernel/index.ts';
import type { Call, GatewaySide, GatewaySpec } from '../../../strategy/index.ts';
import { given } from '../../naming.ts';
import { host } from '../../topology/contract.ts';
import { isIpv6 } from '../cidr.ts';
import { ensureKept, type KeptKind } from '../kept.ts';
import { network } from '../network.ts';
import type { NetworkContext } from '../network-context.ts';
import { physicalNetwork } from '../physical/physical-network.ts';
import { subnet } from '../subnet.ts';
import { vpc } from '../vpc/vpc.ts';
import { subnetsOf } from '../vpc/vpc-ranges.ts';
import { natGateway, natPortBlock } from './nat-gateway.ts';
import { gatewayOf } from './port-blocks.ts';

export const keptGateway: KeptKind<typeof natGateway, 'gateways'> = {
  kind: natGateway,
  sort: 'gateways',
  fabric: async (ctx, row) => ctx.fabrics.of(await ctx.reader.get(vpc, row.vpcId)),
  spec: async (ctx, row) => {
    const external = await ctx.reader.get(subnet, row.subnetId);
    const hosts = await carriersOf(ctx.reader, row);
    // It is made again when there is a host.
    if (hosts.length === 0) return undefined;
    return {
      id: row.id,
      owner: ctx.cloudId,
      vpcId: row.vpcId,
      externalNetworkId: row.externalNetworkId,
      externalSubnetId: row.subnetId,
      address: row.address,
      externalCidr: external.cidr,
      nextHop: external.gateway,
      ...given({ ipv6: await ipv6Side(ctx.reader, row) }),
      sources: row.snat ? await reachingOut(ctx, row) : [],
      hosts,
    };
  },
};

async function ipv6Side(reader: Reader, { ipv6SubnetId, ipv6Address }: RowOf<typeof natGateway>): Promise<GatewaySide | undefined> {
  if (ipv6SubnetId === undefined || ipv6Address === undefined) return undefined;
  const { id, cidr, gateway } = await reader.get(subnet, ipv6SubnetId);
  return { externalSubnetId: id, address: ipv6Address, externalCidr: cidr, nextHop: gateway };
}

async function reachingOut(ctx: NetworkContext, row: RowOf<typeof natGateway>): Promise<GatewaySpec['sources']> {
  const there = (await subnetsOf(ctx.reader, row.vpcId)).filter(({ state }) => state === 'available');
  const able = there.filter(({ cidr }) => row.ipv6Address !== undefined || !isIpv6(cidr));
  const sorted = able.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  if (row.portsPerSubnet === undefined) return sorted.map(({ cidr }) => ({ cidr }));
  const blocks = await ctx.reader.list(natPortBlock, equals('natGatewayId', row.id));
  return sorted.flatMap(({ id, cidr }) => {
    if (isIpv6(cidr)) return [{ cidr }];
    const block = blocks.find(({ subnetId }) => subnetId === id);
    return block === undefined ? [] : [{ cidr, ports: { first: block.firstPort, last: block.lastPort } }];
  });
}

/** Hosts that are kept from machines carry a gateway only while there are no others. */
const CARRYING = ['enabled', 'disabled', 'maintenance'] as const;

/**
 * Names of hosts that are connected to the external network and may carry the gateway. Each gateway has an order of its own, so that they spread, and which stays
 * when others come and go.
 */
async function carriersOf(
  reader: Reader,
  { id, externalNetworkId }: Pick<RowOf<typeof natGateway>, 'id' | 'externalNetworkId'>,
): Promise<readonly string[]> {
  const { physicalNetworkId } = await reader.get(network, externalNetworkId);
  if (physicalNetworkId === undefined) return [];
  const { clusterId } = await reader.get(physicalNetwork, physicalNetworkId);
  const hosts = await reader.list(host, equals('clusterId', clusterId));
  const state = CARRYING.find((each) => hosts.some((row) => row.state === each));
  const ranked = hosts
    .filter((row) => row.state === state)
    .map((row) => ({ name: row.hostname ?? row.name, rank: hash('sha256', `${id} ${row.id}`, 'hex') }));
  return ranked.toSorted((a, b) => (a.rank < b.rank ? -1 : 1)).map((each) => each.name);
}

/** @throws CloudError no_capacity where no host could carry it */
export async function refuseUncarried(
  reader: Reader,
  { id, external }: { readonly id: Id<'natGateway'>; readonly external: RowOf<typeof network> },
): Promise<void> {
  if ((await carriersOf(reader, { id, externalNetworkId: external.id })).length > 0) return;
  throw new CloudError('no_capacity', `No host is connected to network ${external.name} that could carry the gateway.`, {
    pointer: '/externalNetworkId',
    params: { reasons: [external.name] },
  });
}

/** Makes the gateway of a VPC anew, if it has one: its subnets have changed. */
export async function realizeGatewayOf(ctx: NetworkContext, { vpcId }: { readonly vpcId?: string }, call: Call): Promise<void> {
  const row = vpcId === undefined ? undefined : await gatewayOf(ctx.reader, vpcId);
  if (row?.state === 'available') await ensureKept(keptGateway, ctx, row.id, call);
}
