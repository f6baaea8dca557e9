import { type Static, Type } from 'typebox';
import {
  both,
  CloudError,
  type CommitResult,
  create,
  equals,
  expectState,
  type Id,
  isCloudError,
  type Principal,
  type Reader,
  type RowOf,
  ref,
  type Statement,
  type transition,
  usable,
} from '../../kernel/index.ts';
import { given } from '../naming.ts';
import type { CloudServices } from '../services.ts';
import { type Asked, oursIn } from './addresses.ts';
import { type Cidr, contains, formatAddress, overlaps, parseAddress, parseCidr } from './cidr.ts';
import { groupsOfNewNic, membersOfNewNic, nicGroups } from './firewall/nic-groups.ts';
import { securityGroupMember } from './firewall/security-group-member.ts';
import { type Choosing, chooseRested } from './nat/reservation.ts';
import { holdsReserved, isReserved, notReserved } from './nat/reserved-address.ts';
import { network } from './network.ts';
import { nic } from './nic.ts';
import { physicalNetwork } from './physical/physical-network.ts';
import type { PortParams } from './ports.ts';
import { invalid } from './refusal.ts';
import { subnet } from './subnet.ts';

type SubnetRow = RowOf<typeof subnet>;

/** Where a new NIC goes, as a request names it: a subnet, or a network, whose subnet with the address is meant, or its first. */
export const nicInput = {
  networkId: Type.Optional(
    Type.String({ format: 'uuid', description: 'A NIC goes into its subnet that has `address`, or the first of its subnets.' }),
  ),
  subnetId: Type.Optional(Type.String({ format: 'uuid' })),
  address: Type.Optional(Type.String({ maxLength: 45, description: 'Default: one that is free.' })),
  ipv6SubnetId: Type.Optional(
    ref('subnet', 'restrict', { description: 'A second address comes from there: an IPv6 subnet of the same network.' }),
  ),
  ipv6Address: Type.Optional(Type.String({ maxLength: 45, description: 'Default: one that is free.' })),
  allowedAddresses: nic.schema.properties.allowedAddresses,
  securityGroupIds: Type.Optional(nicGroups),
};
const nicRequest = Type.Object(nicInput);
export type NicRequest = Static<typeof nicRequest>;

export interface NicPlace {
  readonly network: RowOf<typeof network>;
  readonly subnet: SubnetRow;
  /** Of a NIC within a VPC. */
  readonly securityGroupIds?: readonly Id<'securityGroup'>[];
  readonly asked?: Asked;
  readonly ipv6?: { readonly subnet: SubnetRow; readonly asked?: Asked };
  readonly allowedAddresses?: NicRequest['allowedAddresses'];
}

/** @throws CloudError not_found, invalid_input, conflict, with pointers below `at` */
export async function nicPlace(reader: Reader, request: NicRequest, at: string, principal: Principal): Promise<NicPlace> {
  const place =
    request.subnetId === undefined ? await subnetOn(reader, request, at, principal) : await subnetOf(reader, request, at, principal);
  const ipv6 = await secondSubnet(reader, request, place, at);
  const { allowedAddresses } = request;
  if (allowedAddresses !== undefined) await checkAllowed(reader, allowedAddresses, place.network, `${at}/allowedAddresses`, principal);
  return {
    ...place,
    ...given({
      asked: request.address === undefined ? undefined : { address: request.address, pointer: `${at}/address` },
      ipv6,
      allowedAddresses,
      securityGroupIds: await groupsOfNewNic(reader, place.network, request.securityGroupIds, { at, principal }),
    }),
  } as NicPlace;
}

async function subnetOf(reader: Reader, { networkId, subnetId = '' }: NicRequest, at: string, principal: Principal): Promise<NicPlace> {
  const row = await reader.get(subnet, subnetId, `${at}/subnetId`);
  const parent = await usable(reader, network, row.networkId, principal).catch((error: unknown) => {
    // As of a subnet that is not there: its network is not named.
    throw isCloudError(error) ? new CloudError('not_found', `No subnet ${subnetId}.`, { pointer: `${at}/subnetId` }) : error;
  });
  if (networkId !== undefined && networkId !== parent.id) throw invalid(`${at}/subnetId`, 'The subnet is not on that network.');
  return { network: parent, subnet: row };
}

/** The one that has the address that is asked for; else the first. */
async function subnetOn(reader: Reader, { networkId, address }: NicRequest, at: string, principal: Principal): Promise<NicPlace> {
  if (networkId === undefined) throw invalid(at, 'Give a networkId or a subnetId.');
  const parent = await usable(reader, network, networkId, principal, `${at}/networkId`);
  const made = both(equals('networkId', parent.id), equals('state', 'available'));
  const [first, ...more] = await reader.list(subnet, made, address === undefined ? { limit: 1 } : {});
  if (first === undefined) throw new CloudError('not_found', `No network ${networkId} with a subnet.`, { pointer: `${at}/networkId` });
  const asked = address === undefined ? undefined : parseAddress(address);
  const has = ({ cidr: text }: SubnetRow): boolean => {
    const cidr = parseCidr(text);
    return asked !== undefined && cidr !== undefined && contains(cidr, asked);
  };
  return { network: parent, subnet: more.find(has) ?? first };
}

const familyOf = ({ firstAddress }: SubnetRow) => parseAddress(firstAddress)?.family;

async function secondSubnet(reader: Reader, request: NicRequest, first: NicPlace, at: string): Promise<NicPlace['ipv6']> {
  const { ipv6SubnetId, ipv6Address } = request;
  if (ipv6SubnetId === undefined) {
    if (ipv6Address !== undefined) throw invalid(`${at}/ipv6SubnetId`, 'An IPv6 address needs its subnet.');
    return undefined;
  }
  const row = await reader.find(subnet, ipv6SubnetId);
  if (row === undefined || row.deletedAt !== undefined || row.networkId !== first.network.id)
    throw new CloudError('not_found', `No subnet ${ipv6SubnetId} on the network.`, { pointer: `${at}/ipv6SubnetId` });
  if (familyOf(row) !== 6) throw invalid(`${at}/ipv6SubnetId`, 'This is no subnet of IPv6.');
  if (familyOf(first.subnet) !== 4) throw invalid(`${at}/ipv6SubnetId`, 'The first address is one of IPv6 already.');
  return { subnet: row, ...(ipv6Address === undefined ? {} : { asked: { address: ipv6Address, pointer: `${at}/ipv6Address` } }) };
}

/** Where machines ask for their metadata: who had it would answer in the cloud's place. */
const METADATA = { family: 4, value: 0xa9fe_a9fen } as const;
/** Of neighbours: routers are among them, and have addresses there. */
const LINK_LOCAL = parseCidr('fe80::/10') as Cidr;
/** Of one station, and given out by a maker or a standard. All others are the cloud's: those of NICs, of routers, and those whose packets pass any filter. */
const FOREIGN_MAC = /^[0-9a-f][048c]:/;

/**
 * What a NIC may send from beside its own addresses is the affair of whoever has the network: others there would take it for its neighbours. What the cloud itself
 * answers from is nobody's.
 */
async function checkAllowed(
  reader: Reader,
  allowed: NonNullable<NicRequest['allowedAddresses']>,
  { id, vpcId, mode, projectId }: RowOf<typeof network>,
  at: string,
  principal: Principal,
): Promise<void> {
  if (vpcId === undefined)
    throw new CloudError('unsupported', `On networks of mode ${mode} a NIC sends from its own addresses alone.`, { pointer: at });
  if (projectId !== principal.projectId)
    throw new CloudError('unsupported', 'On a network of another project a NIC sends from its own addresses alone.', { pointer: at });
  const subnets = await reader.list(subnet, equals('networkId', id));
  for (const [index, { cidr: text, mac }] of allowed.entries()) {
    const pointer = `${at}/${index}/cidr`;
    const cidr = parseCidr(text);
    if (cidr === undefined) throw invalid(pointer, 'This is no network in canonical form, such as 10.10.0.9/32.');
    if (contains(cidr, METADATA) || overlaps(cidr, LINK_LOCAL)) throw invalid(pointer, 'It contains addresses that the cloud answers at.');
    for (const row of subnets)
      for (const own of oursIn(row).map(parseAddress))
        if (own !== undefined && contains(cidr, own))
          throw invalid(pointer, `It contains an address that the cloud has in the subnet ${row.name}.`);
    if (mac !== undefined && !FOREIGN_MAC.test(mac))
      throw invalid(
        `${at}/${index}/mac`,
        'Only MACs of one station that are not locally administered can be shared, such as 00:00:5e:00:01:01.',
      );
  }
}

interface NicOwner {
  readonly id: Id<'nic'>;
  readonly instanceId: Id<'instance'>;
  readonly projectId: Id<'project'>;
  readonly slot: number;
}
interface NicTools extends Choosing {
  readonly mint: <N extends string>(kind: N) => Id<N>;
}

/** The row of a new NIC, with addresses of its own and its security groups, and what the saga needs to know of it. */
export async function nicRow(
  place: NicPlace,
  owner: NicOwner,
  tools: NicTools,
): Promise<{ readonly statements: readonly Statement[]; readonly params: PortParams }> {
  const mac = ['52:54:00', ...[...tools.environment.random.bytes(3)].map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
  const address = await addressIn(place, place, { mac, projectId: owner.projectId }, tools);
  const second =
    place.ipv6 === undefined
      ? {}
      : { ipv6SubnetId: place.ipv6.subnet.id, ipv6Address: await addressIn(place, place.ipv6, { mac, projectId: owner.projectId }, tools) };
  const fields = {
    ...{ networkId: place.network.id, subnetId: place.subnet.id, mac, address, ...second },
    ...given({ allowedAddresses: place.allowedAddresses }),
  };
  const subnets = [place.subnet, ...(place.ipv6 === undefined ? [] : [place.ipv6.subnet])];
  const { vpcId, physicalNetworkId } = place.network;
  const awaited = vpcId === undefined && physicalNetworkId === undefined ? undefined : true;
  const { securityGroupIds: groups } = place;
  const members = groups === undefined ? undefined : membersOfNewNic(groups, { ...owner, nicId: owner.id }, tools.mint);
  return {
    statements: [
      expectState(network, place.network.id, ['available']),
      ...subnets.map(({ id }) => expectState(subnet, id, ['available'])),
      ...vacantBeside(place, fields),
      ...(holdsReserved(place.network) ? notReservedFor(place, fields) : []),
      create(nic, { ...owner, name: `nic-${owner.id.slice(-12)}`, ...fields }),
      ...(members?.statements ?? []),
    ],
    params: { nicId: owner.id, slot: owner.slot, ...fields, ...given({ awaited, memberIds: members?.memberIds }) } as PortParams,
  };
}

/** An IPv6 address may be the first of one NIC or the second of another, never both. */
function vacantBeside(
  { subnet: { id }, ipv6 }: NicPlace,
  { address, ipv6Address }: { readonly address: string; readonly ipv6Address?: string },
): readonly Statement[] {
  const vacant = (where: Readonly<Record<string, string>>): Statement => ({ op: 'vacant', table: nic.name, where });
  if (ipv6 !== undefined && ipv6Address !== undefined) return [vacant({ subnetId: ipv6.subnet.id, address: ipv6Address })];
  return address.includes(':') ? [vacant({ ipv6SubnetId: id, ipv6Address: address })] : [];
}

const notReservedFor = (
  { subnet: { id }, ipv6 }: NicPlace,
  { address, ipv6Address }: { readonly address: string; readonly ipv6Address?: string },
): readonly Statement[] => [
  notReserved(id, address),
  ...(ipv6 === undefined || ipv6Address === undefined ? [] : [notReserved(ipv6.subnet.id, ipv6Address)]),
];

/** On a network that leads out an elastic IP of others may have been there a moment ago. */
async function addressIn(
  { network: parent }: NicPlace,
  { subnet: row, asked }: { readonly subnet: SubnetRow; readonly asked?: Asked },
  { mac, projectId }: { readonly mac: string; readonly projectId: string },
  tools: NicTools,
): Promise<string> {
  if (row.ipv6Mode !== 'slaac')
    return parent.physicalNetworkId === undefined
      ? tools.addresses.choose(row, tools.reader, asked)
      : chooseRested(tools, row, projectId, asked);
  if (asked !== undefined) throw invalid(asked.pointer, `Guests make their addresses in the subnet ${row.name} by themselves.`);
  return formatAddress(6, (parseCidr(row.cidr)?.base ?? 0n) + interfaceId(mac));
}

/** The half of the address that a guest makes of its MAC (RFC 4291, appendix A). */
function interfaceId(mac: string): bigint {
  const bytes = mac.split(':').map((part) => Number.parseInt(part, 16));
  const [first = 0, second, third, ...rest] = bytes;
  return [first ^ 2, second, third, 0xff, 0xfe, ...rest].reduce<bigint>((sum, byte) => sum * 256n + BigInt(byte ?? 0), 0n);
}

type NicState = RowOf<typeof nic>['state'];
const MEMBER_STATES = { creating: 'creating', attached: 'available', deleting: 'available', deleted: 'deleted' } as const;
type MovedState = keyof typeof MEMBER_STATES & NicState;

/** Moves a NIC, and with it what makes it a member of its security groups. */
export function nicMoves(
  { nicId, memberIds = [] }: Pick<PortParams, 'nicId' | 'memberIds'>,
  move: typeof transition,
  { from, to }: { readonly from: MovedState; readonly to: MovedState },
): readonly Statement[] {
  const [was, is] = [MEMBER_STATES[from], MEMBER_STATES[to]];
  return [
    move(nic, nicId, { from, to }),
    ...(was === is ? [] : memberIds.map((id) => move(securityGroupMember, id, { from: was, to: is }))),
  ];
}

/** A clash on a NIC's own values was nobody's fault: others are chosen. What was asked for by name stays refused. */
export const isNicClash = ({ reason }: Extract<CommitResult, { ok: false }>, statement: Statement | undefined): boolean =>
  (reason === 'exists' && statement?.op === 'insert' && statement.table === nic.name) ||
  (reason === 'in_use' && ((statement?.op === 'vacant' && statement.table === nic.name) || isReserved(statement)));

/** @throws CloudError conflict where one of the networks cannot be changed, because what it is made of is lost */
export async function refuseLost({ fabrics }: Pick<CloudServices, 'fabrics'>, networks: readonly RowOf<typeof network>[]): Promise<void> {
  for (const row of networks) if (row.vpcId !== undefined || row.physicalNetworkId !== undefined) (await fabrics.of(row)).refuseLost();
}

/** The only cluster whose hosts are connected to the networks. @throws CloudError conflict when that are several */
export async function clusterOf(reader: Reader, networks: readonly RowOf<typeof network>[]): Promise<Id<'cluster'> | undefined> {
  const ids = new Set(networks.flatMap(({ physicalNetworkId }) => physicalNetworkId ?? []));
  const clusters = new Set((await Promise.all([...ids].map((id) => reader.get(physicalNetwork, id)))).map(({ clusterId }) => clusterId));
  if (clusters.size > 1) throw new CloudError('conflict', 'Its networks are those of different clusters.', { pointer: '/nics' });
  return [...clusters][0];
}
