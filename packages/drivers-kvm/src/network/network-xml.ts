import type { NetworkSpec } from '@pileus/core/strategy';
import { markElement, readMark } from '../mark.ts';
import type { Element } from '../xml/element.ts';
import { child, childrenNamed, element, render } from '../xml/element.ts';
import { parse } from '../xml/reader.ts';
import type { Cidr } from './address.ts';
import { familyOf, readCidr } from './address.ts';

/**
 * How a network and its ports are kept in libvirt.
 *
 * A port is one `<host>` of `<dns>` for each of its addresses, with a name `nic-<id>` beside the guest's own: that works for any number of subnets and for
 * both families, and can be changed while the network runs. Libvirt serves DHCP on one IPv4 subnet of a network, so there the address also has a `<host>` of
 * `<dhcp>`, which gives it to the MAC.
 */
export interface DnsRecord {
  readonly address: string;
  readonly names: readonly string[];
}
export interface DhcpReservation {
  readonly mac: string;
  readonly address: string;
  /** A MAC of before whose lease dnsmasq must drop when `mac` asks: see `reservationElement`. */
  readonly staleMac?: string | undefined;
}

export interface NetworkView {
  readonly id: string;
  readonly libvirtName: string;
  readonly owner: string | undefined;
  readonly name: string;
  readonly bridge: string | undefined;
  /** NICs of running machines in it. */
  readonly connections: number;
  readonly dns: readonly DnsRecord[];
  readonly dhcp: readonly DhcpReservation[];
  /** The subnet that has DHCP: its place among the `<ip>` elements, and its addresses. */
  readonly dhcpSubnet: { readonly index: number; readonly cidr: Cidr } | undefined;
  /** What a running network takes over only when it is started anew, as text to compare. */
  readonly shape: string;
}

/** Our networks' names in libvirt, for the same reasons as machines': ids are unique and do not change. */
export const networkName = (id: string): string => `pileus-${id}`;

const nicName = (nicId: string): string => `nic-${nicId}`;

export function nicOfRecord(record: DnsRecord): string | undefined {
  for (const name of record.names) if (name.startsWith('nic-')) return name.slice('nic-'.length);
  return undefined;
}

/** The record of a port's address; `hostname` where the guest's own name is still free in this network. */
export function portRecord(nicId: string, address: string, hostname: string | undefined): DnsRecord {
  return { address, names: hostname === undefined ? [nicName(nicId)] : [hostname, nicName(nicId)] };
}

/** The bridge's name has 15 characters at most. The end of an id is its most random part; `attempt` moves on when another network has that name. */
export function bridgeName(id: string, attempt: number): string {
  const digits = id.replaceAll('-', '');
  const from = digits.length - 12 - attempt;
  return `pb-${digits.slice(from, from + 12)}`;
}

/** The definition of a network, with the ports that it has. */
export function networkXml(spec: NetworkSpec, bridge: string, ports: Pick<NetworkView, 'dns' | 'dhcp'>): string {
  const servers = new Set(spec.subnets.flatMap((subnet) => subnet.dnsServers));
  const dhcpSubnet = spec.subnets.findIndex((subnet) => readCidr(subnet.cidr).family === 'ipv4');
  const hasIpv6 = spec.subnets.some((subnet) => readCidr(subnet.cidr).family === 'ipv6');
  const nat = element('nat', { ipv6: hasIpv6 ? 'yes' : undefined });
  return render(
    element(
      'network',
      {},
      element('name', {}, networkName(spec.id)),
      element('uuid', {}, spec.id),
      markElement({ owner: spec.owner, name: spec.name }),
      spec.mode === 'nat' ? element('forward', { mode: 'nat' }, hasIpv6 ? nat : undefined) : undefined,
      element('bridge', { name: bridge, stp: 'off', delay: 0 }),
      spec.domain === undefined ? undefined : element('domain', { name: spec.domain }),
      element('dns', { enable: 'yes' }, ...[...servers].map((addr) => element('forwarder', { addr })), ...ports.dns.map(recordElement)),
      ...spec.subnets.map((subnet, index) => {
        const { family, prefix } = readCidr(subnet.cidr);
        const reservations = index === dhcpSubnet ? ports.dhcp : [];
        const dhcp = reservations.length > 0 ? element('dhcp', {}, ...reservations.map(reservationElement)) : undefined;
        return element('ip', { family, address: subnet.gateway, prefix }, dhcp);
      }),
    ),
  );
}

export function recordElement(record: DnsRecord): Element {
  return element('host', { ip: record.address }, ...record.names.map((name) => element('hostname', {}, name)));
}

/**
 * `<host>` of `<dhcp>`. dnsmasq keeps a lease until it ends, and would not give the address to a new MAC before. It drops the lease at once if its entry
 * lists the old MAC too, for which libvirt has no place: it copies `name` into dnsmasq's comma-separated entry, so the old MAC goes there behind a tag.
 */
export function reservationElement(reservation: DhcpReservation): Element {
  const { mac, address, staleMac } = reservation;
  return element('host', { mac, ip: address, name: staleMac === undefined ? undefined : `${STALE_TAG},${staleMac}` });
}

const STALE_TAG = 'set:stale';

export function viewNetwork(xml: string): NetworkView {
  const root = parse(xml);
  const libvirtName = child(root, 'name')?.text ?? '';
  const id = child(root, 'uuid')?.text ?? '';
  const mark = readMark(root);
  const subnets = childrenNamed(root, 'ip');
  const index = subnets.findIndex((subnet) => familyOf(subnet.attributes.address ?? '') === 'ipv4');
  return {
    id,
    libvirtName,
    owner: mark?.owner,
    name: libvirtName === networkName(id) ? (mark?.name ?? libvirtName) : libvirtName,
    bridge: child(root, 'bridge')?.attributes.name,
    connections: Number(root.attributes.connections ?? 0),
    dns: childrenNamed(child(root, 'dns'), 'host').map(viewRecord),
    dhcp: childrenNamed(child(subnets[index], 'dhcp'), 'host').map(viewReservation),
    dhcpSubnet: index < 0 ? undefined : { index, cidr: cidrOf(subnets[index]) },
    shape: shapeOf(root),
  };
}

function viewRecord(host: Element): DnsRecord {
  return { address: host.attributes.ip ?? '', names: childrenNamed(host, 'hostname').map((name) => name.text) };
}

function viewReservation(host: Element): DhcpReservation {
  const [tag, staleMac] = (host.attributes.name ?? '').split(',');
  return { mac: host.attributes.mac ?? '', address: host.attributes.ip ?? '', staleMac: tag === STALE_TAG ? staleMac : undefined };
}

function cidrOf(ip: Element | undefined): Cidr {
  const { address = '', prefix = '0' } = ip?.attributes ?? {};
  return { family: familyOf(address), address, prefix: Number(prefix) };
}

function shapeOf(root: Element): string {
  const subnets = childrenNamed(root, 'ip').map((ip) => [ip.attributes.address, ip.attributes.prefix]);
  const forwarders = childrenNamed(child(root, 'dns'), 'forwarder').map((forwarder) => forwarder.attributes.addr);
  const mode = child(root, 'forward')?.attributes.mode;
  return JSON.stringify([mode, child(root, 'domain')?.attributes.name, child(root, 'bridge')?.attributes.name, subnets, forwarders]);
}
