import type { Call, NetworkDriver } from '@pileus/core/strategy';
import {
  backendSpec,
  balancerSpec,
  elasticIpSpec,
  forwardSpec,
  gatewaySide6,
  gatewaySpec,
  groupSpec,
  idOf,
  peeringSpec,
  portSpec,
  providerSpec,
  recordSpec,
  routedSpec,
  subnetSpec,
  vpcSpec,
} from './specs.ts';

/** An object in a few shapes, with what it needs. */
export interface AnyObject {
  readonly name: string;
  readonly needs: readonly string[];
  readonly shapes: number;
  ensure(driver: NetworkDriver, shape: number, call: Call): Promise<unknown>;
  remove(driver: NetworkDriver, call: Call): Promise<void>;
}

type Keepers = 'vpcs' | 'peerings' | 'securityGroups' | 'gateways' | 'elasticIps' | 'portForwards' | 'loadBalancers' | 'dnsRecords';

function kept(sort: Keepers, name: string, needs: readonly string[], shapes: readonly { readonly id: string }[]): AnyObject {
  const keeperOf = (driver: NetworkDriver) =>
    driver[sort] as { ensure(spec: object, call: Call): Promise<void>; remove(id: string, call: Call): Promise<void> };
  return {
    name,
    needs,
    shapes: shapes.length,
    ensure: (driver, shape, call) => keeperOf(driver).ensure(shapes[shape % shapes.length] ?? {}, call),
    remove: (driver, call) => keeperOf(driver).remove(shapes[0]?.id ?? '', call),
  };
}

const vpc = (name: string) =>
  kept(
    'vpcs',
    name,
    [],
    [vpcSpec(name), vpcSpec(name, { name: 'renamed' }), vpcSpec(name, { routes: [{ id: idOf('hole'), destination: '10.66.0.0/16' }] })],
  );

function network(name: string, shapes: readonly ReturnType<typeof routedSpec>[], needs: readonly string[]): AnyObject {
  return {
    name,
    needs,
    shapes: shapes.length,
    ensure: (driver, shape, call) => driver.ensureNetwork(shapes[shape % shapes.length] ?? routedSpec('', '', ''), call),
    remove: (driver, call) => driver.deleteNetwork(idOf(name), call),
  };
}

function routed(name: string, of: string, cidr: string): AnyObject {
  const plain = routedSpec(name, of, cidr);
  const [subnet] = plain.subnets;
  if (subnet === undefined) throw new Error('a network without a subnet');
  const { serviceAddress: _, ...bare } = subnet;
  return network(
    name,
    [plain, { ...plain, subnets: [bare] }, { ...plain, mtuBytes: 9000, subnets: [{ ...subnet, dnsServers: ['192.0.2.53'] }] }],
    [of],
  );
}

function port(name: string, on: string, of: string, address: string, groups: readonly string[]): AnyObject {
  const plain = portSpec(name, on, address, { vpcId: idOf(of), domain: `${of}.internal` });
  const shapes = [
    plain,
    { ...plain, hostname: 'shared', securityGroupIds: groups.map(idOf) },
    {
      ...plain,
      hostname: 'shared',
      securityGroupIds: groups.slice(0, 1).map(idOf),
      allowedAddresses: [{ cidr: '10.0.9.0/24' }],
      host: 'host-1',
      outboundBytesPerSecond: 1_000_000,
    },
    { ...plain, securityGroupIds: [], allowedAddresses: [{ cidr: '10.0.9.0/24' }], outboundBytesPerSecond: 125_000 },
  ];
  return {
    name,
    needs: [on, ...groups],
    shapes: shapes.length,
    ensure: (driver, shape, call) => driver.ensurePort(shapes[shape % shapes.length] ?? plain, call),
    remove: (driver, call) => driver.deletePort({ nicId: plain.nicId, networkId: plain.networkId }, call),
  };
}

function group(name: string, of: string, other: string): AnyObject {
  const rule = { id: idOf(`${name}-1`), direction: 'inbound', family: 4, protocol: 'tcp', ports: { first: 80, last: 90 } } as const;
  const out = { id: idOf(`${name}-2`), direction: 'outbound', family: 6, remote: { cidrs: ['::/0'] } } as const;
  return kept(
    'securityGroups',
    name,
    [of],
    [
      groupSpec(name),
      groupSpec(name, [{ ...rule, remote: { securityGroupId: idOf(other) } }, out]),
      groupSpec(name, [{ ...rule, remote: { cidrs: ['10.0.0.0/8'] } }]),
    ],
  );
}

const a1 = portSpec('a1', 'a-net', '10.0.1.11');
const a2 = portSpec('a2', 'a-net', '10.0.1.12');
const a3 = portSpec('a3', 'a-net', '10.0.1.13');

/** A world of two VPCs, in an order in which each finds what it needs. */
export const OBJECTS: readonly AnyObject[] = [
  vpc('a'),
  vpc('b'),
  network(
    'outside',
    [
      providerSpec('outside', '192.0.2.0/24'),
      providerSpec('outside', '192.0.2.0/24', {
        subnets: [
          subnetSpec('outside-subnet', '192.0.2.0/24', { hostRoutes: [{ destination: '169.254.169.254/32', nextHop: '192.0.2.9' }] }),
          subnetSpec('outside-subnet6', 'fd00:9::/64', { gateway: 'fd00:9::1' }),
        ],
      }),
    ],
    [],
  ),
  group('g', 'a', 'h'),
  group('h', 'a', 'g'),
  routed('a-net', 'a', '10.0.1.0/24'),
  routed('b-net', 'b', '10.0.2.0/24'),
  port('a1', 'a-net', 'a', '10.0.1.11', ['g', 'h']),
  port('a2', 'a-net', 'a', '10.0.1.12', ['g', 'h']),
  port('a3', 'a-net', 'a', '10.0.1.13', ['h']),
  port('b1', 'b-net', 'b', '10.0.2.11', []),
  kept(
    'peerings',
    'link',
    ['a', 'b'],
    [
      peeringSpec('link', [
        ['a', ['10.0.1.0/24']],
        ['b', ['10.0.2.0/24']],
      ]),
      peeringSpec('link', [
        ['a', []],
        ['b', ['10.0.2.0/24']],
      ]),
    ],
  ),
  kept(
    'gateways',
    'gate',
    ['a', 'outside'],
    [
      gatewaySpec('gate', 'a', 'outside'),
      gatewaySpec('gate', 'a', 'outside', { hosts: ['host-1', 'host-3'], sources: [{ cidr: '10.0.1.0/24' }] }),
      gatewaySpec('gate', 'a', 'outside', { address: '192.0.2.11', sources: [] }),
      gatewaySpec('gate', 'a', 'outside', { ipv6: gatewaySide6('outside'), sources: [{ cidr: '10.0.1.0/24' }, { cidr: 'fd00:1::/64' }] }),
      gatewaySpec('gate', 'a', 'outside', {
        ipv6: gatewaySide6('outside', { address: '2001:db8::11' }),
        sources: [{ cidr: 'fd00:1::/64' }],
      }),
    ],
  ),
  kept(
    'elasticIps',
    'eip',
    ['gate', 'a1', 'a2', 'a3'],
    [
      elasticIpSpec('eip', 'a', 'gate', a1),
      elasticIpSpec('eip', 'a', 'gate', a3, { distributed: true }),
      elasticIpSpec('eip', 'a', 'gate', a2),
    ],
  ),
  kept(
    'elasticIps',
    'eip6',
    ['gate', 'a2', 'a3'],
    [
      elasticIpSpec('eip6', 'a', 'gate', a2, { externalAddress: '2001:db8::50', nicAddress: 'fd00:1::12' }),
      elasticIpSpec('eip6', 'a', 'gate', a3, { externalAddress: '2001:db8::50', nicAddress: 'fd00:1::13', distributed: true }),
    ],
  ),
  kept(
    'portForwards',
    'ssh',
    ['gate', 'a1'],
    [
      forwardSpec('ssh', 'a', 'gate', a1),
      forwardSpec('ssh', 'a', 'gate', a1, { protocol: 'udp' }),
      forwardSpec('ssh', 'a', 'gate', a1, { ipv6: { externalAddress: '2001:db8::10', nicAddress: 'fd00:1::11' } }),
    ],
  ),
  kept(
    'loadBalancers',
    'balance',
    ['a', 'a1', 'a2'],
    [
      balancerSpec('balance', 'a', [backendSpec(a1, 1)]),
      balancerSpec('balance', 'a', [backendSpec(a1, 20), backendSpec(a2, 10)]),
      balancerSpec('balance', 'a', [], { listeners: [{ id: idOf('l2'), protocol: 'udp', port: 53, backends: [backendSpec(a2, 1)] }] }),
    ],
  ),
  kept(
    'dnsRecords',
    'record',
    ['a'],
    [
      { ...recordSpec('shared', 'a', ['10.0.1.99']), id: idOf('record') },
      { ...recordSpec('other', 'a', ['10.0.1.98']), id: idOf('record') },
    ],
  ),
];
