import type { PortSpec } from '@pileus/core/strategy';
import type { Deadline } from '../deadline.ts';
import { except } from '../faults.ts';
import type { LibvirtApi } from '../libvirt/index.ts';
import { AffectFlag, NetworkCommand, NetworkSection, networkRef } from '../libvirt/index.ts';
import type { Element } from '../xml/element.ts';
import { element, render } from '../xml/element.ts';
import { inNetwork, sameAddress } from './address.ts';
import type { DhcpReservation, DnsRecord, NetworkView } from './network-xml.ts';
import { nicOfRecord, portRecord, recordElement, reservationElement } from './network-xml.ts';

/** One change of a running network and its definition. */
export interface PortChange {
  readonly command: 'addLast' | 'delete';
  readonly section: 'dnsHost' | 'ipDhcpHost';
  readonly host: Element;
}

/** Addresses that dnsmasq has given away, by what it knows of who has them. */
export type Leases = readonly { readonly address: string; readonly mac?: string | undefined }[];

/** What makes the port so: what is wrong goes first. No change when it is right already. */
export function portChanges(view: NetworkView, port: PortSpec, leases: Leases): readonly PortChange[] {
  const { dhcpSubnet } = view;
  const records = port.addresses.map((address) => portRecord(port.nicId, address, freeName(view, port)));
  const reservations = port.addresses
    .filter((address) => dhcpSubnet !== undefined && inNetwork(address, dhcpSubnet.cidr))
    .map((address) => ({ mac: port.mac, address, staleMac: staleMacOf(view, port, address, leases) }));
  const ownRecords = view.dns.filter((record) => nicOfRecord(record) === port.nicId);
  const ownReservations = view.dhcp.filter(
    (each) => each.mac === port.mac || ownRecords.some((own) => sameAddress(own.address, each.address)),
  );
  const unwantedReservations = ownReservations.filter((each) => !reservations.some((wanted) => sameReservation(wanted, each)));
  const unwantedRecords = ownRecords.filter((each) => !records.some((wanted) => sameRecord(wanted, each)));
  const missingRecords = records.filter((wanted) => !ownRecords.some((each) => sameRecord(wanted, each)));
  const missingReservations = reservations.filter((wanted) => !ownReservations.some((each) => sameReservation(wanted, each)));
  return [
    ...unwantedReservations.map(removal),
    ...unwantedRecords.map(erasure),
    ...missingRecords.map((record): PortChange => ({ command: 'addLast', section: 'dnsHost', host: recordElement(record) })),
    ...missingReservations.map((each): PortChange => ({ command: 'addLast', section: 'ipDhcpHost', host: reservationElement(each) })),
  ];
}

/** What takes the port away. Its record goes last, so that what is cut short can be found again. */
export function portRemoval(view: NetworkView, nicId: string): readonly PortChange[] {
  const records = view.dns.filter((record) => nicOfRecord(record) === nicId);
  const reservations = view.dhcp.filter((each) => records.some((record) => sameAddress(record.address, each.address)));
  return [...reservations.map(removal), ...records.map(erasure)];
}

/** A definition and, while it runs, the network itself are changed one after the other, so that each is repaired from whatever it is. */
export type Part = 'live' | 'config';

/**
 * Applies changes until `next` has none left, since another caller may change the same network between our look and our act: libvirt refuses to add what is
 * there and to remove what is not.
 */
export async function applyChanges(
  api: LibvirtApi,
  part: Part,
  look: () => Promise<NetworkView>,
  next: (view: NetworkView) => readonly PortChange[],
  deadline: Deadline,
): Promise<void> {
  for (let round = 0; ; round += 1) {
    const view = await look();
    const changes = next(view);
    if (changes.length === 0) return;
    for (const change of changes)
      await except(
        ['operationInvalid', 'internalError'],
        () => api.networkUpdate({ ...requestOf(view, change), flags: AffectFlag[part] }, deadline.left),
        (refusal) => {
          if (round >= ROUNDS_MAX) throw refusal;
        },
      );
  }
}

/** Enough for every rival to have had its turn. */
const ROUNDS_MAX = 8;

function requestOf(view: NetworkView, change: PortChange) {
  return {
    network: networkRef(view.id),
    command: NetworkCommand[change.command],
    section: NetworkSection[change.section],
    parentIndex: change.section === 'ipDhcpHost' ? (view.dhcpSubnet?.index ?? -1) : -1,
    xml: render(change.host),
  };
}

function removal(reservation: DhcpReservation): PortChange {
  return { command: 'delete', section: 'ipDhcpHost', host: element('host', { mac: reservation.mac, ip: reservation.address }) };
}

function erasure(record: DnsRecord): PortChange {
  return { command: 'delete', section: 'dnsHost', host: element('host', { ip: record.address }) };
}

const sameReservation = (a: DhcpReservation, b: DhcpReservation): boolean => a.mac === b.mac && sameAddress(a.address, b.address);
const sameRecord = (a: DnsRecord, b: DnsRecord): boolean => sameAddress(a.address, b.address) && a.names.join() === b.names.join();

/** The guest's name, unless another port of the network has it: libvirt takes a name once. */
function freeName(view: NetworkView, port: PortSpec): string | undefined {
  const { hostname, nicId } = port;
  const others = view.dns.filter((record) => nicOfRecord(record) !== nicId);
  return hostname === undefined || others.some((record) => record.names.includes(hostname)) ? undefined : hostname;
}

/** The MAC that still has a lease of the address, though no port has that MAC any more. */
function staleMacOf(view: NetworkView, port: PortSpec, address: string, leases: Leases): string | undefined {
  const holder = leases.find((lease) => sameAddress(lease.address, address))?.mac;
  return holder === port.mac || view.dhcp.some((each) => each.mac === holder && !sameAddress(each.address, address)) ? undefined : holder;
}
