import { expect } from 'chai';
import { EXTERNAL } from '../../lab/ovn/internet.ts';
import type { Probe } from '../../lab/ovn/probe.ts';
import { until } from '../../lab/waiting.ts';
import { type CloudMachine, OvnCloud, reaches } from './ovn-cloud.ts';

const FAILOVER_MS = 3_000;
const WEB = { protocol: 'http', address: EXTERNAL.web, port: 80 } as const;

describe('the way out of VPCs on OVN, and in', function () {
  this.timeout(600_000);
  let cloud: OvnCloud;
  let externalNetworkId: string;
  let networkId: string;
  let natGatewayId: string;
  let gatewayAddress: string;
  let outside: Probe;
  let web: CloudMachine;

  before(async () => {
    cloud = await OvnCloud.up({ hosts: 3 });
    externalNetworkId = await cloud.external();
    outside = await cloud.lab.ovn.internet.probe();
    const vpc = await cloud.vpc('vpc');
    networkId = vpc.networkId;
    natGatewayId = await cloud.done('natGateway.create', { vpcId: vpc.vpcId, externalNetworkId });
    gatewayAddress = String((await cloud.row('natGateway', natGatewayId)).address);
    const group = await cloud.openGroup(vpc.vpcId);
    web = await cloud.machine('web', 2, { networkId, securityGroupIds: [group] });
    await web.probe.serve({ protocol: 'tcp', port: 80 });
  });
  after(() => cloud?.[Symbol.asyncDispose]());

  const activeHost = async (): Promise<number> => {
    const name = await until('a host that carries the gateway', async () => {
      const { activeHost: found } = (await cloud.asked(`/v1/nat-gateways/${natGatewayId}/status`)) as { readonly activeHost?: string };
      return found;
    });
    return cloud.lab.hosts.findIndex((host) => host.name === name);
  };
  const seen = async (address: string) =>
    until(`the internet sees ${address}`, async () => {
      const greeted = await web.probe.greet(WEB);
      return 'client' in greeted && greeted.client === address ? true : undefined;
    });

  it('is by the address of the gateway, which the internet sees, and names are found there', async () => {
    await seen(gatewayAddress);
    const found = await until('the name', async () => {
      const answer = await web.probe.ask('resolve', { server: EXTERNAL.resolver, name: EXTERNAL.name, type: 'A' });
      return 'records' in answer ? answer.records : undefined;
    });
    expect(found).to.deep.equal([EXTERNAL.web]);
    expect(await outside.greet({ protocol: 'tcp', address: gatewayAddress, port: 80, timeoutMs: 1_500 })).to.have.property('error');
  });

  it('is by a forwarded port', async () => {
    const portForwardId = await cloud.done('portForward.create', {
      natGatewayId,
      protocol: 'tcp',
      externalPort: 8080,
      nicId: web.nicId,
      port: 80,
    });
    expect(await reaches(outside, { address: gatewayAddress, port: 8080 })).to.deep.include({ server: 'web', client: EXTERNAL.gateway });
    await cloud.done('portForward.delete', {}, portForwardId);
    await until('no way in', async () =>
      'error' in (await outside.greet({ protocol: 'tcp', address: gatewayAddress, port: 8080, timeoutMs: 1_500 })) ? true : undefined,
    );
  });

  for (const distributed of [false, true])
    it(`is by an elastic IP that is bound to a machine that runs, ${distributed ? "on the machine's own host" : 'through the gateway'}`, async () => {
      const elasticIpId = await cloud.done('elasticIp.create', { externalNetworkId, distributed });
      const address = String((await cloud.row('elasticIp', elasticIpId)).address);
      await cloud.done('elasticIp.bind', { nicId: web.nicId }, elasticIpId);
      expect(await reaches(outside, { address, port: 80 })).to.deep.include({ server: 'web', client: EXTERNAL.gateway });
      await seen(address);
      const own = cloud.lab.hosts.indexOf(web.card.host);
      const leavesBy = distributed ? own : await activeHost();
      expect(await busiest(40)).to.equal(leavesBy);
      await cloud.done('elasticIp.unbind', {}, elasticIpId);
      await until('nobody at the address', async () =>
        'error' in (await outside.greet({ protocol: 'tcp', address, port: 80, timeoutMs: 1_500 })) ? true : undefined,
      );
      await seen(gatewayAddress);
      await cloud.done('elasticIp.delete', {}, elasticIpId);
    });

  /** The host out of whose external card most packets go while so many requests are made. */
  async function busiest(requests: number): Promise<number> {
    const sent = () =>
      Promise.all(
        cloud.lab.hosts.map(async (_, index) =>
          Number((await cloud.lab.exec(index, ['cat', '/sys/class/net/eth3/statistics/tx_packets'])).stdout),
        ),
      );
    const before = await sent();
    for (let n = 0; n < requests; n++) await web.probe.greet(WEB);
    const grown = (await sent()).map((count, index) => count - (before[index] ?? 0));
    return grown.indexOf(Math.max(...grown));
  }

  it('is carried by another host within 3 s when one is lost, and stays there', async () => {
    const first = await activeHost();
    const others = [0, 1, 2].filter((index) => index !== first);
    const group = (await cloud.rows('securityGroup')).find(({ name }) => name === 'open')?.id;
    const [traveller, neighbour] = await Promise.all(
      others.map((host, index) => cloud.machine(`traveller-${index}`, host, { networkId, securityGroupIds: [group] })),
    );
    if (traveller === undefined || neighbour === undefined) throw new Error('two machines were made');
    await outside.serve({ protocol: 'udp', port: 7, address: EXTERNAL.web });
    await neighbour.probe.serve({ protocol: 'udp', port: 7 });
    const streams = [
      { id: 'out', address: EXTERNAL.web, port: 7, periodMs: 20 },
      // Not touched by the loss: what it is silent for is this machine's own slowness.
      { id: 'near', address: neighbour.address, port: 7, periodMs: 20 },
    ];
    for (const stream of streams) {
      await traveller.probe.ask('stream', stream);
      expect(await traveller.probe.ask('streaming', { id: stream.id, timeoutMs: 60_000 })).to.deep.equal({ alive: true });
    }
    // From here on: finding each other's hosts took its time.
    for (const { id } of streams) await traveller.probe.ask('gap', { id });
    for (const stream of streams) await traveller.probe.ask('stream', stream);
    await cloud.lab.crash(first);
    expect(await traveller.probe.ask('streaming', { id: 'out', timeoutMs: 60_000 })).to.deep.equal({ alive: true });
    const [out, near] = await Promise.all(streams.map(({ id }) => traveller.probe.ask('gap', { id })));
    expect(out?.gapMs).to.be.lessThan(FAILOVER_MS + (near?.gapMs ?? 0));
    const second = await until('another host', async () => {
      const index = await activeHost();
      return index === first ? undefined : index;
    });

    const returning = streams.map((stream) => ({ ...stream, id: `${stream.id}-back` }));
    for (const stream of returning) {
      await traveller.probe.ask('stream', stream);
      expect(await traveller.probe.ask('streaming', { id: stream.id, timeoutMs: 60_000 })).to.deep.equal({ alive: true });
    }
    await cloud.lab.boot(first);
    await cloud.lab.ovn.joined(cloud.lab.hosts);
    expect(await activeHost()).to.equal(second);
    expect(await traveller.probe.ask('streaming', { id: 'out-back', timeoutMs: 60_000 })).to.deep.equal({ alive: true });
    const [outBack, nearBack] = await Promise.all(returning.map(({ id }) => traveller.probe.ask('gap', { id })));
    expect(outBack?.gapMs).to.be.lessThan(FAILOVER_MS + (nearBack?.gapMs ?? 0));
  });

  it('leaves nothing in OVN and on the hosts', async () => {
    expect(await cloud.clear()).to.deep.equal([]);
  });
});
