import { hash } from 'node:crypto';
import { CloudError, equals, type Reader, type RowOf } from '../../../kernel/index.ts';
import type { Call, GatewaySide, GatewaySpec } from '../../../strategy/index.ts';
import { given } from '../../naming.ts';
import { host } from '../../topology/contract.ts';
import { isIpv6 } from '../cidr.ts';
import { ensureKept, type KeptKind } from '../kept.ts';
import { network } from '../network.ts';
import type { NetworkContext } from '../network-context.ts';
import { fabricName, unconnectedTo } from '../physical/connected.ts';
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
    const [first, second] = await sidesOf(ctx.reader, row);
    const hosts = await carriersOf(ctx, row.externalNetworkId, row.id);
    // It is made again when there is a host.
    if (hosts.length === 0 || first === undefined) return undefined;
    return {
      id: row.id,
      owner: ctx.cloudId,
      vpcId: row.vpcId,
      externalNetworkId: row.externalNetworkId,
      ...first,
      ...given({ ipv6: second }),
      sources: row.snat ? await reachingOut(ctx, row) : [],
      hosts,
    };
  },
};

/** By each family that it has an address in, IPv4 first. */
async function sidesOf(reader: Reader, row: RowOf<typeof natGateway>): Promise<readonly GatewaySide[]> {
  const own = [
    { subnetId: row.subnetId, address: row.address },
    { subnetId: row.ipv6SubnetId, address: row.ipv6Address },
  ];
  const sides: GatewaySide[] = [];
  for (const { subnetId, address } of own) {
    if (subnetId === undefined || address === undefined) continue;
    const { id, cidr, gateway } = await reader.get(subnet, subnetId);
    sides.push({ externalSubnetId: id, address, externalCidr: cidr, nextHop: gateway });
  }
  return sides;
}

async function reachingOut(ctx: NetworkContext, row: RowOf<typeof natGateway>): Promise<GatewaySpec['sources']> {
  const there = (await subnetsOf(ctx.reader, row.vpcId)).filter(({ state }) => state === 'available');
  const able = there.filter(({ cidr }) => (isIpv6(cidr) ? row.ipv6Address : row.address) !== undefined);
  const sorted = able.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  if (row.portsPerSubnet === undefined) return sorted.map(({ cidr }) => ({ cidr }));
  const blocks = await ctx.reader.list(natPortBlock, equals('natGatewayId', row.id));
  return sorted.flatMap(({ id, cidr }) => {
    if (isIpv6(cidr)) return [{ cidr }];
    const block = blocks.find(({ subnetId }) => subnetId === id);
    return block === undefined ? [] : [{ cidr, ports: { first: block.firstPort, last: block.lastPort } }];
  });
}

type Context = Pick<NetworkContext, 'fabrics' | 'reader'>;

/** Hosts that are named in a refusal. */
const TOLD_MAX = 8;

/** Hosts that are kept from machines carry a gateway only while there are no others. */
const CARRYING = ['enabled', 'disabled', 'maintenance'] as const;

/**
 * Names of hosts that are connected to the external network and may carry the gateway. Each gateway has an order of its own, so that they spread, and which stays
 * when others come and go. While none is connected it stays with those that would be.
 */
async function carriersOf(ctx: Context, externalNetworkId: string, id: string): Promise<readonly string[]> {
  const { all, connected } = await hostsAround(ctx, await ctx.reader.get(network, externalNetworkId));
  const hosts = connected.length > 0 ? connected : all;
  const state = CARRYING.find((each) => hosts.some((row) => row.state === each));
  const ranked = hosts
    .filter((row) => row.state === state)
    .map((row) => ({ name: fabricName(row), rank: hash('sha256', `${id} ${row.id}`, 'hex') }));
  return ranked.toSorted((a, b) => (a.rank < b.rank ? -1 : 1)).map((each) => each.name);
}

/** Hosts of the cluster whose physical network it is on, and those of them of which nothing is known that would keep them from it, with what keeps the others. */
async function hostsAround(ctx: Context, external: RowOf<typeof network>) {
  if (external.physicalNetworkId === undefined) return { all: [], connected: [], told: [] };
  const { clusterId } = await ctx.reader.get(physicalNetwork, external.physicalNetworkId);
  const all = await ctx.reader.list(host, equals('clusterId', clusterId));
  const unconnected = await unconnectedTo(ctx, external);
  const why = all.map((row) => unconnected?.(fabricName(row)));
  return {
    all,
    connected: all.filter((_, index) => why[index] === undefined),
    told: all.flatMap(({ name }, index) => (why[index] === undefined ? [] : [`Host ${name} ${why[index]}.`])),
  };
}

/** @throws CloudError no_capacity where no host could carry it */
export async function refuseUncarried(ctx: Context, external: RowOf<typeof network>): Promise<void> {
  const { connected, told } = await hostsAround(ctx, external);
  if (connected.some(({ state }) => CARRYING.some((each) => each === state))) return;
  const message = `No host is connected to network ${external.name} that could carry the gateway.`;
  throw new CloudError('no_capacity', told[0] === undefined ? message : `${message} ${told[0]}`, {
    pointer: '/externalNetworkId',
    params: { reasons: told.length === 0 ? [external.name] : told.slice(0, TOLD_MAX) },
  });
}

/** Makes the gateway of a VPC anew, if it has one: its subnets have changed. */
export async function realizeGatewayOf(ctx: NetworkContext, { vpcId }: { readonly vpcId?: string }, call: Call): Promise<void> {
  const row = vpcId === undefined ? undefined : await gatewayOf(ctx.reader, vpcId);
  if (row?.state === 'available') await ensureKept(keptGateway, ctx, row.id, call);
}
