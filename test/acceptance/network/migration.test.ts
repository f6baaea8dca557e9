import { expect } from 'chai';
import { bridgeName } from '../../../packages/drivers-ovs/src/plain/names.ts';
import { FULL } from '../../../tools/test/slice.ts';
import { expectNoPlainTraces, plainTunnels } from '../../lab/ovn/plain-mesh.ts';
import type { Probe } from '../../lab/ovn/probe.ts';
import { until } from '../../lab/waiting.ts';
import { type CloudMachine, OvnCloud, reaches } from './ovn-cloud.ts';

const ECHO = 7;
const SHARED = { rootVolume: { storageClass: 'shared' } };

/** The machine that goes over is a network namespace: it takes its connections along, and tells its network where it is, as QEMU does for a guest. */
async function cloudOf(network: 'ovn' | 'openvswitch'): Promise<OvnCloud> {
  const cloud = await OvnCloud.up({ hosts: 3, networks: [network] });
  await cloud.done('pool.create', { name: 'shared', driver: 'simulated-shared', clusterId: cloud.clusterId, storageClass: 'shared' });
  return cloud;
}

/** What is said to a machine and what it says itself, while it goes from host to host. */
class Talk {
  readonly #machine: CloudMachine;
  readonly #to: readonly (readonly [Probe, string])[];

  private constructor(machine: CloudMachine, to: readonly (readonly [Probe, string])[]) {
    this.#machine = machine;
    this.#to = to;
  }

  /** `to`: who speaks to it, and at which of its addresses. */
  static async begin(machine: CloudMachine, to: readonly (readonly [Probe, string])[], peer: CloudMachine): Promise<Talk> {
    await machine.probe.serve({ protocol: 'udp', port: ECHO });
    await peer.probe.serve({ protocol: 'tcp', port: 80 });
    await reaches(machine.probe, { address: peer.address, port: 80 });
    await machine.probe.ask('hold', { id: 'talk', address: peer.address, port: 80 });
    for (const [probe, address] of to) await probe.ask('stream', { id: 'talk', address, port: ECHO, periodMs: 20 });
    const talk = new Talk(machine, to);
    await talk.goesOn('before it moves');
    return talk;
  }

  async goesOn(when: string): Promise<void> {
    for (const [probe, address] of this.#to)
      expect(await probe.ask('streaming', { id: 'talk', timeoutMs: 60_000 }), `${probe.name} to ${address} ${when}`).to.deep.equal({
        alive: true,
      });
    expect(await this.#machine.probe.ask('held', { id: 'talk', timeoutMs: 60_000 }), when).to.deep.equal({ alive: true });
  }

  async end(): Promise<void> {
    for (const [probe] of this.#to) await probe.ask('gap', { id: 'talk' });
    await this.#machine.probe.ask('release', { id: 'talk' });
  }
}

if (FULL) {
  describe('a machine that migrates on networks of Open vSwitch alone', function () {
    this.timeout(600_000);
    let cloud: OvnCloud;

    before(async () => {
      cloud = await cloudOf('openvswitch');
    });
    after(() => cloud?.[Symbol.asyncDispose]());

    for (const encapsulation of ['vxlan', 'geneve'] as const)
      it(`is spoken to all the way, in tunnels of ${encapsulation}, and its old host keeps nothing of it`, async () => {
        const physicalNetworkId = await cloud.done('physicalNetwork.create', {
          ...{ clusterId: cloud.clusterId, label: `overlay-${encapsulation}`, role: 'tenant', encapsulation },
          ...{ firstTunnelKey: 9_100_000, lastTunnelKey: 9_100_009 },
        });
        const networkId = await cloud.done('network.create', {
          physicalNetworkId,
          subnets: [{ cidr: '172.31.0.0/24', gateway: '172.31.0.1' }],
        });
        const spec = { id: networkId };
        const [mover, beside, apart] = [
          await cloud.machine('mover', 0, { networkId }, SHARED),
          await cloud.machine('beside', 0, { networkId }),
          await cloud.machine('apart', 2, { networkId }),
        ];
        const talk = await Talk.begin(
          mover,
          [
            [beside.probe, mover.address],
            [apart.probe, mover.address],
          ],
          apart,
        );
        const tunnels = () => Promise.all(cloud.lab.hosts.map(plainTunnels));
        expect(await tunnels()).to.deep.equal([['hv3'], [], ['hv1']]);

        await cloud.done('instance.migrate', { hostId: cloud.hostIds[1] }, mover.id);
        await talk.goesOn('on the second host');
        expect((await tunnels()).map((peers) => [...peers].sort())).to.deep.equal([
          ['hv2', 'hv3'],
          ['hv1', 'hv3'],
          ['hv1', 'hv2'],
        ]);
        const left = await cloud.lab.host(0).switch.vsctl('list-ports', bridgeName(networkId));
        expect(left).to.include(beside.card.device).and.not.include(mover.card.device);
        const told = await cloud.lab.host(0).switch.vsctl('br-get-external-id', bridgeName(networkId));
        expect(told).to.include(beside.nicId).and.not.include(mover.nicId);

        await cloud.done('instance.migrate', { hostId: cloud.hostIds[2] }, mover.id);
        await talk.goesOn('on the third host');
        await expectNoPlainTraces(cloud.lab.host(1), spec, mover.mac);
        expect(await tunnels()).to.deep.equal([['hv3'], [], ['hv1']]);
        await cloud.done('instance.migrate', { hostId: cloud.hostIds[0] }, mover.id);
        await talk.goesOn('back on the first host');
        await talk.end();
        for (const { id } of [mover, beside, apart]) await cloud.done('instance.delete', {}, id);
        await cloud.done('network.delete', {}, networkId);
        await cloud.done('physicalNetwork.delete', {}, physicalNetworkId);
      });

    it('leaves nothing on the hosts', async () => {
      expect(await cloud.clear()).to.deep.equal([]);
    });
  });

  describe('a machine that migrates in a VPC', function () {
    this.timeout(600_000);
    let cloud: OvnCloud;

    before(async () => {
      cloud = await cloudOf('ovn');
    });
    after(() => cloud?.[Symbol.asyncDispose]());

    it('is spoken to all the way, from its network, from another and from outside', async () => {
      const { vpcId, networkId } = await cloud.vpc('shop');
      const other = await cloud.network(vpcId, '10.0.1.0/24');
      const externalNetworkId = await cloud.external();
      await cloud.done('natGateway.create', { vpcId, externalNetworkId });
      const securityGroupIds = [await cloud.openGroup(vpcId)];
      const [mover, beside, apart] = [
        await cloud.machine('mover', 0, { networkId, securityGroupIds }, SHARED),
        await cloud.machine('beside', 0, { networkId, securityGroupIds }),
        await cloud.machine('apart', 2, { networkId: other, securityGroupIds }),
      ];
      const elasticIpId = await cloud.done('elasticIp.create', { externalNetworkId, distributed: true });
      await cloud.done('elasticIp.bind', { nicId: mover.nicId }, elasticIpId);
      const external = String((await cloud.row('elasticIp', elasticIpId)).address);
      const outside = await cloud.lab.ovn.internet.probe();
      await mover.probe.serve({ protocol: 'tcp', port: 80 });
      await reaches(outside, { address: external, port: 80 });
      const to = [
        [beside.probe, mover.address],
        [apart.probe, mover.address],
        [outside, external],
      ] as const;
      const talk = await Talk.begin(mover, to, apart);
      for (const host of [1, 2, 0]) {
        const from = mover.card.host;
        await cloud.done('instance.migrate', { hostId: cloud.hostIds[host] }, mover.id);
        await talk.goesOn(`on ${mover.card.host.name}`);
        expect(mover.card.host.name).to.equal(cloud.lab.host(host).name);
        expect(await from.switch.ports()).to.not.include(mover.card.device);
        const claimed = () =>
          cloud.lab.ovn.central.sbctl('--bare', '--columns=chassis', 'find', 'Port_Binding', `logical_port=${mover.nicId}`);
        const chassis = async (name: string) =>
          (await cloud.lab.ovn.central.sbctl('--bare', '--columns=_uuid', 'find', 'Chassis', `hostname=${name}`)).trim();
        expect((await claimed()).trim()).to.equal(await chassis(mover.card.host.name));
        // A lease goes on where the machine is.
        expect(await until('a lease', () => mover.card.dhcp())).to.include({ ip: mover.address });
      }
      await talk.end();
      await cloud.done('elasticIp.unbind', {}, elasticIpId);
    });

    it('leaves nothing in OVN and on the hosts', async () => {
      expect(await cloud.clear()).to.deep.equal([]);
    });
  });
}
