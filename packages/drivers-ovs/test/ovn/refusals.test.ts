import type { NetworkDriver } from '@pileus/core/strategy';
import { expect } from 'chai';
import type { DriverError } from '../../src/ovn/driver-error.ts';
import { rejection } from '../ovsdb/private-server.ts';
import { NorthboundWorld, type OpenedDriver } from './northbound-world.ts';
import {
  backendSpec,
  balancerSpec,
  call,
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
  vpcSpec,
} from './specs.ts';

const front = routedSpec('front', 'shop', '10.0.1.0/24');
const port = portSpec('w1', 'front', '10.0.1.11');
const subnets = (change: object) => ({ ...front, subnets: front.subnets.map((subnet) => ({ ...subnet, ...change })) });
const rule = { id: idOf('r'), direction: 'inbound', family: 4, protocol: 'tcp', remote: { cidrs: ['10.0.0.0/8'] } } as const;
const web = balancerSpec('balance', 'shop', [backendSpec(port, 1)]);
const [listener] = web.listeners;
if (listener === undefined) throw new Error('a balancer without a listener');
const listeners = (change: object) => ({ ...web, listeners: [{ ...listener, ...change }] });
const healthCheck = { intervalSeconds: 1, timeoutSeconds: 1, successes: 1, failures: 1, sources: {} };

type Act = (driver: NetworkDriver) => Promise<unknown> | undefined;
const network =
  (spec: Parameters<NetworkDriver['ensureNetwork']>[0]): Act =>
  (driver) =>
    driver.ensureNetwork(spec, call());
const plug =
  (change: object): Act =>
  (driver) =>
    driver.ensurePort({ ...port, ...change }, call());
const group =
  (change: object): Act =>
  (driver) =>
    driver.securityGroups?.ensure(groupSpec('web', [{ ...rule, ...change }]), call());

/** What OVSDB would store and OVN not understand, by what is wrong in it. */
const CASES: readonly (readonly [string, Act, string])[] = [
  ['/mode', network({ ...front, mode: 'nat' }), 'unsupported'],
  ['/id', network({ ...front, id: 'front' }), 'invalid'],
  ['/vpcId', network({ id: front.id, owner: front.owner, name: 'n', mode: 'routed', subnets: front.subnets }), 'invalid'],
  ['/segment', network({ id: front.id, owner: front.owner, name: 'n', mode: 'provider', subnets: [] }), 'invalid'],
  ['/segment/vlanId', network(providerSpec('p', '10.0.0.0/24', { segment: { physicalNetwork: 'physnet1', vlanId: 4095 } })), 'invalid'],
  ['/segment/physicalNetwork', network(providerSpec('p', '10.0.0.0/24', { segment: { physicalNetwork: 'a:b,c' } })), 'invalid'],
  ['/outboundBytesPerSecond', plug({ outboundBytesPerSecond: 0.5 }), 'invalid'],
  ['/mtuBytes', network({ ...front, mtuBytes: 100 }), 'invalid'],
  ['/domain', network({ ...front, domain: 'a" b' }), 'invalid'],
  ['/subnets/0/cidr', network(subnets({ cidr: '10.0.1.0' })), 'invalid'],
  ['/subnets/0/gateway', network(subnets({ gateway: '10.0.2.1' })), 'invalid'],
  ['/subnets/0/gateway', network(subnets({ gateway: 'fd00::1' })), 'invalid'],
  ['/subnets/0/serviceAddress', network(subnets({ serviceAddress: '10.0.9.2' })), 'invalid'],
  ['/subnets/0/dnsServers/0', network(subnets({ dnsServers: ['dns.example'] })), 'invalid'],
  ['/subnets/0/hostRoutes/0/destination', network(subnets({ hostRoutes: [{ destination: 'fd00::/8', nextHop: '10.0.1.9' }] })), 'invalid'],
  ['/mac', plug({ mac: '53:54:00:00:00:01' }), 'invalid'],
  ['/addresses/0', plug({ addresses: ['10.0.1.011'] }), 'invalid'],
  ['/subnetIds', plug({ subnetIds: [] }), 'invalid'],
  ['/hostname', plug({ hostname: 'a b' }), 'invalid'],
  ['/host', plug({ host: 'a,b' }), 'invalid'],
  ['/securityGroupIds', plug({ securityGroupIds: [] }), 'invalid'],
  ['/allowedAddresses/0/cidr', plug({ allowedAddresses: [{ cidr: '10.0.1.9' }] }), 'invalid'],
  ['/allowedAddresses/0/mac', plug({ allowedAddresses: [{ cidr: '10.0.1.9/32', mac: 'ff:ff:ff:ff:ff:ff' }] }), 'invalid'],
  [
    '/routes/0/nextHop',
    (driver) => driver.vpcs?.ensure(vpcSpec('s', { routes: [{ id: idOf('r'), destination: '10.0.0.0/8', nextHop: 'fd00::1' }] }), call()),
    'invalid',
  ],
  ['/rules/0/ports', group({ ports: { first: 90, last: 80 } }), 'invalid'],
  ['/rules/0/ports', group({ protocol: 'icmp', ports: { first: 80, last: 90 } }), 'invalid'],
  ['/rules/0/icmp', group({ icmp: { type: 8 } }), 'invalid'],
  ['/rules/0/icmp/type', group({ protocol: 'icmp', icmp: { type: 256 } }), 'invalid'],
  ['/rules/0/remote/cidrs/0', group({ remote: { cidrs: ['fd00::/8'] } }), 'invalid'],
  [
    '/sides/1/cidrs/0',
    (driver) =>
      driver.peerings?.ensure(
        peeringSpec('p', [
          ['a', ['10.0.0.0/8']],
          ['b', ['10.1.0.0/16']],
        ]),
        call(),
      ),
    'invalid',
  ],
  ['/address', (driver) => driver.gateways?.ensure(gatewaySpec('g', 'shop', 'out', { address: '10.0.0.1' }), call()), 'invalid'],
  ['/hosts', (driver) => driver.gateways?.ensure(gatewaySpec('g', 'shop', 'out', { hosts: [] }), call()), 'invalid'],
  [
    '/sources/0/ports',
    (driver) =>
      driver.gateways?.ensure(gatewaySpec('g', 'shop', 'out', { sources: [{ cidr: '10.0.0.0/8', ports: { first: 2, last: 1 } }] }), call()),
    'invalid',
  ],
  [
    '/ipv6/address',
    (driver) => driver.gateways?.ensure(gatewaySpec('g', 'shop', 'out', { ipv6: gatewaySide6('out', { address: '192.0.2.10' }) }), call()),
    'invalid',
  ],
  [
    '/ipv6/externalCidr',
    (driver) =>
      driver.gateways?.ensure(gatewaySpec('g', 'shop', 'out', { ipv6: gatewaySide6('out', { externalCidr: '192.0.2.0/24' }) }), call()),
    'invalid',
  ],
  [
    '/sources/0/cidr',
    (driver) => driver.gateways?.ensure(gatewaySpec('g', 'shop', 'out', { sources: [{ cidr: 'fd00:1::/64' }] }), call()),
    'invalid',
  ],
  [
    '/ipv6/nicAddress',
    (driver) =>
      driver.portForwards?.ensure(
        forwardSpec('f', 'shop', 'g', port, { ipv6: { externalAddress: '2001:db8::10', nicAddress: '10.0.1.11' } }),
        call(),
      ),
    'invalid',
  ],
  [
    '/nicAddress',
    (driver) => driver.elasticIps?.ensure(elasticIpSpec('e', 'shop', 'g', port, { nicAddress: 'fd00::1' }), call()),
    'invalid',
  ],
  ['/externalPort', (driver) => driver.portForwards?.ensure(forwardSpec('f', 'shop', 'g', port, { externalPort: 0 }), call()), 'invalid'],
  ['/listeners/1/port', (driver) => driver.loadBalancers?.ensure({ ...web, listeners: [listener, listener] }, call()), 'invalid'],
  [
    '/listeners/0/backends/0/weight',
    (driver) => driver.loadBalancers?.ensure(listeners({ backends: [backendSpec(port, 101)] }), call()),
    'invalid',
  ],
  [
    '/listeners/0/backends/0/address',
    (driver) => driver.loadBalancers?.ensure(listeners({ backends: [{ ...backendSpec(port, 1), address: 'fd00::1' }] }), call()),
    'invalid',
  ],
  ['/listeners/0/healthCheck/sources', (driver) => driver.loadBalancers?.ensure(listeners({ healthCheck }), call()), 'invalid'],
  [
    '/listeners/0/healthCheck',
    (driver) => driver.loadBalancers?.ensure({ ...listeners({ healthCheck, backends: [] }), address: 'fd00::9' }, call()),
    'unsupported',
  ],
  ['/name', (driver) => driver.dnsRecords?.ensure({ ...recordSpec('db', 'shop', ['10.0.0.1']), name: 'db..internal' }, call()), 'invalid'],
];

describe('what OVN would not understand', function () {
  this.timeout(300_000);
  let world: NorthboundWorld;
  let opened: OpenedDriver;

  before(async () => {
    world = await NorthboundWorld.start();
    opened = world.open();
  });
  after(() => world?.[Symbol.asyncDispose]());

  for (const [pointer, act, fault] of CASES)
    it(`is refused before anything is sent: ${pointer}`, async () => {
      const error = (await rejection(act(opened.driver) ?? Promise.resolve())) as DriverError;
      expect({ pointer: error.pointer, fault: opened.driver.classify(error) }, error.message).to.deep.equal({ pointer, fault });
      expect(opened.northbound.sent).to.deep.equal({ transactions: 0, changes: 0 });
    });
});
