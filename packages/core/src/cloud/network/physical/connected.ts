import { CloudError, type RowOf } from '../../../kernel/index.ts';
import type { host } from '../../topology/contract.ts';
import type { network } from '../network.ts';
import type { NetworkContext } from '../network-context.ts';
import { segmentOf } from '../network-place.ts';

type Context = Pick<NetworkContext, 'fabrics' | 'reader'>;
type NetworkRow = RowOf<typeof network>;

/** Why the host of that name cannot be used, in the words that follow its name. Undefined where nothing is known against it. */
export type Unconnected = (hostname: string) => string | undefined;

/**
 * What leads from a host to a physical network is the operator's to make on each host; one that has it not would take machines whose packets go nowhere. Asked of
 * what the driver knows already: a host that has told nothing yet is taken for connected.
 */
export async function unconnectedTo({ fabrics, reader }: Context, row: NetworkRow): Promise<Unconnected | undefined> {
  const { segment } = await segmentOf({ reader }, row);
  if (segment === undefined) return undefined;
  const fabric = await fabrics.of(row);
  return (hostname) => {
    const missing = fabric.missing(hostname, segment);
    return missing === undefined ? undefined : `is not connected to network ${row.name}: it ${missing}`;
  };
}

/** Why machines with these networks are not placed on a host: it does not lead there, or does not do what it is told. */
export async function unconnectedToAny(ctx: Context, networks: readonly NetworkRow[]): Promise<Unconnected | undefined> {
  const known = (await Promise.all(networks.map((row) => unconnectedTo(ctx, row)))).filter((each) => each !== undefined);
  const shared = networks.filter(({ vpcId, physicalNetworkId }) => vpcId !== undefined || physicalNetworkId !== undefined);
  const fabrics = new Set(await Promise.all(shared.map((row) => ctx.fabrics.of(row))));
  const whys = [...known, ...[...fabrics].map((each) => (hostname: string) => each.troubleOf(hostname))];
  return whys.length === 0 ? undefined : (hostname) => whys.map((why) => why(hostname)).find((why) => why !== undefined);
}

/** @throws CloudError conflict */
export async function refuseUnconnected(ctx: Context, row: NetworkRow, at: RowOf<typeof host>, pointer?: string): Promise<void> {
  const why = (await unconnectedTo(ctx, row))?.(fabricName(at));
  if (why === undefined) return;
  throw new CloudError('conflict', `Host ${at.name} ${why}.`, {
    ...(pointer === undefined ? {} : { pointer }),
    params: { networkId: row.id, hostId: at.id },
  });
}

/** What drivers call a host. */
export const fabricName = ({ hostname, name }: Pick<RowOf<typeof host>, 'hostname' | 'name'>): string => hostname ?? name;
