import { randomUUID } from 'node:crypto';
import { filteredOf } from '../../packages/drivers-ovs/src/ovn/names.ts';
import { type OvnNorthbound, OvsdbClient, ovnNorthbound } from '../../packages/drivers-ovs/src/ovsdb/index.ts';
import { type CloudMachine, OvnCloud } from '../acceptance/network/ovn-cloud.ts';
import { BUSYBOX, LabMachine } from '../lab/ovn/machine.ts';
import { type Bench, median, type Row, resampledRatios } from './harness.ts';

const ID = 'network.first-packet';
/** Ports in the network when the NIC comes. */
const SIZES = [10, 100, 1_000];
/** Of both, in turns: in each other one the floor goes first. */
const ROUNDS = 40;
const BATCH = 100;
const PREFIX = 16;
/** Another one each time: who answers remembers the MAC of who had it before. */
const addressOf = (round: number, who: 1 | 2): string => `10.0.${who}.${1 + (round % 250)}`;
const macOf = (round: number): string => `52:54:00:00:02:${(1 + (round % 250)).toString(16).padStart(2, '0')}`;
/** Between two pings: the first packets of a port are lost. */
const PING_EVERY_MS = 4;
const PATIENCE_MS = 60_000;
const { Logical_Switch, Logical_Switch_Port, Port_Group } = ovnNorthbound.tables;

/** A network with a machine that answers, one that gets a NIC again and again, and ports of nobody; and OVN itself, for who does without a control plane. */
class Ground implements AsyncDisposable {
  readonly #cloud: OvnCloud;
  readonly #client: OvsdbClient<OvnNorthbound>;
  readonly #place: { readonly vpcId: string; readonly networkId: string; readonly groupId: string };
  readonly #from: CloudMachine;
  readonly #to: CloudMachine;
  #filled = 0;
  #round = 0;

  private constructor(
    cloud: OvnCloud,
    place: { vpcId: string; networkId: string; groupId: string },
    machines: readonly [CloudMachine, CloudMachine],
  ) {
    this.#cloud = cloud;
    this.#place = place;
    [this.#from, this.#to] = machines;
    this.#client = new OvsdbClient({ database: ovnNorthbound, remotes: [{ kind: 'tcp', ...cloud.lab.ovn.northbound }] });
  }

  static async lay(): Promise<Ground> {
    const cloud = await OvnCloud.up({ hosts: 2 });
    try {
      const vpcId = await cloud.done('vpc.create', { name: 'bench' });
      const networkId = await cloud.network(vpcId, `10.0.0.0/${PREFIX}`);
      const groupId = await cloud.openGroup(vpcId);
      const nic = { networkId, securityGroupIds: [groupId] };
      const machines = [await cloud.machine('from', 0, nic), await cloud.machine('to', 1, nic)] as const;
      // Who answers looks for the new one's MAC, and would wait for a second when that is lost.
      const often = `net.ipv4.neigh.eth0.retrans_time_ms=${PING_EVERY_MS}`;
      const { exitCode, stderr } = await machines[1].card.exec([BUSYBOX, 'sysctl', '-w', often]);
      if (exitCode !== 0) throw new Error(stderr);
      return new Ground(cloud, { vpcId, networkId, groupId }, machines);
    } catch (error) {
      await cloud[Symbol.asyncDispose]();
      throw error;
    }
  }

  async fill(count: number): Promise<void> {
    for (; this.#filled < count; this.#filled += BATCH) {
      const some = Math.min(BATCH, count - this.#filled);
      await Promise.all(
        Array.from({ length: some }, (_, at) =>
          this.#insert(`10.0.${100 + Math.floor((this.#filled + at) / 250)}.${1 + ((this.#filled + at) % 250)}`),
        ),
      );
    }
    await this.#cloud.lab.ovn.central.settle();
  }

  /** From asking the control plane until the first answer. */
  async ours(): Promise<Sample> {
    const { networkId, groupId } = this.#place;
    const address = addressOf(this.#round++, 1);
    const coming = this.#cloud.coming();
    const started = begun();
    const attached = this.#cloud.done('instance.attachNic', { networkId, address, securityGroupIds: [groupId] }, this.#from.id);
    attached.catch(() => undefined);
    const card = await Promise.race([coming, attached.then(() => coming)]);
    const pluggedMs = performance.now() - started.atMs;
    const sample = { ...(await this.#answered(card, address, started)), pluggedMs };
    await attached;
    const nic = (await this.#cloud.rows('nic', 'instanceId', this.#from.id)).find((each) => each.address === address);
    await this.#cloud.done('instance.detachNic', { nicId: nic?.id }, this.#from.id);
    return sample;
  }

  /** The same port by OVN's database and the switch of the host alone. */
  async bare(): Promise<Sample> {
    const { host } = this.#from.card;
    const round = this.#round++;
    const [address, mac] = [addressOf(round, 2), macOf(round)];
    const started = begun();
    const id = await this.#insert(address, mac, host.name);
    const card = await LabMachine.plug(host, { name: 'bare', mac, plug: { interfaceId: id } });
    const pluggedMs = performance.now() - started.atMs;
    const sample = { ...(await this.#answered(card, address, started)), pluggedMs };
    await card.unplug();
    await this.#client.transact(this.#places(id, 'delete'));
    return sample;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
    await this.#cloud[Symbol.asyncDispose]();
  }

  async #insert(address: string, mac = '52:54:00:00:00:01', host?: string): Promise<string> {
    const id = randomUUID();
    const own = `${mac} ${address}`;
    const options = host === undefined ? {} : { 'requested-chassis': host };
    const port = Logical_Switch_Port.insert({ name: id, addresses: [own], port_security: [own], options }, id);
    await this.#client.transact([port, ...this.#places(id, 'insert')]);
    return id;
  }

  #places(id: string, how: 'insert' | 'delete') {
    const { vpcId, networkId, groupId } = this.#place;
    const ports = { [how]: [id] } as { insert: string[] };
    return [
      Logical_Switch.mutate(networkId, { ports }),
      ...[filteredOf(vpcId), groupId].map((group) => Port_Group.mutate(group, { ports })),
    ];
  }

  async #answered(card: LabMachine, address: string, { atMs, cpu }: Begun): Promise<Omit<Sample, 'pluggedMs'>> {
    // No question for a MAC that may be lost, after which the next comes a second later.
    await card.take(`${address}/${PREFIX}`, undefined, this.#to);
    await card.answered(this.#to.address, PING_EVERY_MS, PATIENCE_MS);
    const answeredMs = performance.now() - atMs;
    const { user, system } = process.cpuUsage(cpu);
    return { answeredMs, cpuMs: (user + system) / 1000 };
  }
}

/** One port: milliseconds since it was asked for, and of processor time of this process. */
interface Sample {
  readonly pluggedMs: number;
  readonly answeredMs: number;
  readonly cpuMs: number;
}
interface Begun {
  readonly atMs: number;
  readonly cpu: NodeJS.CpuUsage;
}
const begun = (): Begun => ({ cpu: process.cpuUsage(), atMs: performance.now() });

/** Until the first packet of a new NIC is answered, from a machine on another host, beside a port that is made by OVN's own means. */
export const firstPacketBench: Bench = {
  ids: SIZES.flatMap((size) => [`${ID}.${size}`, pluggedOf(size)]),
  onRequest: ID,
  async run(wants) {
    await using ground = await Ground.lay();
    const rows: Row[] = [];
    for (const size of SIZES) {
      const ids = [`${ID}.${size}`, pluggedOf(size)] as const;
      if (!ids.some(wants)) continue;
      await ground.fill(size);
      await ground.ours();
      await ground.bare();
      const [ours, floors] = [[] as Sample[], [] as Sample[]];
      const halves = [async () => void ours.push(await ground.ours()), async () => void floors.push(await ground.bare())];
      for (let round = 0; round < ROUNDS; round += 1) for (const half of round % 2 === 0 ? halves : halves.toReversed()) await half();
      rows.push(
        row(ids[0], ours, floors, ({ answeredMs }) => answeredMs),
        row(ids[1], ours, floors, ({ pluggedMs }) => pluggedMs),
      );
    }
    return rows;
  },
};

/** Until the card is plugged in: what follows is the host's and OVN's. */
function pluggedOf(size: number): string {
  return `${ID}.${size}.plugged`;
}

/** The row, and how sure its ratio is. */
function row(id: string, ours: readonly Sample[], floors: readonly Sample[], of: (sample: Sample) => number): Row {
  const [over, under] = [ours.map(of), floors.map(of)];
  const [value, floor] = [median(over), median(under)];
  const rounds = (values: readonly number[]) => values.map((each) => [each]);
  const [least, most] = resampledRatios(rounds(over), rounds(under), 0.5);
  const [cpuMs, bareCpuMs] = [ours, floors].map((samples) => median(samples.map((sample) => sample.cpuMs))) as [number, number];
  process.stderr.write(
    `${id}: ratio ${least.toFixed(2)} to ${most.toFixed(2)} in nine of ten resamples of the rounds; of processor time ${cpuMs.toFixed(1)} ms here, ${bareCpuMs.toFixed(1)} without a control plane\n`,
  );
  return { id, value, unit: 'ms', cpuMs, p50: value, p99: Math.max(...over), floor, ratio: value / floor };
}
