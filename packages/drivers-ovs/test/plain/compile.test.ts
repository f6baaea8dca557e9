import type { NetworkSpec, PortSpec, SegmentSpec } from '@pileus/core/strategy';
import { expect } from 'chai';
import fc from 'fast-check';
import { DriverError } from '../../src/ovn/driver-error.ts';
import { checkNetwork, checkPort } from '../../src/plain/check.ts';
import { compileNetwork, missingFor, type Other, type SwitchFacts } from '../../src/plain/compile.ts';
import { networkMarks, readNetwork, type StoredNetwork } from '../../src/plain/stored-network.ts';

const ID = '0190a1b2-c3d4-7e5f-8a6b-112233445566';
const networkOf = (segment: SegmentSpec, id = ID): StoredNetwork => ({ id, name: 'lan', owner: 'cloud-a', segment });
const factsOf = (host: string, tunnelAddress: string): SwitchFacts => ({
  host,
  tunnelAddress,
  bridges: { physnet1: 'br-ex' },
  open: [],
  datapathType: '',
});
const NOBODY = { all: [], isComplete: true };

const segments: fc.Arbitrary<SegmentSpec> = fc.oneof(
  fc.record({ physicalNetwork: fc.constant('physnet1'), vlanId: fc.integer({ min: 1, max: 4094 }) }),
  fc.record({
    physicalNetwork: fc.constant('overlay'),
    tunnel: fc.record({ encapsulation: fc.constantFrom('vxlan' as const, 'geneve' as const), key: fc.integer({ min: 1, max: 0xffffff }) }),
  }),
);

describe('a network on one host of Open vSwitch alone', () => {
  it('is a bridge and a patch into a VLAN', () => {
    const { keeps: _, ...compiled } = compileNetwork(
      networkOf({ physicalNetwork: 'physnet1', vlanId: 100 }),
      factsOf('hv1', '192.0.2.1'),
      true,
      NOBODY,
    );
    const ids = { 'pileus-network': ID };
    expect(compiled).to.deep.equal({
      name: 'pnb112233445566',
      datapathType: '',
      marks: {
        ...ids,
        'pileus-owner': 'cloud-a',
        'pileus-name': 'lan',
        'pileus-segment': '{"physicalNetwork":"physnet1","vlanId":100}',
      },
      ports: [
        { name: 'pnb112233445566', bridge: 'pnb112233445566', type: 'internal', options: {}, isProtected: false, ids },
        {
          type: 'patch',
          isProtected: false,
          ids,
          name: 'pp50b1b5bfb63f5',
          bridge: 'pnb112233445566',
          options: { peer: 'pw50b1b5bfb63f5' },
        },
        {
          type: 'patch',
          isProtected: false,
          ids,
          name: 'pw50b1b5bfb63f5',
          bridge: 'br-ex',
          options: { peer: 'pp50b1b5bfb63f5' },
          tag: 100,
        },
      ],
    });
  });

  it('is refused untagged where the host itself is on the wire, unless it may be', () => {
    const [flat, here] = [
      { physicalNetwork: 'physnet1', apartFromHosts: true },
      { ...factsOf('hv1', '192.0.2.1'), open: ['br-ex'] },
    ] as const;
    const compiled = () => compileNetwork(networkOf(flat), here, true, NOBODY);
    expect(compiled).to.throw(DriverError, /^host hv1 is on physnet1 itself: .* machines would reach the host$/);
    expect(missingFor(flat, { ...here, open: ['br-other'] })).to.equal(undefined);
    expect(missingFor({ physicalNetwork: 'physnet1' }, here)).to.equal(undefined);
  });

  it('is a bridge and a tunnel to each host in the mesh', () => {
    const network = networkOf({ physicalNetwork: 'overlay', tunnel: { encapsulation: 'geneve', key: 7000 } });
    const others: readonly Other[] = [
      { host: 'hv1', part: 'in', tunnelAddress: '192.0.2.1' },
      { host: 'hv2', part: 'in', tunnelAddress: '192.0.2.2' },
      { host: 'hv3', part: 'out' },
      { host: 'hv4', part: 'unknown' },
    ];
    const compiled = compileNetwork(network, factsOf('hv1', '192.0.2.1'), true, { all: others, isComplete: true });
    expect(compiled.ports.slice(1)).to.deep.equal([
      {
        ...{ name: 'pt4cc6b264a336d', bridge: 'pnb112233445566', type: 'geneve', isProtected: true },
        options: { key: '7000', local_ip: '192.0.2.1', remote_ip: '192.0.2.2' },
        ids: { 'pileus-network': ID, 'pileus-peer': 'hv2' },
      },
    ]);
    expect(['hv1', 'hv2', 'hv3', 'hv4', 'hv5'].filter(compiled.keeps)).to.deep.equal(['hv4']);
    const unsure = compileNetwork(network, factsOf('hv1', '192.0.2.1'), true, { all: others, isComplete: false });
    expect(['hv3', 'hv4', 'hv5'].filter(unsure.keeps)).to.deep.equal(['hv4', 'hv5']);
    const apart = compileNetwork(network, factsOf('hv1', '192.0.2.1'), false, { all: others, isComplete: false });
    expect([apart.ports.length, ['hv2', 'hv4', 'hv5'].filter(apart.keeps)]).to.deep.equal([1, []]);
  });

  it('makes of any hosts with machines a mesh without loops, and nothing of the others', () => {
    const members = fc.uniqueArray(fc.integer({ min: 0, max: 40 }), { maxLength: 12 });
    fc.assert(
      fc.property(segments, members, (segment, inside) => {
        const network = networkOf(segment);
        const hosts = Array.from({ length: 12 }, (_, n) => ({ name: `hv${n}`, address: `192.0.2.${n}`, isIn: inside.includes(n) }));
        const all = hosts.map(
          ({ name, address, isIn }): Other => (isIn ? { host: name, part: 'in', tunnelAddress: address } : { host: name, part: 'out' }),
        );
        const ways = new Set<string>();
        for (const { name, address, isIn } of hosts) {
          const { ports } = compileNetwork(network, factsOf(name, address), isIn, { all, isComplete: true });
          const leaving = ports.filter(({ type }) => type !== 'internal' && type !== 'patch');
          // What may send on what came from outside is one patch, or nothing.
          const open = ports.filter(({ bridge, type, isProtected }) => bridge.startsWith('pn') && type !== 'internal' && !isProtected);
          expect(open.length).to.equal(segment.tunnel === undefined ? 1 : 0);
          expect(ports.every((port) => port.name.length <= 15)).to.equal(true);
          for (const { options } of leaving) ways.add(`${options.local_ip} ${options.remote_ip} ${options.key}`);
        }
        const present = segment.tunnel === undefined ? [] : hosts.filter(({ isIn }) => isIn);
        const expected = present.flatMap(({ address }) =>
          present.filter((other) => other.address !== address).map((other) => `${address} ${other.address} ${segment.tunnel?.key}`),
        );
        expect([...ways].sort()).to.deep.equal(expected.sort());
      }),
    );
  });

  it('has names of its own for each network and each way', () => {
    const tunnel = { encapsulation: 'vxlan', key: 1 } as const;
    fc.assert(
      fc.property(fc.uniqueArray(fc.uuid(), { minLength: 2, maxLength: 20 }), (ids) => {
        const all = [1, 2, 3].map((n): Other => ({ host: `hv${n}`, part: 'in', tunnelAddress: `192.0.2.${n}` }));
        const names = ids.flatMap((id) => [
          ...compileNetwork(networkOf({ physicalNetwork: 'o', tunnel }, id), factsOf('hv1', '192.0.2.1'), true, { all, isComplete: true })
            .ports,
          ...compileNetwork(networkOf({ physicalNetwork: 'physnet1' }, id), factsOf('hv1', '192.0.2.1'), true, NOBODY).ports.slice(1),
        ]);
        expect(new Set(names.map(({ name }) => name)).size).to.equal(names.length);
      }),
    );
  });

  it('is read from its marks as it was written', () => {
    fc.assert(
      fc.property(segments, fc.string(), (segment, name) => {
        const network = { ...networkOf(segment), name };
        expect(readNetwork(networkMarks(network))).to.deep.equal(network);
      }),
    );
    for (const text of ['', 'null', '7', '{}', '{"physicalNetwork":7}'])
      expect(readNetwork({ ...networkMarks(networkOf({ physicalNetwork: 'a' })), 'pileus-segment': text })).to.equal(undefined);
    expect(readNetwork({})).to.equal(undefined);
  });

  it('is refused with the field at fault', () => {
    const good: NetworkSpec = {
      id: ID,
      name: 'lan',
      owner: 'cloud-a',
      mode: 'provider',
      subnets: [],
      segment: { physicalNetwork: 'physnet1' },
    };
    const { segment: _, ...bare } = good;
    const tunnel = (key: number) => ({ ...good, segment: { physicalNetwork: 'o', tunnel: { encapsulation: 'vxlan' as const, key } } });
    const port: PortSpec = { nicId: ID, networkId: ID, mac: '52:54:00:00:00:01', addresses: [], owner: 'cloud-a', subnetIds: [] };
    expect(checkNetwork(good)).to.deep.equal(good);
    checkPort(port);
    for (const [refused, fault, pointer] of [
      [() => checkNetwork({ ...good, id: 'lan' }), 'invalid', '/id'],
      [() => checkNetwork({ ...good, mode: 'routed', vpcId: ID }), 'unsupported', '/mode'],
      [() => checkNetwork({ ...good, mode: 'isolated' }), 'unsupported', '/mode'],
      [() => checkNetwork({ ...good, mode: 'nat' }), 'unsupported', '/mode'],
      [() => checkNetwork({ ...good, vpcId: ID }), 'unsupported', '/vpcId'],
      [() => checkNetwork(bare), 'invalid', '/segment'],
      [() => checkNetwork({ ...good, segment: { physicalNetwork: '' } }), 'invalid', '/segment/physicalNetwork'],
      [() => checkNetwork({ ...good, segment: { physicalNetwork: 'physnet1', vlanId: 0 } }), 'invalid', '/segment/vlanId'],
      [() => checkNetwork({ ...good, segment: { physicalNetwork: 'physnet1', vlanId: 4095 } }), 'invalid', '/segment/vlanId'],
      [() => checkNetwork({ ...tunnel(5), segment: { ...tunnel(5).segment, vlanId: 5 } }), 'invalid', '/segment/vlanId'],
      [() => checkNetwork(tunnel(0)), 'invalid', '/segment/tunnel/key'],
      [() => checkNetwork(tunnel(2 ** 24)), 'invalid', '/segment/tunnel/key'],
      [() => checkPort({ ...port, nicId: 'x' }), 'invalid', '/nicId'],
      [() => checkPort({ ...port, networkId: 'x' }), 'invalid', '/networkId'],
      [() => checkPort({ ...port, vpcId: ID }), 'unsupported', '/vpcId'],
      [() => checkPort({ ...port, securityGroupIds: [] }), 'unsupported', '/securityGroupIds'],
    ] as const) {
      const error = caught(refused);
      expect([error.fault, error.pointer]).to.deep.equal([fault, pointer]);
    }
  });

  it('is refused where the host cannot carry it', () => {
    const bare: SwitchFacts = { host: 'hv1', bridges: {}, open: [], datapathType: '' };
    const overlay = networkOf({ physicalNetwork: 'o', tunnel: { encapsulation: 'vxlan', key: 1 } });
    expect(caught(() => compileNetwork(overlay, bare, true, NOBODY)).message).to.equal('host hv1 tells no address of its tunnels');
    const cable = networkOf({ physicalNetwork: 'physnet1' });
    expect(caught(() => compileNetwork(cable, bare, true, NOBODY)).message).to.equal('host hv1 tells no bridge for physnet1');
  });
});

function caught(body: () => unknown): DriverError {
  try {
    body();
  } catch (error) {
    if (error instanceof DriverError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}
