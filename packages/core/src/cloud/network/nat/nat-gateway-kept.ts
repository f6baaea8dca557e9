import { hash } from 'node:crypto';
import { both, equals, type RowOf } from '../../../kernel/index.ts';
import type { Call, GatewaySpec } from '../../../strategy/index.ts';
import { host } from '../../topology/contract.ts';
import { ensureKept, type KeptKind } from '../kept.ts';
import { network } from '../network.ts';
import type { NetworkContext } from '../network-context.ts';
import { physicalNetwork } from '../physical/physical-network.ts';
import { subnet } from '../subnet.ts';
import { vpc } from '../vpc/vpc.ts';
import { natGateway, natPortBlock } from './nat-gateway.ts';
import { gatewayOf, sourcesOf } from './port-blocks.ts';

export const keptGateway: KeptKind<typeof natGateway, 'gateways'> = {
  kind: natGateway,
  sort: 'gateways',
  fabric: async (ctx, row) => ctx.fabrics.of(await ctx.reader.get(vpc, row.vpcId)),
  spec: async (ctx, row) => {
    const external = await ctx.reader.get(subnet, row.subnetId);
    return {
      id: row.id,
      owner: ctx.cloudId,
      vpcId: row.vpcId,
      externalNetworkId: row.externalNetworkId,
      externalSubnetId: row.subnetId,
      address: row.address,
      externalCidr: external.cidr,
      nextHop: external.gateway,
      sources: row.snat ? await reachingOut(ctx, row) : [],
      hosts: await candidates(ctx, row),
    };
  },
};

async function reachingOut(ctx: NetworkContext, row: RowOf<typeof natGateway>): Promise<GatewaySpec['sources']> {
  const there = (await sourcesOf(ctx.reader, row.vpcId)).filter(({ state }) => state === 'available');
  const sorted = there.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  if (row.portsPerSubnet === undefined) return sorted.map(({ cidr }) => ({ cidr }));
  const blocks = await ctx.reader.list(natPortBlock, equals('natGatewayId', row.id));
  return sorted.flatMap(({ id, cidr }) => {
    const block = blocks.find(({ subnetId }) => subnetId === id);
    return block === undefined ? [] : [{ cidr, ports: { first: block.firstPort, last: block.lastPort } }];
  });
}

/**
 * Hosts that are connected to the external network and not on their way out. Each gateway has an order of its own, so that they spread, and which stays when
 * others come and go.
 */
async function candidates(ctx: NetworkContext, { id, externalNetworkId }: RowOf<typeof natGateway>): Promise<readonly string[]> {
  const { physicalNetworkId } = await ctx.reader.get(network, externalNetworkId);
  if (physicalNetworkId === undefined) return [];
  const { clusterId } = await ctx.reader.get(physicalNetwork, physicalNetworkId);
  const hosts = await ctx.reader.list(host, both(equals('clusterId', clusterId), equals('state', 'enabled')));
  const ranked = hosts.map((row) => ({ name: row.hostname ?? row.name, rank: hash('sha256', `${id} ${row.id}`, 'hex') }));
  return ranked.toSorted((a, b) => (a.rank < b.rank ? -1 : 1)).map(({ name }) => name);
}

/** Makes the gateway of a VPC anew, if it has one: its subnets have changed. */
export async function realizeGatewayOf(ctx: NetworkContext, { vpcId }: { readonly vpcId?: string }, call: Call): Promise<void> {
  const row = vpcId === undefined ? undefined : await gatewayOf(ctx.reader, vpcId);
  if (row?.state === 'available') await ensureKept(keptGateway, ctx, row.id, call);
}
