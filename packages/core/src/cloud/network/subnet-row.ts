import { type Static, Type } from 'typebox';
import { CloudError, create, type Id, type RowOf, resourceName, type Statement } from '../../kernel/index.ts';
import { given, nameOr } from '../naming.ts';
import { type Cidr, contains, formatAddress, nearestCidr, overlaps, parseAddress, parseCidr } from './cidr.ts';
import type { Fabrics } from './fabrics.ts';
import type { NetworkMode } from './network.ts';
import { invalid } from './refusal.ts';
import { SPECIAL_RANGES } from './special-ranges.ts';
import { subnet } from './subnet.ts';

const { properties } = subnet.schema;

export const subnetInput = Type.Object({
  name: Type.Optional(resourceName()),
  cidr: Type.String({ maxLength: 49, description: 'In canonical form, e.g. `10.10.0.0/24`.' }),
  gateway: Type.Optional(Type.String({ maxLength: 45, description: 'Default: the first address.' })),
  dnsServers: Type.Optional(
    Type.Array(Type.String({ maxLength: 45 }), { maxItems: 8, description: 'Default: the gateway; in a VPC the service address.' }),
  ),
  hostRoutes: properties.hostRoutes,
  ipv6Mode: properties.ipv6Mode,
});
export type SubnetInput = Static<typeof subnetInput>;

/** Of what it is a part: the mode of its network decides what it can be. */
export interface SubnetOwner {
  readonly id: Id<'subnet'>;
  readonly projectId: Id<'project'>;
  readonly networkId: Id<'network'>;
}

const ADDRESSES_MIN = { routed: 8n, other: 4n };
/** Guests make addresses of their own in 64 bits. */
const SLAAC_PREFIX = 64;

/** The row of a new subnet. @throws CloudError invalid_input and unsupported, with pointers below `at` */
export function subnetRow(
  input: SubnetInput,
  at: string,
  owner: SubnetOwner,
  mode: NetworkMode,
): { readonly statement: Statement; readonly cidr: Cidr; readonly pointer: string } {
  const cidr = parseCidr(input.cidr);
  if (cidr === undefined)
    throw invalid(`${at}/cidr`, `This is no network in canonical form, such as ${nearestCidr(input.cidr)} (host bits zero).`);
  const special = SPECIAL_RANGES.find(({ range }) => overlaps(range, cidr));
  if (special !== undefined) throw invalid(`${at}/cidr`, `Machines cannot have addresses of it: ${special.text} is ${special.what}.`);
  const least = mode === 'routed' ? ADDRESSES_MIN.routed : ADDRESSES_MIN.other;
  if (cidr.size < least) throw invalid(`${at}/cidr`, `The network is too small: it needs at least ${least} addresses.`);
  const range = rangeOf(cidr);
  const gateway = gatewayOf(input, at, cidr, range);
  const text = (value: bigint) => formatAddress(cidr.family, value);
  const serviceAddress = mode === 'routed' ? text(gateway === range.last ? range.first : gateway + 1n) : undefined;
  refuseBeyond(input, at, mode);
  const statement = create(subnet, {
    ...owner,
    name: nameOr(input.name, subnet, owner.id),
    cidr: input.cidr,
    gateway: text(gateway),
    dnsServers: dnsServersOf(input, at) ?? [serviceAddress ?? text(gateway)],
    firstAddress: text(range.first),
    lastAddress: text(range.last),
    ...given({ serviceAddress, hostRoutes: hostRoutesOf(input, at, cidr, range), ipv6Mode: ipv6ModeOf(input, at, cidr) }),
  } as RowOf<typeof subnet>);
  return { statement, cidr, pointer: `${at}/cidr` };
}

/** What guests are told with their addresses, where that changes. `null` = nothing. */
export interface Told {
  readonly dnsServers?: string[];
  readonly hostRoutes?: NonNullable<SubnetInput['hostRoutes']> | null;
}

/** The same as it was asked for, checked. `null` = as if nothing had been said. @throws CloudError invalid_input and unsupported */
export function toldToGuests(
  row: RowOf<typeof subnet>,
  { dnsServers, hostRoutes }: Omit<Told, 'dnsServers'> & { readonly dnsServers?: readonly string[] | null },
): Told {
  const cidr = parseCidr(row.cidr);
  if (cidr === undefined) throw new Error(`subnet ${row.id} has no range`);
  return {
    ...(dnsServers === undefined ? {} : { dnsServers: dnsServersOf({ dnsServers }, '') ?? [row.serviceAddress ?? row.gateway] }),
    ...(hostRoutes === undefined ? {} : { hostRoutes: hostRoutes && (hostRoutesOf({ hostRoutes }, '', cidr, rangeOf(cidr)) ?? null) }),
  };
}

/** The first and the last address that may be somebody's. */
interface Range {
  readonly first: bigint;
  readonly last: bigint;
}

const rangeOf = ({ base, size }: Cidr): Range => ({ first: base + 1n, last: base + size - 2n });

function gatewayOf({ gateway: asked, cidr: text }: SubnetInput, at: string, cidr: Cidr, { first, last }: Range): bigint {
  if (asked === undefined) return first;
  const gateway = parseAddress(asked);
  if (gateway === undefined || !contains(cidr, gateway)) throw invalid(`${at}/gateway`, `The gateway is not in ${text}.`);
  if (gateway.value >= first && gateway.value <= last) return gateway.value;
  throw invalid(`${at}/gateway`, "The first and the last address of a network are nobody's.");
}

const dnsServersOf = ({ dnsServers }: { readonly dnsServers?: readonly string[] | null }, at: string): string[] | undefined =>
  dnsServers?.map((text, index) => {
    const server = parseAddress(text);
    if (server === undefined) throw invalid(`${at}/dnsServers/${index}`, 'This is no IP address.');
    return formatAddress(server.family, server.value);
  });

/** Only switches of ours can tell it to guests. */
function refuseBeyond(input: SubnetInput, at: string, mode: NetworkMode): void {
  if (mode === 'routed' || mode === 'provider') return;
  for (const field of ['hostRoutes', 'ipv6Mode'] as const)
    if (input[field] !== undefined)
      throw new CloudError('unsupported', `Subnets of networks of mode ${mode} have no ${field}.`, { pointer: `${at}/${field}` });
}

/** Seeds tell guests all else. @throws CloudError unsupported */
export function refuseIpv6Mode(
  { fabrics }: { readonly fabrics: Pick<Fabrics, 'hasDhcp'> },
  driver: string,
  { ipv6Mode }: Pick<SubnetInput, 'ipv6Mode'>,
  at: string,
): void {
  if (ipv6Mode === undefined || fabrics.hasDhcp(driver)) return;
  throw new CloudError('unsupported', `In networks of ${driver} nobody answers DHCP or tells guests prefixes.`, {
    pointer: `${at}/ipv6Mode`,
  });
}

function ipv6ModeOf({ ipv6Mode }: SubnetInput, at: string, cidr: Cidr): SubnetInput['ipv6Mode'] {
  if (ipv6Mode === undefined) return undefined;
  if (cidr.family === 4) throw invalid(`${at}/ipv6Mode`, 'The subnet is one of IPv4.');
  if (ipv6Mode === 'slaac' && cidr.prefix !== SLAAC_PREFIX)
    throw invalid(`${at}/ipv6Mode`, `Guests make addresses of their own in subnets of ${SLAAC_PREFIX} bits alone.`);
  return ipv6Mode;
}

function hostRoutesOf(
  { hostRoutes }: Pick<SubnetInput, 'hostRoutes'>,
  at: string,
  cidr: Cidr,
  { first, last }: Range,
): SubnetInput['hostRoutes'] {
  if (hostRoutes === undefined) return undefined;
  if (cidr.family === 6)
    throw new CloudError('unsupported', 'Routes are told to guests over DHCP for IPv4 alone.', { pointer: `${at}/hostRoutes` });
  return hostRoutes.map((route, index) => {
    const pointer = `${at}/hostRoutes/${index}`;
    const destination = parseCidr(route.destination);
    if (destination?.family !== 4) throw invalid(`${pointer}/destination`, 'This is no IPv4 network in canonical form.');
    if (hostRoutes.findIndex((other) => other.destination === route.destination) < index)
      throw invalid(`${pointer}/destination`, 'There is a route to it already.');
    const nextHop = parseAddress(route.nextHop);
    if (nextHop === undefined || !contains(cidr, nextHop) || nextHop.value < first || nextHop.value > last)
      throw invalid(`${pointer}/nextHop`, 'It leads nowhere: this is no address of the subnet.');
    return { destination: route.destination, nextHop: formatAddress(4, nextHop.value) };
  });
}

/** @throws CloudError invalid_input when two of a network's subnets, or of a VPC's, overlap */
export function refuseOverlap(
  subnets: readonly { readonly cidr: Cidr; readonly pointer: string }[],
  others: readonly { readonly cidr: Cidr; readonly name: string }[] = [],
): void {
  for (const [index, entry] of subnets.entries()) {
    const other = others.find(({ cidr }) => overlaps(cidr, entry.cidr));
    if (other !== undefined) throw invalid(entry.pointer, `It overlaps with ${other.name}.`);
    if (subnets.slice(0, index).some(({ cidr }) => overlaps(cidr, entry.cidr)))
      throw invalid(entry.pointer, 'It overlaps with another subnet of the network.');
  }
}
