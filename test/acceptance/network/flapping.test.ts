import { expect } from 'chai';
import { FULL } from '../../../tools/test/slice.ts';
import { until } from '../../lab/waiting.ts';
import { type CloudMachine, OvnCloud, reaches } from './ovn-cloud.ts';

const HEALTH = { intervalSeconds: 1, timeoutSeconds: 1, successes: 1, failures: 1 };
const WEIGHTS = [1, 1, 3];
const PORT = 7;
const COUNT = 600;
/** Five deviations of so many connections that fall to one with a share of a quarter, each by itself. */
const TOLERATED = 5 * Math.sqrt(0.25 * 0.75 * COUNT);
const HOLD_SECONDS = 120;
const FIRST_PORT = 10_000;

interface Health {
  readonly backends: readonly { readonly id: string; readonly health: string; readonly heldUntil?: string }[];
}

if (FULL)
  describe('a server that comes and goes, on OVN', function () {
    this.timeout(900_000);
    let cloud: OvnCloud;
    let client: CloudMachine;
    let servers: readonly CloudMachine[];
    let backends: readonly string[];
    let loadBalancerId: string;
    let address: string;
    let firstPort = FIRST_PORT;

    before(async () => {
      cloud = await OvnCloud.up({ hosts: 2 });
      await cloud.done('settingValue.set', { key: 'loadBalancers.holdSeconds', value: HOLD_SECONDS });
      const { vpcId, networkId } = await cloud.vpc('shop');
      const nic = { networkId, securityGroupIds: [await cloud.openGroup(vpcId)] };
      client = await cloud.machine('client', 0, nic);
      servers = await Promise.all(['one', 'two', 'three'].map((name, index) => cloud.machine(name, index % 2, nic)));
      for (const { probe } of servers) await probe.serve({ protocol: 'udp', port: PORT });
      const [subnet] = await cloud.rows('subnet', 'networkId', networkId);
      loadBalancerId = await cloud.done('loadBalancer.create', { subnetId: subnet?.id });
      address = String((await cloud.row('loadBalancer', loadBalancerId)).address);
      const listenerId = await cloud.done('listener.create', { loadBalancerId, protocol: 'udp', port: PORT, healthCheck: HEALTH });
      const made: string[] = [];
      for (const [index, { nicId }] of servers.entries())
        made.push(await cloud.done('backend.create', { listenerId, nicId, port: PORT, weight: WEIGHTS[index] }));
      backends = made;
      for (const index of backends.keys()) await becomes(index, 'online');
      await reaches(client.probe, { address, port: PORT, protocol: 'udp' });
    });
    after(() => cloud?.[Symbol.asyncDispose]());

    const healthOf = async (index: number) => {
      const { backends: found } = (await cloud.asked(`/v1/load-balancers/${loadBalancerId}/health`)) as Health;
      return found.find(({ id }) => id === backends[index]);
    };
    const becomes = (index: number, wanted: string) =>
      until(`backend ${index} ${wanted}`, async () => ((await healthOf(index))?.health === wanted ? true : undefined));
    const rowOf = (index: number) => cloud.row('backend', backends[index] ?? '');
    const endpoints = () => cloud.lab.ovn.central.nbctl('--bare', '--columns=vips', 'find', 'Load_Balancer', 'protocol=udp');
    const probeOf = (index: number) => (servers[index] as CloudMachine).probe;
    /** Goes out, is seen to be out, and comes back. */
    const flap = async (index: number) => {
      await probeOf(index).ask('close', { protocol: 'udp', port: PORT });
      await until(`backend ${index} out`, async () => ((await healthOf(index))?.health === 'online' ? undefined : true));
      await probeOf(index).serve({ protocol: 'udp', port: PORT });
      await until(`backend ${index} back`, async () => ((await healthOf(index))?.health === 'offline' ? undefined : true));
    };
    /** Where new connections go: from other ports each time, for hosts remember for a while where those went that there were. */
    const spread = () => {
      firstPort += COUNT;
      return client.probe.ask('spread', { address, port: PORT, count: COUNT, firstPort });
    };
    const spreadTo = (...names: readonly string[]) =>
      until(`connections to ${names}`, async () => {
        const tally = await spread();
        return names.every((name) => name in tally) && Object.keys(tally).length === names.length ? tally : undefined;
      });
    const near = (tally: Readonly<Record<string, number>>, name: string, share: number) =>
      expect(Math.abs((tally[name] ?? 0) - share * COUNT), `${name}: ${JSON.stringify(tally)}`).to.be.at.most(TOLERATED);

    it('gets nothing while it is held though it answers, the others what their weights say, also while the server is away', async () => {
      const outs = async () => ((await rowOf(0)).flaps as { readonly outs: readonly string[] } | undefined)?.outs.length ?? 0;
      for (let times = 1; times <= 3; times += 1) {
        await flap(0);
        await until('that it is counted', async () => ((await outs()) === times ? true : undefined));
      }
      expect([(await rowOf(0)).heldReason, (await endpoints()).includes(`${servers[0]?.address}:${PORT}`)]).to.deep.equal([
        undefined,
        true,
      ]);
      await flap(0);
      await becomes(0, 'held');
      const { heldReason, heldUntil, flaps } = await rowOf(0);
      expect([heldReason, flaps]).to.deep.equal(['flapping', { outs: [], holds: 1 }]);
      expect((await healthOf(0))?.heldUntil).to.equal(heldUntil);
      await until('the vip without it', async () => ((await endpoints()).includes(`${servers[0]?.address}:${PORT}`) ? undefined : true));
      // Hosts have it a moment later.
      const held = await spreadTo('two', 'three');
      near(held, 'two', 1 / 4);
      near(held, 'three', 3 / 4);
      const greeted = await client.probe.greet({ protocol: 'udp', address: servers[0]?.address ?? '', port: PORT, timeoutMs: 30_000 });
      expect(greeted).to.include({ server: 'one' });
      await cloud.stop();
      expect(await spread()).to.have.all.keys('two', 'three');
      await cloud.start();
      expect((await rowOf(0)).heldUntil).to.equal(heldUntil);
      expect(await spread()).to.have.all.keys('two', 'three');
      expect(Date.now(), 'looked at while it was held').to.be.below(Date.parse(String(heldUntil)));
    });

    it('is tried again when its time is over, and gets its share', async () => {
      await until('that it is tried again', async () => ((await rowOf(0)).heldUntil === undefined ? true : undefined));
      await becomes(0, 'online');
      const all = await spreadTo('one', 'two', 'three');
      for (const [index, name] of ['one', 'two', 'three'].entries()) near(all, name, (WEIGHTS[index] ?? 0) / 5);
    });

    it('serves where it is the only one that answers, however often it goes out', async () => {
      for (const index of [1, 2]) {
        await probeOf(index).ask('close', { protocol: 'udp', port: PORT });
        await becomes(index, 'offline');
      }
      for (let times = 0; times < 5; times += 1) await flap(0);
      await becomes(0, 'online');
      expect((await rowOf(0)).heldUntil).to.equal(undefined);
      await spreadTo('one');
    });

    it('leaves nothing in OVN and on the hosts', async () => {
      expect(await cloud.clear()).to.deep.equal([]);
    });
  });
