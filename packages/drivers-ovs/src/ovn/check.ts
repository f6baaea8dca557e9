import { isIP } from 'node:net';
import type { NetworkSpec, PortSpec, SecurityGroupSpec, SecurityRuleSpec, SubnetSpec, VpcSpec } from '@pileus/core/strategy';
import { familyOf, parseNetwork, readNetwork, within } from './address.ts';
import { DriverError } from './driver-error.ts';

/** OVSDB does not check what values mean: what it would store and OVN would not understand is refused here. All throw `DriverError` invalid. */

export function need(holds: boolean, pointer: string, message: string): asserts holds {
  if (!holds) throw new DriverError('invalid', message, { pointer });
}

const MAC = /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/;
const DOMAIN = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i;
/** Of hosts and physical networks: OVN separates them by commas and colons. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export const needId = (id: string, pointer: string): void => need(UUID.test(id), pointer, `'${id}' is no uuid`);
export const needName = (name: string, pointer: string): void => need(NAME.test(name), pointer, `'${name}' cannot be a name here`);
export const needDomain = (name: string, pointer: string): void =>
  need(DOMAIN.test(name) && name.length <= 253, pointer, `'${name}' is no domain`);
export const needMac = (mac: string, pointer: string): void => need(MAC.test(mac), pointer, `'${mac}' is no unicast MAC in lower case`);

export function needAddress(address: string, pointer: string, family?: 4 | 6): void {
  need(isIP(address) !== 0 && !address.includes('%'), pointer, `'${address}' is no address`);
  need(family === undefined || familyOf(address) === family, pointer, `'${address}' is no IPv${family} address`);
}

/** Answers the family. */
export function needNetwork(cidr: string, pointer: string, family?: 4 | 6): 4 | 6 {
  const network = parseNetwork(cidr);
  need(network !== undefined, pointer, `'${cidr}' is no network`);
  need(family === undefined || network.family === family, pointer, `'${cidr}' is no IPv${family} network`);
  return network.family;
}

export function needWithin(address: string, cidr: string, pointer: string): void {
  const family = needNetwork(cidr, pointer);
  needAddress(address, pointer, family);
  need(within(address, readNetwork(cidr)), pointer, `${address} is not in ${cidr}`);
}

export function needPort(port: number, pointer: string): void {
  need(Number.isInteger(port) && port >= 1 && port <= 65_535, pointer, `${port} is no port`);
}

export function needRange({ first, last }: { readonly first: number; readonly last: number }, pointer: string): void {
  needPort(first, `${pointer}/first`);
  needPort(last, `${pointer}/last`);
  need(first <= last, pointer, `${first} to ${last} is no range`);
}

export function checkNetwork(spec: NetworkSpec): void {
  needId(spec.id, '/id');
  if (spec.domain !== undefined) needDomain(spec.domain, '/domain');
  if (spec.vpcId !== undefined) needId(spec.vpcId, '/vpcId');
  const { mtuBytes = 1_500, segment } = spec;
  need(Number.isInteger(mtuBytes) && mtuBytes >= 576 && mtuBytes <= 65_535, '/mtuBytes', `${mtuBytes} is no MTU`);
  spec.subnets.forEach((subnet, at) => {
    checkSubnet(subnet, `/subnets/${at}`);
  });
  if (segment === undefined) return;
  const { physicalNetwork, vlanId = 1 } = segment;
  needName(physicalNetwork, '/segment/physicalNetwork');
  need(Number.isInteger(vlanId) && vlanId >= 1 && vlanId <= 4094, '/segment/vlanId', `${vlanId} is no VLAN`);
}

function checkSubnet(subnet: SubnetSpec, at: string): void {
  needId(subnet.id, `${at}/id`);
  const family = needNetwork(subnet.cidr, `${at}/cidr`);
  needWithin(subnet.gateway, subnet.cidr, `${at}/gateway`);
  if (subnet.serviceAddress !== undefined) needWithin(subnet.serviceAddress, subnet.cidr, `${at}/serviceAddress`);
  subnet.dnsServers.forEach((address, index) => {
    needAddress(address, `${at}/dnsServers/${index}`);
  });
  subnet.hostRoutes?.forEach(({ destination, nextHop }, index) => {
    need(family === 4, `${at}/hostRoutes/${index}`, 'DHCPv6 tells no routes');
    needNetwork(destination, `${at}/hostRoutes/${index}/destination`, 4);
    needAddress(nextHop, `${at}/hostRoutes/${index}/nextHop`, 4);
  });
}

export function checkPort(spec: PortSpec): void {
  needId(spec.nicId, '/nicId');
  needId(spec.networkId, '/networkId');
  needMac(spec.mac, '/mac');
  spec.addresses.forEach((address, at) => {
    needAddress(address, `/addresses/${at}`);
  });
  need(spec.subnetIds.length === spec.addresses.length, '/subnetIds', 'each address is of a subnet');
  for (const [name, ids] of Object.entries({ subnetIds: spec.subnetIds, securityGroupIds: spec.securityGroupIds ?? [] }))
    ids.forEach((id, at) => {
      needId(id, `/${name}/${at}`);
    });
  if (spec.vpcId !== undefined) needId(spec.vpcId, '/vpcId');
  if (spec.hostname !== undefined) needDomain(spec.hostname, '/hostname');
  if (spec.domain !== undefined) needDomain(spec.domain, '/domain');
  if (spec.host !== undefined) needName(spec.host, '/host');
  const { outboundBytesPerSecond: bound = 1 } = spec;
  need(Number.isSafeInteger(bound) && bound > 0, '/outboundBytesPerSecond', `${bound} is no number of bytes above 0`);
  spec.allowedAddresses?.forEach(({ cidr, mac }, at) => {
    needNetwork(cidr, `/allowedAddresses/${at}/cidr`);
    if (mac !== undefined) needMac(mac, `/allowedAddresses/${at}/mac`);
  });
}

export function checkVpc(spec: VpcSpec): void {
  needId(spec.id, '/id');
  need(/^[^/\s]+$/.test(spec.owner), '/owner', 'the mark has no slash and no space');
  needDomain(spec.domain, '/domain');
  spec.routes.forEach(({ destination, nextHop }, at) => {
    const family = needNetwork(destination, `/routes/${at}/destination`);
    if (nextHop !== undefined) needAddress(nextHop, `/routes/${at}/nextHop`, family);
  });
}

export function checkSecurityGroup(spec: SecurityGroupSpec): void {
  needId(spec.id, '/id');
  spec.rules.forEach((rule, at) => {
    checkRule(rule, `/rules/${at}`);
  });
}

function checkRule(rule: SecurityRuleSpec, at: string): void {
  const { family, protocol, ports, icmp, remote } = rule;
  if (ports !== undefined) {
    need(protocol === 'tcp' || protocol === 'udp', `${at}/ports`, 'only tcp and udp have ports');
    needRange(ports, `${at}/ports`);
  }
  if (icmp !== undefined) {
    need(protocol === 'icmp', `${at}/icmp`, 'only icmp has types');
    for (const [name, value = 0] of Object.entries({ type: icmp.type, code: icmp.code }))
      need(Number.isInteger(value) && value >= 0 && value <= 255, `${at}/icmp/${name}`, `${value} is not within 0 and 255`);
  }
  if ('securityGroupId' in remote) needId(remote.securityGroupId, `${at}/remote/securityGroupId`);
  else
    remote.cidrs.forEach((cidr, index) => {
      needNetwork(cidr, `${at}/remote/cidrs/${index}`, family);
    });
}
