import { defineDeletion, FORWARD_ONLY, type Id, type Reader, type RowOf, type Saga, saga, transition } from '../../kernel/index.ts';
import type { Call, NicLimits, Plug, PortSpec } from '../../strategy/index.ts';
import { instance } from '../compute/contract.ts';
import { given } from '../naming.ts';
import { host } from '../topology/contract.ts';
import { groupsOfNic } from './firewall/nic-groups.ts';
import { nicBack, nicQuiesce } from './nat/nic-users.ts';
import { network } from './network.ts';
import type { NetworkContext } from './network-context.ts';
import { nic } from './nic.ts';
import { refuseUnconnected } from './physical/connected.ts';
import { vpc } from './vpc/vpc.ts';

/** What is known of a NIC when it is accepted, and told to the sagas. */
export interface PortParams {
  readonly nicId: Id<'nic'>;
  readonly networkId: Id<'network'>;
  readonly subnetId: Id<'subnet'>;
  readonly mac: string;
  readonly address: string;
  readonly slot: number;
  readonly ipv6SubnetId?: Id<'subnet'>;
  readonly ipv6Address?: string;
  readonly allowedAddresses?: NonNullable<PortSpec['allowedAddresses']>;
  readonly outboundBytesPerSecond?: number;
  /** Its switch knows when it is ready, if its driver does. */
  readonly awaited?: true;
  /** What makes a new NIC within a VPC a member of its security groups. */
  readonly memberIds?: readonly Id<'securityGroupMember'>[];
}

/** Where a port is plugged in, as far as that is settled. */
export interface PortMachine {
  /** Of the guest. */
  readonly hostname: string;
  readonly hostId?: string | undefined;
}

/** As the row tells it. */
export function portOf(row: RowOf<typeof nic>): PortParams {
  const { id, networkId, subnetId, mac, address, slot, ipv6SubnetId, ipv6Address, allowedAddresses, limits } = row;
  // 0 lifts the limit.
  const outboundBytesPerSecond = limits?.outboundBytesPerSecond || undefined;
  const optional = given({ ipv6SubnetId, ipv6Address, allowedAddresses, outboundBytesPerSecond });
  return { nicId: id, networkId, subnetId, mac, address, slot, ...optional } as PortParams;
}

/** Of a NIC's limits those that its host has to see to. */
export interface HostLimits {
  readonly limits?: NicLimits;
  /** False while nobody knows whether the fabric bounds what machines of that host send: what a host does of that is left to it. */
  readonly isSure: boolean;
}

/** The fabric may bound what the machine sends; until it is known to, its host does, too. */
export async function hostLimits(
  { fabrics, reader }: Pick<NetworkContext, 'fabrics' | 'reader'>,
  { networkId, limits }: Pick<RowOf<typeof nic>, 'networkId' | 'limits'>,
  hostId: string | undefined,
): Promise<HostLimits> {
  if (limits?.outboundBytesPerSecond === undefined) return { ...given({ limits }), isSure: true };
  const fabric = await fabrics.of(await reader.get(network, networkId));
  const place = hostId === undefined ? undefined : (await reader.get(host, hostId)).hostname;
  const isBounded = fabric.boundsSending(place);
  if (isBounded !== true) return { limits, isSure: isBounded === false };
  const { outboundBytesPerSecond: _, ...others } = limits;
  return { ...(Object.keys(others).length === 0 ? {} : { limits: others }), isSure: true };
}

/** Makes the port as its rows say, in turn with others who do; with the membership in a security group that is `arriving`. */
export const ensurePort = (ctx: NetworkContext, port: PortParams, machine: PortMachine, call: Call, arriving?: string): Promise<Plug> =>
  ctx.fabrics.inTurn(port.nicId, () => makePort(ctx, port, machine, call, arriving));

/**
 * The same for a new machine. When its place was chosen a driver that had just been opened may not have known yet what its hosts lead to; now it does.
 * @throws CloudError conflict
 */
export const ensureNewPort = (ctx: NetworkContext, port: PortParams, machine: PortMachine, call: Call): Promise<Plug> =>
  ctx.fabrics.inTurn(port.nicId, async () => {
    const row = await ctx.reader.get(network, port.networkId);
    const plug = await portThere(ctx, port, row, machine, call);
    if (row.physicalNetworkId !== undefined && machine.hostId !== undefined)
      await refuseUnconnected(ctx, row, await ctx.reader.get(host, machine.hostId));
    return plug;
  });

async function makePort(ctx: NetworkContext, port: PortParams, machine: PortMachine, call: Call, arriving?: string): Promise<Plug> {
  return portThere(ctx, port, await ctx.reader.get(network, port.networkId), machine, call, arriving);
}

async function portThere(
  ctx: NetworkContext,
  port: PortParams,
  row: RowOf<typeof network>,
  machine: PortMachine,
  call: Call,
  arriving?: string,
): Promise<Plug> {
  const fabric = await ctx.fabrics.of(row);
  return fabric.ensurePort(await portSpec(ctx, port, row, machine, arriving), call);
}

/** The same for a NIC that is there. */
export async function ensurePortOf(ctx: NetworkContext, row: RowOf<typeof nic>, call: Call, arriving?: string): Promise<void> {
  const { hostname, hostId } = await ctx.reader.get(instance, row.instanceId);
  await ensurePort(ctx, portOf(row), { hostname, hostId }, call, arriving);
}

/** The same for one that nobody has at work when its turn comes. */
export const mendPort = (ctx: NetworkContext, nicId: string, isFree: (row: RowOf<typeof nic>) => boolean, call: Call): Promise<void> =>
  ctx.fabrics.inTurn(nicId, async () => {
    const row = await ctx.reader.find(nic, nicId);
    if (row?.state !== 'attached' || !isFree(row)) return;
    const { hostname, hostId } = await ctx.reader.get(instance, row.instanceId);
    await makePort(ctx, portOf(row), { hostname, hostId }, call);
  });

async function portSpec(
  ctx: NetworkContext,
  { nicId, networkId, subnetId, mac, address, ipv6SubnetId, ipv6Address, allowedAddresses, outboundBytesPerSecond }: PortParams,
  { vpcId, physicalNetworkId }: RowOf<typeof network>,
  { hostname, hostId }: PortMachine,
  arriving: string | undefined,
): Promise<PortSpec> {
  const second = ipv6SubnetId === undefined || ipv6Address === undefined ? undefined : { id: ipv6SubnetId, address: ipv6Address };
  const own: PortSpec = {
    ...{ nicId, networkId, mac, hostname, owner: ctx.cloudId },
    addresses: [address, ...(second === undefined ? [] : [second.address])],
    subnetIds: [subnetId, ...(second === undefined ? [] : [second.id])],
    ...given({ outboundBytesPerSecond }),
  };
  if (vpcId === undefined && physicalNetworkId === undefined) return own;
  const place = hostId === undefined ? undefined : (await ctx.reader.get(host, hostId)).hostname;
  return { ...own, ...given({ host: place, allowedAddresses }), ...(await withinVpc(ctx.reader, vpcId, nicId, arriving)) };
}

async function withinVpc(
  reader: Reader,
  vpcId: string | undefined,
  nicId: string,
  arriving: string | undefined,
): Promise<Pick<PortSpec, 'vpcId' | 'domain' | 'securityGroupIds'>> {
  if (vpcId === undefined) return {};
  const row = await reader.get(nic, nicId);
  const { domain, projectId } = await reader.get(vpc, vpcId);
  // On a shared network, too, names are given by whoever has the VPC: a machine of another tenant might call itself as one of his.
  const named = row.projectId === projectId ? { domain } : {};
  return { vpcId, ...named, securityGroupIds: await groupsOfNic(reader, row, arriving) };
}

/** Removes the port, or leaves that as a debt where the host is out of reach and `owe` is given. */
export async function deletePort(
  ctx: NetworkContext,
  port: Pick<PortParams, 'nicId' | 'networkId'>,
  call: Call,
  owe?: (debt: { task: string; place: string; target: { nicId: string; networkId: string } }) => void,
): Promise<void> {
  const row = await ctx.reader.find(network, port.networkId);
  if (row === undefined) return;
  const { nicId, networkId } = port;
  if (owe !== undefined && row.hostId !== undefined && !(await ctx.hosts.reachable(row.hostId)))
    return owe({ task: 'port.delete', place: row.hostId, target: { nicId, networkId } });
  await (await ctx.fabrics.of(row)).deletePort({ nicId, networkId }, call);
}

/** Removes a port that this is owed for. That of a NIC that is attached stays. */
export async function payPortRemoval(ctx: NetworkContext, port: Pick<PortParams, 'nicId' | 'networkId'>, call: Call): Promise<void> {
  if ((await ctx.reader.find(nic, port.nicId))?.state !== 'attached') await deletePort(ctx, port, call);
}

interface RemoveParams {
  readonly nicId: Id<'nic'>;
  readonly networkId: Id<'network'>;
  readonly force: boolean;
}

const nicRemove = saga<NetworkContext, RemoveParams>('nic.remove', 1)
  .effect('port', { do: ({ ctx, params, call, owe }) => deletePort(ctx, params, call, params.force ? owe : undefined), undo: FORWARD_ONLY })
  .write('deleted', { do: ({ params }) => [transition(nic, params.nicId, { from: 'deleting', to: 'deleted' })], undo: FORWARD_ONLY })
  .build();

/** Goes with its machine; a NIC of a living machine is detached instead. */
export const nicDeletion = (context: () => NetworkContext) =>
  defineDeletion({
    kind: nic,
    from: [],
    quiesce: nicQuiesce as Saga<NetworkContext, RemoveParams>,
    remove: nicRemove,
    trash: { back: nicBack as Saga<NetworkContext, RemoveParams> },
    context,
    params: (row: RowOf<typeof nic>, { force }) => ({ nicId: row.id, networkId: row.networkId, force }),
  });
