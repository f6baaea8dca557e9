import { createHash } from 'node:crypto';
import type {
  BackendSpec,
  Call,
  DnsRecordSpec,
  ElasticIpSpec,
  GatewaySide,
  GatewaySpec,
  LoadBalancerSpec,
  NetworkSpec,
  PeeringSpec,
  PortForwardSpec,
  PortSpec,
  SecurityGroupSpec,
  SubnetSpec,
  VpcSpec,
} from '@pileus/core/strategy';

export const OWNER = 'c10d0000-0000-4000-8000-000000000001';

export const call = (timeoutMs = 30_000): Call => ({ requestId: 'test', signal: new AbortController().signal, timeoutMs });

/** An id that says what it is of, and is the same each time. */
export function idOf(name: string): string {
  const text = createHash('sha1').update(name).digest('hex');
  return [text.slice(0, 8), text.slice(8, 12), `4${text.slice(13, 16)}`, `8${text.slice(17, 20)}`, text.slice(20, 32)].join('-');
}

export const vpcSpec = (name: string, change: Partial<VpcSpec> = {}): VpcSpec => ({
  id: idOf(name),
  owner: OWNER,
  name,
  domain: `${name}.internal`,
  routes: [],
  ...change,
});

export const subnetSpec = (name: string, cidr: string, change: Partial<SubnetSpec> = {}): SubnetSpec => ({
  id: idOf(name),
  cidr,
  gateway: cidr.replace(/0\/\d+$|\/\d+$/, '1'),
  dnsServers: [],
  ...change,
});

/** A network of a VPC, with one IPv4 subnet whose service address is the second. */
export const routedSpec = (name: string, vpc: string, cidr: string, change: Partial<NetworkSpec> = {}): NetworkSpec => ({
  id: idOf(name),
  owner: OWNER,
  name,
  mode: 'routed',
  vpcId: idOf(vpc),
  domain: `${vpc}.internal`,
  subnets: [subnetSpec(`${name}-subnet`, cidr, { serviceAddress: cidr.replace(/0\/\d+$/, '2') })],
  ...change,
});

export const providerSpec = (name: string, cidr: string, change: Partial<NetworkSpec> = {}): NetworkSpec => ({
  id: idOf(name),
  owner: OWNER,
  name,
  mode: 'provider',
  segment: { physicalNetwork: 'physnet1' },
  subnets: [subnetSpec(`${name}-subnet`, cidr)],
  ...change,
});

const macOf = (name: string): string => `52:54:00:${(idOf(name).slice(0, 6).match(/../g) ?? []).join(':')}`;

/** A port of a routed network. */
export const portSpec = (name: string, network: string, address: string, change: Partial<PortSpec> = {}): PortSpec => ({
  nicId: idOf(name),
  owner: OWNER,
  networkId: idOf(network),
  mac: macOf(name),
  addresses: [address],
  subnetIds: [idOf(`${network}-subnet`)],
  hostname: name,
  ...change,
});

export const groupSpec = (name: string, rules: SecurityGroupSpec['rules'] = []): SecurityGroupSpec => ({
  id: idOf(name),
  owner: OWNER,
  name,
  rules,
});

export const gatewaySpec = (name: string, vpc: string, external: string, change: Partial<GatewaySpec> = {}): GatewaySpec => ({
  id: idOf(name),
  owner: OWNER,
  vpcId: idOf(vpc),
  externalNetworkId: idOf(external),
  externalSubnetId: idOf(`${external}-subnet`),
  address: '192.0.2.10',
  externalCidr: '192.0.2.0/24',
  nextHop: '192.0.2.1',
  sources: [{ cidr: '10.0.1.0/24' }, { cidr: '10.0.2.0/24', ports: { first: 1024, last: 2047 } }],
  hosts: ['host-1', 'host-2'],
  ...change,
});

/** What a gateway is in IPv6, beside IPv4. */
export const gatewaySide6 = (external: string, change: Partial<GatewaySide> = {}): GatewaySide => ({
  externalSubnetId: idOf(`${external}-subnet6`),
  address: '2001:db8::10',
  externalCidr: '2001:db8::/64',
  nextHop: '2001:db8::1',
  ...change,
});

export const elasticIpSpec = (
  name: string,
  vpc: string,
  gateway: string,
  port: PortSpec,
  change: Partial<ElasticIpSpec> = {},
): ElasticIpSpec => ({
  id: idOf(name),
  owner: OWNER,
  vpcId: idOf(vpc),
  gatewayId: idOf(gateway),
  externalAddress: '192.0.2.50',
  nicId: port.nicId,
  nicAddress: port.addresses[0] ?? '',
  distributed: false,
  ...change,
});

export const forwardSpec = (
  name: string,
  vpc: string,
  gateway: string,
  port: PortSpec,
  change: Partial<PortForwardSpec> = {},
): PortForwardSpec => ({
  id: idOf(name),
  owner: OWNER,
  vpcId: idOf(vpc),
  gatewayId: idOf(gateway),
  externalAddress: '192.0.2.10',
  protocol: 'tcp',
  externalPort: 2222,
  nicId: port.nicId,
  nicAddress: port.addresses[0] ?? '',
  port: 22,
  ...change,
});

export const backendSpec = (port: PortSpec, weight: number): BackendSpec => ({
  id: idOf(`backend ${port.nicId}`),
  nicId: port.nicId,
  networkId: port.networkId,
  address: port.addresses[0] ?? '',
  port: 8080,
  weight,
});

export const balancerSpec = (
  name: string,
  vpc: string,
  backends: readonly BackendSpec[],
  change: Partial<LoadBalancerSpec> = {},
): LoadBalancerSpec => ({
  id: idOf(name),
  owner: OWNER,
  vpcId: idOf(vpc),
  address: '10.0.1.100',
  listeners: [{ id: idOf(`${name}-http`), protocol: 'tcp', port: 80, backends }],
  ...change,
});

export const recordSpec = (name: string, vpc: string, addresses: readonly string[]): DnsRecordSpec => ({
  id: idOf(`record ${name} ${addresses.join(' ')}`),
  owner: OWNER,
  vpcId: idOf(vpc),
  name: `${name}.${vpc}.internal`,
  addresses,
});

export const peeringSpec = (
  name: string,
  sides: readonly [readonly [string, readonly string[]], readonly [string, readonly string[]]],
): PeeringSpec => ({
  id: idOf(name),
  owner: OWNER,
  sides: [
    { vpcId: idOf(sides[0][0]), cidrs: sides[0][1] },
    { vpcId: idOf(sides[1][0]), cidrs: sides[1][1] },
  ],
});
