import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { OvnWitness } from '../../../tools/demo/ovn-witness.ts';
import { ensureSystem } from '../../../tools/system/ensure.ts';
import { TEST_PACKAGES } from '../../../tools/system/packages.ts';
import { FULL } from '../../../tools/test/slice.ts';
import { type Lab, labUp } from '../lab.ts';
import { residue } from '../residue.ts';
import { until } from '../waiting.ts';
import { PHYSICAL_NETWORK } from './host-switch.ts';
import { EXTERNAL } from './internet.ts';
import { networkInventory } from './inventory.ts';
import { BUSYBOX, LabMachine } from './machine.ts';
import { expectNoPlainTraces, PlainMesh, plainTunnels } from './plain-mesh.ts';
import type { Probe } from './probe.ts';
import { makeNetwork, plug, removeNetwork } from './small-network.ts';

const tunnel = (encapsulation: 'vxlan' | 'geneve', key: number) => ({ physicalNetwork: 'overlay', tunnel: { encapsulation, key } });

const reaches = (from: Probe | undefined, to: { readonly address: string; readonly port: number }) =>
  until(`${from?.name} reaches ${to.address}`, async () => {
    const greeted = await from?.greet({ protocol: 'tcp', ...to });
    return greeted !== undefined && 'server' in greeted ? true : undefined;
  });

/** By the names that its bridges, patches and tunnels have. A switch takes a bridge's link away a moment after its database has forgotten the bridge. */
async function expectNothingOfPlainNetworks(lab: Lab): Promise<void> {
  const look = async () => (await networkInventory(lab)).filter((line) => / p[ntpw][0-9a-f]{13}$/.test(line));
  await until('nothing of plain networks', async () => (await look()).length === 0 || undefined).catch(() => undefined);
  expect(await look()).to.deep.equal([]);
}

describe('the lab with OVN', function () {
  this.timeout(300_000);
  let lab: Lab;
  let machines: readonly [LabMachine, LabMachine];
  let empty: readonly string[];

  before(async () => {
    expect(await ensureSystem({ log: () => {}, also: TEST_PACKAGES })).to.deep.equal({ ok: true });
    lab = await labUp({ hosts: 3, ovn: true, libvirt: false, tls: true });
    empty = await networkInventory(lab);
    await makeNetwork(lab);
    machines = await Promise.all([plug(lab, 0, 1), plug(lab, 1, 2)]);
    await lab.ovn.central.settle();
  });

  after(() => lab?.down());

  const answers = async () => {
    const [first, second] = await Promise.all(machines.map((machine) => machine.probe()));
    return until('a machine on another host', async () => {
      const greeted = await first?.greet({ protocol: 'tcp', address: '10.0.1.12', port: 80 });
      return greeted !== undefined && 'server' in greeted && second !== undefined ? greeted : undefined;
    });
  };

  it('gives machines addresses by DHCP, and they reach each other over tunnels', async () => {
    const leases = await Promise.all(machines.map((machine) => until(`a lease of ${machine.name}`, () => machine.dhcp())));
    expect(leases.map(({ ip, mtu }) => [ip, mtu])).to.deep.equal([
      ['10.0.1.11', '1442'],
      ['10.0.1.12', '1442'],
    ]);
    await (await machines[1].probe()).serve({ protocol: 'tcp', port: 80 });
    expect(await answers()).to.deep.include({ server: 'w2', client: '10.0.1.11' });
    expect(await machines[0].pings('10.0.1.12')).to.equal(true);
  });

  it('gives a port to the host that is asked to have it, whoever else says that it is there', async () => {
    const { central } = lab.ovn;
    const claimed = async () => {
      const chassis = (await central.sbctl('--bare', '--columns=chassis', 'find', 'Port_Binding', 'logical_port=w1')).trim();
      return (await central.sbctl('get', 'Chassis', chassis, 'hostname')).trim();
    };
    await central.nbctl('lsp-set-options', 'w1', 'requested-chassis=hv1');
    const twin = await LabMachine.plug(lab.host(2), { name: 'twin', mac: '02:00:00:00:01:11', plug: { interfaceId: 'w1' } });
    await twin.take('10.0.1.11/24');
    await central.settle();
    expect([await claimed(), await twin.pings('10.0.1.12', 1), await machines[0].pings('10.0.1.12')]).to.deep.equal(['hv1', false, true]);
    if (FULL) {
      await central.nbctl('lsp-set-options', 'w1', 'requested-chassis=hv3');
      await central.settle();
      expect([await claimed(), await twin.pings('10.0.1.12'), await machines[0].pings('10.0.1.12', 1)]).to.deep.equal(['hv3', true, false]);
      await central.nbctl('lsp-set-options', 'w1', 'requested-chassis=hv1');
    }
    await twin.unplug();
  });

  it('has an internet that tells whom it sees, and that knows names', async () => {
    const probe = await machines[1].probe();
    await lab.ovn.internet.probe();
    const seen = await until('the internet', async () => {
      const greeted = await probe.greet({ protocol: 'http', address: EXTERNAL.web, port: 80 });
      return 'server' in greeted ? greeted : undefined;
    });
    expect(seen).to.deep.include({ server: 'internet', client: '192.0.2.10' });
    const resolved = await until('the name', async () => {
      const answer = await probe.ask('resolve', { server: EXTERNAL.resolver, name: EXTERNAL.name, type: 'A' });
      return 'records' in answer ? answer.records : undefined;
    });
    expect(resolved).to.deep.equal([EXTERNAL.web]);
    expect(await probe.ask('resolve', { server: EXTERNAL.resolver, name: 'other.example', type: 'A' })).to.have.property('error');
  });

  it('joins machines to a tagged segment of the external network', async () => {
    const { central } = lab.ovn;
    await central.nbctl(
      'ls-add',
      'tagged',
      '--',
      'lsp-add',
      'tagged',
      'tagged-wire',
      '',
      '100',
      '--',
      'lsp-set-type',
      'tagged-wire',
      'localnet',
      '--',
      'lsp-set-addresses',
      'tagged-wire',
      'unknown',
      '--',
      'lsp-set-options',
      'tagged-wire',
      `network_name=${PHYSICAL_NETWORK}`,
    );
    await central.nbctl('lsp-add', 'tagged', 't1', '--', 'lsp-set-addresses', 't1', '02:00:00:00:10:11 172.20.0.11');
    const inside = await LabMachine.plug(lab.host(0), { name: 't1', mac: '02:00:00:00:10:11', plug: { interfaceId: 't1' } });
    const outside = await LabMachine.plug(lab.host(2), { name: 'out', mac: '02:00:00:00:10:12', plug: { bridge: 'br-ex', vlan: 100 } });
    const other = await LabMachine.plug(lab.host(2), { name: 'other', mac: '02:00:00:00:10:13', plug: { bridge: 'br-ex', vlan: 101 } });
    await inside.take('172.20.0.11/24');
    await outside.take('172.20.0.12/24');
    await other.take('172.20.0.13/24');
    await central.settle();
    expect([await inside.pings('172.20.0.12'), await inside.pings('172.20.0.13', 2)]).to.deep.equal([true, false]);
    await Promise.all([inside, outside, other].map((machine) => machine.unplug()));
    await central.nbctl('ls-del', 'tagged');
  });

  it('has networks of Open vSwitch alone beside: a mesh of tunnels as hosts come and go', async () => {
    const mesh = await PlainMesh.open(lab);
    await mesh.has(0, 1);
    const [one, other] = await Promise.all([
      mesh.network('one', tunnel('vxlan', 9_000_001)),
      mesh.network('other', tunnel('vxlan', 9_000_002)),
    ]);
    const [a1, a2, b2] = await Promise.all([
      mesh.machine('a1', 0, one, '172.30.0.11'),
      mesh.machine('a2', 1, one, '172.30.0.12'),
      mesh.machine('b2', 1, other, '172.30.0.22'),
    ]);
    expect(await a1.card.pings(a2.address)).to.equal(true);
    // All have addresses of the same range: nothing but their networks keeps them apart.
    const tries = FULL ? 4 : 1;
    expect(await Promise.all([a1.card.pings(b2.address, tries), b2.card.pings(a2.address, tries)])).to.deep.equal([false, false]);

    await mesh.has(0, 1, 2);
    const a3 = await mesh.machine('a3', 2, one, '172.30.0.13');
    expect(await Promise.all([a1.card.pings(a3.address), a3.card.pings(a2.address)])).to.deep.equal([true, true]);
    expect(await mesh.isInOrder()).to.equal(true);
    // What is sent to all arrives once: no host passes on what another has sent to all by itself.
    const [sent, received] = await until('an answer to ARP', async () => {
      const { stdout } = await a1.card.exec([BUSYBOX, 'arping', '-b', '-c', '2', '-I', 'eth0', a3.address]);
      const counts = [/Sent (\d+)/, /Received (\d+)/].map((count) => Number(count.exec(stdout)?.[1]));
      return counts[1] === 0 ? undefined : counts;
    });
    expect(received).to.be.at.most(sent ?? 0);

    // It moves while it is spoken to, and speaks itself; those who know it from before have to find it again.
    const [onA1, onA2, onA3] = await Promise.all([a1, a2, a3].map(({ card }) => card.probe()));
    await onA2?.serve({ protocol: 'udp', port: 7 });
    await onA1?.serve({ protocol: 'tcp', port: 80 });
    await reaches(onA2, { address: a1.address, port: 80 });
    for (const probe of [onA1, onA3]) await probe?.ask('stream', { id: 'moving', address: a2.address, port: 7, periodMs: 20 });
    await onA2?.ask('hold', { id: 'moving', address: a1.address, port: 80 });
    const goesOn = async (when: string) => {
      for (const probe of [onA1, onA3])
        expect(await probe?.ask('streaming', { id: 'moving', timeoutMs: 60_000 }), `${probe?.name} ${when}`).to.deep.equal({ alive: true });
      expect(await onA2?.ask('held', { id: 'moving', timeoutMs: 60_000 }), when).to.deep.equal({ alive: true });
    };
    await goesOn('before');
    await b2.unplug();
    const moves = [
      [2, 1],
      [1, 2],
      [0, 1],
    ] as const;
    for (const [to, from] of moves.slice(0, FULL ? moves.length : 1)) {
      await a2.migrate(to);
      await goesOn(`on host ${to}`);
      if (from === 1) await expectNoPlainTraces(lab.host(from), one, a2.mac);
    }
    await Promise.all([onA1, onA3].map((probe) => probe?.ask('gap', { id: 'moving' })));
    expect(await mesh.isInOrder()).to.equal(true);

    await a2.unplug();
    await mesh.has(0, 2);
    expect(await Promise.all(lab.hosts.map(plainTunnels))).to.deep.equal([['hv3'], [], ['hv1']]);
    expect(await a3.card.pings(a1.address)).to.equal(true);
    await mesh.has(0, 1, 2);
    await Promise.all([a1, a3].map((machine) => machine.unplug()));
    await mesh[Symbol.asyncDispose]();
    await expectNothingOfPlainNetworks(lab);
  });

  if (FULL)
    it('has networks of Open vSwitch alone in Geneve, and on VLANs', async () => {
      const mesh = await PlainMesh.open(lab);
      await mesh.has(0, 1);
      const overlay = await mesh.network('overlay', tunnel('geneve', 9_000_003));
      const cable = await mesh.network('cable', { physicalNetwork: PHYSICAL_NETWORK, vlanId: 200 });
      const [b1, b2] = [await mesh.machine('b1', 0, overlay, '172.30.0.21'), await mesh.machine('b2', 1, overlay, '172.30.0.22')];
      const v1 = await mesh.machine('v1', 0, cable, '172.30.0.31');
      const onWire = (name: string, vlan: number) =>
        LabMachine.plug(lab.host(2), { name, mac: `02:00:00:00:21:0${vlan - 200}`, plug: { bridge: 'br-ex', vlan } });
      const [same, apart] = [await onWire('same', 200), await onWire('apart', 201)];
      await Promise.all([same.take('172.30.0.32/24'), apart.take('172.30.0.33/24')]);
      expect(await Promise.all([b2.card.pings(b1.address), v1.card.pings('172.30.0.32')])).to.deep.equal([true, true]);
      const crossing = [v1.card.pings('172.30.0.33', 4), v1.card.pings(b1.address, 4), apart.pings(v1.address, 4)];
      expect(await Promise.all(crossing)).to.deep.equal([false, false, false]);
      expect(await mesh.isInOrder()).to.equal(true);
      await Promise.all([same.unplug(), apart.unplug(), ...[b1, b2, v1].map((machine) => machine.unplug())]);
      await mesh[Symbol.asyncDispose]();
      await expectNothingOfPlainNetworks(lab);
    });

  it('keeps traffic while the central part is killed, and is in order when it is back', async () => {
    const { central } = lab.ovn;
    await central.kill();
    await answers();
    await central.start();
    await central.settle();
    await answers();
  });

  it('holds a change back while northd hangs', async () => {
    const { central } = lab.ovn;
    await central.northd.freeze();
    const hung = await central.nbctl('--wait=sb', '--timeout=1', 'ls-add', 'late').catch((error: Error) => error.message);
    expect(hung).to.match(/exit/);
    await central.northd.thaw();
    await central.nbctl('--wait=sb', 'ls-del', 'late');
  });

  it('passes no packet without vswitchd, and again when it is back', async () => {
    const probe = await machines[0].probe();
    const { vswitchd, controller } = lab.host(1).switch;
    await controller.kill();
    await answers();
    await vswitchd.kill();
    expect(await probe.greet({ protocol: 'tcp', address: '10.0.1.12', port: 80, timeoutMs: 1500 })).to.have.property('error');
    await vswitchd.start();
    await controller.start();
    await answers();
  });

  it('has switches that take no connection to be translated to itself, also after a start', async () => {
    await lab.host(0).switch.vswitchd.kill();
    await lab.host(0).switch.vswitchd.start();
    for (const host of lab.hosts)
      expect(
        /ct_zero_snat=\w+/.exec(await host.switch.vsctl('--bare', '--columns=capabilities', 'list', 'datapath'))?.[0],
        host.name,
      ).to.equal('ct_zero_snat=false');
    await answers();
  });

  // Else ovs-vswitchd ends itself at about the eleventh second.
  if (FULL)
    it('passes on a connection that comes back just when its switch has forgotten it', async () => {
      const { central } = lab.ovn;
      const directions = ['from-lport', 'to-lport'];
      await central.nbctl(...directions.flatMap((direction) => ['--', 'acl-add', 'web', direction, '100', 'ip4', 'allow-related']));
      await central.settle();
      const [probe] = await Promise.all(machines.map((machine) => machine.probe()));
      // So that it may take ports again that it has used a moment ago.
      await machines[0].exec(['sysctl', '-w', 'net.ipv4.tcp_tw_reuse=1']);
      const knock = (n: number) => probe?.greet({ protocol: 'tcp', address: '10.0.1.12', port: 80, fromPort: 20_000 + n });
      for (let n = 0; n < 200; n++) expect(await knock(n)).to.have.property('server', 'w2');
      await sleep(9_000);
      for (let n = 0; n < 200; n++, await sleep(50)) expect(await knock(n), `${n}`).to.have.property('server', 'w2');
      await central.nbctl('acl-del', 'web');
      await central.settle();
    });

  it('measures how long a machine is cut off', async () => {
    const [probe, other] = await Promise.all(machines.map((machine) => machine.probe()));
    await other?.serve({ protocol: 'udp', port: 53 });
    await probe?.ask('stream', { id: 'gap', address: '10.0.1.12', port: 53, periodMs: 20 });
    const streaming = (timeoutMs: number) => probe?.ask('streaming', { id: 'gap', timeoutMs });
    expect(await streaming(30_000)).to.deep.equal({ alive: true });
    await lab.host(1).partitionTunnels();
    expect(await streaming(1_200)).to.deep.equal({ alive: false });
    await lab.host(1).healTunnels();
    expect(await streaming(30_000)).to.deep.equal({ alive: true });
    const gap = await probe?.ask('gap', { id: 'gap' });
    expect(gap?.gapMs).to.be.greaterThan(1000);
    expect(gap?.received)
      .to.be.greaterThan(0)
      .and.lessThan(gap?.sent ?? 0);
  });

  it('loses the machines of a host without power, and has the host again when it boots', async () => {
    await lab.crash(1);
    expect((await residue(lab.name)).filter((line) => line.includes('-h2-w2'))).to.deep.equal([]);
    await lab.boot(1);
    expect(await lab.host(1).switch.vsctl('--bare', '--columns=name', 'find', 'port', 'name=p-w2')).to.equal('');
    const again = await plug(lab, 1, 2);
    machines = [machines[0], again];
    expect(await until('a lease', () => again.dhcp())).to.deep.include({ ip: '10.0.1.12' });
    await (await again.probe()).serve({ protocol: 'tcp', port: 80 });
    await answers();
  });

  it('tells what is left of networks', async () => {
    const left = async () => (await networkInventory(lab)).filter((line) => !empty.includes(line));
    expect(await left())
      .to.include('hv1 port p-w1')
      .and.include('hv2 link p-w2')
      .and.include('hv2 namespace w2');
    expect((await left()).some((line) => line.startsWith('northbound Logical_Router '))).to.equal(true);
    expect((await left()).some((line) => line.startsWith('southbound Port_Binding '))).to.equal(true);
    await Promise.all(machines.map((machine) => machine.unplug()));
    await removeNetwork(lab);
    await until('the end of all rows', async () => {
      await Promise.all(lab.hosts.map((host) => host.switch.unplugNeedless()));
      return (await left()).length === 0 ? true : undefined;
    }).catch(async () => expect(await left()).to.deep.equal([]));
    expect(empty.filter((line) => line.endsWith(' port br-int'))).to.have.length(3);
  });

  it('is looked through by the witness of the demo, for what was not there before', async () => {
    const { central } = lab.ovn;
    const ovs = lab.host(0).switch;
    const witness = new OvnWitness({ begin: async () => {}, residue: async () => ['domain left'] }, { central, ovs });
    await ovs.vsctl('add-port', 'br-ex', 'before0', '--', 'set', 'interface', 'before0', 'type=internal');
    await witness.begin();
    await central.nbctl('ls-add', 'left', '--', 'lsp-add', 'left', 'left-port');
    await ovs.vsctl('add-port', 'br-ex', 'left0', '--', 'set', 'interface', 'left0', 'type=internal');
    const words = ['--id=@qos', 'create', 'qos', 'type=linux-htb', '--', 'set', 'port', 'left0', 'qos=@qos'];
    const qos = `qos ${(await ovs.vsctl(...words)).trim()}`;
    const north = async (table: string, name: string) =>
      (await central.nbctl('--bare', '--columns=_uuid', 'find', table, `name=${name}`)).trim();
    const ours = [
      `Logical_Switch ${await north('logical_switch', 'left')}`,
      `Logical_Switch_Port ${await north('logical_switch_port', 'left-port')}`,
      'port left0',
      qos,
    ];
    const told = await witness.residue();
    expect(told)
      .to.include.members(['domain left', ...ours])
      .and.not.include('port before0');
    const south = (await central.sbctl('--bare', '--columns=_uuid', 'find', 'port_binding', 'logical_port=left-port')).trim();
    expect(told).to.include(`Port_Binding ${south}`);
    await ovs.vsctl('del-port', 'left0');
    // It outlives the port that it was for.
    expect(await witness.residue()).to.include(qos);
    await ovs.vsctl('destroy', 'qos', qos.slice('qos '.length));
    await central.nbctl('ls-del', 'left');
    // Of the networks of others there may be more rows meanwhile.
    const left = [...ours, `Port_Binding ${south}`];
    await until('nothing of it left', async () => ((await witness.residue()).some((line) => left.includes(line)) ? undefined : true));
    await ovs.vsctl('del-port', 'before0');
  });

  it('leaves nothing behind when it goes down', async () => {
    const { name } = lab;
    expect(await residue(name)).to.not.have.length(0);
    await lab.down();
    expect(await residue(name)).to.deep.equal([]);
  });
});
