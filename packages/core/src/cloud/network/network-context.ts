import { CloudError, equals, type RowOf } from '../../kernel/index.ts';
import type { Call, NetworkSpec } from '../../strategy/index.ts';
import type { CloudServices } from '../services.ts';
import { network } from './network.ts';
import { subnet } from './subnet.ts';

/** What network sagas reach. */
export type NetworkContext = Pick<CloudServices, 'fabrics' | 'hosts' | 'reader' | 'cloudId'>;

/** The whole network as its rows say it should be, with the subnets that are not on their way out. */
export async function networkSpec(ctx: Pick<NetworkContext, 'reader' | 'cloudId'>, row: RowOf<typeof network>): Promise<NetworkSpec> {
  const subnets = (await ctx.reader.list(subnet, equals('networkId', row.id))).filter((entry) => entry.state !== 'deleting');
  return {
    id: row.id,
    name: row.name,
    owner: ctx.cloudId,
    mode: row.mode,
    subnets: subnets.map(({ id, cidr, gateway, dnsServers }) => ({ id, cidr, gateway, dnsServers })),
    ...(row.domain === undefined ? {} : { domain: row.domain }),
  };
}

/** Makes the real network equal to its rows. */
export async function realize(ctx: NetworkContext, networkId: string, call: Call): Promise<void> {
  const row = await ctx.reader.get(network, networkId);
  const fabric = await ctx.fabrics.of(row);
  await fabric.ensureNetwork(await networkSpec(ctx, row), call);
}

/** Whether the network's host answers; one that is not bound to a host is reached without. */
export const networkReachable = async (ctx: Pick<NetworkContext, 'hosts'>, row: RowOf<typeof network>): Promise<boolean> =>
  row.hostId === undefined || ctx.hosts.reachable(row.hostId);

/** Before what cannot be taken back. @throws CloudError unavailable */
export async function needReachable(ctx: Pick<NetworkContext, 'hosts'>, row: RowOf<typeof network>): Promise<void> {
  if (!(await networkReachable(ctx, row)))
    throw new CloudError('unavailable', `The host of network ${row.name} is out of reach.`, { params: { networkId: row.id } });
}
