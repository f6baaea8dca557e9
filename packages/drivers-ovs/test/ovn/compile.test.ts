import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { compileDnsRecord } from '../../src/ovn/compile/dns-record.ts';
import { compileElasticIp, compileGateway, compilePortForward } from '../../src/ovn/compile/gateway.ts';
import { compileLoadBalancer } from '../../src/ovn/compile/load-balancer.ts';
import { compileNetwork } from '../../src/ovn/compile/network.ts';
import { compilePeering, transitOf } from '../../src/ovn/compile/peering.ts';
import { compilePort } from '../../src/ovn/compile/port.ts';
import { compileSecurityGroup } from '../../src/ovn/compile/security-group.ts';
import { compileVpc } from '../../src/ovn/compile/vpc.ts';
import type { Compiled } from '../../src/ovn/compiled.ts';
import { DriverError } from '../../src/ovn/driver-error.ts';
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

const MTU = { overlayBytes: 1442, providerBytes: 1500 };
const shop = { vpcId: idOf('shop'), domain: 'shop.internal' };
const w1 = portSpec('w1', 'front', '10.0.1.11', { ...shop, securityGroupIds: [idOf('web')] });
const front = routedSpec('front', 'shop', '10.0.1.0/24');
const allRules = groupSpec('web', [
  {
    id: idOf('r1'),
    direction: 'inbound',
    family: 4,
    protocol: 'tcp',
    ports: { first: 80, last: 80 },
    remote: { cidrs: ['0.0.0.0/0', '10.0.0.0/8'] },
  },
  {
    id: idOf('r2'),
    direction: 'inbound',
    family: 6,
    protocol: 'udp',
    ports: { first: 1000, last: 2000 },
    remote: { securityGroupId: idOf('db') },
  },
  { id: idOf('r3'), direction: 'inbound', family: 4, protocol: 'icmp', icmp: { type: 8, code: 0 }, remote: { cidrs: ['10.0.0.0/8'] } },
  { id: idOf('r4'), direction: 'outbound', family: 6, protocol: 'icmp', remote: { cidrs: ['fd00::/8', 'fe80::/10'] } },
  { id: idOf('r5'), direction: 'outbound', family: 4, remote: { cidrs: [] } },
  { id: idOf('r6'), direction: 'outbound', family: 4, protocol: 'tcp', remote: { securityGroupId: idOf('web') } },
]);
const checked = balancerSpec('balance', 'shop', [backendSpec(w1, 30), backendSpec(portSpec('w2', 'front', '10.0.1.12'), 20)], {
  externalAddress: '192.0.2.60',
});
const CARRIERS = [2, 1].map((n) => ({ host: `host-${n}`, chassis: `chassis-${n}` }));
const healthCheck = { intervalSeconds: 2, timeoutSeconds: 1, successes: 2, failures: 3, sources: { [idOf('front')]: '10.0.1.3' } };

const OBJECTS: Readonly<Record<string, () => Compiled>> = {
  vpc: () =>
    compileVpc(
      vpcSpec('shop', {
        routes: [
          { id: idOf('hole'), destination: '10.66.0.0/16' },
          { id: idOf('via'), destination: '10.67.0.0/16', nextHop: '10.0.1.9' },
        ],
      }),
    ),
  'network-routed': () =>
    compileNetwork(
      {
        ...front,
        subnets: [
          ...front.subnets.map((subnet) => ({
            ...subnet,
            dnsServers: ['192.0.2.53', '192.0.2.54'],
            hostRoutes: [{ destination: '10.67.0.0/16', nextHop: '10.0.1.9' }],
          })),
          subnetSpec('front-6', 'fd00:1::/64', { gateway: 'fd00:1::1', dnsServers: ['fd00:1::53'] }),
        ],
      },
      MTU,
    ),
  'network-slaac': () =>
    compileNetwork(
      { ...front, mtuBytes: 9000, subnets: [subnetSpec('front-6', 'fd00:1::/64', { gateway: 'fd00:1::1', ipv6Mode: 'slaac' })] },
      MTU,
    ),
  'network-isolated': () =>
    compileNetwork(
      { id: idOf('alone'), owner: 'o', name: 'alone', mode: 'isolated', subnets: [subnetSpec('alone-subnet', '10.5.0.0/24')] },
      MTU,
    ),
  'network-provider': () =>
    compileNetwork(providerSpec('wire', '172.20.0.0/24', { segment: { physicalNetwork: 'physnet1', vlanId: 100 } }), MTU),
  'port-filtered': () =>
    compilePort({
      ...w1,
      host: 'host-1',
      allowedAddresses: [{ cidr: '10.0.1.64/28' }, { cidr: '0.0.0.0/0', mac: '00:00:5e:00:01:01' }, { cidr: 'fd00:1::5/128' }],
    }),
  'port-bounded': () =>
    compilePort({ ...portSpec('p1', 'alone', '10.5.0.11'), outboundBytesPerSecond: 1_000_001 }, { boundsSending: true }),
  'port-plain': () => compilePort(portSpec('p1', 'alone', '10.5.0.11')),
  'security-group': () => compileSecurityGroup(allRules),
  peering: () =>
    compilePeering(
      peeringSpec('link', [
        ['shop', ['10.0.1.0/24', 'fd00:1::/64']],
        ['bank', ['10.9.0.0/24']],
      ]),
    ),
  gateway: () => compileGateway(gatewaySpec('gate', 'shop', 'outside'), CARRIERS),
  'gateway-dual': () =>
    compileGateway(
      gatewaySpec('gate', 'shop', 'outside', {
        ipv6: gatewaySide6('outside'),
        sources: [{ cidr: '10.0.1.0/24' }, { cidr: 'fd00:1::/64' }],
      }),
      CARRIERS.slice(1),
    ),
  'elastic-ip-of-ipv6': () =>
    compileElasticIp(
      elasticIpSpec('eip6', 'shop', 'gate', w1, { externalAddress: '2001:db8::50', nicAddress: 'fd00:1::11', distributed: true }),
    ),
  'elastic-ip': () => compileElasticIp(elasticIpSpec('eip', 'shop', 'gate', w1)),
  'elastic-ip-distributed': () => compileElasticIp(elasticIpSpec('eip', 'shop', 'gate', w1, { distributed: true })),
  'port-forward': () => compilePortForward(forwardSpec('ssh', 'shop', 'gate', w1)),
  'port-forward-dual': () =>
    compilePortForward(forwardSpec('ssh', 'shop', 'gate', w1, { ipv6: { externalAddress: '2001:db8::10', nicAddress: 'fd00:1::11' } })),
  'load-balancer': () =>
    compileLoadBalancer({
      ...checked,
      listeners: [
        ...checked.listeners.map((listener) => ({ ...listener, healthCheck })),
        { id: idOf('dns'), protocol: 'udp', port: 53, backends: [] },
      ],
    }),
  'dns-record': () => compileDnsRecord(recordSpec('db', 'shop', ['10.0.2.11', '10.0.1.11'])),
};

/** As it is read: rows with what they say and where they are. */
const written = ({ object, rows }: Compiled): string => {
  const list = [...rows.values()].map(({ table, uuid, columns, places, claims, notes }) => ({
    table,
    uuid,
    columns,
    places,
    claims,
    notes,
  }));
  return `${JSON.stringify({ object, rows: list }, undefined, 2)}\n`;
};

describe('the compiler', () => {
  for (const [name, compile] of Object.entries(OBJECTS))
    it(`makes of ${name} the rows that are written down`, async () => {
      const path = join(import.meta.dirname, 'golden', `${name}.json`);
      const now = written(compile());
      if (process.env.UPDATE_SNAPSHOTS === '1') await writeFile(path, now);
      expect(JSON.parse(now)).to.deep.equal(JSON.parse(await readFile(path, 'utf8')));
      expect(written(compile()), 'the same each time').to.equal(now);
    });

  it('leaves 169.254.169.254 to who names a way there, on networks without a VPC', () => {
    const hostRoutes = [{ destination: '169.254.169.254/32', nextHop: '172.20.0.9' }];
    const subnets = [subnetSpec('wire-subnet', '172.20.0.0/24', { hostRoutes })];
    const rows = [...compileNetwork(providerSpec('wire', '172.20.0.0/24', { subnets }), MTU).rows.values()];
    expect(rows.map(({ table }) => table)).to.deep.equal(['DHCP_Options', 'Logical_Switch', 'Logical_Switch_Port']);
    expect(rows[0]?.columns.options).to.include({ classless_static_route: '{169.254.169.254/32,172.20.0.9, 0.0.0.0/0,172.20.0.1}' });
  });

  it('leaves to the host what is not bounded here', () => {
    const bounded = { ...portSpec('p1', 'alone', '10.5.0.11'), outboundBytesPerSecond: 1_000_001 };
    expect(written(compilePort(bounded))).to.equal(written(compilePort(portSpec('p1', 'alone', '10.5.0.11'))));
  });

  it('says so where subnets leave no addresses for what is between routers', () => {
    const between = (...cidrs: string[]) =>
      transitOf(
        peeringSpec('link', [
          ['shop', ['10.0.1.0/24']],
          ['bank', cidrs],
        ]),
      );
    for (const all of [['100.64.0.0/10'], ['100.64.0.0/11', '100.96.0.0/11'], ['96.0.0.0/4'], ['fd00::/8'], ['fc00::/7']])
      expect(() => between(...all), all.join())
        .to.throw(DriverError, '100.64.0.0/10')
        .and.include({ fault: 'exhausted', pointer: '/sides' });
    // All but a sixteenth.
    const most = Array.from({ length: 15 }, (_, at) => `100.${64 + 4 * at}.0.0/14`);
    expect(between(...most)[4][0]).to.match(/^100\.12[4-7]\./);
  });

  it('finds addresses between routers that are of no subnet behind them', () => {
    const spec = peeringSpec('link', [
      ['shop', ['10.0.1.0/24']],
      ['bank', ['10.9.0.0/24']],
    ]);
    const first = transitOf(spec);
    const moved = transitOf({ ...spec, sides: [spec.sides[0], { ...spec.sides[1], cidrs: [`${first[4][0]}/32`] }] });
    expect(moved[4][0]).not.to.equal(first[4][0]);
    expect(transitOf(spec)).to.deep.equal(first);
  });
});
