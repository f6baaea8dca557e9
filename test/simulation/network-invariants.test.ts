import type { SimCloud } from '@pileus/core/testing';
import { assert } from 'chai';
import type { Mirror, Row, Touched } from './mirror.ts';
import { NetworkInvariants } from './network-invariants.ts';

type Rows = readonly (readonly [table: string, row: Row])[];

/** What is said of rows that come in one commit, each with a project of its own or `p`. */
function said(rows: Rows, inFabric: readonly object[] = []): readonly string[] {
  const tables = new Map<string, Map<string, Row>>();
  const touched = rows.map(([table, given]): Touched => {
    const after: Row = { projectId: 'p', state: 'available', ...given };
    const id = String(after.id);
    tables.set(table, (tables.get(table) ?? new Map<string, Row>()).set(id, after));
    return { table, id, revision: 1, before: undefined, after, held: [] };
  });
  const of = (table: string) => tables.get(table) ?? new Map<string, Row>();
  const row = (table: string, id: unknown) => of(table).get(String(id));
  const objects = new Map(inFabric.map((spec, at) => [String(at), { spec }]));
  const world = { fabric: { kept: { of: () => objects } } };
  const problems: string[] = [];
  const invariants = new NetworkInvariants(
    { row, world } as unknown as SimCloud,
    { rows: of, row } as unknown as Mirror,
    (problem) => void problems.push(problem),
  );
  invariants.committed(touched);
  invariants.looked();
  return problems;
}

const vpc = (id: string, cidr: string): Rows => [
  ['vpc', { id }],
  ['network', { id: `${id}-n`, vpcId: id }],
  ['subnet', { id: `${id}-s`, networkId: `${id}-n`, cidr }],
];
const linked: Rows = [
  ['peering', { id: 'ab', vpcId: 'a', peerVpcId: 'b', state: 'active' }],
  ['peering', { id: 'ba', vpcId: 'b', peerVpcId: 'a', state: 'active' }],
];
const at = { subnetId: 's', address: '10.0.0.4' };
const balancer: Rows = [
  ['loadBalancer', { id: 'lb', ...at }],
  ['reservedAddress', { id: 'kept', loadBalancerId: 'lb', ...at }],
];
const ports: Rows = [
  ['natGateway', { id: 'gw', vpcId: 'a' }],
  ['natPortBlock', { id: 'block', natGatewayId: 'gw', firstPort: 1024, lastPort: 2047 }],
];
const distributed: Rows = [['elasticIp', { id: 'e', nicId: 'n', family: 4, state: 'bound', distributed: true }]];

describe('what must be true around networks at every instant', () => {
  for (const [what, rows, words] of [
    [
      'an address of two machines',
      [
        ['nic', { id: 'n', ...at }],
        ['nic', { id: 'm', ...at }],
      ],
      /10\.0\.0\.4 of subnet s is that of nic n and of nic m/,
    ],
    [
      'an address of a balancer and a machine',
      [...balancer, ['nic', { id: 'n', ...at }]],
      /is that of loadBalancer lb and of reservedAddress kept and of nic n/,
    ],
    [
      'a second address of a machine',
      [
        ['nic', { id: 'n', ...at }],
        ['nic', { id: 'm', ipv6SubnetId: 's', ipv6Address: at.address }],
      ],
      /that of nic n and of nic m/,
    ],
    [
      'subnets of a VPC that overlap',
      [...vpc('a', '10.0.0.0/16'), ['subnet', { id: 't', networkId: 'a-n', cidr: '10.0.1.0/24' }]],
      /subnets a-s and t of VPC a overlap/,
    ],
    [
      'linked VPCs that overlap',
      [...vpc('a', 'fd00::/48'), ...vpc('b', 'fd00:0:0:1::/64'), ...linked],
      /of the linked VPCs [ab] and [ab] overlap/,
    ],
    [
      'a port that leads in and out',
      [...ports, ['portForward', { id: 'in', natGatewayId: 'gw', externalPort: 2000 }]],
      /gateway gw block and in have the same ports/,
    ],
    [
      'two gateways of a VPC',
      [
        ['natGateway', { id: 'g', vpcId: 'a' }],
        ['natGateway', { id: 'h', vpcId: 'a' }],
      ],
      /have the same vpcId/,
    ],
    ['an elastic IP that is bound to nothing', [['elasticIp', { id: 'e', state: 'bound' }]], /elastic IP e is bound, bound to nothing/],
    [
      'two elastic IPs of a NIC',
      [...distributed, ['elasticIp', { id: 'f', nicId: 'n', family: 4, state: 'bound' }]],
      /have the same nicId and family/,
    ],
    ['a backend behind a distributed elastic IP', [...distributed, ['backend', { id: 'b', nicId: 'n' }]], /backend b leads to NIC n/],
    [
      'a listener of another project',
      [
        ['loadBalancer', { id: 'lb', projectId: 'q' }],
        ['listener', { id: 'l', loadBalancerId: 'lb' }],
      ],
      /listener l is part of loadBalancer lb of another/,
    ],
    [
      'a machine in a network that nobody has shared',
      [
        ['network', { id: 'x', projectId: 'q' }],
        ['nic', { id: 'n', networkId: 'x' }],
      ],
      /shared with nobody/,
    ],
  ] as readonly (readonly [string, Rows, RegExp])[])
    it(`is not ${what}`, () => {
      const problems = said(rows);
      assert.isNotEmpty(problems);
      for (const each of problems) assert.match(each, words);
    });

  it('is not an address that leads to two projects in the fabric', () => {
    const rows: Rows = [
      ['elasticIp', { id: 'e' }],
      ['elasticIp', { id: 'f', projectId: 'q' }],
    ];
    const led = ['e', 'f'].map((id) => ({ id, externalAddress: '192.0.2.9' }));
    assert.match(said(rows, led).join(), /192\.0\.2\.9 leads to what elastic IPs e and f of two projects/);
    assert.deepEqual(said(rows, led.slice(1)), []);
  });

  it('is what lies beside one another', () => {
    const shared: Rows = [
      ['share', { id: 'h', resourceId: 'x' }],
      ['network', { id: 'x', projectId: 'q' }],
      ['nic', { id: 'n', networkId: 'x', mac: 'm' }],
    ];
    assert.deepEqual(said([...vpc('a', '10.0.0.0/24'), ...vpc('b', '10.0.1.0/24'), ...linked, ...balancer, ...ports, ...shared]), []);
    // Overlapping ranges are nobody's trouble while two VPCs are not linked.
    assert.deepEqual(said([...vpc('a', '10.0.0.0/24'), ...vpc('b', '10.0.0.0/24')]), []);
  });
});
