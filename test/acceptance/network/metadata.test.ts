import { agentLink, fingerprintOf } from '@pileus/core/node';
import { expect } from 'chai';
import { selfSigned } from '../../../packages/drivers-kvm/test/self-signed.ts';
import { type AgentProcess, type Answer, eventually } from '../../../packages/server/test/agent/agent-process.ts';
import { askNames, fetchFrom, LINK_LOCAL, tokenFor } from '../../../packages/server/test/agent/bridged-networks.ts';
import { FULL } from '../../../tools/test/slice.ts';
import { EXTERNAL_BRIDGE, PHYSICAL_NETWORK } from '../../lab/ovn/host-switch.ts';
import { BUSYBOX, LabMachine } from '../../lab/ovn/machine.ts';
import { until } from '../../lab/waiting.ts';
import { agentOn, namespacesOf } from './host-agents.ts';
import { type CloudMachine, OvnCloud, reaches } from './ovn-cloud.ts';

/** More than a packet takes. */
const USER_DATA = `#cloud-config\n# ${'.'.repeat(8000)}\n`;
/** Of the first machine. */
const ADDRESS_6 = 'fd00:7::11';
const ROGUE_MAC = '02:00:00:00:20:01';

describe('metadata and names on OVN', function () {
  this.timeout(600_000);
  let cloud: OvnCloud;
  let agents: readonly AgentProcess[];
  let machines: readonly CloudMachine[];
  let vpcId: string;

  before(async () => {
    const controller = await selfSigned();
    // From here agents tell nobody: they are asked.
    cloud = await OvnCloud.up({ hosts: 2, agentLink: agentLink({ identity: controller, callbackUrl: 'https://192.0.2.1' }) });
    agents = await Promise.all(cloud.lab.hosts.map((host) => agentOn(host, controller)));
    for (const [index, { url, identity }] of agents.entries())
      await cloud.done('agent.create', { hostId: cloud.hostIds[index], url, fingerprint: fingerprintOf(identity.cert) });
    const made = await cloud.vpc('vpc-1');
    vpcId = made.vpcId;
    // In the default group: what machines ask of the cloud is let through whatever their groups say.
    machines = [];
    const { networkId } = made;
    const ipv6SubnetId = await cloud.done('subnet.create', { networkId, cidr: 'fd00:7::/64' });
    for (const host of [0, 1]) {
      const nic = { networkId, ...(host === 0 ? { ipv6SubnetId, ipv6Address: ADDRESS_6 } : {}) };
      const input = { ...cloud.machineInput(`m${host}`, host, nic), userData: USER_DATA };
      machines = [...machines, await cloud.found(await cloud.done('instance.create', input))];
    }
  });
  after(async () => {
    await cloud?.[Symbol.asyncDispose]();
    for (const agent of agents ?? []) await agent.close();
  });

  const nameOf = ({ name }: CloudMachine) => `${name}.vpc-1.internal`;
  const servesAll = async () => {
    for (const [index, { id, card, lease }] of machines.entries()) {
      const { netns } = card;
      const read = (path: string, headers = {}) => fetchFrom(netns, path, { headers });
      const userData = await eventually(
        () => read('/openstack/latest/user_data'),
        ({ status }) => status === 200,
      );
      expect(userData.text).to.equal(USER_DATA);
      expect((await read('/latest/meta-data/instance-id', await tokenFor(netns))).text).to.equal(id);
      const onLink = () => fetchFrom(netns, '/openstack/latest/meta_data.json', { host: LINK_LOCAL, timeoutMs: 3_000 });
      // Who has no address of IPv6 sends none of it.
      if (index === 0) expect(JSON.parse((await eventually(onLink, ({ status }) => status === 200)).text).uuid).to.equal(id);
      else expect((await onLink()).status).to.equal(0);
      const other = machines[1 - index];
      if (other === undefined) throw new Error('there are two');
      for (const more of [{}, { edns: 1232 }, { transport: 'tcp' as const }]) {
        const question = { server: lease.dns ?? '', name: nameOf(other), type: 'A', ...more };
        const told = await until(`${nameOf(other)} known`, async () => {
          const { answers } = await askNames(netns, question);
          return answers.length > 0 ? answers : undefined;
        });
        expect(told).to.deep.equal([other.address]);
      }
      const answers = index === 0 ? [] : [ADDRESS_6];
      expect(await askNames(netns, { server: lease.dns ?? '', name: nameOf(other), type: 'AAAA' })).to.deep.include({ answers });
    }
  };

  it('are served to each machine on its own host', async () => {
    await servesAll();
    for (const agent of agents) expect(await namespacesOf(agent)).to.have.length(1);
  });

  it('have names within five seconds, and no more when they are taken away', async () => {
    const [{ card, lease }] = machines as [CloudMachine];
    const ask = async (): Promise<Answer['json']> =>
      askNames(card.netns, { server: lease.dns ?? '', name: 'db.vpc-1.internal', type: 'A', edns: 1232 });
    expect((await ask()).rcode).to.equal('NXDOMAIN');
    const recordId = await cloud.done('dnsRecord.create', { vpcId, hostname: 'db.vpc-1.internal', addresses: ['10.0.0.99'] });
    await eventually(ask, ({ answers }) => answers[0] === '10.0.0.99');
    await cloud.done('dnsRecord.delete', {}, recordId);
    await eventually(ask, ({ rcode }) => rcode === 'NXDOMAIN');
  });

  if (FULL)
    it('are served through each NIC of a machine, one that it was given while it runs, too', async () => {
      const [{ id, card: first }] = machines as [CloudMachine];
      const second = await cloud.network(vpcId, '10.0.9.0/24', 'second');
      await cloud.done('instance.attachNic', { networkId: second }, id);
      const nic = (await cloud.rows('nic', 'instanceId', id)).find(({ networkId }) => networkId === second);
      const card = cloud.card(String(nic?.id));
      const { dns = '' } = await cloud.addressed(card, { ...nic, id: String(nic?.id) });
      for (const { netns } of [first, card]) {
        const read = () => fetchFrom(netns, '/openstack/latest/meta_data.json');
        expect(JSON.parse((await eventually(read, ({ status }) => status === 200)).text).uuid).to.equal(id);
      }
      const named = { server: dns, name: 'm1.vpc-1.internal', type: 'A', edns: 1232 };
      await eventually(
        () => askNames(card.netns, named),
        ({ answers }) => answers.length === 1,
      );
      await cloud.done('instance.detachNic', { nicId: nic?.id }, id);
      await cloud.done('network.delete', {}, second);
    });

  // What is told to agents is proven with simulated ones each time.
  if (FULL)
    it('have the names of a peer, both ways, while both sides share them, and no longer than there is a peering', async () => {
      const [one] = machines as [CloudMachine];
      const far = await cloud.vpc('vpc-2', '10.8.0.0/24');
      const peer = await cloud.machine('peer', 1, { networkId: far.networkId });
      /** Undefined: nobody has answered. */
      const told = async ({ card, lease }: CloudMachine, name: string, type: 'A' | 'AAAA' | 'PTR' = 'A', more = {}) =>
        (await askNames(card.netns, { server: lease.dns ?? '', name, type, ...more }).catch(() => undefined))?.answers;
      const reverse = (address: string) => `${address.split('.').reverse().join('.')}.in-addr.arpa`;
      const learns = async (answers: readonly unknown[], ...asked: Parameters<typeof told>) => {
        await eventually(
          () => told(...asked),
          (seen) => JSON.stringify(seen) === JSON.stringify(answers),
        );
      };
      const [peerName, ownName] = ['peer.vpc-2.internal', nameOf(one)];
      await cloud.done('peering.create', { vpcId, peerVpcId: far.vpcId, sharesNames: true });
      const theirs = await cloud.done('peering.create', { vpcId: far.vpcId, peerVpcId: vpcId });
      // One side alone: nobody is told, not even who wants it.
      await learns([], one, peerName);
      await learns([], peer, ownName);
      await cloud.done('peering.update', { sharesNames: true }, theirs);
      await learns([peer.address], one, peerName);
      await learns([one.address], peer, ownName);
      await learns([peer.address], one, peerName, 'A', { edns: 1232 });
      await learns([peerName], one, reverse(peer.address), 'PTR');
      await learns([ownName], peer, reverse(one.address), 'PTR');
      await learns([ADDRESS_6], peer, ownName, 'AAAA');
      await cloud.done('peering.delete', {}, theirs);
      await learns([], one, peerName);
      await learns([], peer, ownName);
      await learns([], one, reverse(peer.address), 'PTR');
      await learns([], peer, reverse(one.address), 'PTR');
      // What is each one's own is there all the while.
      await learns([one.address], one, ownName);
    });

  it('are served in no VPC, too, and neither reach the wire nor are taken from there', async () => {
    const { clusterId } = cloud;
    const physicalNetworkId = await cloud.done('physicalNetwork.create', { clusterId, label: PHYSICAL_NETWORK, role: 'tenant' });
    const subnets = [{ cidr: '172.20.0.0/24', gateway: '172.20.0.1' }, { cidr: 'fd00:20::/64' }];
    const wired = await cloud.done('network.create', { physicalNetworkId, vlanId: 0, subnets });
    const alone = await cloud.done('network.create', { driver: 'ovn', mode: 'isolated', subnets: [{ cidr: '172.20.0.0/24' }] });
    // Who answers at the same address on the wire, and who asks there. Neither is on a host of the machine.
    const onWire = async (name: string, mac: string, address: string) => {
      const machine = await LabMachine.plug(cloud.lab.host(1), { name, mac, plug: { bridge: EXTERNAL_BRIDGE } });
      await machine.take(address);
      return machine;
    };
    const rogue = await onWire('rogue', ROGUE_MAC, '169.254.169.254/32');
    const asker = await onWire('asker', '02:00:00:00:20:02', '172.20.0.1/24');
    await rogue.exec(['ip', 'route', 'replace', '172.20.0.0/24', 'dev', 'eth0']);
    await asker.exec(['ip', 'route', 'replace', '169.254.169.254/32', 'dev', 'eth0']);
    await (await rogue.probe()).serve({ protocol: 'tcp', port: 80 });
    const ask = { address: '169.254.169.254', port: 80 };
    expect(await reaches(await asker.probe(), ask)).to.include({ server: 'rogue' });

    const [six] = (await cloud.rows('subnet', 'networkId', wired)).filter(({ cidr }) => cidr === 'fd00:20::/64');
    const inside = await cloud.machine('inside', 0, { networkId: wired, ipv6SubnetId: six?.id });
    expect(inside.lease.staticroutes).to.equal('169.254.169.254/32 0.0.0.0 0.0.0.0/0 172.20.0.1');
    const served = async ({ id, card: { netns } }: CloudMachine, more = {}) => {
      const read = () => fetchFrom(netns, '/openstack/latest/meta_data.json', { timeoutMs: 3_000, ...more });
      expect(JSON.parse((await eventually(read, ({ status }) => status === 200)).text).uuid).to.equal(id);
    };
    const neighbours = async (of: LabMachine) => (await of.exec(['ip', 'neigh', 'show'])).stdout;
    await served(inside);
    await served(inside, { host: LINK_LOCAL });
    // It can be heard from the wire, but not as who answers there.
    expect(await asker.pings(inside.address)).to.equal(true);
    const announce = (how: string) =>
      rogue.exec([BUSYBOX, 'arping', how, '-c', '1', '-I', 'eth0', '-s', '169.254.169.254', '169.254.169.254']);
    await Promise.all([announce('-U'), announce('-A')]);
    expect(await neighbours(inside.card))
      .to.include('169.254.169.254')
      .and.not.to.include(ROGUE_MAC);
    await inside.card.exec(['ip', 'neigh', 'flush', 'dev', 'eth0']);
    await served(inside);
    expect(await neighbours(rogue)).not.to.include(inside.address);
    await rogue.unplug();
    await asker.exec(['ip', 'neigh', 'flush', 'dev', 'eth0']);
    expect(await (await asker.probe()).greet({ protocol: 'tcp', ...ask, timeoutMs: 500 })).to.have.property('error');
    expect(await neighbours(asker)).not.to.match(/169\.254\.169\.254 .*lladdr/);

    const apart = await cloud.machine('apart', 1, { networkId: alone });
    expect(apart.lease.staticroutes).to.equal('169.254.169.254/32 0.0.0.0');
    await served(apart);
    await asker.unplug();
  });

  it('go on with the control plane stopped and the central part of OVN dead', async () => {
    await cloud.stop();
    await cloud.lab.ovn.central.kill();
    await servesAll();
    await cloud.lab.ovn.central.start();
    await cloud.start();
  });

  it('leave nothing behind', async () => {
    expect(await cloud.clear()).to.deep.equal([]);
    const served = async () => Promise.all(agents.map(async (agent) => (await agent.ask('GET', '/v1/status')).json.served));
    await eventually(served, (all) =>
      all.every(({ networks, machines: left, names }) => networks.length + left.length + names.length === 0),
    );
    expect(await Promise.all(agents.map(namespacesOf))).to.deep.equal([[], []]);
  });
});
