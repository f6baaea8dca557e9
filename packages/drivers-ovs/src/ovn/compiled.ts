import type { NewRow, OvnNorthbound } from '../ovsdb/index.ts';
import { derivedUuid } from './names.ts';

/**
 * Tables that objects have rows in, with the columns that are theirs, as they are where an object says nothing of them. All other columns belong to OVN, or to
 * many objects.
 */
export const OWN_COLUMNS = {
  ACL: { name: undefined, priority: 0, direction: 'from-lport', match: '', action: 'drop' },
  Address_Set: { name: '' },
  DHCP_Options: { cidr: '', options: {} },
  DNS: {},
  HA_Chassis: { chassis_name: '', priority: 0 },
  HA_Chassis_Group: { name: '', ha_chassis: [] },
  Load_Balancer: { name: '', vips: {}, protocol: undefined, health_check: [], ip_port_mappings: {}, options: {} },
  Load_Balancer_Group: { name: '' },
  Load_Balancer_Health_Check: { vip: '', options: {} },
  Logical_Router: { name: '', load_balancer_group: [], options: {} },
  Logical_Router_Policy: { priority: 0, match: '', action: 'allow' },
  Logical_Router_Port: { name: '', mac: '', networks: [], peer: undefined, ha_chassis_group: undefined, ipv6_ra_configs: {} },
  Logical_Router_Static_Route: { ip_prefix: '', nexthop: '', output_port: undefined },
  Logical_Switch: { name: '', acls: [], load_balancer_group: [], dns_records: [], other_config: {} },
  Logical_Switch_Port: {
    name: '',
    type: '',
    options: {},
    addresses: [],
    port_security: [],
    dhcpv4_options: undefined,
    dhcpv6_options: undefined,
    tag: undefined,
    tag_request: undefined,
  },
  NAT: { type: 'snat', external_ip: '', external_mac: undefined, external_port_range: '', logical_ip: '', logical_port: undefined },
  Port_Group: { name: '', acls: [] },
  QoS: { priority: 0, direction: 'from-lport', match: '', bandwidth: {} },
} as const satisfies { readonly [N in keyof OvnNorthbound]?: NewRow<OvnNorthbound[N]> };

export type OwnTable = keyof typeof OWN_COLUMNS;
/** What `ovn-northd` writes into each new row otherwise, in a transaction of its own. From then on it is OVN's. */
export const FIRST_COLUMNS: { readonly [N in OwnTable]?: NewRow<OvnNorthbound[N]> } = { Logical_Switch_Port: { up: false } };
/** What an object may say of a row. */
export type OwnRow<N extends OwnTable> = Pick<NewRow<OvnNorthbound[N]>, keyof (typeof OWN_COLUMNS)[N] & keyof NewRow<OvnNorthbound[N]>>;

/** Set columns that many objects put references to their rows into. */
export const SHARED_SETS = [
  'Load_Balancer_Group.load_balancer',
  'Logical_Router.load_balancer',
  'Logical_Router.nat',
  'Logical_Router.policies',
  'Logical_Router.ports',
  'Logical_Router.static_routes',
  'Logical_Switch.ports',
  'Logical_Switch.qos_rules',
  'Port_Group.ports',
] as const;
/** Columns that many objects put values into: names with their addresses, addresses. */
export const SHARED_VALUES = ['Address_Set.addresses', 'DNS.records'] as const;

/** `Table.column:uuid`. */
export type Place = `${(typeof SHARED_SETS)[number]}:${string}`;
export type ValuePlace = `${(typeof SHARED_VALUES)[number]}:${string}`;

/** That a value is to be in a shared column: an address of a set, or a key of a map with what all who claim it give it. */
export interface Claim {
  readonly place: ValuePlace;
  readonly key: string;
  /** Of a map. */
  readonly values: readonly string[];
}

export interface CompiledRow {
  readonly table: OwnTable;
  readonly uuid: string;
  /** All of `OWN_COLUMNS` that are not empty. */
  readonly columns: Readonly<Record<string, unknown>>;
  /** Where it is referred to. */
  readonly places: readonly Place[];
  readonly claims: readonly Claim[];
  /** Further marks, beside those that every row has. */
  readonly notes: Readonly<Record<string, string>>;
}

export const SORTS = [
  'networks',
  'ports',
  'vpcs',
  'peerings',
  'securityGroups',
  'gateways',
  'elasticIps',
  'portForwards',
  'loadBalancers',
  'dnsRecords',
] as const;
export type Sort = (typeof SORTS)[number];

/** `sort/id`. */
export type ObjectKey = `${Sort}/${string}`;

/** An object as rows. It says all that is to be there of it, and depends on nothing but the object. */
export interface Compiled {
  readonly object: ObjectKey;
  readonly owner: string;
  readonly rows: ReadonlyMap<string, CompiledRow>;
}

interface Links {
  readonly places?: readonly Place[];
  readonly claims?: readonly Claim[];
  readonly notes?: Readonly<Record<string, string>>;
}

/** Puts an object together. */
export class Compilation implements Compiled {
  readonly object: ObjectKey;
  readonly owner: string;
  readonly rows = new Map<string, CompiledRow>();
  readonly #id: string;

  constructor(sort: Sort, { id, owner }: { readonly id: string; readonly owner: string }) {
    this.object = `${sort}/${id}`;
    this.owner = owner;
    this.#id = id;
  }

  /** The row that has the object's own id. */
  main<N extends OwnTable>(table: N, columns: OwnRow<N>, links: Links = {}): string {
    return this.add(table, this.#id, columns, links);
  }

  /** A further row, by what it is to the object. */
  part<N extends OwnTable>(table: N, role: string, columns: OwnRow<N>, links: Links = {}): string {
    return this.add(table, derivedUuid(this.#id, role), columns, links);
  }

  add<N extends OwnTable>(table: N, uuid: string, columns: OwnRow<N>, { places = [], claims = [], notes = {} }: Links): string {
    this.rows.set(uuid, { table, uuid, columns, places: [...places].sort(), claims, notes });
    return uuid;
  }
}
