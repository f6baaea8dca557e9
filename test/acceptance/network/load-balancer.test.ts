import { expect } from 'chai';
import { FULL } from '../../../tools/test/slice.ts';
import type { Probe } from '../../lab/ovn/probe.ts';
import { until } from '../../lab/waiting.ts';
import { type CloudMachine, OvnCloud, reaches } from './ovn-cloud.ts';

const TOLERANCE = 0.05;
const DEVIATIONS = 5;
/** Patient with servers that answer late because the machine is busy; one that refuses is seen as soon. */
const HEALTH = { intervalSeconds: 2, timeoutSeconds: 2, successes: 1, failures: 2 };

interface Health {
  readonly backends: readonly { readonly id: string; readonly health: string }[];
}

describe('load balancers on OVN', function () {
  this.timeout(600_000);
  let cloud: OvnCloud;
  let client: CloudMachine;
  let servers: readonly CloudMachine[];
  let backends: readonly string[];
  let loadBalancerId: string;
  let address: string;
  let externalNetworkId: string;
  let vpcId: string;
  let nic: { readonly networkId: string; readonly securityGroupIds: readonly string[] };

  before(async () => {
    cloud = await OvnCloud.up({ hosts: 2 });
    externalNetworkId = await cloud.external();
    const vpc = await cloud.vpc('vpc');
    vpcId = vpc.vpcId;
    const { networkId } = vpc;
    await cloud.done('natGateway.create', { vpcId, externalNetworkId });
    nic = { networkId, securityGroupIds: [await cloud.openGroup(vpcId)] };
    client = await cloud.machine('client', 0, nic);
    servers = await Promise.all(['one', 'two', 'three'].map((name, index) => cloud.machine(name, index % 2, nic)));
    for (const { probe } of servers) await probe.serve({ protocol: 'tcp', port: 8080 });
    const [subnet] = await cloud.rows('subnet', 'networkId', networkId);
    loadBalancerId = await cloud.done('loadBalancer.create', { subnetId: subnet?.id });
    address = String((await cloud.row('loadBalancer', loadBalancerId)).address);
    const listenerId = await cloud.done('listener.create', { loadBalancerId, protocol: 'tcp', port: 80, healthCheck: HEALTH });
    const made: string[] = [];
    for (const [index, { nicId }] of servers.entries())
      made.push(await cloud.done('backend.create', { listenerId, nicId, port: 8080, weight: index === 2 ? 2 : 1 }));
    backends = made;
  });
  after(() => cloud?.[Symbol.asyncDispose]());

  const healthOf = async (index: number) => {
    const { backends: found } = (await cloud.asked(`/v1/load-balancers/${loadBalancerId}/health`)) as Health;
    return found.find(({ id }) => id === backends[index])?.health;
  };
  const becomes = (index: number, wanted: string) =>
    until(`backend ${index} ${wanted}`, async () => ((await healthOf(index)) === wanted ? true : undefined));

  /** How often each server answered; `error` counts what failed. */
  async function spread(from: Probe, to: string, count: number): Promise<Readonly<Record<string, number>>> {
    const tally: Record<string, number> = {};
    for (let n = 0; n < count; n++) {
      const greeted = await from.greet({ protocol: 'tcp', address: to, port: 80, timeoutMs: 30_000 });
      const name = 'server' in greeted ? greeted.server : 'error';
      tally[name] = (tally[name] ?? 0) + 1;
    }
    return tally;
  }

  it('spread connections by weight, over machines of all hosts', async () => {
    for (const index of backends.keys()) await becomes(index, 'online');
    await reaches(client.probe, { address, port: 80 });
    const tally = await spread(client.probe, address, 24);
    expect(tally.error ?? 0, JSON.stringify(tally)).to.equal(0);
    expect(tally).to.have.all.keys('one', 'two', 'three');
  });

  /**
   * Each connection falls to a server by a hash of its addresses and ports, as good as independently of the others: of n a server with share p gets a number of them with the
   * deviation sqrt(n p (1 - p)). There are so many that five deviations are a twentieth: of all of them, in the full run of each server's own share. With the same ports each time
   * a run hashes as the one before.
   */
  const ways = [
    [1, 2, 3],
    ...(FULL
      ? [
          [1, 1, 1],
          [1, 1, 2],
          [3, 2],
        ]
      : []),
  ];
  for (const [way, weights] of ways.entries())
    it(`give servers within 5 ${FULL ? '% of' : 'points of'} what weights ${weights.join(':')} say`, async () => {
      // Each its own: hosts remember for a while where connections went that there were.
      const port = 1_000 + way;
      const listenerId = await cloud.done('listener.create', { loadBalancerId, protocol: 'udp', port });
      for (const [index, weight] of weights.entries()) {
        await servers[index]?.probe.serve({ protocol: 'udp', port });
        await cloud.done('backend.create', { listenerId, nicId: servers[index]?.nicId, port, weight });
      }
      await reaches(client.probe, { address, port, protocol: 'udp' });
      const sum = weights.reduce((total, weight) => total + weight);
      const shares = weights.map((weight) => weight / sum);
      const toleratedOf = (share: number) => TOLERANCE * (FULL ? share : 1);
      const count = Math.ceil(Math.max(...shares.map((share) => (DEVIATIONS ** 2 * share * (1 - share)) / toleratedOf(share) ** 2)));
      const tally = await client.probe.ask('spread', { address, port, count });
      expect(tally.error ?? 0, JSON.stringify(tally)).to.equal(0);
      for (const [index, share] of shares.entries()) {
        const got = (tally[String(servers[index]?.name)] ?? 0) / count;
        expect(Math.abs(got - share), `${servers[index]?.name} of ${weights}: ${JSON.stringify(tally)}`).to.be.at.most(toleratedOf(share));
      }
      await cloud.done('listener.delete', {}, listenerId);
    });

  if (FULL)
    it('give the three that are left of four equal servers a third each', async () => {
      const [port, toleratedShare] = [1_100, TOLERANCE / 3];
      const four = [...servers, await cloud.machine('four', 1, nic)];
      const listenerId = await cloud.done('listener.create', { loadBalancerId, protocol: 'udp', port, healthCheck: HEALTH });
      for (const { nicId, probe } of four) {
        await probe.serve({ protocol: 'udp', port });
        await cloud.done('backend.create', { listenerId, nicId, port });
      }
      await reaches(client.probe, { address, port, protocol: 'udp' });
      await servers[1]?.probe.ask('close', { protocol: 'udp', port });
      // By other ports than those that are counted: where a connection went once it goes for a while.
      await until('nobody sent to the one that is out', async () => {
        for (let n = 0; n < 40; n += 1)
          if ('error' in (await client.probe.greet({ protocol: 'udp', address, port, timeoutMs: 30_000 }))) return undefined;
        return true;
      });
      const count = Math.ceil((DEVIATIONS ** 2 * (2 / 9)) / toleratedShare ** 2);
      const tally = await client.probe.ask('spread', { address, port, count });
      expect(tally.error ?? 0, JSON.stringify(tally)).to.equal(0);
      for (const name of ['one', 'three', 'four'])
        expect(Math.abs((tally[name] ?? 0) / count - 1 / 3), `${name}: ${JSON.stringify(tally)}`).to.be.at.most(toleratedShare);
      await cloud.done('listener.delete', {}, listenerId);
      await cloud.done('instance.delete', {}, four[3]?.id);
    });

  it('take a server out that does not answer, and back in when it does', async () => {
    await servers[0]?.probe.ask('close', { protocol: 'tcp', port: 8080 });
    await becomes(0, 'offline');
    // Hosts learn of it a moment later; until then it refuses.
    const without = await until('nobody sent to it', async () => {
      const tally = await spread(client.probe, address, 20);
      return tally.error === undefined ? tally : undefined;
    });
    expect(without).to.have.all.keys('two', 'three');
    await servers[0]?.probe.serve({ protocol: 'tcp', port: 8080 });
    await becomes(0, 'online');
    await until('the server again', async () => ((await spread(client.probe, address, 10)).one === undefined ? undefined : true));
  });

  if (FULL) {
    /** A number that the kernel of a server's machine counts. */
    const counted = async ({ card }: CloudMachine, protocol: 'Tcp' | 'Udp', what: string): Promise<number> => {
      const { stdout } = await card.exec(['cat', '/proc/net/snmp']);
      const [names = [], values = []] = stdout
        .split('\n')
        .filter((line) => line.startsWith(`${protocol}: `))
        .map((line) => line.split(' '));
      return Number(values[names.indexOf(what)]);
    };
    const asked = { intervalSeconds: 1, timeoutSeconds: 1, successes: 1 };
    const checked = async (server: CloudMachine, listener: object, port: number) => {
      const listenerId = await cloud.done('listener.create', { loadBalancerId, ...listener });
      backends = [...backends, await cloud.done('backend.create', { listenerId, nicId: server.nicId, port })];
      return { listenerId, index: backends.length - 1 };
    };

    it('take a server of UDP out that refuses or is off, and none that is silent', async () => {
      const server = await cloud.machine('quiet', 1, nic);
      const silent = { protocol: 'udp', port: 9000, isSilent: true } as const;
      await server.probe.serve(silent);
      const { index, listenerId } = await checked(server, { protocol: 'udp', port: 90, healthCheck: { ...asked, failures: 2 } }, 9000);
      await becomes(index, 'online');
      const before = await counted(server, 'Udp', 'InDatagrams');
      await until(
        'five questions that nobody answered',
        async () => (await counted(server, 'Udp', 'InDatagrams')) >= before + 5 || undefined,
      );
      expect(await healthOf(index)).to.equal('online');
      await server.probe.ask('close', silent);
      await becomes(index, 'offline');
      await server.probe.serve(silent);
      await becomes(index, 'online');
      await cloud.done('instance.stop', {}, server.id);
      await becomes(index, 'offline');
      await cloud.done('listener.delete', {}, listenerId);
      await cloud.done('instance.delete', {}, server.id);
    });

    it('add failures up, also where answers are between them', async () => {
      const [server] = servers as [CloudMachine];
      const [failures, aTurn] = [9, 4];
      const at = { protocol: 'tcp', port: 9001 } as const;
      await server.probe.serve(at);
      const { index, listenerId } = await checked(server, { protocol: 'tcp', port: 91, healthCheck: { ...asked, failures } }, 9001);
      await becomes(index, 'online');
      const refusals = () => counted(server, 'Tcp', 'OutRsts');
      const answers = async () => (await counted(server, 'Tcp', 'OutSegs')) - (await refusals());
      for (let turns = 1; ; turns++) {
        const [refused, answered] = [await refusals(), await answers()];
        await server.probe.ask('close', at);
        await until('refusals', async () => (await refusals()) >= refused + aTurn || undefined);
        const isOut = (await healthOf(index)) === 'offline';
        await server.probe.serve(at);
        expect((await refusals()) - refused, 'in a row').to.be.lessThan(failures);
        if (isOut) {
          expect(turns).to.be.greaterThan(1);
          break;
        }
        await until('an answer', async () => (await answers()) > answered || undefined);
      }
      await becomes(index, 'online');
      await cloud.done('listener.delete', {}, listenerId);
      await server.probe.ask('close', at);
    });
  }

  it('drain: with weight 0 a server keeps its connections and gets no new ones', async () => {
    for (;;) {
      const held = await client.probe.ask('hold', { id: 'drained', address, port: 80 });
      if ('server' in held && held.server === 'two') break;
      await client.probe.ask('release', { id: 'drained' });
    }
    await cloud.done('backend.update', { weight: 0 }, backends[1]);
    await until('no new connection', async () => ((await spread(client.probe, address, 20)).two === undefined ? true : undefined));
    expect(await client.probe.ask('held', { id: 'drained', timeoutMs: 30_000 })).to.deep.equal({ alive: true });
    await cloud.done('backend.update', { weight: 1 }, backends[1]);
  });

  it('are reached from outside by an elastic IP', async () => {
    const elasticIpId = await cloud.done('elasticIp.create', { externalNetworkId });
    const external = String((await cloud.row('elasticIp', elasticIpId)).address);
    await cloud.done('elasticIp.bind', { loadBalancerId }, elasticIpId);
    const outside = await cloud.lab.ovn.internet.probe();
    await reaches(outside, { address: external, port: 80 });
    const tally = await spread(outside, external, 40);
    expect(tally.error ?? 0, JSON.stringify(tally)).to.equal(0);
    expect(Object.keys(tally)).to.have.members(['one', 'two', 'three']);
    await cloud.done('elasticIp.unbind', {}, elasticIpId);
  });

  if (FULL)
    it('spread connections over IPv6, too, to machines of both hosts', async () => {
      const subnets = [{ cidr: '10.0.6.0/24' }, { cidr: 'fd00:6::/64', ipv6Mode: 'slaac' }];
      const networkId = await cloud.done('network.create', { vpcId, subnets });
      const [four, six] = ['10.0.6.0/24', 'fd00:6::/64'].map(async (cidr) => (await cloud.rows('subnet', 'cidr', cidr))[0]?.id);
      const both = { ...nic, networkId, subnetId: await four, ipv6SubnetId: await six };
      const [asker, ...others] = await Promise.all(['asker', 'six-0', 'six-1'].map((name, at) => cloud.machine(name, at % 2, both)));
      const balancer = await cloud.done('loadBalancer.create', { subnetId: await six });
      const listenerId = await cloud.done('listener.create', { loadBalancerId: balancer, protocol: 'tcp', port: 80 });
      for (const { nicId, card, probe } of [asker, ...others] as readonly CloudMachine[]) {
        const own = String((await cloud.row('nic', nicId)).ipv6Address);
        await until(`${own} by router advertisement`, async () =>
          (await card.exec(['ip', '-6', 'addr', 'show', 'dev', 'eth0'])).stdout.includes(` ${own}/64`) ? true : undefined,
        );
        await probe.serve({ protocol: 'tcp', port: 8080 });
        if (nicId !== asker?.nicId) await cloud.done('backend.create', { listenerId, nicId, port: 8080 });
      }
      const { probe } = asker as CloudMachine;
      const to = String((await cloud.row('loadBalancer', balancer)).address);
      expect(to).to.include(':');
      await reaches(probe, { address: to, port: 80 });
      const tally = await spread(probe, to, 24);
      expect(tally, JSON.stringify(tally)).to.have.all.keys('six-0', 'six-1');
    });

  it('leave nothing in OVN and on the hosts', async () => {
    expect(await cloud.clear()).to.deep.equal([]);
  });
});
