import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HostLink } from '@pileus/core/agent';
import { expect } from 'chai';
import { type KernelLink, kernelLinks } from '../../src/agent/links/kernel-links.ts';
import { joined } from '../../src/agent/links/links.ts';
import { AgentProcess, eventually } from './agent-process.ts';
import { BondedHost } from './bonded-host.ts';

/** What the kernel writes for a link, without what it does not have. */
interface Files {
  readonly [file: string]: string;
}
const device = (speed: string, more: Files = {}): Files => ({
  uevent: 'INTERFACE=x\n',
  type: '1',
  flags: '0x1003',
  carrier: '1',
  speed,
  mtu: '9000',
  'device/vendor': '0x8086',
  ...more,
});

describe('agent: links as the kernel writes them', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pileus-links-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const write = async (links: Readonly<Record<string, Files & { readonly lowers?: string }>>) => {
    for (const [name, { lowers = '', ...files }] of Object.entries(links)) {
      for (const [file, text] of Object.entries(files)) {
        await mkdir(join(directory, name, file, '..'), { recursive: true });
        await writeFile(join(directory, name, file), `${text}\n`);
      }
      for (const lower of lowers.split(' ').filter(Boolean)) await symlink(`../${lower}`, join(directory, name, `lower_${lower}`));
    }
    await writeFile(join(directory, 'bonding_masters'), 'bond0\n');
  };
  const read = async (addresses: Readonly<Record<string, readonly string[]>> = {}) =>
    new Map((await kernelLinks(directory, new Map(Object.entries(addresses)))).map((link) => [link.name, link]));

  it('are devices, bonds, VLANs, bridges and tunnels, with what each stands on', async () => {
    await write({
      eth0: device('25000', { 'bonding_slave/mii_status': 'up' }),
      // It has a carrier, and its bond has found it out of order.
      eth1: device('25000', { 'bonding_slave/mii_status': 'down' }),
      bond0: {
        ...device('25000'),
        uevent: 'DEVTYPE=bond',
        'bonding/mode': '802.3ad 4',
        'bonding/slaves': 'eth0 eth1',
        lowers: 'eth0 eth1',
      },
      'bond0.7': {
        uevent: 'DEVTYPE=vlan\nINTERFACE=bond0.7',
        type: '1',
        flags: '0x1003',
        carrier: '1',
        speed: '25000',
        mtu: '1500',
        lowers: 'bond0',
      },
      eth2: device('-1', { flags: '0x1002' }),
      eth3: device('4294967295', { carrier: '0' }),
      vx1: { uevent: 'DEVTYPE=vxlan', type: '1', flags: '0x1003', carrier: '1', mtu: '1450', lowers: 'bond0' },
      gre1: { uevent: 'INTERFACE=gre1', type: '778', flags: '0x91', carrier: '1', mtu: '1476' },
      vnet0: { uevent: 'INTERFACE=vnet0', type: '1', flags: '0x1003', carrier: '1', speed: '10', mtu: '1500', tun_flags: '0x5002' },
      br0: { uevent: 'DEVTYPE=bridge', type: '1', flags: '0x1003', carrier: '1', speed: '25000', mtu: '1500', lowers: 'bond0.7 vnet0' },
    });
    const links = await read({ br0: ['10.9.0.1', 'fd00::1'] });
    const brief = Object.fromEntries(
      [...links].map(([name, { sort, isUp, speedMbits, lowers }]) => [name, [sort, isUp, speedMbits, lowers.join(' ')]]),
    );
    expect(brief).to.deep.equal({
      eth0: ['device', true, 25_000, ''],
      eth1: ['device', false, 25_000, ''],
      bond0: ['bond', true, 25_000, 'eth0 eth1'],
      'bond0.7': ['vlan', true, 25_000, 'bond0'],
      eth2: ['device', false, undefined, ''],
      eth3: ['device', false, undefined, ''],
      vx1: ['tunnel', true, undefined, 'bond0'],
      gre1: ['tunnel', true, undefined, ''],
      vnet0: ['virtual', true, 10, ''],
      br0: ['bridge', true, 25_000, 'bond0.7 vnet0'],
    });
    expect([links.get('bond0')?.bondMode, links.get('br0')?.addresses]).to.deep.equal(['802.3ad', ['10.9.0.1', 'fd00::1']]);
    const told = new Map(joined([...links.values()], undefined).map((link) => [link.name, link]));
    expect([told.has('vnet0'), told.get('br0')?.lowers, told.get('br0')?.hasMachines]).to.deep.equal([false, ['bond0.7'], true]);
  });

  it('are told with what Open vSwitch makes of them, and with what it alone drives', () => {
    const shown = (name: string, more: Partial<KernelLink> = {}): KernelLink => ({
      ...{ name, sort: 'device', isUp: true, speedMbits: 10_000, mtuBytes: 1500, addresses: [], lowers: [], isTap: false },
      ...more,
    });
    const port = (name: string, type: string, more: object = {}) => ({
      name,
      type,
      isUp: true,
      speedMbits: 10_000,
      mtuBytes: 9000,
      isServed: false,
      ...more,
    });
    const single = (each: ReturnType<typeof port>) => ({ name: each.name, bondMode: undefined, interfaces: [each] });
    const links: readonly HostLink[] = joined(
      [
        shown('br-st', { isTap: true, sort: 'virtual', speedMbits: 10 }),
        shown('stor', { isTap: true, sort: 'virtual', addresses: ['10.9.0.1'] }),
        shown('eth0'),
        shown('vnet0', { isTap: true }),
      ],
      {
        bridges: [
          {
            name: 'br-st',
            ports: [
              single(port('br-st', 'internal')),
              single(port('stor', 'internal')),
              single(port('vnet0', '', { isServed: true })),
              single(port('patch-to-int', 'patch')),
              { name: 'bond1', bondMode: 'balance-slb', interfaces: [port('eth0', ''), port('dpdk1', 'dpdk', { isUp: false })] },
            ],
          },
          { name: 'br-int', ports: [single(port('br-int', 'internal')), single(port('ovn-abc-0', 'geneve'))] },
        ],
        mappings: [['stor0', 'br-st']],
        tunnelAddresses: ['10.9.0.1'],
      },
    );
    const brief = Object.fromEntries(links.map(({ name, sort, isUp, lowers }) => [name, [sort, isUp, lowers.join(' ')]]));
    expect(brief).to.deep.equal({
      bond1: ['bond', true, 'dpdk1 eth0'],
      'br-int': ['bridge', true, 'ovn-abc-0'],
      'br-st': ['bridge', true, 'bond1'],
      dpdk1: ['device', false, ''],
      eth0: ['device', true, ''],
      'ovn-abc-0': ['tunnel', true, ''],
      stor: ['virtual', true, 'br-st'],
    });
    const [bridge, bond, stor] = ['br-st', 'bond1', 'stor'].map((name) => links.find((each) => each.name === name));
    expect([bridge?.labels, bridge?.hasMachines, bond?.bondMode, stor?.hasTunnels]).to.deep.equal([['stor0'], true, 'balance-slb', true]);
  });
});

describe('agent: links and places, as they are', function () {
  this.timeout(600_000);

  it('are told by a host whose bond is one of Open vSwitch, as members of it come and go', async () => {
    await using host = await BondedHost.start(`pl${randomBytes(3).toString('hex')}`);
    await using agent = await host.agent();
    const links = async (): Promise<readonly HostLink[]> => (await agent.ask('GET', '/v1/status')).json.links;
    const seen = async () => {
      const all = await links();
      const of = (name: string) => all.find((link) => link.name === name);
      const { sort, lowers, labels } = of('br-st') ?? {};
      const members = ['eth1', 'eth2'].map((name) => [of(name)?.isUp, of(name)?.speedMbits]);
      return {
        bridge: [sort, lowers, labels],
        address: of('br-st')?.addresses[0],
        bond: [of('bond0')?.bondMode, of('bond0')?.lowers],
        members,
      };
    };
    // A veth says that it is as fast as 10 Gbit/s.
    const whole = {
      ...{ bridge: ['bridge', ['bond0'], ['stor0']], address: host.storageAddress, bond: ['balance-slb', ['eth1', 'eth2']] },
      members: [
        [true, 10_000],
        [true, 10_000],
      ],
    };
    expect(await eventually(seen, ({ members }) => members.every(([isUp]) => isUp))).to.deep.equal(whole);
    await host.cut('eth2');
    expect((await eventually(seen, ({ members }) => members[1]?.[0] === false)).members[0]).to.deep.equal([true, 10_000]);
    await host.mend('eth2');
    expect(await eventually(seen, ({ members }) => members.every(([isUp]) => isUp))).to.deep.equal(whole);
  });

  it('are not told while the switch does not answer, rather than without what it knows', async () => {
    await using host = await BondedHost.start(`pl${randomBytes(3).toString('hex')}`);
    await using agent = await host.agent();
    const links = async () => (await agent.ask('GET', '/v1/status')).json.links as readonly HostLink[] | undefined;
    await eventually(links, (told) => told !== undefined);
    await host.stopDatabase();
    await eventually(links, (told) => told === undefined);
  });

  it('are reached or not, each for itself', async () => {
    await using agent = await AgentProcess.start();
    const listener = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => listener.once('listening', resolve));
    const { port } = listener.address() as { readonly port: number };
    const open = `127.0.0.1:${port}`;
    const reach = (...to: readonly string[]) =>
      agent.ask('GET', `/v1/reach?${new URLSearchParams(to.map((each): [string, string] => ['to', each]))}`);
    const { status, json } = await reach(open, '127.0.0.1:1', '[::1]:1', 'nowhere.invalid:3300');
    expect([status, json.answers[open], json.answers['127.0.0.1:1']]).to.deep.equal([200, '', 'ECONNREFUSED']);
    expect(json.answers['nowhere.invalid:3300']).to.match(/^E(NOTFOUND|AI_AGAIN)$/);
    listener.close();
    expect((await reach(open)).json.answers).to.deep.equal({ [open]: 'ECONNREFUSED' });
    for (const odd of [[], ['127.0.0.1'], ['127.0.0.1:0'], ['127.0.0.1:65536'], ['a b:1'], ['::1:1'], new Array<string>(257).fill(open)]) {
      const { status: refused, json: problem } = await reach(...odd);
      expect([refused, problem.code, problem.pointer ?? problem.errors?.[0]?.pointer], String(odd[0])).to.deep.equal([
        400,
        'invalid_input',
        '/to',
      ]);
    }
  });
});
