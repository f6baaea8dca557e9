import { createHash } from 'node:crypto';

/**
 * How things are called in OVN. All of it follows from ids, so whoever refers to something needs not look for it: the main row of an object has the
 * object's id as its uuid, the others a uuid made of that id and what they are to it.
 */

const digest = (text: string): Buffer => createHash('sha1').update(`pileus/${text}`).digest();

/** A name-based uuid (RFC 9562, version 5): of an object's id and a role. */
export function derivedUuid(id: string, role: string): string {
  const bytes = digest(`${id}/${role}`).subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const text = bytes.toString('hex');
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join('-');
}

/** A unicast address of the locally administered ones. */
export function derivedMac(id: string, role: string): string {
  const bytes = [0x02, ...digest(`${id}/${role}/mac`).subarray(0, 5)];
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/**
 * A change of a name costs all who follow the row that it is in as much as the row has names: OVN writes such a row as a whole, and hosts read it. So those of a
 * large VPC are spread over several, which costs a small one next to nothing.
 */
const DNS_ROWS = 16;

/** Names of port groups and address sets have letters, digits and _ alone. */
const word = (id: string): string => id.replaceAll('-', '');

/** Of a VPC: what its machines find by name, what spreads connections in it, and the ports that are filtered. */
export const dnsOf = (vpcId: string): readonly string[] =>
  Array.from({ length: DNS_ROWS }, (_, at) => derivedUuid(vpcId, `dns/${at}`)).sort();
/** Which of these has a name. */
export const dnsRowOf = (vpcId: string, name: string): string => derivedUuid(vpcId, `dns/${(digest(name)[0] ?? 0) % DNS_ROWS}`);
export const balancersOf = (vpcId: string): string => derivedUuid(vpcId, 'balancers');
export const filteredOf = (vpcId: string): string => derivedUuid(vpcId, 'filtered');
export const filteredName = (vpcId: string): string => `filtered_${word(vpcId)}`;

/** Of a subnet: what its machines are told by DHCP. */
export const dhcpOf = (subnetId: string): string => derivedUuid(subnetId, 'dhcp');

/** Of a network: the MAC of who routes for it, in OVN or in name only. */
export const routerMac = (networkId: string): string => derivedMac(networkId, 'router');

export const routerPortOf = (networkId: string): string => derivedUuid(networkId, 'router-port');

/** Of a network: the port where each host answers for the cloud. A host plugs in an interface with `iface-id` of this name and with this MAC. */
export const servicePortOf = (networkId: string): string => derivedUuid(networkId, 'service');
export const servicePortName = (networkId: string): string => `service-${networkId}`;
export const servicePortMac = (networkId: string): string => derivedMac(networkId, 'service');

export const groupName = (securityGroupId: string): string => `sg_${word(securityGroupId)}`;
/** Addresses that members of a group may use beside their own: OVN does not count those in. */
export const alsoOf = (securityGroupId: string, family: 4 | 6): string => derivedUuid(securityGroupId, `also-ip${family}`);
export const alsoName = (securityGroupId: string, family: 4 | 6): string => `also_${word(securityGroupId)}_ip${family}`;

/** Of a gateway: its port on the VPC's router. OVN names the part that one host carries after it. */
export const gatewayPortName = (gatewayId: string): string => `gateway-${gatewayId}`;
export const carriedPortName = (gatewayId: string): string => `cr-${gatewayPortName(gatewayId)}`;
