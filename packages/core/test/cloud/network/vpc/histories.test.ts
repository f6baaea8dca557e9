import { KEPT_SORTS, SimRandom } from '@pileus/core/testing';
import { expect } from 'chai';
import { commit, FULL } from '../../../../../../tools/test/slice.ts';
import { stray } from '../../../../src/cloud/index.ts';
import { operation } from '../../../../src/kernel/index.ts';
import type { PortSpec } from '../../../../src/strategy/index.ts';
import { LOOK_MS, MachineStage } from '../../compute/machine-stage.ts';

const ROUNDS = 40;
const AT_ONCE = 3;
/** Longer than a history. */
const NEVER_SECONDS = 86_400;

const DISK = { rootVolume: { storageClass: 'shared' } };
const HEALTH = { intervalSeconds: 5, timeoutSeconds: 5, successes: 1 };
/** Others with each commit, of which a failure names its own: `PILEUS_SEED` plays it again. */
const FIRST = Number(process.env.PILEUS_SEED ?? Number.parseInt(commit.slice(0, 7), 16)) || 1;
const seedsOf = (from: number) => Array.from({ length: FULL ? 25 : 3 }, (_, at) => from + at);

type Wish = readonly [action: string, input: object, on?: string];

/** Requests at random about VPCs and all that lies around networks, several at once, on whatever is there by then. */
class History {
  readonly stage: MachineStage;
  readonly #random: SimRandom;
  readonly #outside: { readonly externalNetworkId: string };
  #made = 0;

  private constructor(stage: MachineStage, random: SimRandom, externalNetworkId: string) {
    this.stage = stage;
    this.#random = random;
    this.#outside = { externalNetworkId };
  }

  static async begun(seed: number, presets = {}): Promise<History> {
    const stage = await MachineStage.with({ hosts: 2, network: false, cpus: 512 }, { seed: `history-${seed}`, presets });
    // Machines move between hosts that reach their disks both.
    const { clusterId } = stage;
    await stage.sim.done('pool.create', { name: 'shared', driver: 'simulated-shared', clusterId, storageClass: 'shared' });
    const cables = { name: 'uplink', label: 'physnet1', role: 'external', clusterId };
    const physicalNetworkId = await stage.sim.done('physicalNetwork.create', cables);
    const subnets = [{ cidr: '192.0.2.0/24' }];
    const externalNetworkId = await stage.sim.done('network.create', { name: 'internet', physicalNetworkId, subnets });
    for (const name of ['first', 'second']) await stage.sim.done('vpc.create', { name });
    return new History(stage, new SimRandom(seed), externalNetworkId);
  }

  /** A live row of the kind, if there is one. */
  #one(kind: string): string | undefined {
    const rows = this.stage.sim.rows(kind).filter(({ name }) => name !== 'internet');
    const [first, ...others] = rows;
    return first === undefined ? undefined : String(this.#random.pick([first, ...others]).id);
  }

  get #number(): number {
    return this.#random.below(6);
  }

  #wish(): Wish {
    this.#made += 1;
    const one = (kind: string) => this.#one(kind) ?? '00000000-0000-7000-8000-00000000dead';
    const gone = (kind: string, input: object = {}): Wish => [`${kind}.delete`, input, one(kind)];
    const [number, other] = [this.#number, this.#number];
    const name = `x-${this.#made}`;
    const nic = { networkId: one('network') };
    const wishes: readonly [() => Wish, ...(() => Wish)[]] = [
      () => ['vpc.create', { name }],
      () => ['network.create', { name, vpcId: one('vpc'), subnets: [{ cidr: `10.${number}.${other}.0/24` }] }],
      () => ['network.create', { name, vpcId: one('vpc'), subnets: [{ cidr: `10.${number}.0.0/20` }, { cidr: `fd00:${number}::/64` }] }],
      () => ['subnet.create', { name, networkId: one('network'), cidr: `10.${number}.${other * 2}.0/23` }],
      () => ['subnet.update', { dnsServers: number === 0 ? null : [`192.0.2.${number}`] }, one('subnet')],
      () => gone('subnet'),
      () => ['route.create', { name, vpcId: one('vpc'), destination: `10.${number}.${other}.128/25` }],
      () => gone('route'),
      () => ['peering.create', { name, vpcId: one('vpc'), peerVpcId: one('vpc') }],
      () => ['peering.create', { name, vpcId: one('vpc'), peerVpcId: one('vpc') }],
      () => ['peering.update', { sharesNames: this.#random.chance(0.5) }, one('peering')],
      () => gone('peering'),
      () => ['securityGroup.create', { name, vpcId: one('vpc') }],
      () => [
        'securityGroupRule.create',
        { name, securityGroupId: one('securityGroup'), direction: 'inbound', remoteGroupId: one('securityGroup') },
      ],
      () => ['securityGroupRule.update', { cidrs: number === 0 ? null : [`10.${number}.0.0/16`] }, one('securityGroupRule')],
      () => gone('securityGroupRule'),
      () => gone('securityGroup'),
      () => ['securityGroupMember.create', { nicId: one('nic'), securityGroupId: one('securityGroup') }],
      () => gone('securityGroupMember'),
      () => ['instance.create', this.stage.input({ name, nics: [nic], start: this.#random.chance(0.3), ...DISK })],
      () => ['instance.create', this.stage.input({ name, nics: [nic], ...DISK })],
      () => ['instance.create', this.stage.input({ name, nics: [nic, nic], start: false, ...DISK })],
      () => ['instance.start', {}, one('instance')],
      () => ['instance.stop', { force: true }, one('instance')],
      () => ['instance.migrate', {}, one('instance')],
      () => ['instance.migrate', {}, one('instance')],
      () => ['nic.setLimits', { limits: { outboundBytesPerSecond: number * 1_000_000 } }, one('nic')],
      () => gone('instance', { force: true }),
      () => ['instance.attachNic', nic, one('instance')],
      () => ['instance.detachNic', { nicId: one('nic') }, one('instance')],
      () => ['natGateway.create', { name, vpcId: one('vpc'), ...this.#outside }],
      () => ['natGateway.update', { snat: this.#random.chance(0.5) }, one('natGateway')],
      () => gone('natGateway'),
      () => ['elasticIp.create', { name, ...this.#outside }],
      () => [
        'elasticIp.bind',
        this.#random.chance(0.8) ? { nicId: one('nic') } : { loadBalancerId: one('loadBalancer') },
        one('elasticIp'),
      ],
      () => ['elasticIp.unbind', {}, one('elasticIp')],
      () => [
        'portForward.create',
        { name, natGatewayId: one('natGateway'), protocol: 'tcp', externalPort: 8000 + number, nicId: one('nic'), port: 80 },
      ],
      () => gone('portForward'),
      () => ['loadBalancer.create', { name, subnetId: one('subnet') }],
      () => ['listener.create', { name, loadBalancerId: one('loadBalancer'), protocol: 'tcp', port: 80 + number }],
      () => ['listener.update', { healthCheck: number < 3 ? null : { ...HEALTH, failures: number } }, one('listener')],
      () => gone('listener'),
      () => ['backend.create', { name, listenerId: one('listener'), nicId: one('nic') }],
      () => ['backend.update', { weight: number }, one('backend')],
      () => gone('backend'),
      () => gone('loadBalancer'),
      () => ['dnsRecord.create', { name, vpcId: one('vpc'), hostname: `db-${number}.first.internal`, addresses: [`10.0.0.${other + 10}`] }],
      () => ['dnsRecord.update', { addresses: [`10.0.0.${number + 20}`] }, one('dnsRecord')],
      () => gone('dnsRecord'),
      () => gone('network'),
      () => (this.#random.chance(0.3) ? gone('vpc', { recursive: true }) : gone('vpc')),
    ];
    // Where there is nothing all else is refused.
    if (this.#one('vpc') === undefined) return ['vpc.create', { name }];
    if (this.#one('network') === undefined)
      return ['network.create', { name, vpcId: one('vpc'), subnets: [{ cidr: `10.${number}.${other}.0/24` }] }];
    return this.#random.pick([...wishes])();
  }

  /** Asks for some things at once. Answers how many were taken on. */
  async ask(): Promise<number> {
    const { sim } = this.stage;
    const wishes = Array.from({ length: AT_ONCE }, () => this.#wish());
    const asked = wishes.map(([action, input, resourceId]) =>
      sim.kernel
        .submit({ action, input, principal: sim.principal, ...(resourceId === undefined ? {} : { resourceId }) })
        .then(() => 1)
        .catch(() => 0),
    );
    const taken = await sim.survive(Promise.all(asked));
    await sim.run(this.#random.below(400));
    return (taken ?? []).reduce<number>((sum, each) => sum + each, 0);
  }

  crashes(): boolean {
    return this.#random.chance(0.08);
  }

  /** Until no operation is at work any more. */
  async settle(): Promise<void> {
    const { sim } = this.stage;
    for (let round = 0; round < 500; round += 1) {
      const rows = sim.rows('operation').filter(({ state }) => !['succeeded', 'failed', 'cancelled'].includes(String(state)));
      if (rows.length === 0) return;
      // The copy of an image that is not answered is given up after an hour.
      await sim.run(round < 200 ? 5000 : 60_000);
    }
    const left = (await this.stage.rows(operation)).filter(({ state }) => state === 'needs_attention' || state === 'running');
    expect(left.map(({ action, state, error }) => ({ action, state, error }))).to.deep.equal([]);
  }

  /** What the switches have, in words that compare. */
  get picture(): unknown {
    const { fabric } = this.stage.sim.world;
    const objects = KEPT_SORTS.map((sort) => [sort, [...fabric.kept.of(sort).values()].map(({ spec }) => spec).toSorted(byId)]);
    const networks = [...fabric.networks.values()].map(({ spec, ports }) => ({
      id: spec.id,
      spec: { ...spec, subnets: spec.subnets.toSorted(byId) },
      ports: [...ports.values()].toSorted((a, b) => (a.nicId < b.nicId ? -1 : 1)).map((port) => this.#bounded(port)),
    }));
    return JSON.parse(JSON.stringify({ objects, networks: networks.toSorted(byId) }));
  }

  /** A machine that does not run gets its limits when it starts. */
  #bounded({ outboundBytesPerSecond, ...port }: PortSpec): object {
    const { sim } = this.stage;
    const row = sim.rows('nic').find(({ id }) => id === port.nicId);
    const runs = sim.rows('instance').some(({ id, state }) => id === row?.instanceId && state === 'running');
    return runs ? { ...port, outboundBytesPerSecond } : port;
  }

  /** What they have when all of it is made from the rows alone. */
  async pictureOfRows(): Promise<unknown> {
    const { sim } = this.stage;
    for (const sort of KEPT_SORTS) sim.world.fabric.kept.of(sort).clear();
    sim.world.fabric.networks.clear();
    await this.look();
    return this.picture;
  }

  /** A new life that is told to looks at once. */
  async look(): Promise<void> {
    const { sim } = this.stage;
    for (let round = 0; round < 2; round += 1) {
      sim.crash();
      await sim.start();
      await sim.done('host.reconnect', {}, this.stage.hostIds[0]);
      await sim.run(2 * LOOK_MS);
    }
  }
}

const byId = (a: { readonly id: string }, b: { readonly id: string }) => (a.id < b.id ? -1 : 1);

describe('what lies around networks, after any history', () => {
  for (const seed of seedsOf(FIRST))
    it(`is what the rows say, without a look (${seed})`, async function () {
      this.timeout(300_000);
      const history = await History.begun(seed, { 'hosts.heartbeatSeconds': NEVER_SECONDS });
      let taken = 0;
      for (let round = 0; round < ROUNDS; round += 1) taken += await history.ask();
      await history.settle();
      expect(taken).to.be.above(ROUNDS / 2);
      const left = history.picture;
      expect(left).to.deep.equal(await history.pictureOfRows());
    });

  for (const seed of seedsOf(FIRST))
    it(`becomes what the rows say, whatever failed, came late or crashed (${seed})`, async function () {
      this.timeout(300_000);
      const history = await History.begun(seed);
      const { sim } = history.stage;
      const effect = ['fail', 'fail_after', 'timeout_before', 'timeout_after', 'late', 'duplicate'] as const;
      const stop = sim.world.faults.add({ host: 'shared', probability: 0.08, effect, delayMs: 20_000, fault: 'unavailable' });
      for (let round = 0; round < ROUNDS; round += 1) {
        await history.ask();
        if (!history.crashes()) continue;
        sim.crash();
        await sim.start();
      }
      stop();
      await history.settle();
      await sim.run(120_000 + 4 * LOOK_MS);
      const left = history.picture;
      expect(await history.stage.rows(stray)).to.deep.equal([]);
      expect(left).to.deep.equal(await history.pictureOfRows());
    });
});
