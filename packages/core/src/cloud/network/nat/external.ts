import { both, CloudError, equals, type Principal, type Reader, type RowOf, usable } from '../../../kernel/index.ts';
import { isIpv6, parseAddress } from '../cidr.ts';
import { network } from '../network.ts';
import { physicalNetwork } from '../physical/physical-network.ts';
import { invalid } from '../refusal.ts';
import { subnet } from '../subnet.ts';

type NetworkRow = RowOf<typeof network>;
type SubnetRow = RowOf<typeof subnet>;
export type Family = 4 | 6;

/** The external network that a request names. @throws CloudError not_found, invalid_input, conflict */
export async function externalNetwork(reader: Reader, id: string, principal: Principal): Promise<NetworkRow> {
  const pointer = '/externalNetworkId';
  const row = await usable(reader, network, id, principal, pointer);
  const physical = row.physicalNetworkId === undefined ? undefined : await reader.find(physicalNetwork, row.physicalNetworkId);
  if (physical?.role !== 'external') throw invalid(pointer, `Network ${row.name} is not an external one.`);
  if (row.state !== 'available') throw new CloudError('conflict', `Network ${row.name} is ${row.state}.`, { pointer });
  return row;
}

/** What a request says of the address that it asks for. */
interface Wish {
  /** Of whichever has one, IPv4 before IPv6. */
  readonly family?: Family;
  readonly subnetId?: string | undefined;
  readonly address?: string | undefined;
  /** The fields that say so. */
  readonly fields: { readonly subnetId: string; readonly address: string };
}

/** The subnet that is meant: the one that is named, or the first of its family. @throws CloudError not_found, invalid_input */
export async function externalSubnet(reader: Reader, of: NetworkRow, { subnetId, address, fields, ...wish }: Wish): Promise<SubnetRow> {
  const asked = address === undefined ? undefined : familyAsked(address, wish.family, `/${fields.address}`);
  if (subnetId === undefined) {
    const family = wish.family ?? asked;
    const row = await firstOf(reader, of, family);
    if (row !== undefined) return row;
    if (asked !== undefined) throw invalid(`/${fields.address}`, `Network ${of.name} has no IPv${asked} subnet.`);
    throw invalid('/externalNetworkId', `Network ${of.name} has no ${family === undefined ? '' : `IPv${family} `}subnet.`);
  }
  const row = await reader.find(subnet, subnetId);
  if (row === undefined || row.deletedAt !== undefined || row.networkId !== of.id)
    throw new CloudError('not_found', `No subnet ${subnetId} on that network.`, { pointer: `/${fields.subnetId}` });
  const family = isIpv6(row.cidr) ? 6 : 4;
  if (wish.family !== undefined && family !== wish.family)
    throw invalid(`/${fields.subnetId}`, `An IPv${wish.family} subnet is meant here; ${row.cidr} is IPv${family}.`);
  if (asked !== undefined && asked !== family)
    throw invalid(`/${fields.address}`, `The subnet ${row.cidr} is IPv${family}; ${address} is IPv${asked}.`);
  return row;
}

/** The first subnet of the network that is of the family, or of any, IPv4 first. */
export async function firstOf(reader: Reader, of: NetworkRow, family?: Family): Promise<SubnetRow | undefined> {
  const rows = await reader.list(subnet, both(equals('networkId', of.id), equals('state', 'available')));
  const first = (wanted: Family) => rows.find(({ cidr }) => isIpv6(cidr) === (wanted === 6));
  return family === undefined ? (first(4) ?? first(6)) : first(family);
}

function familyAsked(address: string, family: Family | undefined, pointer: string): Family {
  const asked = parseAddress(address)?.family;
  if (asked === undefined) throw invalid(pointer, 'This is no IP address.');
  if (family !== undefined && family !== asked) throw invalid(pointer, `An IPv${family} address is meant here; ${address} is IPv${asked}.`);
  return asked;
}
