import { expect } from 'chai';
import { run } from '../../../tools/system/command.ts';
import { FULL } from '../../../tools/test/slice.ts';
import { EXTERNAL_BRIDGE, PHYSICAL_NETWORK } from '../../lab/ovn/host-switch.ts';
import { LabMachine } from '../../lab/ovn/machine.ts';
import { until } from '../../lab/waiting.ts';
import { type CloudMachine, OvnCloud, reaches } from './ovn-cloud.ts';

describe('networks of physical ones on OVN', function () {
  this.timeout(600_000);
  let cloud: OvnCloud;
  let physicalNetworkId: string;

  before(async () => {
    cloud = await OvnCloud.up({ hosts: 2 });
    const vlans = { firstVlanId: 100, lastVlanId: 101 };
    physicalNetworkId = await cloud.done('physicalNetwork.create', {
      clusterId: cloud.clusterId,
      label: PHYSICAL_NETWORK,
      role: 'tenant',
      ...vlans,
    });
  });
  after(() => cloud?.[Symbol.asyncDispose]());

  it('join machines to their VLAN, and to no other', async () => {
    const networkId = await cloud.done('network.create', {
      physicalNetworkId,
      vlanId: 100,
      subnets: [{ cidr: '172.20.0.0/24', gateway: '172.20.0.1' }],
    });
    const inside = await cloud.machine('inside', 0, { networkId, address: '172.20.0.10' });
    expect(inside.lease).to.deep.include({ ip: '172.20.0.10', mtu: '1500' });
    // What else is on the wire: a switch's port with a tag stands for it.
    const onWire = async (name: string, vlan: number, address: string) => {
      const machine = await LabMachine.plug(cloud.lab.host(1), {
        name,
        mac: `02:00:00:00:10:${vlan - 90}`,
        plug: { bridge: EXTERNAL_BRIDGE, vlan },
      });
      await machine.take(`${address}/24`);
      return machine;
    };
    const [same, other] = [await onWire('same', 100, '172.20.0.1'), await onWire('other', 101, '172.20.0.200')];
    const probe = await same.probe();
    await probe.serve({ protocol: 'tcp', port: 80 });
    expect(await reaches(inside.probe, { address: '172.20.0.1', port: 80 })).to.include({ server: 'same', client: '172.20.0.10' });
    await inside.probe.serve({ protocol: 'tcp', port: 80 });
    expect(await reaches(probe, { address: '172.20.0.10', port: 80 })).to.include({ server: 'inside', client: '172.20.0.1' });
    expect([await other.pings('172.20.0.10', 2), await inside.card.pings('172.20.0.200', 2)]).to.deep.equal([false, false]);
    await Promise.all([same.unplug(), other.unplug()]);
  });

  it('have a VLAN each: the first that is free, and none is taken twice', async () => {
    const networkId = await cloud.done('network.create', { physicalNetworkId, subnets: [{ cidr: '172.21.0.0/24' }] });
    expect((await cloud.row('network', networkId)).vlanId).to.equal(101);
    const taken = await cloud.refused('network.create', { physicalNetworkId, vlanId: 101, subnets: [{ cidr: '172.22.0.0/24' }] });
    expect(taken.pointer, taken.message).to.equal('/vlanId');
  });

  it('take no machine where no host leads to them, and say what it does not tell', async () => {
    const { clusterId } = cloud;
    const nowhere = await cloud.done('physicalNetwork.create', { clusterId, label: 'nowhere', role: 'tenant' });
    const networkId = await cloud.done('network.create', {
      name: 'lost',
      physicalNetworkId: nowhere,
      subnets: [{ cidr: '172.23.0.0/24' }],
    });
    const { code, params } = await cloud.refused('instance.create', cloud.machineInput('lost', 0, { networkId }));
    expect(code).to.equal('no_capacity');
    expect(Object.values(params?.reasons as object)).to.include('is not connected to network lost: it tells no bridge for nowhere');
  });

  it('leave nothing in OVN and on the hosts', async () => {
    expect(await cloud.clear()).to.deep.equal([]);
  });
});

if (FULL)
  describe('networks of several drivers in one cloud', function () {
    this.timeout(600_000);
    let cloud: OvnCloud;

    before(async () => {
      cloud = await OvnCloud.up({ hosts: 2, networks: ['ovn', 'openvswitch'] });
    });
    after(() => cloud?.[Symbol.asyncDispose]());

    it('are made by the one that they name, else by the first that can, and a machine may be in one of each', async () => {
      const { clusterId } = cloud;
      const physical = (label: string, more: object) => cloud.done('physicalNetwork.create', { clusterId, label, role: 'tenant', ...more });
      const wire = await physical(PHYSICAL_NETWORK, { firstVlanId: 300, lastVlanId: 309 });
      const overlay = await physical('overlay', { encapsulation: 'vxlan', firstTunnelKey: 9_300_000, lastTunnelKey: 9_300_009 });
      const { vpcId, networkId: inVpc } = await cloud.vpc('shop', '172.25.0.0/24');
      // All have the same addresses: nothing but their networks keeps machines apart.
      const subnets = [{ cidr: '172.25.0.0/24', gateway: '172.25.0.1' }];
      const made = {
        vpc: inVpc,
        wire: await cloud.done('network.create', { name: 'wire', physicalNetworkId: wire, subnets }),
        'plain wire': await cloud.done('network.create', { name: 'plain-wire', physicalNetworkId: wire, driver: 'openvswitch', subnets }),
        tunnels: await cloud.done('network.create', { name: 'tunnels', physicalNetworkId: overlay, subnets }),
      };
      const drivers = Object.values(made).map(async (id) => (await cloud.row('network', id)).driver);
      expect(await Promise.all(drivers)).to.deep.equal(['ovn', 'ovn', 'openvswitch', 'openvswitch']);
      const refused = await cloud.refused('network.create', {
        name: 'no',
        vpcId,
        driver: 'openvswitch',
        subnets: [{ cidr: '172.26.0.0/24' }],
      });
      expect([refused.code, refused.pointer]).to.deep.equal(['invalid_input', '/driver']);

      const nics = Object.values(made).map((networkId, at) => ({ networkId, address: `172.25.0.${11 + at}` }));
      const many = await cloud.done('instance.create', { ...cloud.machineInput('many', 0, {}), nics });
      for (const nic of await cloud.rows('nic', 'instanceId', many)) await cloud.addressed(cloud.card(nic.id), nic);
      for (const [at, { networkId, address }] of nics.entries()) {
        const one = await cloud.machine(`one-${at}`, 1, { networkId, address: `172.25.0.${21 + at}` });
        const tries = nics.map(({ address: to }) => one.card.pings(to, to === address ? 60 : 2));
        expect(await Promise.all(tries), Object.keys(made)[at]).to.deep.equal(nics.map((each) => each.address === address));
      }
    });

    it('for tenants keep off the hosts where these are on the wire themselves, untagged: no host takes them, or none is reached', async () => {
      const { hosts } = cloud.lab;
      const [wire] = await cloud.rows('physicalNetwork', 'label', PHYSICAL_NETWORK);
      const flat = (driver: string) => {
        const subnets = [{ cidr: '192.0.2.0/24', gateway: '192.0.2.254' }];
        return cloud.done('network.create', { name: `flat-${driver}`, physicalNetworkId: wire?.id, driver, vlanId: 0, subnets });
      };
      const addressOf = (host: number) => `192.0.2.${host + 1}`;
      for (const [at, host] of hosts.entries())
        await run(['ip', '-n', host.netns, 'addr', 'add', `${addressOf(at)}/24`, 'dev', EXTERNAL_BRIDGE]);
      const reached = (from: LabMachine) => Promise.all([0, 1].map((host) => from.pings(addressOf(host), 3)));
      const isApart = (yes: boolean) => {
        const words = yes ? ['set', 'port', EXTERNAL_BRIDGE, 'tag=4000'] : ['clear', 'port', EXTERNAL_BRIDGE, 'tag'];
        return Promise.all(hosts.map((host) => host.switch.vsctl(...words)));
      };
      const plainId = await flat('openvswitch');
      const nic = { networkId: plainId, address: '192.0.2.9' };
      const { params } = await cloud.refused('instance.create', cloud.machineInput('flat-no', 0, nic));
      expect(Object.values(params?.reasons as object).join()).to.match(
        /flat-openvswitch: it is on physnet1 itself: .* would reach the host/,
      );
      await isApart(true);
      const ids: string[] = [];
      for (const at of [0, 1]) {
        const wish = cloud.machineInput(`flat-${at}`, at, { ...nic, address: `192.0.2.${9 + at}` });
        ids.push(await until('a host that takes it', () => cloud.tried('instance.create', wish).catch(() => undefined)));
      }
      const [one, other] = await Promise.all(ids.map((id) => cloud.found(id)));
      expect(await reached((one as CloudMachine).card)).to.deep.equal([false, false]);
      expect(await one?.card.pings(String(other?.address)), 'who else is on the wire').to.equal(true);
      for (const id of ids) await cloud.done('instance.delete', {}, id);
      await cloud.done('network.delete', {}, plainId);
      // OVN does not tell what else is on the wire: there operators see to it, by the same means.
      const { card } = await cloud.machine('flat-ovn', 0, { networkId: await flat('ovn'), address: '192.0.2.8' });
      expect(await reached(card)).to.deep.equal([false, false]);
      await isApart(false);
      expect(await reached(card)).to.deep.equal([true, true]);
      for (const [at, host] of hosts.entries())
        await run(['ip', '-n', host.netns, 'addr', 'del', `${addressOf(at)}/24`, 'dev', EXTERNAL_BRIDGE]);
    });

    it('leave nothing in OVN and on the hosts', async () => {
      expect(await cloud.clear()).to.deep.equal([]);
    });
  });
