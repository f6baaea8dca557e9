import type { NetworkSpec } from '@pileus/core/strategy';
import { familyOf, readNetwork } from '../address.ts';
import type { Compiled } from '../compiled.ts';
import { Compilation } from '../compiled.ts';
import { DriverError } from '../driver-error.ts';
import { balancersOf, dnsOf, routerMac, routerPortOf, servicePortMac, servicePortName, servicePortOf } from '../names.ts';
import { PRIORITY } from './acl.ts';
import { compileDhcp } from './dhcp.ts';
import { METADATA_ADDRESS_6, metadataOnLink } from './metadata.ts';

export interface Mtu {
  /** Of networks whose frames travel in tunnels. */
  readonly overlayBytes: number;
  /** Of networks whose frames travel as they are. */
  readonly providerBytes: number;
}

/** A network is a logical switch. What its mode adds are ports of it: to its VPC's router, to a physical network, to the services of the cloud. */
export function compileNetwork(spec: NetworkSpec, mtu: Mtu): Compiled {
  if (spec.mode === 'nat')
    throw new DriverError('unsupported', 'OVN has no networks that reach out through a host; use routed', { pointer: '/mode' });
  const object = new Compilation('networks', spec);
  const mtuBytes = spec.mtuBytes ?? (spec.mode === 'provider' ? mtu.providerBytes : mtu.overlayBytes);
  for (const subnet of spec.subnets) compileDhcp(object, { network: spec, subnet, mtuBytes });
  const shared = spec.vpcId === undefined ? {} : { load_balancer_group: [balancersOf(spec.vpcId)], dns_records: dnsOf(spec.vpcId) };
  object.main(
    'Logical_Switch',
    { name: spec.id, ...shared, acls: [...compileServiceRules(object, spec), ...compileWireRules(object, spec)], other_config: {} },
    { notes: { 'pileus-name': spec.name } },
  );
  if (spec.mode === 'routed') compileRouterPort(object, spec, mtuBytes);
  if (spec.mode === 'provider') compilePhysicalPort(object, spec);
  compileServicePort(object, spec);
  return object;
}

function compileRouterPort(object: Compilation, spec: NetworkSpec, mtuBytes: number): void {
  if (spec.vpcId === undefined) throw new DriverError('invalid', 'a routed network is part of a VPC', { pointer: '/vpcId' });
  // A port of a router has an address.
  if (spec.subnets.length === 0) return;
  const name = `router-${spec.id}`;
  const [ipv6, slaac] = [
    spec.subnets.filter((subnet) => familyOf(subnet.gateway) === 6),
    spec.subnets.some((subnet) => subnet.ipv6Mode === 'slaac'),
  ];
  const server = ipv6.flatMap((subnet) => subnet.dnsServers).find((address) => familyOf(address) === 6);
  const advertised = {
    address_mode: slaac ? 'slaac' : 'dhcpv6_stateful',
    send_periodic: 'true',
    mtu: String(mtuBytes),
    ...(server === undefined ? {} : { rdnss: server }),
    ...(spec.domain === undefined ? {} : { dnssl: spec.domain }),
  };
  object.add(
    'Logical_Router_Port',
    routerPortOf(spec.id),
    {
      name,
      mac: routerMac(spec.id),
      networks: spec.subnets.map((subnet) => `${subnet.gateway}/${readNetwork(subnet.cidr).prefix}`),
      ipv6_ra_configs: ipv6.length === 0 ? {} : advertised,
    },
    { places: [`Logical_Router.ports:${spec.vpcId}`] },
  );
  object.part(
    'Logical_Switch_Port',
    'router',
    { name: `switch-${spec.id}`, type: 'router', addresses: ['router'], options: { 'router-port': name } },
    { places: [`Logical_Switch.ports:${spec.id}`] },
  );
}

function compilePhysicalPort(object: Compilation, spec: NetworkSpec): void {
  if (spec.segment === undefined)
    throw new DriverError('invalid', 'a provider network is a segment of a physical one', { pointer: '/segment' });
  const { physicalNetwork, vlanId } = spec.segment;
  object.part(
    'Logical_Switch_Port',
    'physical',
    {
      name: physicalName(spec.id),
      type: 'localnet',
      addresses: ['unknown'],
      options: { network_name: physicalNetwork },
      // OVN copies the one to the other.
      ...(vlanId === undefined ? {} : { tag_request: vlanId, tag: vlanId }),
    },
    { places: [`Logical_Switch.ports:${spec.id}`] },
  );
}

const physicalName = (networkId: string): string => `physical-${networkId}`;

const serviceAddresses = (spec: NetworkSpec): readonly string[] => spec.subnets.flatMap((subnet) => subnet.serviceAddress ?? []);

/** A port that every host has for itself: what a guest sends there never leaves its host. */
function compileServicePort(object: Compilation, spec: NetworkSpec): void {
  const service = serviceAddresses(spec);
  const own = metadataOnLink(spec);
  const metadata = own.length > 0 ? own : service.some((address) => familyOf(address) === 6) ? [METADATA_ADDRESS_6] : [];
  const addresses = [...service, ...metadata];
  if (addresses.length === 0) return;
  object.add(
    'Logical_Switch_Port',
    servicePortOf(spec.id),
    { name: servicePortName(spec.id), type: 'localport', addresses: [[servicePortMac(spec.id), ...addresses].join(' ')] },
    { places: [`Logical_Switch.ports:${spec.id}`] },
  );
}

/** Guests may ask for names and metadata whatever their security groups say. Hosts that ask whether guests are well need no rule. */
function compileServiceRules(object: Compilation, spec: NetworkSpec): readonly string[] {
  return serviceAddresses(spec).flatMap((address) => {
    const ip = `ip${familyOf(address)}`;
    const rule = (role: string, match: string): string =>
      object.part('ACL', `${role}/${address}`, {
        name: role,
        priority: PRIORITY.always,
        direction: 'from-lport',
        match: `${ip}.dst == ${address} && ${match}`,
        action: 'allow-related',
      });
    return [
      rule('service-tcp', 'tcp.dst == {53, 80}'),
      rule('service-udp', 'udp.dst == 53'),
      rule('service-ping', `icmp${familyOf(address)}`),
    ];
  });
}

/**
 * What is at these addresses on the physical network is none of ours, and what is at them here is nothing to it: neither asks the other, nor says that it is the
 * other. None of these rules follows connections, so that what machines send there is not followed either.
 */
function compileWireRules(object: Compilation, spec: NetworkSpec): readonly string[] {
  if (spec.mode !== 'provider') return [];
  const sides = [
    { direction: 'from-lport', side: 'inport' },
    { direction: 'to-lport', side: 'outport' },
  ] as const;
  return metadataOnLink(spec).flatMap((address) => {
    const family = familyOf(address);
    const fields = family === 4 ? ['arp.spa', 'arp.tpa', 'ip4.src', 'ip4.dst'] : ['nd.target', 'ip6.src', 'ip6.dst'];
    const any = fields.map((field) => `${field} == ${address}`).join(' || ');
    return sides.map(({ direction, side }) =>
      object.part('ACL', `wire/${family}/${side}`, {
        name: `wire-${side}`,
        priority: PRIORITY.always,
        direction,
        match: `${side} == "${physicalName(spec.id)}" && (${any})`,
        action: 'drop',
      }),
    );
  });
}
