import { both, CloudError, equals, type Principal, type Reader, type RowOf, usable } from '../../../kernel/index.ts';
import { network } from '../network.ts';
import { physicalNetwork } from '../physical/physical-network.ts';
import { invalid } from '../refusal.ts';
import { subnet } from '../subnet.ts';

/** Where an external address comes from. */
export interface ExternalPlace {
  readonly network: RowOf<typeof network>;
  readonly subnet: RowOf<typeof subnet>;
}

/** The external network that a request names, with the IPv4 subnet that is meant. @throws CloudError not_found, invalid_input, conflict */
export async function externalPlace(
  reader: Reader,
  { externalNetworkId, subnetId }: { readonly externalNetworkId: string; readonly subnetId?: string | undefined },
  principal: Principal,
): Promise<ExternalPlace> {
  const pointer = '/externalNetworkId';
  const row = await usable(reader, network, externalNetworkId, principal, pointer);
  const physical = row.physicalNetworkId === undefined ? undefined : await reader.find(physicalNetwork, row.physicalNetworkId);
  if (physical?.role !== 'external') throw invalid(pointer, `Network ${row.name} is not an external one.`);
  if (row.state !== 'available') throw new CloudError('conflict', `Network ${row.name} is ${row.state}.`, { pointer });
  return { network: row, subnet: await subnetOf(reader, row, subnetId) };
}

async function subnetOf(reader: Reader, of: RowOf<typeof network>, subnetId: string | undefined): Promise<RowOf<typeof subnet>> {
  if (subnetId === undefined) {
    const rows = await reader.list(subnet, both(equals('networkId', of.id), equals('state', 'available')));
    const first = rows.find(({ cidr }) => !cidr.includes(':'));
    if (first === undefined) throw invalid('/externalNetworkId', `Network ${of.name} has no IPv4 subnet.`);
    return first;
  }
  const row = await reader.find(subnet, subnetId);
  if (row === undefined || row.deletedAt !== undefined || row.networkId !== of.id)
    throw new CloudError('not_found', `No subnet ${subnetId} on that network.`, { pointer: '/subnetId' });
  if (row.cidr.includes(':')) throw invalid('/subnetId', 'External addresses are IPv4; this subnet is IPv6.');
  return row;
}
