import { systemPrincipal } from '@pileus/core';
import { expect } from 'chai';
import { ovnContents } from '../../../tools/system/ovn-rows.ts';
import { FULL } from '../../../tools/test/slice.ts';
import { EXTERNAL } from '../../lab/ovn/internet.ts';
import type { Probe } from '../../lab/ovn/probe.ts';
import { until } from '../../lab/waiting.ts';
import { type CloudMachine, cut, OvnCloud, reaches, withoutRank } from './ovn-cloud.ts';

const LIMIT = { outboundBytesPerSecond: 2_000_000 };

if (FULL)
  describe('networks on OVN while it does not know hosts, and while parts of it are away for long', function () {
    this.timeout(1_800_000);
    let cloud: OvnCloud;
    let vpcId: string;
    let externalNetworkId: string;
    let natGatewayId: string;
    let elasticIpId: string;
    let listenerId: string;
    let nic: { readonly networkId: string; readonly securityGroupIds: readonly string[] };
    let a: CloudMachine;
    let b: CloudMachine;
    let outside: Probe;

    before(async () => {
      cloud = await OvnCloud.up({ hosts: 2 });
      externalNetworkId = await cloud.external();
      const vpc = await cloud.vpc('shop');
      vpcId = vpc.vpcId;
      natGatewayId = await cloud.done('natGateway.create', { vpcId, externalNetworkId });
      nic = { networkId: vpc.networkId, securityGroupIds: [await cloud.openGroup(vpcId)] };
      a = await cloud.machine('a', 0, nic);
      b = await cloud.machine('b', 1, nic);
      for (const { probe, nicId } of [a, b]) {
        await probe.serve({ protocol: 'tcp', port: 80 });
        await probe.serve({ protocol: 'udp', port: 7 });
        await cloud.done('nic.setLimits', { limits: LIMIT }, nicId);
      }
      elasticIpId = await cloud.done('elasticIp.create', { externalNetworkId });
      const [subnet] = await cloud.rows('subnet', 'networkId', vpc.networkId);
      const loadBalancerId = await cloud.done('loadBalancer.create', { subnetId: subnet?.id });
      listenerId = await cloud.done('listener.create', { loadBalancerId, protocol: 'tcp', port: 80 });
      outside = await cloud.lab.ovn.internet.probe();
      await outside.serve({ protocol: 'udp', port: 7, address: EXTERNAL.web });
      await reaches(a.probe, { address: b.address, port: 80 });
    });
    after(() => cloud?.[Symbol.asyncDispose]());

    const central = () => cloud.lab.ovn.central;
    const contents = () => ovnContents(central().northboundRemote, 'OVN_Northbound');
    /** Without the order in which hosts may carry the gateway: when the one that has it is away another takes over, and keeps it. */
    const unranked = async () => (await contents()).map(withoutRank).sort();
    const carrier = () =>
      until('a host that carries the gateway', async () => {
        const { activeHost } = (await cloud.asked(`/v1/nat-gateways/${natGatewayId}/status`)) as { readonly activeHost?: string };
        return activeHost;
      });
    /** Has the cloud make anew what depends on what hosts said of themselves. */
    const madeAnew = async () => {
      for (const { nicId } of [a, b]) {
        await cloud.done('nic.setLimits', { limits: { outboundBytesPerSecond: 3_000_000 } }, nicId);
        await cloud.done('nic.setLimits', { limits: LIMIT }, nicId);
      }
      await cloud.done('natGateway.update', { portsPerSubnet: 1024 }, natGatewayId);
      await cloud.done('natGateway.update', { portsPerSubnet: null }, natGatewayId);
    };
    const becomes = async (before: readonly string[], what: () => Promise<readonly string[]>) =>
      until('what there was before', async () => (JSON.stringify(await what()) === JSON.stringify(before) ? true : undefined)).catch(
        async () => expect(await what()).to.deep.equal(before),
      );
    const noTrouble = () =>
      until('no trouble', async () => {
        const hosts = await Promise.all(cloud.hostIds.map((id) => cloud.row('host', id)));
        return hosts.every(({ networkTroubles }) => networkTroubles === undefined) ? true : undefined;
      });

    it('go on when the southbound database comes back empty, with what was said to it and by whom it was carried', async () => {
      const streams = [
        { id: 'near', address: b.address, port: 7, periodMs: 20 },
        { id: 'out', address: EXTERNAL.web, port: 7, periodMs: 20 },
      ];
      for (const stream of streams) await a.probe.ask('stream', stream);
      const goesOn = async (when: string) => {
        for (const { id } of streams)
          expect(await a.probe.ask('streaming', { id, timeoutMs: 60_000 }), `${id} ${when}`).to.deep.equal({ alive: true });
      };
      await goesOn('before');
      const [first, before] = [await carrier(), await contents()];
      expect(before.filter((line) => line.startsWith('QoS '))).to.have.length(2);
      // Until they go on nobody tells OVN of any host.
      for (const host of cloud.lab.hosts) await host.switch.controller.freeze();
      try {
        await central().loseSouthbound();
        await until('the database that was rebuilt', async () =>
          (await central().sbctl('--bare', '--columns=_uuid', 'list', 'Datapath_Binding')) === '' ? undefined : true,
        );
        expect(await central().sbctl('--bare', '--columns=name', 'list', 'Chassis')).to.equal('');
        await madeAnew();
        expect(await contents()).to.deep.equal(before);
        await goesOn('without hosts');
      } finally {
        for (const host of cloud.lab.hosts) await host.switch.controller.thaw();
      }
      await cloud.lab.ovn.joined(cloud.lab.hosts);
      await goesOn('with hosts');
      expect(await carrier()).to.equal(first);
      await becomes(before, contents);
      await noTrouble();
      for (const [from, to] of [
        [a, b],
        [b, a],
      ] as const)
        await reaches(from.probe, { address: to.address, port: 80 });
    });

    it('lose a host whose controller ends in good order, until it is back, and change nothing of what it has', async () => {
      const before = await unranked();
      const host = cloud.lab.host(1).switch;
      await host.leaveOvn();
      try {
        await cut(a.probe, { address: b.address, port: 80 });
        const told = await until('trouble', async () => (await cloud.row('host', String(cloud.hostIds[1]))).networkTroubles);
        expect(JSON.stringify(told)).to.include('ovn-controller');
        await madeAnew();
        expect(await unranked()).to.deep.equal(before);
      } finally {
        await host.controller.start();
      }
      await reaches(a.probe, { address: b.address, port: 80 });
      await noTrouble();
      await becomes(before, unranked);
    });

    /** Begins an action, and answers what becomes of it. */
    const begun = async (action: string, input: object, resourceId?: string) => {
      const { kernel } = cloud;
      const target = resourceId === undefined ? {} : { resourceId };
      const { operationId } = await kernel.submit({ action, input, principal: systemPrincipal(), ...target });
      return { action, state: async () => String((await cloud.row('operation', operationId)).state) };
    };
    const outages = [
      { what: 'the northbound database', given: ['instance.create', 'natGateway.create', 'elasticIp.bind', 'backend.create'] },
      { what: 'the southbound database', given: ['instance.create', 'natGateway.create'] },
      { what: 'the switch of a host', given: ['instance.create'] },
    ] as const;
    for (const [index, { what, given }] of outages.entries())
      it(`give up what cannot be done while ${what} hangs, and leave nothing of it`, async () => {
        const other = await cloud.vpc(`other-${index}`, '10.9.0.0/24');
        await central().settle();
        const [rows, before] = [await cloud.wanted(), await unranked()];
        const daemon = {
          'the northbound database': central().northbound,
          'the southbound database': central().southbound,
          'the switch of a host': cloud.lab.host(1).switch.vswitchd,
        }[what];
        const started: (Awaited<ReturnType<typeof begun>> & { readonly isGivenUp: boolean })[] = [];
        const begin = async (...[action, ...rest]: Parameters<typeof begun>) =>
          started.push({ ...(await begun(action, ...rest)), isGivenUp: (given as readonly string[]).includes(action) });
        await daemon.freeze();
        try {
          await begin('instance.create', cloud.machineInput('late', 1, nic));
          await begin('natGateway.create', { vpcId: other.vpcId, externalNetworkId });
          await begin('elasticIp.bind', { nicId: a.nicId }, elasticIpId);
          await begin('backend.create', { listenerId, nicId: b.nicId, port: 80 });
          for (const { action, state, isGivenUp } of started)
            if (isGivenUp) await patiently(`${action} is given up`, async () => !['queued', 'running'].includes(await state()));
        } finally {
          await daemon.thaw();
        }
        for (const { action, state, isGivenUp } of started) {
          await patiently(`${action} has ended`, async () => ['succeeded', 'failed'].includes(await state()));
          expect([action, await state()]).to.deep.equal([action, isGivenUp ? 'failed' : 'succeeded']);
        }
        // What could be done nevertheless is there, and goes.
        for (const { id } of await cloud.rows('backend')) await cloud.done('backend.delete', {}, id);
        if ((await cloud.row('elasticIp', elasticIpId)).nicId !== undefined) await cloud.done('elasticIp.unbind', {}, elasticIpId);
        for (const { id } of await cloud.rows('natGateway', 'vpcId', other.vpcId)) await cloud.done('natGateway.delete', {}, id);
        await becomes(before, unranked);
        await becomes(rows, () => cloud.wanted());
        await cloud.done('network.delete', {}, other.networkId);
        await cloud.done('vpc.delete', {}, other.vpcId);
        await noTrouble();
        const again = await cloud.machine('again', 1, nic);
        await reaches(again.probe, { address: a.address, port: 80 });
        await cloud.done('instance.delete', {}, again.id);
      });

    it('leave nothing in OVN and on the hosts', async () => {
      expect(await cloud.clear()).to.deep.equal([]);
    });
  });

/** Each of three attempts at a step has a minute. */
async function patiently(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    const found = await until(what, async () => ((await isSo()) ? true : undefined)).catch((error: unknown) => {
      if (tries === 3) throw error;
      return undefined;
    });
    if (found === true) return;
  }
}
