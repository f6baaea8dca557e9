import { randomUUID } from 'node:crypto';
import type { Call, NetworkDriver, NetworkSpec, PortSpec, SegmentSpec } from '@pileus/core/strategy';
import { expect } from 'chai';
import { FULL } from '../../../../tools/test/slice.ts';
import { Bounds } from '../../src/ovn/bounds.ts';
import { Milestone } from '../../src/ovn/milestone.ts';
import { HostSwitch } from '../../src/plain/host-switch.ts';
import { bridgeName, patchName, wireName } from '../../src/plain/names.ts';
import { PrivateSwitches } from './private-switches.ts';

const OWNER = 'cloud-a';
const ROUNDS = FULL ? 30 : 2;
const call = (): Call => ({ requestId: 'test', signal: new AbortController().signal, timeoutMs: 30_000 });

const networkOf = (segment: Partial<SegmentSpec>): NetworkSpec => ({
  ...{ id: randomUUID(), name: 'net', owner: OWNER, mode: 'provider', subnets: [] },
  segment: { physicalNetwork: 'physnet1', clusterId: 'cluster-a', ...segment },
});
const overlay = (key: number): NetworkSpec => networkOf({ tunnel: { encapsulation: 'vxlan', key } });

const nicOn = (network: NetworkSpec, host: string): PortSpec => ({
  ...{ nicId: randomUUID(), networkId: network.id, mac: '52:54:00:00:00:01', addresses: ['10.0.0.2'], owner: OWNER, subnetIds: [], host },
});

describe('the mesh of Open vSwitch alone', function () {
  this.timeout(120_000);
  let switches: PrivateSwitches;
  let driver: NetworkDriver;

  before(async () => {
    switches = await PrivateSwitches.start(['hv1', 'hv2', 'hv3', 'hv4']);
  });
  beforeEach(async () => {
    await switches.reset(['hv1', 'hv2', 'hv3']);
    driver = switches.open({ cloudId: OWNER, epoch: 1 });
  });
  afterEach(() => driver.close());
  after(() => switches[Symbol.asyncDispose]());

  const mesh = async () =>
    Object.fromEntries(await Promise.all(['hv1', 'hv2', 'hv3'].map(async (host) => [host, await switches.tunnels(host)])));
  const plug = async (network: NetworkSpec, host: string): Promise<PortSpec> => {
    const port = nicOn(network, host);
    await driver.ensurePort(port, call());
    return port;
  };
  const answering = (host: string, answers: boolean) => {
    switches.hosts = switches.hosts.map((each) => (each.host === host ? { ...each, answers } : each));
  };
  const pluggedInBehindOurBack = (network: NetworkSpec, host: string) =>
    switches.vsctl(host, 'add-port', bridgeName(network.id), 'tap0', '--', 'set', 'interface', 'tap0', 'external-ids:iface-id=nic');

  it('joins the hosts that have machines on the network, each to each, and no others', async () => {
    const network = overlay(5000);
    await driver.ensureNetwork(network, call());
    await plug(network, 'hv1');
    expect(await mesh()).to.deep.equal({ hv1: [], hv2: [], hv3: [] });
    const second = await plug(network, 'hv2');
    expect(await mesh()).to.deep.equal({ hv1: ['vxlan 5000 192.0.2.2'], hv2: ['vxlan 5000 192.0.2.1'], hv3: [] });
    await plug(network, 'hv3');
    expect(await mesh()).to.deep.equal({
      hv1: ['vxlan 5000 192.0.2.2', 'vxlan 5000 192.0.2.3'],
      hv2: ['vxlan 5000 192.0.2.1', 'vxlan 5000 192.0.2.3'],
      hv3: ['vxlan 5000 192.0.2.1', 'vxlan 5000 192.0.2.2'],
    });
    await driver.deletePort(second, call());
    expect(await mesh()).to.deep.equal({ hv1: ['vxlan 5000 192.0.2.3'], hv2: [], hv3: ['vxlan 5000 192.0.2.1'] });
  });

  it('keeps networks apart, and takes all of one away', async () => {
    const [one, other] = [overlay(1), overlay(2)];
    for (const network of [one, other]) await driver.ensureNetwork(network, call());
    const ports = await Promise.all([plug(one, 'hv1'), plug(one, 'hv2'), plug(other, 'hv2'), plug(other, 'hv3')]);
    expect(await mesh()).to.deep.equal({
      hv1: ['vxlan 1 192.0.2.2'],
      hv2: ['vxlan 1 192.0.2.1', 'vxlan 2 192.0.2.3'],
      hv3: ['vxlan 2 192.0.2.2'],
    });
    for (const port of ports) await driver.deletePort(port, call());
    for (const network of [one, other]) await driver.deleteNetwork(network.id, call());
    for (const host of ['hv1', 'hv2', 'hv3']) {
      expect(await switches.bridges(host)).to.deep.equal([]);
      expect((await switches.vsctl(host, '--bare', '--columns=name', 'list', 'port')).trim()).to.equal('br-ex');
    }
  });

  it('lets nothing pass from tunnel to tunnel', async () => {
    const network = overlay(7);
    await driver.ensureNetwork(network, call());
    for (const host of ['hv1', 'hv2', 'hv3']) await plug(network, host);
    const bare = async (...words: readonly string[]) => (await switches.vsctl('hv1', '--bare', ...words)).split('\n').filter(Boolean);
    expect(await bare('--columns=name', 'find', 'port', 'protected=true')).to.have.length(2);
    await switches.vsctl(
      'hv1',
      'set',
      'port',
      (await bare('--columns=name', 'find', 'port', 'protected=true'))[0] ?? '',
      'protected=false',
    );
    await driver.ensureNetwork(network, call());
    expect(await bare('--columns=name', 'find', 'port', 'protected=true')).to.have.length(2);
  });

  it('keeps the tunnels of a host that does not answer, and compares again when it is back', async () => {
    const network = overlay(9);
    await driver.ensureNetwork(network, call());
    const [, second] = [await plug(network, 'hv1'), await plug(network, 'hv2')];
    answering('hv2', false);
    switches.server('hv2').freeze();
    await plug(network, 'hv3');
    // Another process, which has never heard of the host.
    const heir = switches.open({ cloudId: OWNER, epoch: 2 });
    await heir.ensureNetwork(network, call());
    expect(await switches.tunnels('hv1')).to.deep.equal(['vxlan 9 192.0.2.2', 'vxlan 9 192.0.2.3']);
    expect(await switches.tunnels('hv3')).to.deep.equal(['vxlan 9 192.0.2.1']);
    switches.server('hv2').thaw();
    answering('hv2', true);
    await heir.ensureNetwork(network, call());
    expect(await switches.tunnels('hv3')).to.deep.equal(['vxlan 9 192.0.2.1', 'vxlan 9 192.0.2.2']);
    await heir.deletePort(second, call());
    expect(await switches.tunnels('hv2')).to.deep.equal([]);
    await heir.close();
  });

  it('joins a host that comes, and leaves no tunnel to one that goes', async () => {
    const network = overlay(11);
    await driver.ensureNetwork(network, call());
    await plug(network, 'hv1');
    const [port] = [await plug(network, 'hv2')];
    const fourth = { host: 'hv4', uri: 'qemu+tls://hv4/system', clusterId: 'cluster-a', answers: true };
    switches.hosts = [...switches.hosts, fourth];
    await plug(network, 'hv4');
    expect(await switches.tunnels('hv4')).to.deep.equal(['vxlan 11 192.0.2.1', 'vxlan 11 192.0.2.2']);
    await driver.deletePort(port, call());
    const all = switches.hosts;
    switches.hosts = all.filter(({ host }) => host !== 'hv2');
    await driver.ensureNetwork(network, call());
    expect(await switches.tunnels('hv1')).to.deep.equal(['vxlan 11 192.0.2.4']);
    expect(await switches.bridges('hv2')).to.deep.equal([]);
    // One that is lost for ever has nobody to take its ports back.
    await switches.server('hv4').kill();
    switches.hosts = all.filter(({ host }) => host === 'hv1');
    await driver.ensureNetwork(network, call());
    expect(await switches.tunnels('hv1')).to.deep.equal([]);
    await switches.server('hv4').start();
  });

  it('takes no host for gone while the cloud is not sure which there are', async () => {
    const network = overlay(13);
    await driver.ensureNetwork(network, call());
    for (const host of ['hv1', 'hv2']) await plug(network, host);
    switches.hosts = switches.hosts.filter(({ host }) => host !== 'hv2');
    switches.isComplete = false;
    await driver.ensureNetwork(network, call());
    expect(await switches.tunnels('hv1')).to.deep.equal(['vxlan 13 192.0.2.2']);
    switches.isComplete = true;
    await driver.ensureNetwork(network, call());
    expect(await switches.tunnels('hv1')).to.deep.equal([]);
    // Its machines are there: what they are plugged into stays.
    expect(await switches.bridges('hv2')).to.deep.equal([bridgeName(network.id)]);
  });

  it('follows a host to another address, and the machine that moves between hosts', async () => {
    const network = overlay(15);
    await driver.ensureNetwork(network, call());
    const [moving] = [await plug(network, 'hv1'), await plug(network, 'hv2')];
    await switches.vsctl('hv2', 'set', 'open_vswitch', '.', 'external-ids:pileus-tunnel-ip=192.0.2.22');
    await driver.ensureNetwork(network, call());
    expect(await switches.tunnels('hv1')).to.deep.equal(['vxlan 15 192.0.2.22']);
    expect(await switches.vsctl('hv2', '--bare', '--columns=options', 'find', 'interface', 'type=vxlan')).to.contain('local_ip=192.0.2.22');
    await pluggedInBehindOurBack(network, 'hv1');
    await driver.ensurePort({ ...moving, host: 'hv3' }, call());
    expect(await switches.tunnels('hv1')).to.deep.equal(['vxlan 15 192.0.2.22', 'vxlan 15 192.0.2.3'], 'it is plugged in there still');
    await switches.vsctl('hv1', 'del-port', 'tap0');
    await driver.ensureNetwork(network, call());
    expect(await mesh()).to.deep.equal({ hv1: [], hv2: ['vxlan 15 192.0.2.3'], hv3: ['vxlan 15 192.0.2.22'] });
    expect((await driver.inspectNetwork(network.id, call()))?.nicIds).to.have.length(2);
  });

  it('joins a VLAN by one patch, whose other end takes no tags', async () => {
    const [tagged, flat] = [networkOf({ vlanId: 100 }), networkOf({})];
    for (const network of [tagged, flat]) await driver.ensureNetwork(network, call());
    for (const [network, tag] of [
      [tagged, '100'],
      [flat, '0'],
    ] as const) {
      const port = async (name: string, column: string) => (await switches.vsctl('hv2', 'get', 'port', name, column)).trim();
      expect([await port(wireName(network.id), 'tag'), await port(wireName(network.id), 'vlan_mode')]).to.deep.equal([tag, 'access']);
      expect(await switches.vsctl('hv2', 'port-to-br', wireName(network.id))).to.equal('br-ex\n');
      expect(await switches.vsctl('hv2', 'port-to-br', patchName(network.id))).to.equal(`${bridgeName(network.id)}\n`);
    }
    await switches.vsctl('hv2', 'set', 'port', wireName(tagged.id), 'tag=7');
    await switches.vsctl('hv2', 'del-port', patchName(flat.id));
    for (const network of [tagged, flat]) await driver.ensureNetwork(network, call());
    expect(await switches.vsctl('hv2', 'get', 'port', wireName(tagged.id), 'tag')).to.equal('100\n');
    expect(await switches.vsctl('hv2', 'port-to-br', patchName(flat.id))).to.equal(`${bridgeName(flat.id)}\n`);
  });

  it('is whole after changes side by side, through several driver objects', async () => {
    const network = overlay(17);
    await driver.ensureNetwork(network, call());
    const other = switches.open({ cloudId: OWNER, epoch: 1 });
    const hosts = ['hv1', 'hv2', 'hv3'];
    for (let round = 0; round < ROUNDS; round += 1) {
      const ports = hosts.map((host) => nicOn(network, host));
      await Promise.all(ports.map((port, at) => (at % 2 ? other : driver).ensurePort(port, call())));
      for (const host of hosts) expect(await switches.tunnels(host)).to.have.length(2);
      await Promise.all(ports.map((port, at) => (at % 2 ? driver : other).deletePort(port, call())));
      expect(await mesh()).to.deep.equal({ hv1: [], hv2: [], hv3: [] });
    }
    await other.close();
  });

  it('refuses who has an older epoch, and leaves what is not ours alone', async () => {
    const network = overlay(19);
    const heir = switches.open({ cloudId: OWNER, epoch: 2 });
    await driver.ensureNetwork(network, call());
    await heir.ensurePort(nicOn(network, 'hv1'), call());
    const late = await driver.ensurePort(nicOn(network, 'hv1'), call()).catch((error: unknown) => error);
    expect([driver.classify(late), String(late)]).to.deep.equal([
      'conflict',
      'DriverError: the epoch here is 1; a node with 2 writes to host hv1 now',
    ]);
    await heir.close();
    const taken = overlay(21);
    await switches.vsctl('hv1', 'add-br', bridgeName(taken.id));
    const heir2 = switches.open({ cloudId: OWNER, epoch: 2 });
    expect(heir2.classify(await heir2.ensureNetwork(taken, call()).catch((error: unknown) => error))).to.equal('conflict');
    expect(await switches.vsctl('hv1', 'br-exists', bridgeName(taken.id))).to.equal('');
    await heir2.close();
  });

  it('tells how a port stands, and what hosts say of themselves', async () => {
    const network = overlay(23);
    await driver.ensureNetwork(network, call());
    const port = await plug(network, 'hv1');
    const stands = async () => driver.readiness?.port(port.nicId, call());
    expect(await stands()).to.deep.equal({ state: 'unplugged', host: 'hv1' });
    const plugged = ['--', 'set', 'interface', 'tap0', `external-ids:iface-id=${port.nicId}`];
    await switches.vsctl('hv1', 'add-port', bridgeName(network.id), 'tap0', ...plugged);
    expect(await stands()).to.deep.equal({ state: 'waiting', host: 'hv1', waitsFor: 'the switch of host hv1' });
    await switches.vsctl('hv1', 'set', 'interface', 'tap0', 'ofport=3');
    expect(await stands()).to.deep.equal({ state: 'ready', host: 'hv1' });
    expect(await driver.readiness?.port(randomUUID(), call())).to.deep.equal({ state: 'absent' });
    expect((await driver.hosts?.list(call()))?.[1]).to.deep.equal({
      ...{ host: 'hv2', datapath: 'kernel', tunnelAddress: '192.0.2.2', physicalNetworks: ['physnet1'] },
    });
  });

  it('tells of a host that its switch does not answer, does not follow, has lost a bridge, or a port of a machine', async () => {
    const network = networkOf({ vlanId: 100 });
    await driver.ensureNetwork(network, call());
    const { nicId } = await plug(network, 'hv1');
    const ask = async (host: string, nicIds: readonly string[] = [], timeoutMs = 30_000) =>
      (await driver.health?.troubles([{ host, nicIds }], { ...call(), timeoutMs }))?.hosts;
    expect(await ask('hv1')).to.deep.equal([]);
    expect(await ask('hv9')).to.deep.equal([], 'it is none of the cloud');
    expect(await ask('hv1', [nicId])).to.deep.equal([{ host: 'hv1', unplugged: [nicId] }]);
    const plugged = ['--', 'set', 'interface', 'tap1', `external-ids:iface-id=${nicId}`];
    await switches.vsctl('hv1', 'add-port', bridgeName(network.id), 'tap1', ...plugged);
    expect(await ask('hv1', [nicId])).to.deep.equal([]);
    await switches.vsctl('hv1', 'del-br', 'br-ex');
    const reason = 'has no bridge br-ex, which it tells for physnet1';
    expect(await ask('hv1', [nicId])).to.deep.equal([{ host: 'hv1', unplugged: [], reason }]);
    switches.server('hv2').freeze();
    try {
      const [seen] = (await ask('hv2', [], 200)) ?? [];
      expect([seen?.host, seen?.reason?.split(':')[0]]).to.deep.equal(['hv2', 'has an Open vSwitch that does not answer']);
    } finally {
      switches.server('hv2').thaw();
    }
    await using at = new HostSwitch('hv1', switches.server('hv1').address, { cloudId: OWNER, epoch: 1 }, new Milestone(0));
    const follows = () => at.follows(new Bounds(call()));
    expect([await follows(), await follows()]).to.deep.equal([true, false], 'there is no ovs-vswitchd');
    await switches.vsctl('hv1', 'set', 'open_vswitch', '.', 'cur_cfg=1000000');
    expect(await follows()).to.equal(true);
  });

  it('makes nothing on hosts of other clusters, or without what it needs', async () => {
    switches.hosts = switches.hosts.map((each) => (each.host === 'hv3' ? { ...each, clusterId: 'cluster-b' } : each));
    await switches.vsctl('hv2', 'remove', 'open_vswitch', '.', 'external-ids', 'pileus-tunnel-ip');
    const network = overlay(25);
    await driver.ensureNetwork(network, call());
    const missing = (host: string, segment: SegmentSpec) => driver.connections?.missing(host, segment);
    const segment = network.segment as SegmentSpec;
    expect(['hv1', 'hv2', 'hv9'].map((host) => missing(host, segment))).to.deep.equal([
      undefined,
      'tells no address of its tunnels',
      undefined,
    ]);
    expect(['physnet1', 'physnet9'].map((physicalNetwork) => missing('hv2', { physicalNetwork }))).to.deep.equal([
      undefined,
      'tells no bridge for physnet9',
    ]);
    expect(await Promise.all(['hv1', 'hv2', 'hv3'].map(async (host) => (await switches.bridges(host)).length))).to.deep.equal([1, 0, 0]);
    for (const [host, text] of [
      ['hv2', 'DriverError: host hv2 tells no address of its tunnels'],
      ['hv3', `DriverError: /host: host hv3 is not connected to network ${network.id}: it is of another cluster`],
      ['hv9', 'DriverError: /host: the cloud has no host hv9'],
    ] as const)
      expect(String(await driver.ensurePort(nicOn(network, host), call()).catch((error: unknown) => error))).to.equal(text);
  });
});
