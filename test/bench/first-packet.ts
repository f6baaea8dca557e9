import { randomUUID } from 'node:crypto';
import { filteredOf } from '../../packages/drivers-ovs/src/ovn/names.ts';
import { type OvnNorthbound, OvsdbClient, ovnNorthbound } from '../../packages/drivers-ovs/src/ovsdb/index.ts';
import { type CloudMachine, OvnCloud } from '../acceptance/network/ovn-cloud.ts';
import { LabMachine } from '../lab/ovn/machine.ts';
import { type Bench, median, type Row } from './harness.ts';

const ID = 'network.first-packet';
/** Ports in the network when the NIC comes. */
const SIZES = [10, 100, 1_000];
const ROUNDS = 11;
const BATCH = 100;
const PREFIX = 16;
/** Another one each time: who answers remembers the MAC of who had it before. */
const addressOf = (round: number, who: 1 | 2): string => `10.0.${who}.${1 + (round % 250)}`;
const macOf = (round: number): string => `52:54:00:00:02:${(1 + (round % 250)).toString(16).padStart(2, '0')}`;
/** Between the beginnings of two pings: the first packets of a port may be lost. */
const PING_EVERY_MS = 40;
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
  async ours(): Promise<number> {
    const { networkId, groupId } = this.#place;
    const address = addressOf(this.#round++, 1);
    const startedMs = performance.now();
    const attached = this.#cloud.done('instance.attachNic', { networkId, address, securityGroupIds: [groupId] }, this.#from.id);
    attached.catch(() => undefined);
    const tookMs = await this.#answered(await this.#plugged(attached, address), address, startedMs);
    await attached;
    const nic = (await this.#cloud.rows('nic', 'instanceId', this.#from.id)).find((each) => each.address === address);
    await this.#cloud.done('instance.detachNic', { nicId: nic?.id }, this.#from.id);
    return tookMs;
  }

  /** The same port by OVN's database and the switch of the host alone. */
  async bare(): Promise<number> {
    const { host } = this.#from.card;
    const round = this.#round++;
    const [address, mac] = [addressOf(round, 2), macOf(round)];
    const startedMs = performance.now();
    const id = await this.#insert(address, mac, host.name);
    const card = await LabMachine.plug(host, { name: 'bare', mac, plug: { interfaceId: id } });
    const tookMs = await this.#answered(card, address, startedMs);
    await card.unplug();
    await this.#client.transact(this.#places(id, 'delete'));
    return tookMs;
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

  /** The card of the new NIC, as soon as it is there. */
  async #plugged(attached: Promise<string>, address: string): Promise<LabMachine> {
    let failure: unknown;
    attached.catch((error: unknown) => {
      failure = error;
    });
    for (;;) {
      const nic = (await this.#cloud.rows('nic', 'instanceId', this.#from.id)).find((each) => each.address === address);
      try {
        if (nic !== undefined) return this.#cloud.card(nic.id);
      } catch {
        // Not yet.
      }
      if (failure !== undefined) throw failure;
      await pause(5);
    }
  }

  async #answered(card: LabMachine, address: string, startedMs: number): Promise<number> {
    await card.take(`${address}/${PREFIX}`);
    const first = Promise.withResolvers<number>();
    let isOver = false;
    const under: Promise<void>[] = [];
    const ping = async () => {
      if (!(await card.pings(this.#to.address, 1))) return;
      first.resolve(performance.now() - startedMs);
      isOver = true;
    };
    for (const endMs = performance.now() + PATIENCE_MS; !isOver; await Promise.race([first.promise, pause(PING_EVERY_MS)])) {
      if (performance.now() > endMs) throw new Error(`${address} was not answered`);
      under.push(ping());
    }
    await Promise.all(under);
    return first.promise;
  }
}

const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

/** Until the first packet of a new NIC is answered, from a machine on another host, beside a port that is made by OVN's own means. */
export const firstPacketBench: Bench = {
  ids: SIZES.map((size) => `${ID}.${size}`),
  onRequest: ID,
  async run(wants) {
    await using ground = await Ground.lay();
    const rows: Row[] = [];
    for (const size of SIZES) {
      const id = `${ID}.${size}`;
      if (!wants(id)) continue;
      await ground.fill(size);
      const [ours, floors] = [[] as number[], [] as number[]];
      for (let round = 0; round < ROUNDS; round += 1) {
        ours.push(await ground.ours());
        floors.push(await ground.bare());
      }
      const [value, floor] = [median(ours), median(floors)];
      rows.push({ id, value, unit: 'ms', p50: value, p99: Math.max(...ours), floor, ratio: value / floor });
    }
    return rows;
  },
};
