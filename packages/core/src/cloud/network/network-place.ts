import {
  type AcceptRequest,
  CloudError,
  equals,
  expectState,
  type Id,
  lacks,
  type Reader,
  type RowOf,
  type Statement,
} from '../../kernel/index.ts';
import type { NetworkFactory, NetworkSpec } from '../../strategy/index.ts';
import { namedHost } from '../compute/contract.ts';
import type { CloudServices } from '../services.ts';
import { cluster, host } from '../topology/contract.ts';
import { type NetworkMode, network } from './network.ts';
import { physicalNetwork } from './physical/physical-network.ts';
import { chooseTunnelKey } from './physical/tunnel-key.ts';
import { invalid } from './refusal.ts';
import { ownVpc } from './vpc/own-vpc.ts';
import type { vpc } from './vpc/vpc.ts';

/** What a request says of where a new network is to be, and who makes it. */
export interface NetworkWish {
  readonly driver?: string;
  readonly mode?: NetworkMode;
  readonly hostId?: string;
  readonly vpcId?: string;
  readonly physicalNetworkId?: string;
  readonly vlanId?: number;
  readonly tunnelKey?: number;
  readonly mtuBytes?: number;
}

/** Where it is then: fields of its row, and what must still hold when that is written. */
export interface NetworkPlace {
  readonly fields: Pick<RowOf<typeof network>, 'driver' | 'scope' | 'mode'> &
    Partial<Pick<RowOf<typeof network>, 'hostId' | 'vpcId' | 'physicalNetworkId' | 'vlanId' | 'tunnelKey' | 'mtuBytes'>>;
  readonly guards: readonly Statement[];
  readonly vpc?: RowOf<typeof vpc>;
}

type PhysicalRow = RowOf<typeof physicalNetwork>;
type Request = Pick<AcceptRequest<typeof network, unknown>, 'principal' | 'reader' | 'attempt'>;

/** Modes of networks that stand for themselves. */
const STANDALONE: readonly NetworkMode[] = ['nat', 'isolated'];
const UNTAGGED = 0;

export const modesOf = ({ modes = STANDALONE }: NetworkFactory): readonly NetworkMode[] => modes;

/** @throws CloudError with the field at fault */
export function placeNetwork(services: CloudServices, wish: NetworkWish, request: Request): Promise<NetworkPlace> {
  if (wish.vpcId !== undefined) return inVpc(services, { ...wish, vpcId: wish.vpcId }, request);
  if (wish.physicalNetworkId !== undefined)
    return onPhysicalNetwork(services, { ...wish, physicalNetworkId: wish.physicalNetworkId }, request);
  if (wish.mode === 'routed') throw invalid('/vpcId', 'A routed network is part of a VPC: say of which.');
  if (wish.mode === 'provider') throw invalid('/physicalNetworkId', 'A provider network is part of a physical one: say of which.');
  refuseBeside(wish, ['vlanId', 'tunnelKey', 'mtuBytes'], 'Only networks of a VPC or of a physical network have one.');
  return byItself(services, wish, request);
}

async function byItself(services: CloudServices, wish: NetworkWish, request: Request): Promise<NetworkPlace> {
  const { name, modes } = driverFor(services, wish, wish.mode === undefined ? STANDALONE : [wish.mode]);
  const mode = wish.mode ?? (modes.find((each) => STANDALONE.includes(each)) as NetworkMode);
  const { fields, guards } = await atScope(services, name, wish, request);
  return { fields: { ...fields, mode }, guards };
}

/** The VPC says who makes it. */
async function inVpc(
  { fabrics }: CloudServices,
  wish: NetworkWish & { readonly vpcId: string },
  { principal, reader }: Request,
): Promise<NetworkPlace> {
  refuseBeside(wish, ['physicalNetworkId', 'vlanId', 'tunnelKey', 'hostId'], 'A network of a VPC has none.');
  if (wish.mode !== undefined && wish.mode !== 'routed') throw invalid('/mode', 'Networks of a VPC are routed.');
  const parent = await ownVpc(reader, wish.vpcId, principal);
  if (wish.driver !== undefined && wish.driver !== parent.driver)
    throw invalid('/driver', `The VPC is made by ${parent.driver}, and its networks are, too.`);
  (await fabrics.of(parent)).refuseLost();
  const { overlayMtuBytes } = fabrics.factory(parent.driver);
  if (wish.mtuBytes !== undefined && overlayMtuBytes !== undefined && wish.mtuBytes > overlayMtuBytes)
    throw invalid('/mtuBytes', `Between the hosts there is room for ${overlayMtuBytes} bytes at most: larger packets would be lost.`);
  return {
    fields: {
      ...{ driver: parent.driver, scope: parent.scope, mode: 'routed', vpcId: parent.id },
      ...(wish.mtuBytes === undefined ? {} : { mtuBytes: wish.mtuBytes }),
    },
    guards: [],
    vpc: parent,
  };
}

async function onPhysicalNetwork(
  services: CloudServices,
  wish: NetworkWish & { readonly physicalNetworkId: string },
  request: Request,
): Promise<NetworkPlace> {
  const { principal, reader } = request;
  if (wish.mode !== undefined && wish.mode !== 'provider') throw invalid('/mode', 'Networks of a physical network are provider networks.');
  // Who may tell of physical networks may make networks of them.
  if (!principal.allows('physicalNetwork.create')) throw lacks('physicalNetwork.create', principal);
  const physical = await reader.get(physicalNetwork, wish.physicalNetworkId, '/physicalNetworkId');
  if (physical.role !== 'tenant' && physical.role !== 'external')
    throw invalid('/physicalNetworkId', `Physical network ${physical.name} has the role ${physical.role}: machines never reach it.`);
  const { name } = driverFor(services, wish, ['provider'], physical.encapsulation);
  if (services.fabrics.factory(name).scope !== 'host') (await services.fabrics.of({ driver: name })).refuseLost();
  const { fields, guards } = await atScope(services, name, wish, request, physical.clusterId);
  if ((wish.mtuBytes ?? 0) > physical.mtuBytes)
    throw invalid('/mtuBytes', `Physical network ${physical.name} takes ${physical.mtuBytes} bytes at most.`);
  const way = await chooseWay(services, physical, wish, reader);
  const mtuBytes = wish.mtuBytes ?? physical.mtuBytes;
  return {
    fields: { ...fields, mode: 'provider', physicalNetworkId: physical.id, ...way, mtuBytes },
    guards: [...guards, expectState(physicalNetwork, physical.id, ['available'])],
  };
}

/** What sets it apart from the others there. */
async function chooseWay(
  { environment }: Pick<CloudServices, 'environment'>,
  physical: PhysicalRow,
  wish: NetworkWish,
  reader: Reader,
): Promise<{ readonly vlanId: number } | { readonly tunnelKey: number }> {
  if (physical.encapsulation === undefined) {
    refuseBeside(wish, ['tunnelKey'], `Physical network ${physical.name} has no encapsulation.`);
    return { vlanId: await chooseVlan(reader, physical, wish.vlanId) };
  }
  refuseBeside(wish, ['vlanId'], `Physical network ${physical.name} has keys in place of VLANs.`);
  return { tunnelKey: await chooseTunnelKey(reader, physical, { asked: wish.tunnelKey, random: environment.random }) };
}

/** The one asked for, or the first that is free. That it is nobody else's is decided by the unique key of the row. */
async function chooseVlan(reader: Reader, physical: PhysicalRow, asked: number | undefined): Promise<number> {
  const { firstVlanId, lastVlanId } = physical;
  const taken = new Set((await reader.list(network, equals('physicalNetworkId', physical.id))).map(({ vlanId }) => vlanId));
  if (asked !== undefined) {
    const isWithin = firstVlanId !== undefined && lastVlanId !== undefined && asked >= firstVlanId && asked <= lastVlanId;
    if (asked !== UNTAGGED && !isWithin)
      throw invalid('/vlanId', `Physical network ${physical.name} ${rangeText(physical)}; ${UNTAGGED} is untagged.`);
    if (!taken.has(asked)) return asked;
    throw new CloudError('name_taken', `VLAN ${asked} is taken.`, { pointer: '/vlanId', params: { field: 'vlanId', kind: network.name } });
  }
  for (let vlanId = firstVlanId ?? UNTAGGED; vlanId <= (lastVlanId ?? UNTAGGED); vlanId += 1) if (!taken.has(vlanId)) return vlanId;
  throw new CloudError('no_capacity', `Physical network ${physical.name} has no free VLAN.`, {
    pointer: '/physicalNetworkId',
    params: { reasons: [rangeText(physical)] },
  });
}

const rangeText = ({ firstVlanId, lastVlanId }: PhysicalRow): string =>
  firstVlanId === undefined ? 'has no VLANs' : `has the VLANs ${firstVlanId} to ${lastVlanId}`;

/** The driver that was asked for, or the first one installed that makes one of these modes. */
function driverFor(
  { kernel, fabrics }: CloudServices,
  wish: NetworkWish,
  wanted: readonly NetworkMode[],
  encapsulation?: PhysicalRow['encapsulation'],
) {
  const tunnels = (name: string) => encapsulation === undefined || fabrics.factory(name).encapsulations?.includes(encapsulation) === true;
  const makes = (name: string) => tunnels(name) && modesOf(fabrics.factory(name)).some((mode) => wanted.includes(mode));
  const installed = kernel().registry.strategyNames('network');
  const name = wish.driver ?? installed.find(makes);
  if (encapsulation !== undefined && (name === undefined || !tunnels(name)))
    throw new CloudError('unsupported', `${name ?? 'No network driver that is installed'} makes no tunnels of ${encapsulation}.`, {
      pointer: wish.driver === undefined ? '/physicalNetworkId' : '/driver',
    });
  if (name === undefined)
    throw new CloudError('unsupported', `No network driver is installed that makes networks of mode ${wanted.join(' or ')}.`, {
      pointer: wish.mode === undefined ? '/driver' : '/mode',
    });
  const modes = modesOf(fabrics.factory(name));
  if (!makes(name))
    throw new CloudError('unsupported', `${name} makes networks of mode ${modes.join(' or ')} alone.`, {
      pointer: wish.mode === undefined ? '/driver' : '/mode',
    });
  return { name, modes };
}

/** Of a driver of scope `host`: where. The host may not be on its way out when the network lands on it. */
async function atScope(services: CloudServices, driver: string, { hostId }: NetworkWish, request: Request, clusterId?: Id<'cluster'>) {
  const { scope } = services.fabrics.factory(driver);
  if (scope !== 'host') {
    if (hostId !== undefined) throw invalid('/hostId', `Networks of ${driver} are not bound to a host.`);
    return { fields: { driver, scope }, guards: [] };
  }
  const chosen = await chooseHost(services, hostId, request, clusterId);
  return { fields: { driver, scope, hostId: chosen }, guards: [expectState(host, chosen, ['enabled', 'disabled'])] };
}

async function chooseHost(
  services: CloudServices,
  asked: string | undefined,
  { principal, reader, attempt }: Request,
  clusterId: Id<'cluster'> | undefined,
): Promise<Id<'host'>> {
  const within = clusterId === undefined ? {} : { clusterId };
  const request = { vcpus: 0, memoryBytes: 0, volumes: [], attempt, ...within };
  if (asked === undefined) return (await services.placement.place(request, services.reader)).hostId as Id<'host'>;
  const row = await namedHost(reader, principal, asked);
  if (clusterId === undefined || row.clusterId === clusterId) return row.id;
  const { name } = await services.reader.get(cluster, clusterId);
  throw invalid('/hostId', `The physical network is that of cluster ${name}.`);
}

function refuseBeside(wish: NetworkWish, fields: readonly (keyof NetworkWish)[], message: string): void {
  const field = fields.find((each) => wish[each] !== undefined);
  if (field !== undefined) throw invalid(`/${field}`, message);
}

/** How the frames of a provider network travel. */
export async function segmentOf(
  { reader }: { readonly reader: Reader },
  { physicalNetworkId, vlanId, tunnelKey }: RowOf<typeof network>,
): Promise<Pick<NetworkSpec, 'segment'>> {
  if (physicalNetworkId === undefined) return {};
  const { label, clusterId, encapsulation, role } = await reader.get(physicalNetwork, physicalNetworkId);
  const isUntagged = encapsulation === undefined && (vlanId === undefined || vlanId === UNTAGGED);
  return {
    segment: {
      ...{ physicalNetwork: label, clusterId },
      ...(vlanId === undefined || vlanId === UNTAGGED ? {} : { vlanId }),
      ...(isUntagged && role === 'tenant' ? { apartFromHosts: true as const } : {}),
      ...(tunnelKey === undefined || encapsulation === undefined ? {} : { tunnel: { encapsulation, key: tunnelKey } }),
    },
  };
}
