import type {
  DnsRecordSpec,
  ElasticIpSpec,
  GatewaySide,
  GatewaySpec,
  ListenerSpec,
  LoadBalancerSpec,
  PeeringSpec,
  PortForwardSpec,
} from '@pileus/core/strategy';
import { familyOf, overlap } from './address.ts';
import { need, needAddress, needDomain, needId, needName, needNetwork, needPort, needRange, needWithin } from './check.ts';
import { DriverError } from './driver-error.ts';

/** The same for what leads into a VPC, out of it, and through it. */

const needIds = (ids: Readonly<Record<string, string>>): void => {
  for (const [name, id] of Object.entries(ids)) needId(id, `/${name}`);
};

export function checkPeering({ id, sides }: PeeringSpec): void {
  needIds({ id });
  sides.forEach(({ vpcId, cidrs }, at) => {
    needId(vpcId, `/sides/${at}/vpcId`);
    cidrs.forEach((cidr, index) => {
      needNetwork(cidr, `/sides/${at}/cidrs/${index}`);
    });
  });
  need(sides[0].vpcId !== sides[1].vpcId, '/sides/1/vpcId', 'a VPC is no peer of itself');
  sides[1].cidrs.forEach((cidr, at) => {
    const other = sides[0].cidrs.find((each) => overlap(each, cidr));
    need(other === undefined, `/sides/1/cidrs/${at}`, `${cidr} overlaps with ${other}`);
  });
}

export function checkGateway(spec: GatewaySpec): void {
  const { id, vpcId, externalNetworkId } = spec;
  needIds({ id, vpcId, externalNetworkId });
  checkSide(spec, '');
  if (spec.ipv6 !== undefined) {
    needAddress(spec.address, '/address', 4);
    needNetwork(spec.ipv6.externalCidr, '/ipv6/externalCidr', 6);
    checkSide(spec.ipv6, '/ipv6');
  }
  need(spec.hosts.length > 0, '/hosts', 'some host must carry it');
  spec.hosts.forEach((host, at) => {
    needName(host, `/hosts/${at}`);
  });
  spec.sources.forEach(({ cidr, ports }, at) => {
    needNetwork(cidr, `/sources/${at}/cidr`, spec.ipv6 === undefined ? familyOf(spec.address) : undefined);
    if (ports !== undefined) needRange(ports, `/sources/${at}/ports`);
  });
}

function checkSide({ externalSubnetId, address, externalCidr, nextHop }: GatewaySide, at: string): void {
  needId(externalSubnetId, `${at}/externalSubnetId`);
  needWithin(address, externalCidr, `${at}/address`);
  needWithin(nextHop, externalCidr, `${at}/nextHop`);
}

export function checkElasticIp(spec: ElasticIpSpec): void {
  const { id, vpcId, gatewayId, nicId } = spec;
  needIds({ id, vpcId, gatewayId, nicId });
  needAddress(spec.externalAddress, '/externalAddress');
  needAddress(spec.nicAddress, '/nicAddress', familyOf(spec.externalAddress));
}

export function checkPortForward(spec: PortForwardSpec): void {
  const { id, vpcId, gatewayId, nicId } = spec;
  needIds({ id, vpcId, gatewayId, nicId });
  needAddress(spec.externalAddress, '/externalAddress');
  needAddress(spec.nicAddress, '/nicAddress', familyOf(spec.externalAddress));
  if (spec.ipv6 !== undefined) {
    needAddress(spec.externalAddress, '/externalAddress', 4);
    needAddress(spec.ipv6.externalAddress, '/ipv6/externalAddress', 6);
    needAddress(spec.ipv6.nicAddress, '/ipv6/nicAddress', 6);
  }
  needPort(spec.externalPort, '/externalPort');
  needPort(spec.port, '/port');
}

export function checkLoadBalancer(spec: LoadBalancerSpec): void {
  const { id, vpcId } = spec;
  needIds({ id, vpcId });
  needAddress(spec.address, '/address');
  if (spec.externalAddress !== undefined) needAddress(spec.externalAddress, '/externalAddress', familyOf(spec.address));
  const taken = new Set<string>();
  spec.listeners.forEach((listener, at) => {
    const key = `${listener.protocol} ${listener.port}`;
    need(!taken.has(key), `/listeners/${at}/port`, `there is another listener on ${key}`);
    taken.add(key);
    checkListener(listener, familyOf(spec.address), `/listeners/${at}`);
  });
}

function checkListener({ port, backends, healthCheck }: ListenerSpec, family: 4 | 6, at: string): void {
  needPort(port, `${at}/port`);
  if (healthCheck !== undefined && family === 6)
    throw new DriverError('unsupported', 'this OVN asks no IPv6 machine for its health', { pointer: `${at}/healthCheck` });
  backends.forEach((backend, index) => {
    const here = `${at}/backends/${index}`;
    needId(backend.nicId, `${here}/nicId`);
    needAddress(backend.address, `${here}/address`, family);
    needPort(backend.port, `${here}/port`);
    const { weight } = backend;
    need(Number.isInteger(weight) && weight >= 0 && weight <= 100, `${here}/weight`, `${weight} is not within 0 and 100`);
    if (healthCheck === undefined) return;
    const source = healthCheck.sources[backend.networkId];
    need(source !== undefined, `${at}/healthCheck/sources`, `nobody asks in network ${backend.networkId}`);
    needAddress(source, `${at}/healthCheck/sources/${backend.networkId}`, family);
  });
}

export function checkDnsRecord(spec: DnsRecordSpec): void {
  const { id, vpcId } = spec;
  needIds({ id, vpcId });
  needDomain(spec.name, '/name');
  need(spec.addresses.length > 0, '/addresses', 'a name without addresses is none');
  spec.addresses.forEach((address, at) => {
    needAddress(address, `/addresses/${at}`);
  });
}
