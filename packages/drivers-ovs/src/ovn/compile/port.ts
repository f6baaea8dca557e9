import type { PortSpec } from '@pileus/core/strategy';
import { familyOf, reverseName, securityNetworks } from '../address.ts';
import type { Claim, Compiled, Place } from '../compiled.ts';
import { Compilation } from '../compiled.ts';
import { DriverError } from '../driver-error.ts';
import { alsoOf, dhcpOf, dnsRowOf, filteredOf } from '../names.ts';

/** Other priorities would only matter if there were several rules for a port. */
const SENDING_PRIORITY = 1_000;
/** Of a rate, in kilobits a second. */
const RATE_MAX = 4_294_967_295;

/**
 * A port may send from its own addresses and from those that are allowed beside them, and is in the groups that filter it.
 * @param boundsSending what its machine may send is bounded here: else its host sees to it
 */
export function compilePort(spec: PortSpec, { boundsSending }: { readonly boundsSending: boolean } = { boundsSending: false }): Compiled {
  if (spec.securityGroupIds !== undefined && spec.vpcId === undefined)
    throw new DriverError('invalid', 'security groups are of a VPC', { pointer: '/securityGroupIds' });
  const object = new Compilation('ports', { id: spec.nicId, owner: spec.owner });
  const own = [spec.mac, ...spec.addresses].join(' ');
  const isAnotherMac = (spec.allowedAddresses ?? []).some(({ mac = spec.mac }) => mac !== spec.mac);
  const dhcpFor = (family: 4 | 6): string | undefined => {
    const subnetId = spec.subnetIds[spec.addresses.findIndex((address) => familyOf(address) === family)];
    return subnetId === undefined ? undefined : dhcpOf(subnetId);
  };
  object.main(
    'Logical_Switch_Port',
    {
      name: spec.nicId,
      // What is sent to a MAC that machines share must reach all who may have it.
      addresses: isAnotherMac ? [own, 'unknown'] : [own],
      port_security: portSecurity(spec),
      dhcpv4_options: dhcpFor(4),
      dhcpv6_options: dhcpFor(6),
      options: spec.host === undefined ? {} : { 'requested-chassis': spec.host },
    },
    { places: placesOf(spec), claims: [...namesOf(spec), ...alsoClaims(spec)], notes: { 'pileus-network': spec.networkId } },
  );
  const { outboundBytesPerSecond = 0, networkId, nicId } = spec;
  if (boundsSending && outboundBytesPerSecond > 0)
    object.part(
      'QoS',
      'sending',
      {
        priority: SENDING_PRIORITY,
        direction: 'from-lport',
        match: `inport == "${nicId}"`,
        // What may come at once is what may come in a second.
        bandwidth: { rate: Math.min(RATE_MAX, Math.ceil((outboundBytesPerSecond * 8) / 1_000)) },
      },
      { places: [`Logical_Switch.qos_rules:${networkId}`] },
    );
  return object;
}

/** One entry a MAC, with all that it may send from. */
function portSecurity(spec: PortSpec): readonly string[] {
  const byMac = new Map<string, string[]>([[spec.mac, [...spec.addresses]]]);
  for (const { cidr, mac = spec.mac } of spec.allowedAddresses ?? []) {
    const networks = byMac.get(mac) ?? [];
    networks.push(...securityNetworks(cidr));
    byMac.set(mac, networks);
  }
  return [...byMac].map(([mac, networks]) => [mac, ...new Set(networks)].join(' '));
}

function placesOf(spec: PortSpec): readonly Place[] {
  const groups: readonly Place[] = (spec.securityGroupIds ?? []).map((id): Place => `Port_Group.ports:${id}`);
  const filtered: readonly Place[] =
    spec.securityGroupIds === undefined || spec.vpcId === undefined ? [] : [`Port_Group.ports:${filteredOf(spec.vpcId)}`];
  return [`Logical_Switch.ports:${spec.networkId}`, ...filtered, ...groups];
}

/** Names are answered on the host itself, both ways. NICs of one machine share its name. */
function namesOf({ vpcId, hostname, domain, addresses }: PortSpec): readonly Claim[] {
  if (vpcId === undefined || hostname === undefined || domain === undefined || addresses.length === 0) return [];
  const name = `${hostname}.${domain}`.toLowerCase();
  const claim = (key: string, values: readonly string[]): Claim => ({ place: `DNS.records:${dnsRowOf(vpcId, key)}`, key, values });
  return [claim(name, addresses), ...addresses.map((address) => claim(reverseName(address), [name]))];
}

/**
 * Who is in a group is so with all that it may send from. OVN counts only the addresses that are its own. Who may send from anywhere does not make members of
 * everybody.
 */
function alsoClaims(spec: PortSpec): readonly Claim[] {
  const cidrs = new Set((spec.allowedAddresses ?? []).map(({ cidr }) => cidr).filter((cidr) => !cidr.endsWith('/0')));
  return (spec.securityGroupIds ?? []).flatMap((group) =>
    [...cidrs].map((cidr): Claim => {
      const family = familyOf(cidr.split('/')[0] ?? '');
      return { place: `Address_Set.addresses:${alsoOf(group, family)}`, key: cidr, values: [] };
    }),
  );
}
