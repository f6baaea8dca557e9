import { expect } from 'chai';
import { FULL } from '../../../tools/test/slice.ts';
import { EXTERNAL } from '../../lab/ovn/internet.ts';
import type { Probe } from '../../lab/ovn/probe.ts';
import { until } from '../../lab/waiting.ts';
import { type CloudMachine, OvnCloud, reaches } from './ovn-cloud.ts';

/** Datagrams of at least so many bytes each way, in a tunnel. */
const DATAGRAMS = 500;
const DATAGRAM_BYTES = 90;
const ECHO = 7;

/** Three hosts, so that there is one more that packets could take their way over. */
if (FULL)
  describe('what machines need of others, on OVN', function () {
    this.timeout(900_000);
    let cloud: OvnCloud;
    let vpcId: string;
    let near: string;
    let far: string;

    before(async () => {
      cloud = await OvnCloud.up({ hosts: 3 });
      ({ vpcId, networkId: near } = await cloud.vpc('shop'));
      far = await cloud.network(vpcId, '10.0.1.0/24');
    });
    after(() => cloud?.[Symbol.asyncDispose]());

    async function machines(
      name: string,
      [here, there]: readonly [number, number],
    ): Promise<readonly [CloudMachine, CloudMachine, CloudMachine]> {
      const made = await Promise.all([
        cloud.machine(`${name}-from`, here, { networkId: near }),
        cloud.machine(`${name}-near`, there, { networkId: near }),
        cloud.machine(`${name}-far`, there, { networkId: far }),
      ]);
      for (const { probe } of made) {
        await probe.serve({ protocol: 'udp', port: ECHO });
        await probe.serve({ protocol: 'tcp', port: 80 });
      }
      const [from, ...others] = made;
      for (const { address } of others) await reaches(from.probe, { address, port: 80 });
      return made;
    }

    /** Bytes that each host has sent and received by a card: `eth2` is that of the tunnels, `eth0` leads to OVN's central part. */
    const carried = (card: 'eth0' | 'eth2', hosts: readonly number[]) =>
      Promise.all(
        hosts.map(async (host) => {
          const folder = `/sys/class/net/${card}/statistics`;
          const { stdout } = await cloud.lab.exec(host, ['cat', `${folder}/tx_bytes`, `${folder}/rx_bytes`]);
          return stdout
            .trim()
            .split('\n')
            .reduce((sum, count) => sum + Number(count), 0);
        }),
      );

    /** What some machines say to each other is seen at these two hosts' tunnels, both times, and nowhere else. */
    async function takesNoDetour(
      from: CloudMachine,
      to: CloudMachine,
      [here, there]: readonly [number, number],
      elsewhere: readonly number[],
    ) {
      const look = async () => ({
        ends: await carried('eth2', [here, there]),
        others: [...(await carried('eth2', elsewhere)), ...(await carried('eth0', [here, there, ...elsewhere]))],
      });
      const before = await look();
      const id = `${from.name} ${to.name}`;
      await from.probe.ask('stream', { id, address: to.address, port: ECHO, periodMs: 2 });
      const bytes = 2 * DATAGRAMS * DATAGRAM_BYTES;
      const grown = (now: readonly number[], then: readonly number[]) => now.map((count, at) => count - (then[at] ?? 0));
      const after = await until(`${id} in the tunnel`, async () => {
        const now = await look();
        return Math.min(...grown(now.ends, before.ends)) >= bytes ? now : undefined;
      });
      const { received } = await from.probe.ask('gap', { id });
      expect(received, 'answers').to.be.greaterThan(DATAGRAMS / 2);
      for (const count of grown(after.others, before.others)) expect(count, JSON.stringify([before, after])).to.be.lessThan(bytes / 4);
    }

    it('is no host but their two, within a subnet and between two, where there is no gateway', async () => {
      const [from, ...others] = await machines('plain', [0, 1]);
      expect((await cloud.rows('natGateway')).length).to.equal(0);
      for (const table of ['Gateway_Chassis', 'HA_Chassis'])
        expect((await cloud.lab.ovn.central.nbctl('--bare', '--columns=chassis_name', 'list', table)).trim()).to.equal('');
      for (const to of others) await takesNoDetour(from, to, [0, 1], [2]);
      for (const { id } of [from, ...others]) await cloud.done('instance.delete', {}, id);
    });

    it('is no host but their two beside a gateway, and neither the cloud, nor OVN’s central part, nor the gateway’s host', async () => {
      const externalNetworkId = await cloud.external();
      const natGatewayId = await cloud.done('natGateway.create', { vpcId, externalNetworkId });
      const name = await until('a host that carries the gateway', async () => {
        const { activeHost } = (await cloud.asked(`/v1/nat-gateways/${natGatewayId}/status`)) as { readonly activeHost?: string };
        return activeHost;
      });
      const gateway = cloud.lab.hosts.findIndex((host) => host.name === name);
      const [here = 0, there = 0] = [0, 1, 2].filter((host) => host !== gateway);
      const [from, beside, routed] = await machines('gated', [here, there]);
      for (const to of [beside, routed]) await takesNoDetour(from, to, [here, there], [gateway]);

      // All that the cloud does for machines: a way out, a way in on their own host, and a balancer.
      const securityGroupId = await cloud.openGroup(vpcId);
      for (const { nicId } of [from, beside, routed]) await cloud.done('securityGroupMember.create', { securityGroupId, nicId });
      const elasticIpId = await cloud.done('elasticIp.create', { externalNetworkId, distributed: true });
      await cloud.done('elasticIp.bind', { nicId: from.nicId }, elasticIpId);
      const external = String((await cloud.row('elasticIp', elasticIpId)).address);
      const [subnet] = await cloud.rows('subnet', 'networkId', near);
      const loadBalancerId = await cloud.done('loadBalancer.create', { subnetId: subnet?.id });
      const listenerId = await cloud.done('listener.create', { loadBalancerId, protocol: 'tcp', port: 80 });
      for (const { nicId } of [beside, routed]) await cloud.done('backend.create', { listenerId, nicId, port: 80 });
      const balanced = String((await cloud.row('loadBalancer', loadBalancerId)).address);
      const outside = await cloud.lab.ovn.internet.probe();
      await outside.serve({ protocol: 'udp', port: ECHO, address: EXTERNAL.web });
      await reaches(from.probe, { address: balanced, port: 80 });
      await reaches(outside, { address: external, port: 80 });
      await cloud.lab.ovn.central.settle();
      const before = await cloud.wanted();

      await using lease = await from.card.keepsLease();
      const streams: readonly (readonly [Probe, string, string])[] = [
        [from.probe, 'beside', beside.address],
        [from.probe, 'routed', routed.address],
        [outside, 'in', external],
        [routed.probe, 'out', EXTERNAL.web],
      ];
      const streamed = async (only: readonly string[]) => {
        for (const [probe, id, address] of streams)
          if (only.includes(id)) await probe.ask('stream', { id, address, port: ECHO, periodMs: 20 });
      };
      await streamed(streams.map(([, id]) => id));
      await from.probe.ask('hold', { id: 'kept', address: routed.address, port: 80 });
      const allGoesOn = async (when: string, silent: readonly string[] = []) => {
        for (const [probe, id] of streams) {
          if (silent.includes(id)) continue;
          expect(await probe.ask('streaming', { id, timeoutMs: 30_000 }), `${id} ${when}`).to.deep.equal({ alive: true });
        }
        expect(await from.probe.ask('held', { id: 'kept', timeoutMs: 30_000 }), when).to.deep.equal({ alive: true });
        expect((await lease.renewed()).at(-1), when).to.include({ event: 'renew', ip: from.address });
        const asked = { server: from.lease.dns ?? '', name: 'gated-far.shop.internal', type: 'A', timeoutMs: 2_000 } as const;
        const records = await until(`a name ${when}`, async () => {
          const answer = await from.probe.ask('resolve', asked);
          return 'records' in answer ? answer.records : undefined;
        });
        expect(records, when).to.deep.equal([routed.address]);
        for (const to of [beside.address, routed.address, balanced]) await reaches(from.probe, { address: to, port: 80 });
        await reaches(outside, { address: external, port: 80 });
      };
      await allGoesOn('while all is there');
      await cloud.stop();
      await allGoesOn('without the cloud');
      await cloud.lab.ovn.central.kill();
      await allGoesOn('without the cloud and OVN’s central part');
      // What goes by the gateway as it should is not to be taken for what should not.
      await routed.probe.ask('gap', { id: 'out' });
      for (const to of [beside, routed]) await takesNoDetour(from, to, [here, there], [gateway]);
      await streamed(['out']);
      await cloud.lab.crash(gateway);
      await allGoesOn('without the gateway’s host, too', ['out']);

      await cloud.lab.boot(gateway);
      await cloud.lab.ovn.central.start();
      await cloud.start();
      await cloud.lab.ovn.joined(cloud.lab.hosts);
      await allGoesOn('with all of it back');
      // By ports and rows that were there before, each once.
      const same = async () => (JSON.stringify(await cloud.wanted()) === JSON.stringify(before) ? true : undefined);
      await until('what was there before', same).catch(async () => expect(await cloud.wanted()).to.deep.equal(before));
    });

    it('leave nothing in OVN and on the hosts', async () => {
      expect(await cloud.clear()).to.deep.equal([]);
    });
  });
