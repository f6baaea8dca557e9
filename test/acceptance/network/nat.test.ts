import { expect } from 'chai';
import { FULL } from '../../../tools/test/slice.ts';
import { EXTERNAL } from '../../lab/ovn/internet.ts';
import type { Probe } from '../../lab/ovn/probe.ts';
import type { Greeting } from '../../lab/ovn/probe-commands.ts';
import { until } from '../../lab/waiting.ts';
import { type CloudMachine, OvnCloud, reaches } from './ovn-cloud.ts';

const FAILOVER_MS = 3_000;
const knock = (address: string) => ({ protocol: 'tcp', address, port: 80, timeoutMs: 1_500 }) as const;
const WEB6 = { protocol: 'http', address: EXTERNAL.web6, port: 80 } as const;
const WEB = { protocol: 'http', address: EXTERNAL.web, port: 80 } as const;

describe('the way out of VPCs on OVN, and in', function () {
  this.timeout(600_000);
  let cloud: OvnCloud;
  let externalNetworkId: string;
  let networkId: string;
  let natGatewayId: string;
  let gatewayAddress: string;
  let gateway6: string;
  let outside: Probe;
  let web: CloudMachine;

  before(async () => {
    cloud = await OvnCloud.up({ hosts: 3 });
    externalNetworkId = await cloud.external({ ipv4: false, ipv6: true });
    outside = await cloud.lab.ovn.internet.probe();
    const vpc = await cloud.vpc('vpc');
    networkId = vpc.networkId;
    const ipv6SubnetId = await cloud.done('subnet.create', { networkId, cidr: 'fd00:1::/64', ipv6Mode: 'slaac' });
    natGatewayId = await cloud.done('natGateway.create', { vpcId: vpc.vpcId, externalNetworkId });
    gateway6 = String((await cloud.row('natGateway', natGatewayId)).ipv6Address);
    const group = await cloud.openGroup(vpc.vpcId);
    const [first] = await cloud.rows('subnet', 'networkId', networkId);
    web = await cloud.machine('web', 2, { networkId, subnetId: first?.id, ipv6SubnetId, securityGroupIds: [group] });
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
  const seen = async (address: string, at: Greeting = WEB) =>
    until(`the internet sees ${address}`, async () => {
      const greeted = await web.probe.greet(at);
      return 'client' in greeted && greeted.client === address ? true : undefined;
    });

  it('is by IPv6 where the external network has nothing else, and by IPv4 once the gateway is given an address there', async () => {
    await seen(gateway6, WEB6);
    expect(await web.probe.greet({ ...WEB, timeoutMs: 1_500 })).to.have.property('error');
    const subnetId = await cloud.done('subnet.create', {
      networkId: externalNetworkId,
      ...{ cidr: EXTERNAL.cidr, gateway: EXTERNAL.gateway },
    });
    await cloud.done('natGateway.update', { subnetId }, natGatewayId);
    gatewayAddress = String((await cloud.row('natGateway', natGatewayId)).address);
    await Promise.all([seen(gatewayAddress), seen(gateway6, WEB6)]);
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

  it('is with ports that no other subnet has, where each has its own', async () => {
    await cloud.done('natGateway.update', { portsPerSubnet: 1024 }, natGatewayId);
    const [first] = await cloud.rows('subnet', 'networkId', networkId);
    const [block] = await cloud.rows('natPortBlock', 'subnetId', first?.id);
    const ports = async () => {
      const greeted = await web.probe.greet(WEB);
      return 'clientPort' in greeted ? greeted.clientPort : undefined;
    };
    const isOwn = (port: number) => port >= Number(block?.firstPort) && port <= Number(block?.lastPort);
    expect(Number(block?.lastPort) - Number(block?.firstPort)).to.equal(1023);
    await until('ports of the block', async () => isOwn((await ports()) ?? 0) || undefined);
    for (let n = 0; n < 20; n++)
      expect(await ports()).to.satisfy((port?: number) => port !== undefined && isOwn(port), JSON.stringify(block));
    await cloud.done('natGateway.update', { portsPerSubnet: null }, natGatewayId);
  });

  it('is by a forwarded port', async () => {
    const portForwardId = await cloud.done('portForward.create', {
      natGatewayId,
      protocol: 'tcp',
      externalPort: 8080,
      nicId: web.nicId,
      port: 80,
    });
    for (const [address, client] of [
      [gatewayAddress, EXTERNAL.gateway],
      [gateway6, EXTERNAL.gateway6],
    ] as const)
      expect(await reaches(outside, { address, port: 8080 })).to.deep.include({ server: 'web', client });
    await cloud.done('portForward.delete', {}, portForwardId);
    await until('no way in', async () =>
      'error' in (await outside.greet({ protocol: 'tcp', address: gatewayAddress, port: 8080, timeoutMs: 1_500 })) ? true : undefined,
    );
  });

  it('is by IPv6, too: with the address of the gateway, through which nobody comes in unasked', async () => {
    await seen(gateway6, WEB6);
    const { ipv6Address } = await cloud.row('nic', web.nicId);
    // Not even who sends what is for the machine to the gateway.
    await cloud.lab.ovn.internet.exec(['ip', '-6', 'route', 'replace', 'fd00:1::/64', 'via', gateway6]);
    const own = String(ipv6Address);
    const before = await unheard();
    const knocks = [knock(gateway6), knock(own), { ...knock(own), protocol: 'udp', port: 9 } as const];
    for (const answer of await Promise.all(knocks.map((each) => outside.greet(each)))) expect(answer).to.have.property('error');
    expect(await unheard(), 'what has come as far as to the machine').to.equal(before);
  });

  /** Datagrams of IPv6 that came to a port of the machine at which nobody listens. */
  const unheard = async (): Promise<string | undefined> =>
    /^Udp6NoPorts\s+(\d+)$/m.exec((await web.card.exec(['cat', '/proc/net/snmp6'])).stdout)?.[1];

  for (const distributed of [false, true])
    it(`is by an elastic IP that is bound to a machine that runs, ${distributed ? "on the machine's own host" : 'through the gateway'}`, async () => {
      const address6 = distributed ? '2001:db8:0:2::d' : '2001:db8:0:2::c';
      const elasticIpId = await cloud.done('elasticIp.create', { externalNetworkId, distributed });
      const elasticIp6Id = await cloud.done('elasticIp.create', { externalNetworkId, distributed, address: address6 });
      const address = String((await cloud.row('elasticIp', elasticIpId)).address);
      for (const id of [elasticIpId, elasticIp6Id]) await cloud.done('elasticIp.bind', { nicId: web.nicId }, id);
      expect(await reaches(outside, { address, port: 80 })).to.deep.include({ server: 'web', client: EXTERNAL.gateway });
      expect(await reaches(outside, { address: address6, port: 80 })).to.deep.include({ server: 'web', client: EXTERNAL.gateway6 });
      await Promise.all([seen(address), seen(address6, WEB6)]);
      const own = cloud.lab.hosts.indexOf(web.card.host);
      const leavesBy = distributed ? own : await activeHost();
      expect(await busiest(40)).to.equal(leavesBy);
      for (const id of [elasticIpId, elasticIp6Id]) await cloud.done('elasticIp.unbind', {}, id);
      await until('nobody at the addresses', async () => {
        const answers = await Promise.all([address, address6].map((each) => outside.greet(knock(each))));
        return answers.every((answer) => 'error' in answer) ? true : undefined;
      });
      await Promise.all([seen(gatewayAddress), seen(gateway6, WEB6)]);
      for (const id of [elasticIpId, elasticIp6Id]) await cloud.done('elasticIp.delete', {}, id);
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

  interface Loss {
    readonly how: string;
    readonly begins: (host: number) => Promise<void>;
    readonly ends: (host: number) => Promise<void>;
  }
  const losses: readonly Loss[] = [
    { how: 'is lost', begins: (host) => cloud.lab.crash(host), ends: (host) => cloud.lab.boot(host) },
    ...(FULL
      ? [
          {
            how: 'has a switch that hangs',
            begins: (host: number) => cloud.lab.host(host).switch.vswitchd.freeze(),
            ends: (host: number) => cloud.lab.host(host).switch.vswitchd.thaw(),
          },
        ]
      : []),
  ];

  for (const [turn, { how, begins, ends }] of losses.entries())
    it(`is carried by another host within 3 s when one ${how}, and stays there`, async () => {
      const first = await activeHost();
      const others = [0, 1, 2].filter((index) => index !== first);
      const group = (await cloud.rows('securityGroup')).find(({ name }) => name === 'open')?.id;
      const [traveller, neighbour] = await Promise.all(
        others.map((host, index) => cloud.machine(`traveller-${turn}-${index}`, host, { networkId, securityGroupIds: [group] })),
      );
      if (traveller === undefined || neighbour === undefined) throw new Error('two machines were made');
      if (turn === 0) await outside.serve({ protocol: 'udp', port: 7, address: EXTERNAL.web });
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
      await begins(first);
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
      await ends(first);
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
