import { CloudError, equals, type RowOf } from '../../kernel/index.ts';
import type { Call, NetworkSpec, SubnetSpec } from '../../strategy/index.ts';
import { given } from '../naming.ts';
import type { CloudServices } from '../services.ts';
import { isThere } from './kept.ts';
import { network } from './network.ts';
import { segmentOf } from './network-place.ts';
import { subnet } from './subnet.ts';
import type { Told } from './subnet-row.ts';
import { vpc } from './vpc/vpc.ts';

type SubnetRow = RowOf<typeof subnet>;

/** What network sagas reach. */
export type NetworkContext = Pick<CloudServices, 'fabrics' | 'hosts' | 'reader' | 'cloudId'>;

/** What is not in the rows yet. */
export interface Coming {
  /** The subnet that is being made. */
  readonly arriving?: string;
  readonly changing?: { readonly subnetId: string; readonly told: Told };
}

/** The whole network as its rows say it should be, with the subnets that are there, and what is coming. */
export async function networkSpec(
  ctx: Pick<NetworkContext, 'reader' | 'cloudId'>,
  row: RowOf<typeof network>,
  { arriving, changing }: Coming = {},
): Promise<NetworkSpec> {
  const subnets = (await ctx.reader.list(subnet, equals('networkId', row.id))).filter((entry) => isThere(entry, row, arriving));
  const { id, name, mode, vpcId, mtuBytes } = row;
  // Guests of a VPC look for names where those of its machines are, unless their network says otherwise.
  const domain = row.domain ?? (vpcId === undefined ? undefined : (await ctx.reader.get(vpc, vpcId)).domain);
  return {
    ...{
      id,
      name,
      mode,
      owner: ctx.cloudId,
      subnets: subnets.map((each) => subnetSpec(each.id === changing?.subnetId ? telling(each, changing.told) : each)),
    },
    ...given({ domain, vpcId, mtuBytes }),
    ...(await segmentOf(ctx, row)),
  };
}

function telling({ hostRoutes: before, ...row }: SubnetRow, { dnsServers = row.dnsServers, hostRoutes = before }: Told): SubnetRow {
  return { ...row, dnsServers, ...(hostRoutes === undefined || hostRoutes === null ? {} : { hostRoutes }) };
}

const subnetSpec = ({ id, cidr, gateway, dnsServers, serviceAddress, hostRoutes, ipv6Mode }: SubnetRow): SubnetSpec => ({
  id,
  cidr,
  gateway,
  dnsServers,
  ...given({ serviceAddress, hostRoutes, ipv6Mode }),
});

/** Makes the real network equal to its rows, in turn with others who do: who has read before a change must not write after it. */
export const realize = (ctx: NetworkContext, networkId: string, call: Call, coming?: Coming): Promise<RowOf<typeof network>> =>
  ctx.fabrics.inTurn(networkId, async () => {
    const row = await ctx.reader.get(network, networkId);
    const fabric = await ctx.fabrics.of(row);
    await fabric.ensureNetwork(await networkSpec(ctx, row, coming), call);
    return row;
  });

/** Whether the network's host answers; one that is not bound to a host is reached without. */
export const networkReachable = async (ctx: Pick<NetworkContext, 'hosts'>, row: RowOf<typeof network>): Promise<boolean> =>
  row.hostId === undefined || ctx.hosts.reachable(row.hostId);

/** Before what cannot be taken back. @throws CloudError unavailable */
export async function needReachable(ctx: Pick<NetworkContext, 'hosts'>, row: RowOf<typeof network>): Promise<void> {
  if (!(await networkReachable(ctx, row)))
    throw new CloudError('unavailable', `The host of network ${row.name} is out of reach.`, { params: { networkId: row.id } });
}
