import { systemPrincipal } from '@pileus/core';
import type { CloudError, Id, Principal } from '@pileus/core/kernel';
import { expect } from 'chai';
import { enterEnclosure } from '../../../tools/system/enclosure.ts';
import { FULL } from '../../../tools/test/slice.ts';
import { LabMachine } from '../../lab/ovn/machine.ts';
import { Probe } from '../../lab/ovn/probe.ts';
import { until } from '../../lab/waiting.ts';
import { type CloudMachine, OvnCloud, reaches } from './ovn-cloud.ts';

const ECHO = 7;
/** Nobody listens there. */
const DISCARD = 9;
const REST_SECONDS = 15;

/** A project in an account of its own, with a VPC and a machine that is open to all. It changes nothing that is another's. */
class Tenant {
  readonly name: string;
  readonly #cloud: OvnCloud;
  readonly #principal: Principal;
  vpcId = '';
  machine!: CloudMachine;

  private constructor(cloud: OvnCloud, name: string, owner: Pick<Principal, 'accountId' | 'projectId'>) {
    this.#cloud = cloud;
    this.name = name;
    this.#principal = { ...systemPrincipal(), ...owner, actor: `test:${name}`, allows: (permission) => permission !== 'project.any' };
  }

  static async of(cloud: OvnCloud, name: string): Promise<Tenant> {
    const accountId = (await cloud.done('account.create', { name })) as Id<'account'>;
    const projectId = (await cloud.done('project.create', { name, accountId })) as Id<'project'>;
    return new Tenant(cloud, name, { accountId, projectId });
  }

  done(action: string, input: object = {}, resourceId?: string): Promise<string> {
    return this.#cloud.done(action, input, resourceId, this.#principal);
  }

  refused(action: string, input: object): Promise<CloudError> {
    return this.#cloud.refused(action, input, undefined, this.#principal);
  }

  async settles(host: number, cidr: string): Promise<this> {
    this.vpcId = await this.done('vpc.create', { name: this.name });
    const networkId = await this.done('network.create', { vpcId: this.vpcId, subnets: [{ cidr }] });
    const securityGroupId = await this.done('securityGroup.create', { vpcId: this.vpcId, name: 'open' });
    for (const direction of ['inbound', 'outbound'])
      await this.done('securityGroupRule.create', { securityGroupId, direction, cidrs: ['0.0.0.0/0'] });
    this.machine = await this.runs(`${this.name}-machine`, host, { networkId, securityGroupIds: [securityGroupId] });
    return this;
  }

  async runs(name: string, host: number, nic: object): Promise<CloudMachine> {
    const machine = await this.#cloud.found(await this.done('instance.create', this.#cloud.machineInput(name, host, nic)));
    await machine.probe.serve({ protocol: 'tcp', port: 80 });
    await machine.probe.serve({ protocol: 'udp', port: ECHO });
    return machine;
  }
}

/** Datagrams that came to a port of the machine at which nobody listens. */
async function unheard({ card }: CloudMachine): Promise<number> {
  const { stdout } = await card.exec(['cat', '/proc/net/snmp']);
  const [names = [], counts = []] = stdout.split('\n').flatMap((line) => (line.startsWith('Udp: ') ? [line.split(' ')] : []));
  return Number(counts[names.indexOf('NoPorts')]);
}

const discarded = (from: Probe, address: string) => from.greet({ protocol: 'udp', address, port: DISCARD, timeoutMs: 1_000 });

/** What is sent to nobody in particular comes as far as to the machine: where it does not, that is told by the same count. */
const comesTo = (from: Probe, address: string, to: CloudMachine) =>
  until(`a datagram of ${from.name} at ${to.name}`, async () => {
    const before = await unheard(to);
    await discarded(from, address);
    return (await unheard(to)) > before ? true : undefined;
  });

/** Nobody answers there, and none of the machines is sent anything. */
async function leadsNowhere(from: Probe, address: string, machines: readonly CloudMachine[], when: string): Promise<void> {
  const before = await Promise.all(machines.map(unheard));
  const tries = [
    { protocol: 'tcp', port: 80 },
    { protocol: 'udp', port: ECHO },
  ] as const;
  const answers = await Promise.all(tries.map((each) => from.greet({ ...each, address, timeoutMs: 2_000 })));
  for (const answer of [...answers, await discarded(from, address)])
    expect(answer, `${from.name} to ${address} ${when}`).to.have.property('error');
  expect(await Promise.all(machines.map(unheard)), when).to.deep.equal(before);
}

if (FULL)
  describe('tenants on OVN', function () {
    this.timeout(600_000);
    let cloud: OvnCloud;
    let red: Tenant;
    let blue: Tenant;
    let externalNetworkId: string;

    before(async () => {
      cloud = await OvnCloud.up({ hosts: 2 });
      const [image] = await cloud.rows('image');
      externalNetworkId = await cloud.external();
      for (const [resourceKind, resourceId] of [
        ['image', image?.id],
        ['network', externalNetworkId],
      ])
        await cloud.done('share.create', { resourceKind, resourceId, with: 'all' });
      red = await (await Tenant.of(cloud, 'red')).settles(0, '10.41.0.0/24');
      blue = await (await Tenant.of(cloud, 'blue')).settles(1, '10.42.0.0/24');
    });
    after(() => cloud?.[Symbol.asyncDispose]());

    /** OVN has told all hosts, and they have forgotten what they decided before. */
    async function settled(): Promise<void> {
      await cloud.lab.ovn.central.settle();
      await Promise.all(cloud.lab.hosts.map((host) => host.switch.forgotten()));
    }

    const stateOf = async (peeringId: string) => (await cloud.row('peering', peeringId)).state;

    it('meet by a peering while the owners of both VPCs agree, both ways, and send each other no packet before and after', async () => {
      const [a, b] = [red.machine, blue.machine];
      const apart = async (when: string) => {
        await leadsNowhere(a.probe, b.address, [a, b], when);
        await leadsNowhere(b.probe, a.address, [a, b], when);
      };
      const together = async () => {
        expect(await reaches(a.probe, { address: b.address, port: 80 })).to.include({ server: b.name, client: a.address });
        expect(await reaches(b.probe, { address: a.address, port: 80 })).to.include({ server: a.name, client: b.address });
        await comesTo(a.probe, b.address, b);
        await comesTo(b.probe, a.address, a);
      };
      await apart('before anybody has agreed');
      const own = await red.done('peering.create', { vpcId: red.vpcId, peerVpcId: blue.vpcId });
      expect(await stateOf(own)).to.equal('pending');
      // Nobody agrees for somebody else.
      const { code, pointer } = await red.refused('peering.create', { vpcId: blue.vpcId, peerVpcId: red.vpcId });
      expect([code, pointer]).to.deep.equal(['not_found', '/vpcId']);
      await settled();
      await apart('when one has agreed');

      const theirs = await blue.done('peering.create', { vpcId: blue.vpcId, peerVpcId: red.vpcId });
      expect([await stateOf(own), await stateOf(theirs)]).to.deep.equal(['active', 'active']);
      await together();
      await a.probe.ask('hold', { id: 'open', address: b.address, port: 80 });
      await b.probe.ask('stream', { id: 'open', address: a.address, port: ECHO, periodMs: 20 });
      expect(await a.probe.ask('held', { id: 'open', timeoutMs: 30_000 })).to.deep.equal({ alive: true });
      expect(await b.probe.ask('streaming', { id: 'open', timeoutMs: 30_000 })).to.deep.equal({ alive: true });

      await blue.done('peering.delete', {}, theirs);
      expect(await stateOf(own)).to.equal('pending');
      await settled();
      expect(await a.probe.ask('held', { id: 'open', timeoutMs: 3_000 }), 'a connection that was open').to.deep.equal({ alive: false });
      expect(await b.probe.ask('streaming', { id: 'open', timeoutMs: 3_000 }), 'datagrams that went on').to.deep.equal({ alive: false });
      await apart('when one has taken it back');

      await blue.done('peering.create', { vpcId: blue.vpcId, peerVpcId: red.vpcId });
      await together();
      expect(await b.probe.ask('streaming', { id: 'open', timeoutMs: 30_000 })).to.deep.equal({ alive: true });
      await red.done('peering.delete', {}, own);
      await settled();
      expect(await b.probe.ask('streaming', { id: 'open', timeoutMs: 3_000 })).to.deep.equal({ alive: false });
      await apart('when the other has');
      await b.probe.ask('gap', { id: 'open' });
      await a.probe.ask('release', { id: 'open' });
    });

    it('get an external address that was another’s when it has rested, and until then it leads to nobody', async () => {
      const key = 'network.elasticIpReuseSeconds';
      const wish = { externalNetworkId, address: '192.0.2.77' };
      const { address } = wish;
      const outside = await cloud.lab.ovn.internet.probe();
      for (const tenant of [red, blue]) await tenant.done('natGateway.create', { vpcId: tenant.vpcId, externalNetworkId });
      const first = await red.done('elasticIp.create', wish);
      await red.done('elasticIp.bind', { nicId: red.machine.nicId }, first);
      expect(await reaches(outside, { address, port: 80 })).to.include({ server: red.machine.name });
      await comesTo(outside, address, red.machine);
      // Nobody lets go of one by mistake while packets come in by it.
      expect((await cloud.refused('elasticIp.delete', {}, first)).code).to.equal('conflict');
      await comesTo(outside, address, red.machine);
      await red.done('elasticIp.unbind', {}, first);
      await red.done('elasticIp.delete', {}, first);
      const { code, pointer, params } = await blue.refused('elasticIp.create', wish);
      expect([code, pointer, params?.address]).to.deep.equal(['conflict', '/address', address]);
      const letGoMs = Date.parse(String(params?.until)) - 3_600_000;
      await settled();
      await leadsNowhere(outside, address, [red.machine, blue.machine], 'while it rests');

      await cloud.done('settingValue.set', { key, value: REST_SECONDS });
      const second = await until('the address', async () => {
        const made = await blue.done('elasticIp.create', wish).catch((error: CloudError) => error);
        if (typeof made === 'string') return made;
        expect([made.code, made.pointer], made.message).to.deep.equal(['conflict', '/address']);
        return undefined;
      });
      const { createdAt } = await cloud.row('elasticIp', second);
      expect(Date.parse(String(createdAt)) - letGoMs).to.be.at.least(REST_SECONDS * 1_000);
      await leadsNowhere(outside, address, [red.machine, blue.machine], 'while it is bound to nothing');
      await blue.done('elasticIp.bind', { nicId: blue.machine.nicId }, second);
      expect(await reaches(outside, { address, port: 80 })).to.include({ server: blue.machine.name });
      const before = await unheard(red.machine);
      await comesTo(outside, address, blue.machine);
      expect(await unheard(red.machine)).to.equal(before);
    });

    it('send nothing to physical networks of storage and management, nor to what their hosts are there', async () => {
      const host = cloud.lab.host(0);
      const roles = ['tenant', 'storage', 'management'] as const;
      const bridgeOf = (role: string) => `br-${role}`;
      const words = roles.flatMap((role) => [
        ...['--', 'add-br', bridgeOf(role)],
        ...['--', 'set', 'bridge', bridgeOf(role), 'datapath_type=netdev', 'fail_mode=standalone'],
      ]);
      await host.switch.vsctl(...words);
      const told = (await host.switch.vsctl('get', 'open_vswitch', '.', 'external-ids:ovn-bridge-mappings')).trim();
      const mappings = [told.replaceAll('"', ''), ...roles.map((role) => `${role}:${bridgeOf(role)}`)].join(',');
      await host.switch.vsctl('set', 'open_vswitch', '.', `external-ids:ovn-bridge-mappings="${mappings}"`);
      const physical: Record<string, string> = {};
      for (const role of roles)
        physical[role] = await cloud.done('physicalNetwork.create', { clusterId: cloud.clusterId, label: role, role });

      // The same addresses everywhere: nothing but the roles keeps them apart.
      const subnets = [{ cidr: '172.29.0.0/24', gateway: '172.29.0.1' }];
      for (const role of ['storage', 'management']) {
        const { code, pointer } = await cloud.refused('network.create', { physicalNetworkId: physical[role], vlanId: 0, subnets });
        expect([code, pointer], role).to.deep.equal(['invalid_input', '/physicalNetworkId']);
      }
      const server = async (role: string, n: number, address: string) => {
        const plug = { bridge: bridgeOf(role) };
        const machine = await LabMachine.plug(host, { name: `${role.slice(0, 3)}${n}`, mac: `02:00:00:29:00:${n + 10}`, plug });
        // What is counted is to be others': the host's end of its cable has an address of the link, and looks for routers.
        await host.exec(['tee', `/proc/sys/net/ipv6/conf/${machine.device}/disable_ipv6`], { input: '1\n' });
        await machine.take(`${address}/24`);
        const probe = await machine.probe();
        await probe.serve({ protocol: 'tcp', port: 80 });
        return machine;
      };
      const [onWire, storage, management] = [
        await server('tenant', 1, '172.29.0.21'),
        await server('storage', 2, '172.29.0.22'),
        await server('management', 3, '172.29.0.23'),
      ];
      const networkId = await cloud.done('network.create', { physicalNetworkId: physical.tenant, vlanId: 0, subnets });
      await cloud.done('share.create', { resourceKind: 'network', resourceId: networkId, with: 'all' });
      const nic = { networkId, address: '172.29.0.10' };
      const guest = await until('a machine on the wire', () =>
        red.runs('on-wire', 0, nic).catch((error: CloudError) => {
          // What the host leads to now is not known yet.
          if (error.code === 'no_capacity') return undefined;
          throw error;
        }),
      );
      const init = await host.pid();
      const itself = await Probe.start(host.name, enterEnclosure(init ?? 0));
      const beside = await Probe.start('beside', ['ip', 'netns', 'exec', cloud.lab.name]);
      try {
        await itself.serve({ protocol: 'tcp', port: 8099, address: host.address });
        expect(await reaches(beside, { address: host.address, port: 8099 })).to.include({ server: host.name });
        expect(await reaches(guest.probe, { address: '172.29.0.21', port: 80 })).to.include({ client: guest.address });

        const frames = async (machine: LabMachine) =>
          Number((await machine.exec(['cat', '/sys/class/net/eth0/statistics/rx_packets'])).stdout.trim());
        const ofTenants = [storage, management];
        const before = await Promise.all(ofTenants.map(frames));
        const heard = await frames(onWire);
        // By broadcasts that ask for the address, by frames to the card itself, and through a router.
        for (const [index, address] of ['172.29.0.22', '172.29.0.23'].entries()) {
          const tries = () =>
            [guest, red.machine].map(({ probe }) => probe.greet({ protocol: 'tcp', address, port: 80, timeoutMs: 2_000 }));
          for (const answer of await Promise.all(tries())) expect(answer, address).to.have.property('error');
          await guest.card.exec(['ip', 'neigh', 'replace', address, 'lladdr', `02:00:00:29:00:${index + 12}`, 'dev', 'eth0']);
          for (const answer of await Promise.all(tries())) expect(answer, address).to.have.property('error');
          expect(await discarded(guest.probe, address)).to.have.property('error');
        }
        for (const { probe } of [guest, red.machine])
          expect(await probe.greet({ protocol: 'tcp', address: host.address, port: 8099, timeoutMs: 2_000 })).to.have.property('error');
        expect(await Promise.all(ofTenants.map(frames)), 'frames on their bridges').to.deep.equal(before);
        expect(await frames(onWire), 'frames on the wire of tenants').to.be.greaterThan(heard);
        // The counts would tell: of a machine of theirs they do.
        const own = await server('storage', 4, '172.29.0.24');
        expect(await own.pings('172.29.0.22')).to.equal(true);
        expect(await frames(storage)).to.be.greaterThan(before[0] ?? Number.NaN);
        await own.unplug();
      } finally {
        itself.end();
        beside.end();
      }
      await cloud.done('instance.delete', {}, guest.id);
      await cloud.done('network.delete', {}, networkId);
      for (const machine of [onWire, storage, management]) await machine.unplug();
      await host.switch.vsctl('set', 'open_vswitch', '.', `external-ids:ovn-bridge-mappings=${told}`);
      await host.switch.vsctl(...roles.flatMap((role) => ['--', 'del-br', bridgeOf(role)]));
    });

    it('leave nothing in OVN and on the hosts', async () => {
      expect(await cloud.clear()).to.deep.equal([]);
    });
  });
