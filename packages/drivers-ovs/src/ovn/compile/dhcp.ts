import type { NetworkSpec, SubnetSpec } from '@pileus/core/strategy';
import { familyOf } from '../address.ts';
import type { Compilation } from '../compiled.ts';
import { dhcpOf, routerMac } from '../names.ts';
import { METADATA_ADDRESS, METADATA_ROUTE, metadataOnLink } from './metadata.ts';

interface Dhcp {
  readonly network: NetworkSpec;
  readonly subnet: SubnetSpec;
  readonly mtuBytes: number;
}

const LEASE_SECONDS = 86_400;

/** What machines of a subnet are told. OVN answers on each host by itself. */
export function compileDhcp(object: Compilation, dhcp: Dhcp): void {
  const { subnet } = dhcp;
  const options = familyOf(subnet.gateway) === 4 ? optionsOf4(dhcp) : optionsOf6(dhcp);
  object.add('DHCP_Options', dhcpOf(subnet.id), { cidr: subnet.cidr, options }, {});
}

/** The cloud's own resolver, where the subnet names none. */
function serversOf({ subnet }: Dhcp): readonly string[] {
  if (subnet.dnsServers.length > 0 || subnet.serviceAddress === undefined) return subnet.dnsServers;
  return [subnet.serviceAddress];
}

const setOf = (values: readonly string[]): string => (values.length === 1 ? (values[0] ?? '') : `{${values.join(', ')}}`);

function optionsOf4(dhcp: Dhcp): Readonly<Record<string, string>> {
  const { network, subnet, mtuBytes } = dhcp;
  const servers = serversOf(dhcp).filter((address) => familyOf(address) === 4);
  const routes = routesOf(dhcp);
  return {
    lease_time: String(LEASE_SECONDS),
    server_id: subnet.gateway,
    server_mac: routerMac(network.id),
    mtu: String(mtuBytes),
    ...(network.mode === 'isolated' ? {} : { router: subnet.gateway }),
    ...(servers.length === 0 ? {} : { dns_server: setOf(servers) }),
    ...(network.domain === undefined ? {} : { domain_name: `"${network.domain}"` }),
    ...(routes.length === 0 ? {} : { classless_static_route: `{${routes.join(', ')}}` }),
  };
}

/** A client that is told routes ignores the router it is told beside them: the default route is one of them. */
function routesOf(dhcp: Dhcp): readonly string[] {
  const { network, subnet } = dhcp;
  const told = (subnet.hostRoutes ?? []).map(({ destination, nextHop }) => `${destination},${nextHop}`);
  const routes = [...told, ...metadataRoute(dhcp)];
  const hasDefault = (subnet.hostRoutes ?? []).some(({ destination }) => destination === '0.0.0.0/0');
  if (routes.length === 0 || hasDefault || network.mode === 'isolated') return routes;
  return [...routes, `0.0.0.0/0,${subnet.gateway}`];
}

/** Without a VPC metadata is on the link itself, which is what that next hop means (RFC 3442). */
function metadataRoute({ network, subnet: { serviceAddress } }: Dhcp): readonly string[] {
  if (serviceAddress !== undefined) return [`${METADATA_ROUTE},${serviceAddress}`];
  return metadataOnLink(network).includes(METADATA_ADDRESS) ? [`${METADATA_ROUTE},0.0.0.0`] : [];
}

function optionsOf6(dhcp: Dhcp): Readonly<Record<string, string>> {
  const { network, subnet } = dhcp;
  const servers = serversOf(dhcp).filter((address) => familyOf(address) === 6);
  return {
    server_id: routerMac(network.id),
    ...(subnet.ipv6Mode === 'slaac' ? { dhcpv6_stateless: 'true' } : {}),
    ...(servers.length === 0 ? {} : { dns_server: setOf(servers) }),
    ...(network.domain === undefined ? {} : { domain_search: `"${network.domain}"` }),
  };
}
