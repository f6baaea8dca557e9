import type {
  DnsRecordSpec,
  ElasticIpSpec,
  GatewaySpec,
  KeptSort,
  LoadBalancerSpec,
  NetworkObject,
  NetworkSpec,
  PeeringSpec,
  PortForwardSpec,
  PortSpec,
  SecurityGroupSpec,
  VpcSpec,
} from '../../src/strategy/index.ts';

/** What specs are made of. */
export interface GroundTools {
  readonly newId: () => string;
  /** The mark on all of it. */
  readonly owner: string;
  /** Host names of those that may carry gateways. */
  readonly hosts: readonly string[];
  /** What the external network is a segment of. */
  readonly physicalNetwork: string;
}

/** A VPC with a network and two ports, made before objects are kept around it. */
export interface KeeperGround {
  readonly vpc: VpcSpec;
  readonly network: NetworkSpec;
  readonly ports: readonly [PortSpec, PortSpec];
  /** Beside it: for what needs another. */
  readonly otherVpc: VpcSpec;
  /** Of no VPC. */
  readonly external: NetworkSpec;
  readonly gateway: GatewaySpec;
}

export function keeperGround({ newId, owner, hosts, physicalNetwork }: GroundTools): KeeperGround {
  const vpcOf = (name: string): VpcSpec => ({ id: newId(), owner, name, domain: `${name}.internal`, routes: [] });
  const [vpc, otherVpc] = [vpcOf('ground'), vpcOf('beside')];
  const subnet = { id: newId(), cidr: '10.90.0.0/24', gateway: '10.90.0.1', serviceAddress: '10.90.0.2', dnsServers: ['10.90.0.2'] };
  const network: NetworkSpec = { id: newId(), owner, name: 'inside', mode: 'routed', vpcId: vpc.id, subnets: [subnet] };
  const port = (number: number): PortSpec => ({
    ...{ nicId: newId(), owner, networkId: network.id, vpcId: vpc.id, hostname: `guest-${number}`, domain: vpc.domain },
    ...{ mac: `52:54:00:90:00:0${number}`, addresses: [`10.90.0.1${number}`], subnetIds: [subnet.id] },
  });
  const outside = { id: newId(), cidr: '192.0.2.0/24', gateway: '192.0.2.1', dnsServers: [] };
  const outside6 = { id: newId(), cidr: '2001:db8:0:2::/64', gateway: '2001:db8:0:2::1', dnsServers: [] };
  const external: NetworkSpec = {
    id: newId(),
    owner,
    name: 'outside',
    mode: 'provider',
    segment: { physicalNetwork },
    subnets: [outside, outside6],
  };
  const gateway: GatewaySpec = {
    ...{ id: newId(), owner, vpcId: vpc.id, externalNetworkId: external.id, externalSubnetId: outside.id, hosts },
    ...{ address: '192.0.2.10', externalCidr: outside.cidr, nextHop: outside.gateway, sources: [{ cidr: subnet.cidr }] },
    ipv6: { externalSubnetId: outside6.id, address: '2001:db8:0:2::10', externalCidr: outside6.cidr, nextHop: outside6.gateway },
  };
  return { vpc, network, ports: [port(3), port(4)], otherVpc, external, gateway };
}

/** An object of the sort on that ground, and the same as it is to be later. */
export interface KeptCase {
  readonly spec: NetworkObject;
  readonly changed: NetworkObject;
}

type Cases = { readonly [S in KeptSort]: (ground: KeeperGround, tools: GroundTools) => KeptCase };

export const KEPT_CASES: Cases = {
  vpcs: (_, { newId, owner }) => {
    const spec: VpcSpec = { id: newId(), owner, name: 'alone', domain: 'alone.internal', routes: [] };
    return { spec, changed: { ...spec, name: 'renamed', routes: [{ id: newId(), destination: '172.31.0.0/16' }] } satisfies VpcSpec };
  },
  peerings: ({ vpc, otherVpc, network }, { newId, owner }) => {
    const sides = (cidrs: readonly string[]): PeeringSpec['sides'] => [
      { vpcId: vpc.id, cidrs: network.subnets.map(({ cidr }) => cidr) },
      { vpcId: otherVpc.id, cidrs },
    ];
    const spec: PeeringSpec = { id: newId(), owner, sides: sides(['10.91.0.0/24']) };
    return { spec, changed: { ...spec, sides: sides(['10.91.0.0/24', '10.92.0.0/24']) } satisfies PeeringSpec };
  },
  securityGroups: (_, { newId, owner }) => {
    const rule = { id: newId(), direction: 'inbound', family: 4, protocol: 'tcp', ports: { first: 22, last: 22 } } as const;
    const spec: SecurityGroupSpec = { id: newId(), owner, name: 'web', rules: [{ ...rule, remote: { cidrs: ['0.0.0.0/0'] } }] };
    const further = { id: newId(), direction: 'outbound', family: 6, remote: { securityGroupId: spec.id } } as const;
    return { spec, changed: { ...spec, rules: [...spec.rules, further] } satisfies SecurityGroupSpec };
  },
  gateways: ({ gateway, otherVpc }, { newId }) => {
    const { ipv6, ...first } = gateway;
    const spec: GatewaySpec = { ...first, id: newId(), vpcId: otherVpc.id, address: '192.0.2.20', sources: [] };
    const both = ipv6 === undefined ? {} : { ipv6: { ...ipv6, address: '2001:db8:0:2::20' } };
    return { spec, changed: { ...spec, ...both, sources: [{ cidr: '10.91.0.0/24' }, { cidr: 'fd00:91::/64' }] } satisfies GatewaySpec };
  },
  elasticIps: ({ gateway, ports: [port, other] }, { newId, owner }) => {
    const of = ({ nicId, addresses: [nicAddress = ''] }: PortSpec) => ({ nicId, nicAddress });
    const place = { vpcId: gateway.vpcId, gatewayId: gateway.id, externalAddress: '192.0.2.30', distributed: false };
    const spec: ElasticIpSpec = { id: newId(), owner, ...place, ...of(port) };
    return { spec, changed: { ...spec, ...of(other) } satisfies ElasticIpSpec };
  },
  portForwards: ({ gateway, ports: [port] }, { newId, owner }) => {
    const place = {
      vpcId: gateway.vpcId,
      gatewayId: gateway.id,
      externalAddress: gateway.address,
      protocol: 'tcp',
      externalPort: 8080,
    } as const;
    const spec: PortForwardSpec = { id: newId(), owner, ...place, nicId: port.nicId, nicAddress: port.addresses[0] ?? '', port: 80 };
    return { spec, changed: { ...spec, port: 81 } satisfies PortForwardSpec };
  },
  loadBalancers: ({ vpc, network, ports }, { newId, owner }) => {
    const [a, b] = ports.map(({ nicId, addresses: [address = ''] }) => ({
      ...{ id: newId(), nicId, networkId: network.id, address, port: 80, weight: 1 },
    })) as [LoadBalancerSpec['listeners'][number]['backends'][number], LoadBalancerSpec['listeners'][number]['backends'][number]];
    const listener = { id: newId(), protocol: 'tcp', port: 80, backends: [a] } as const;
    const spec: LoadBalancerSpec = { id: newId(), owner, vpcId: vpc.id, address: '10.90.0.50', listeners: [listener] };
    return { spec, changed: { ...spec, listeners: [{ ...listener, backends: [a, b] }] } satisfies LoadBalancerSpec };
  },
  dnsRecords: ({ vpc }, { newId, owner }) => {
    const spec: DnsRecordSpec = { id: newId(), owner, vpcId: vpc.id, name: `db.${vpc.domain}`, addresses: ['10.90.0.13'] };
    return { spec, changed: { ...spec, addresses: ['10.90.0.13', '10.90.0.14'] } satisfies DnsRecordSpec };
  },
};
