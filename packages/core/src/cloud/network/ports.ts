import {
  both,
  CloudError,
  create,
  defineDeletion,
  equals,
  expectState,
  FORWARD_ONLY,
  type Id,
  isCloudError,
  type Principal,
  type Random,
  type Reader,
  type RowOf,
  type Statement,
  saga,
  transition,
  usable,
} from '../../kernel/index.ts';
import type { Call, Plug } from '../../strategy/index.ts';
import type { Addresses } from './addresses.ts';
import { network } from './network.ts';
import type { NetworkContext } from './network-context.ts';
import { nic } from './nic.ts';
import { subnet } from './subnet.ts';

/** Where a new NIC goes, as a request names it: a subnet, or a network whose first subnet is meant. */
export interface NicRequest {
  readonly networkId?: string;
  readonly subnetId?: string;
  readonly address?: string;
}
export interface NicPlace {
  readonly network: RowOf<typeof network>;
  readonly subnet: RowOf<typeof subnet>;
  readonly asked?: { readonly address: string; readonly pointer: string };
}
export interface PortParams {
  readonly nicId: Id<'nic'>;
  readonly networkId: Id<'network'>;
  readonly mac: string;
  readonly address: string;
  readonly slot: number;
}

/** @throws CloudError not_found, invalid_input, conflict, with pointers below `at` */
export async function nicPlace(reader: Reader, request: NicRequest, at: string, principal: Principal): Promise<NicPlace> {
  const place =
    request.subnetId === undefined ? await firstSubnet(reader, request, at, principal) : await subnetOf(reader, request, at, principal);
  const asked = request.address === undefined ? {} : { asked: { address: request.address, pointer: `${at}/address` } };
  return { ...place, ...asked };
}

async function subnetOf(reader: Reader, { networkId, subnetId = '' }: NicRequest, at: string, principal: Principal): Promise<NicPlace> {
  const row = await reader.get(subnet, subnetId, `${at}/subnetId`);
  const parent = await usable(reader, network, row.networkId, principal).catch((error: unknown) => {
    // As of a subnet that is not there: its network is not named.
    throw isCloudError(error) ? new CloudError('not_found', `No subnet ${subnetId}.`, { pointer: `${at}/subnetId` }) : error;
  });
  if (networkId !== undefined && networkId !== parent.id)
    throw new CloudError('invalid_input', 'The subnet is not on that network.', { pointer: `${at}/subnetId` });
  return { network: parent, subnet: row };
}

async function firstSubnet(reader: Reader, { networkId }: NicRequest, at: string, principal: Principal): Promise<NicPlace> {
  if (networkId === undefined) throw new CloudError('invalid_input', 'Give a networkId or a subnetId.', { pointer: at });
  const parent = await usable(reader, network, networkId, principal, `${at}/networkId`);
  const [first] = await reader.list(subnet, both(equals('networkId', parent.id), equals('state', 'available')), { limit: 1 });
  if (first === undefined) throw new CloudError('not_found', `No network ${networkId} with a subnet.`, { pointer: `${at}/networkId` });
  return { network: parent, subnet: first };
}

/** The row of a new NIC, with an address of its own, and what the saga needs to know of it. */
export async function nicRow(
  place: NicPlace,
  owner: { readonly id: Id<'nic'>; readonly instanceId: Id<'instance'>; readonly projectId: Id<'project'>; readonly slot: number },
  tools: { readonly addresses: Addresses; readonly reader: Reader; readonly random: Random },
): Promise<{ readonly statements: readonly Statement[]; readonly params: PortParams }> {
  const address = await tools.addresses.choose(place.subnet, tools.reader, place.asked);
  const mac = ['52:54:00', ...[...tools.random.bytes(3)].map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
  const row = create(nic, {
    ...owner,
    name: `nic-${owner.id.slice(-12)}`,
    networkId: place.network.id,
    subnetId: place.subnet.id,
    mac,
    address,
  });
  return {
    statements: [expectState(network, place.network.id, ['available']), expectState(subnet, place.subnet.id, ['available']), row],
    params: { nicId: owner.id, networkId: place.network.id, mac, address, slot: owner.slot },
  };
}

/** A clash on a NIC's own values was nobody's fault: others are chosen. What was asked for by name stays refused. */
export const isNicClash = (statement: Statement | undefined): boolean => statement?.op === 'insert' && statement.table === nic.name;

export async function ensurePort(ctx: NetworkContext, port: PortParams, hostname: string, call: Call): Promise<Plug> {
  const fabric = await ctx.fabrics.of(await ctx.reader.get(network, port.networkId));
  return fabric.ensurePort({ nicId: port.nicId, networkId: port.networkId, mac: port.mac, addresses: [port.address], hostname }, call);
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

const nicRemove = saga<NetworkContext, { readonly nicId: Id<'nic'>; readonly networkId: Id<'network'>; readonly force: boolean }>(
  'nic.remove',
  1,
)
  .effect('port', { do: ({ ctx, params, call, owe }) => deletePort(ctx, params, call, params.force ? owe : undefined), undo: FORWARD_ONLY })
  .write('deleted', { do: ({ params }) => [transition(nic, params.nicId, { from: 'deleting', to: 'deleted' })], undo: FORWARD_ONLY })
  .build();

/** Goes with its machine; a NIC of a living machine is detached instead. */
export const nicDeletion = (context: () => NetworkContext) =>
  defineDeletion({
    kind: nic,
    from: [],
    remove: nicRemove,
    trash: {},
    context,
    params: (row: RowOf<typeof nic>, { force }) => ({ nicId: row.id, networkId: row.networkId, force }),
  });
