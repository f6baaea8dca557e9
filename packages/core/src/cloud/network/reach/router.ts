import { both, equals, type RowOf } from '../../../kernel/index.ts';
import { parseCidr } from '../cidr.ts';
import { natGateway } from '../nat/nat-gateway.ts';
import { peering } from '../vpc/peering.ts';
import { route } from '../vpc/route.ts';
import type { vpc } from '../vpc/vpc.ts';
import { type Facts, familyOf, isIn, type SubnetRow } from './facts.ts';

export type PeeringRow = RowOf<typeof peering>;
export type GatewayRow = RowOf<typeof natGateway>;

/** Where the router of a VPC sends a packet. */
export type NextStep =
  | { readonly type: 'subnet'; readonly subnet: SubnetRow }
  | { readonly type: 'peering'; readonly peering: PeeringRow; readonly subnet: SubnetRow }
  | { readonly type: 'route'; readonly route: RowOf<typeof route> }
  | { readonly type: 'gateway'; readonly gateway: GatewayRow }
  | { readonly type: 'nowhere' };

interface Entry {
  readonly destination: string;
  readonly step: NextStep;
}

/** The longest destination wins; of equal ones the first: what the router is connected to, then peerings, then routes, then the gateway. */
export async function nextStep(facts: Facts, { id }: RowOf<typeof vpc>, address: string): Promise<NextStep> {
  const entries = [
    ...(await connected(facts, id)),
    ...(await peered(facts, id)),
    ...(await routed(facts, id)),
    ...(await outwards(facts, id, address)),
  ];
  let best: Entry | undefined;
  for (const entry of entries)
    if (isIn(entry.destination, address) && (best === undefined || prefixOf(entry) > prefixOf(best))) best = entry;
  return best?.step ?? { type: 'nowhere' };
}

const prefixOf = ({ destination }: Entry): number => parseCidr(destination)?.prefix ?? 0;

async function connected(facts: Facts, vpcId: string): Promise<readonly Entry[]> {
  const subnets = await facts.subnetsOf(await facts.networksOf(vpcId));
  return subnets.map((subnet) => ({ destination: subnet.cidr, step: { type: 'subnet', subnet } }));
}

async function peered(facts: Facts, vpcId: string): Promise<readonly Entry[]> {
  const rows = await facts.reader.list(peering, both(equals('vpcId', vpcId), equals('state', 'active')));
  const entries = rows.map(async (row) => {
    const subnets = await facts.subnetsOf(await facts.networksOf(row.peerVpcId));
    return subnets.map((subnet): Entry => ({ destination: subnet.cidr, step: { type: 'peering', peering: row, subnet } }));
  });
  return (await Promise.all(entries)).flat();
}

async function routed(facts: Facts, vpcId: string): Promise<readonly Entry[]> {
  const rows = await facts.reader.list(route, both(equals('vpcId', vpcId), equals('state', 'available')));
  return rows.map((row) => ({ destination: row.destination, step: { type: 'route', route: row } }));
}

async function outwards(facts: Facts, vpcId: string, address: string): Promise<readonly Entry[]> {
  const [gateway] = await facts.reader.list(natGateway, both(equals('vpcId', vpcId), equals('state', 'available')), { limit: 1 });
  if (gateway === undefined || gatewayAddress(gateway, address) === undefined) return [];
  return [{ destination: familyOf(address) === 4 ? '0.0.0.0/0' : '::/0', step: { type: 'gateway', gateway } }];
}

/** Its own address of the same family as another, if it has one. */
export const gatewayAddress = ({ address, ipv6Address }: GatewayRow, like: string): string | undefined =>
  familyOf(like) === 4 ? address : ipv6Address;
