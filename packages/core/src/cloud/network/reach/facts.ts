import {
  ANY_PROJECT,
  type AnyKind,
  both,
  type Condition,
  equals,
  isVisible,
  type Principal,
  type Reader,
  type RowBase,
  type RowOf,
  readPermission,
} from '../../../kernel/index.ts';
import { instance } from '../../compute/contract.ts';
import type { CloudServices } from '../../services.ts';
import { contains, parseAddress, parseCidr } from '../cidr.ts';
import { groupSpec } from '../firewall/group-kept.ts';
import { groupsOfNic } from '../firewall/nic-groups.ts';
import { securityGroup } from '../firewall/security-group.ts';
import { network } from '../network.ts';
import { nic } from '../nic.ts';
import { subnet } from '../subnet.ts';
import type { FilterGroup } from './firewall.ts';

export const PERMISSION = 'reachability.read';

export type NicRow = RowOf<typeof nic>;
export type SubnetRow = RowOf<typeof subnet>;
export type NetworkRow = RowOf<typeof network>;

/** A NIC with all around it that a packet meets. */
export interface Station {
  readonly nic: NicRow;
  readonly machine: RowOf<typeof instance>;
  readonly network: NetworkRow;
  /** Of a NIC within a VPC: those that filter it. */
  readonly groups: readonly (FilterGroup & { readonly row: RowOf<typeof securityGroup> })[];
}

/** What the caller may be told of a row. */
export interface Told {
  readonly name: string;
  readonly ids: Readonly<Record<string, string>>;
}

export type FactsServices = Pick<CloudServices, 'reader' | 'cloudId'>;

/** What there is, and what of it the caller may be told. What lies on the way is looked at whoever it belongs to; what is told is what he may see. */
export class Facts {
  readonly reader: Reader;
  readonly #services: FactsServices;
  readonly #principal: Principal;

  constructor(services: FactsServices, principal: Principal) {
    this.#services = services;
    this.reader = services.reader;
    this.#principal = principal;
  }

  sees(kind: AnyKind, row: RowBase): Promise<boolean> {
    return isVisible(kind, row, this.#principal, readPermission(kind), this.reader);
  }

  /** Whether the caller may know of what is in it that there is nothing. */
  owns({ projectId }: RowBase): boolean {
    return projectId === this.#principal.projectId || this.#principal.allows(ANY_PROJECT);
  }
  seesNic(row: NicRow): Promise<boolean> {
    return this.sees(nic, row);
  }

  /** Its name, and its id as `kindId`; of what is another tenant's neither. */
  async told(kind: AnyKind, row: RowBase): Promise<Told> {
    if (await this.sees(kind, row)) return { name: row.name, ids: { [`${kind.name}Id`]: row.id } };
    return { name: 'of another project', ids: {} };
  }

  async station(row: NicRow): Promise<Station> {
    const { reader } = this;
    const [machine, place] = [await reader.get(instance, row.instanceId), await reader.get(network, row.networkId)];
    const ids = place.vpcId === undefined ? [] : await groupsOfNic(reader, row);
    const rows = await Promise.all(ids.map((id) => reader.get(securityGroup, id)));
    const groups = await Promise.all(rows.map(async (group) => ({ row: group, ...(await groupSpec(this.#services, group)) })));
    return { nic: row, machine, network: place, groups };
  }

  networksOf(vpcId: string): Promise<readonly NetworkRow[]> {
    return this.reader.list(network, equals('vpcId', vpcId));
  }

  async subnetsOf(networks: readonly NetworkRow[]): Promise<readonly SubnetRow[]> {
    if (networks.length === 0) return [];
    const within: Condition = { field: 'networkId', op: 'in', value: networks.map(({ id }) => id) };
    return (await this.reader.list(subnet, within)).filter(({ state }) => state === 'available');
  }

  /** Whoever has the address in the subnet as his own, or else those who may send from it. */
  async holders({ id, networkId }: SubnetRow, text: string): Promise<readonly NicRow[]> {
    const first = await this.reader.list(nic, both(equals('subnetId', id), equals('address', text)), { limit: 1 });
    if (first.length > 0) return first;
    const second = await this.reader.list(nic, both(equals('ipv6SubnetId', id), equals('ipv6Address', text)), { limit: 1 });
    if (second.length > 0) return second;
    const sharing = await this.reader.list(nic, both(equals('networkId', networkId), { field: 'allowedAddresses', op: 'not null' }));
    return sharing.filter((row) => mayHave(row, text));
  }
}

/** Who may send from everywhere is a router: nothing is at home there. */
const ANYWHERE = ['0.0.0.0/0', '::/0'];

/** Whether it is its own address, or one that it may send from. */
export const mayHave = (row: NicRow, text: string): boolean =>
  addressesOf(row).includes(text) || (row.allowedAddresses ?? []).some(({ cidr }) => !ANYWHERE.includes(cidr) && isIn(cidr, text));

/** Its addresses, the first one first. */
export const addressesOf = ({ address, ipv6Address }: NicRow): readonly string[] =>
  ipv6Address === undefined ? [address] : [address, ipv6Address];

export const familyOf = (text: string): 4 | 6 => parseAddress(text)?.family ?? 4;

export function isIn(cidr: string, text: string): boolean {
  const [range, address] = [parseCidr(cidr), parseAddress(text)];
  return range !== undefined && address !== undefined && contains(range, address);
}
