import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Call, NetworkDriver, NetworkSpec, Plug, RealmHost, SegmentSpec } from '@pileus/core/strategy';
import { openVswitch } from '@pileus/drivers-ovs/openvswitch';
import { bridgeName } from '../../../packages/drivers-ovs/src/plain/names.ts';
import type { LabHost } from '../host.ts';
import type { Lab } from '../lab.ts';
import { until } from '../waiting.ts';
import { LabMachine } from './machine.ts';

const OWNER = 'lab';
const call = (): Call => ({ requestId: 'lab', signal: new AbortController().signal, timeoutMs: 60_000 });

/** A machine on a network of Open vSwitch alone. */
export interface PlainMachine {
  readonly card: LabMachine;
  readonly mac: string;
  readonly address: string;
  /** Goes to another host as one that is migrated: there, and no longer here, before its NIC is told to be there. */
  migrate(host: number): Promise<void>;
  unplug(): Promise<void>;
}

export interface PlainPort {
  readonly mac: string;
  readonly plug: Extract<Plug, { readonly type: 'ovsPort' }>;
  /** As the driver sees it. */
  state(): Promise<string | undefined>;
  bindTo(host: number): Promise<void>;
  remove(): Promise<void>;
}

/** Networks of Open vSwitch alone on the switches of a lab's hosts: what OVN does there does not touch them. */
export class PlainMesh implements AsyncDisposable {
  readonly driver: NetworkDriver;
  readonly #lab: Lab;
  readonly #specs = new Map<string, NetworkSpec>();
  #hosts: readonly RealmHost[] = [];
  #machines = 0;

  private constructor(lab: Lab) {
    this.#lab = lab;
    if (lab.client === undefined) throw new Error('a lab without certificates');
    const [factory] = openVswitch({ tls: lab.client }).strategies.network ?? [];
    if (factory === undefined) throw new Error('there is no network driver');
    const hosts = async () => ({ hosts: this.#hosts, isComplete: true });
    this.driver = factory.open({ writer: { cloudId: OWNER, epoch: 1 }, hosts });
  }

  /** On switches that listen for the cloud by mutual TLS, as operators have them do. */
  static async open(lab: Lab): Promise<PlainMesh> {
    const listen = (host: LabHost) => {
      const pki = join(host.rootDir, 'etc/pki');
      const keys = ['server-key.pem', 'server-cert.pem', 'ca-cert.pem'].map((name) => join(pki, name));
      return host.switch.vsctl('set-ssl', ...keys, '--', 'set-manager', `pssl:6640:${host.address}`);
    };
    await Promise.all(lab.hosts.map(listen));
    return new PlainMesh(lab);
  }

  /** These hosts, and no others, are the cloud's from now on. */
  async has(...hosts: readonly number[]): Promise<void> {
    this.#hosts = hosts.map((n) => {
      const { name, address } = this.#lab.host(n);
      return { host: name, uri: `qemu+tls://${address}/system`, clusterId: 'lab', answers: true };
    });
    for (const spec of this.#specs.values()) await this.driver.ensureNetwork(spec, call());
  }

  async network(name: string, segment: Omit<SegmentSpec, 'clusterId'>): Promise<NetworkSpec> {
    const spec: NetworkSpec = {
      id: randomUUID(),
      name,
      owner: OWNER,
      mode: 'provider',
      subnets: [],
      segment: { ...segment, clusterId: 'lab' },
    };
    this.#specs.set(spec.id, spec);
    await this.driver.ensureNetwork(spec, call());
    return spec;
  }

  /** Where a machine is to be plugged in, with the MAC that it is to have. */
  async port(host: number, { id: networkId }: NetworkSpec, address: string): Promise<PlainPort> {
    this.#machines += 1;
    const mac = `02:00:00:00:20:${this.#machines.toString(16).padStart(2, '0')}`;
    const nicId = randomUUID();
    const spec = { nicId, networkId, mac, addresses: [address], owner: OWNER, subnetIds: [], host: this.#lab.host(host).name };
    const plug = await this.driver.ensurePort(spec, call());
    if (plug.type !== 'ovsPort') throw new Error(`a port that is plugged in as ${plug.type}`);
    return {
      ...{ mac, plug },
      state: async () => (await this.driver.readiness?.port(nicId, call()))?.state,
      bindTo: async (to) => {
        await this.driver.ensurePort({ ...spec, host: this.#lab.host(to).name }, call());
      },
      remove: () => this.driver.deletePort(spec, call()),
    };
  }

  async machine(name: string, host: number, network: NetworkSpec, address: string): Promise<PlainMachine> {
    const { mac, plug, bindTo, remove } = await this.port(host, network, address);
    const card = await LabMachine.plug(this.#lab.host(host), { name, mac, plug });
    await card.take(`${address}/24`);
    return {
      ...{ card, mac, address },
      migrate: async (to) => {
        await card.leaveFor(this.#lab.host(to));
        await card.goOn();
        await bindTo(to);
      },
      unplug: async () => {
        await card.unplug();
        await remove();
      },
    };
  }

  /** Whether no switch finds fault with anything. */
  async isInOrder(): Promise<boolean> {
    return (await this.driver.listNetworks(call())).every(({ active }) => active);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of this.#specs.keys()) await this.driver.deleteNetwork(id, call());
    await this.driver.close();
    await Promise.all(this.#lab.hosts.map((host) => host.switch.vsctl('del-manager', '--', 'del-ssl')));
  }
}

/** Where the tunnels of a host's networks lead. */
export async function plainTunnels(host: LabHost): Promise<readonly string[]> {
  const peers = await host.switch.vsctl('--bare', '--columns=external_ids', 'find', 'port', 'protected=true');
  return peers.split('\n').flatMap((line) => /pileus-peer=(\S+)/.exec(line)?.[1] ?? []);
}

/** Returns when a host has nothing of the machines on one of these networks. What a switch keeps of flows goes when nothing has come for some seconds. */
export async function expectNoPlainTraces(host: LabHost, network: Pick<NetworkSpec, 'id'>, mac: string): Promise<void> {
  let left: readonly string[] = [];
  await until(`nothing of ${mac} on ${host.name}`, async () => {
    left = await plainTraces(host, network, mac);
    return left.length === 0 ? true : undefined;
  }).catch((cause: Error) => {
    throw new Error(`${cause.message}: ${left.join('; ')}`);
  });
}

/** All that a host has of the machines on one of these networks: ports and tunnels, NICs that are told to be there, where a MAC was learned to be, and flows of it. */
async function plainTraces({ switch: ovs }: LabHost, { id }: Pick<NetworkSpec, 'id'>, mac: string): Promise<readonly string[]> {
  const bridge = bridgeName(id);
  await ovs.forgotten();
  const lines = async (told: Promise<string>, isMeant: (line: string) => boolean) =>
    (await told).split('\n').filter((line) => line !== '' && isMeant(line));
  const found = await Promise.all([
    lines(ovs.vsctl('list-ports', bridge), () => true),
    lines(ovs.vsctl('br-get-external-id', bridge), (line) => line.startsWith('pileus-nic')),
    lines(ovs.appctl('fdb/show', bridge), (line) => line.includes(mac)),
    lines(ovs.appctl('dpctl/dump-flows'), (line) => line.includes(mac)),
  ]);
  return found.flat();
}
