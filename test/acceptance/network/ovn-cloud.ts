import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type AgentLink, cloud, systemPrincipal } from '@pileus/core';
import {
  Api,
  bytesBody,
  type CloudError,
  isCloudError,
  jsonBody,
  Kernel,
  type Principal,
  type RequestBody,
  type Store,
} from '@pileus/core/kernel';
import { directoryImageStore, nodeEnvironment } from '@pileus/core/node';
import { openSqlite } from '@pileus/core/sqlite';
import type { DriverPlugin } from '@pileus/core/strategy';
import { openVswitch } from '@pileus/drivers-ovs/openvswitch';
import { ovn } from '@pileus/drivers-ovs/ovn';
import { ensureSystem } from '../../../tools/system/ensure.ts';
import { ovnContents } from '../../../tools/system/ovn-rows.ts';
import { TEST_PACKAGES } from '../../../tools/system/packages.ts';
import type { LabHost } from '../../lab/host.ts';
import { type Lab, labUp } from '../../lab/lab.ts';
import { PHYSICAL_NETWORK } from '../../lab/ovn/host-switch.ts';
import { EXTERNAL } from '../../lab/ovn/internet.ts';
import { networkInventory } from '../../lab/ovn/inventory.ts';
import type { LabMachine, Lease } from '../../lab/ovn/machine.ts';
import type { Probe } from '../../lab/ovn/probe.ts';
import { until } from '../../lab/waiting.ts';
import { Namespaces } from './namespaces.ts';

const END_MS = 240_000;
const MIB = 2 ** 20;
/** Short, so that looks and repairs come within a test's patience. */
const HEARTBEAT_SECONDS = 1;

/** A machine of the cloud: what its first NIC is, and what stands at the other end of it. */
export interface CloudMachine {
  readonly id: string;
  readonly name: string;
  readonly nicId: string;
  readonly address: string;
  readonly mac: string;
  readonly card: LabMachine;
  readonly probe: Probe;
  readonly lease: Lease;
}

type Fabric = 'ovn' | 'openvswitch';

export interface OvnCloudOptions {
  readonly hosts?: number;
  readonly agentLink?: AgentLink;
  /** What makes networks. On those of Open vSwitch alone nobody tells machines their addresses. Default: OVN. */
  readonly networks?: readonly Fabric[];
}

type Row = Readonly<Record<string, unknown>> & { readonly id: string };

/**
 * A cloud in this process: the whole control plane on OVN, whose machines are namespaces on the hosts of a lab. Sagas, drivers, OVN and packets are real, what
 * runs in machines is a probe.
 */
export class OvnCloud implements AsyncDisposable {
  readonly lab: Lab;
  readonly #dir: string;
  readonly #namespaces: Namespaces;
  readonly #agentLink: AgentLink | undefined;
  readonly #networks: readonly Fabric[];
  #kernel: Kernel | undefined;
  #store: Store | undefined;
  #imageId = '';
  readonly hostIds: string[] = [];
  clusterId = '';
  #empty: readonly string[] = [];

  private constructor(lab: Lab, dir: string, agentLink: AgentLink | undefined, networks: readonly Fabric[]) {
    this.lab = lab;
    this.#networks = networks;
    this.#dir = dir;
    this.#agentLink = agentLink;
    this.#namespaces = new Namespaces(lab, nodeEnvironment());
  }

  static async up({ hosts = 3, agentLink, networks = ['ovn'] }: OvnCloudOptions = {}): Promise<OvnCloud> {
    const system = await ensureSystem({ log: () => {}, also: TEST_PACKAGES });
    if (!system.ok) throw new Error(system.reason);
    const made = new OvnCloud(
      await labUp({ hosts, ovn: true, libvirt: false }),
      await mkdtemp('/tmp/pileus-ovn-cloud-'),
      agentLink,
      networks,
    );
    try {
      await made.start();
      await made.#populate();
      made.#empty = await networkInventory(made.lab);
      return made;
    } catch (error) {
      await made[Symbol.asyncDispose]();
      throw error;
    }
  }

  get kernel(): Kernel {
    if (this.#kernel === undefined) throw new Error('the control plane is down');
    return this.#kernel;
  }

  /** Starts the control plane, on what it knew when it was stopped. */
  async start(): Promise<void> {
    const environment = nodeEnvironment();
    this.#store = await openSqlite({ path: join(this.#dir, 'pileus.db') });
    this.#kernel = new Kernel({
      environment,
      store: this.#store,
      sealKey: new Uint8Array(32),
      plugins: cloud({
        cloudId: 'network-acceptance',
        imageStore: await directoryImageStore(join(this.#dir, 'images')),
        plugins: [this.#namespaces.plugin, ...this.#networks.map((name) => this.#fabric(name))],
        ...(this.#agentLink === undefined ? {} : { agentLink: this.#agentLink }),
      }),
      presets: { 'hosts.heartbeatSeconds': HEARTBEAT_SECONDS },
    });
    await this.#kernel.start();
  }

  #fabric(name: Fabric): DriverPlugin {
    const { northbound, southbound } = this.lab.ovn;
    if (name === 'ovn') return ovn({ northbound: [{ kind: 'tcp', ...northbound }], southbound: [{ kind: 'tcp', ...southbound }] });
    const addressOf = (host: LabHost) => [host.name, { kind: 'unix', path: host.switch.socketPath }] as const;
    return openVswitch({ switches: Object.fromEntries(this.lab.hosts.map(addressOf)) });
  }

  /** The control plane is gone; machines and their networks are as they were. */
  async stop(): Promise<void> {
    await this.#kernel?.stop();
    await this.#store?.close();
    this.#kernel = undefined;
    this.#store = undefined;
  }

  /** Does an action and waits for its end. Answers the id of the resource. */
  async done(action: string, input: object = {}, resourceId?: string, principal: Principal = systemPrincipal()): Promise<string> {
    const target = resourceId === undefined ? {} : { resourceId };
    const accepted = await this.kernel.submit({ action, input, principal, ...target });
    const { state, error } = await this.kernel.operations.wait(accepted.operationId, END_MS);
    if (state !== 'succeeded') throw new Error(`${action} ${state}: ${JSON.stringify(error)}`);
    return accepted.resourceId;
  }

  /** Whether an action succeeds; undefined where it ended otherwise. Answers the id of the resource. */
  async tried(action: string, input: object, resourceId?: string): Promise<string | undefined> {
    const target = resourceId === undefined ? {} : { resourceId };
    const accepted = await this.kernel.submit({ action, input, principal: systemPrincipal(), ...target });
    const { state } = await this.kernel.operations.wait(accepted.operationId, END_MS);
    return state === 'succeeded' ? accepted.resourceId : undefined;
  }

  /** What an action is refused with. */
  async refused(action: string, input: object = {}, resourceId?: string, principal: Principal = systemPrincipal()): Promise<CloudError> {
    const target = resourceId === undefined ? {} : { resourceId };
    const answer = await this.kernel.submit({ action, input, principal, ...target }).catch((error: unknown) => error);
    if (isCloudError(answer)) return answer;
    throw new Error(`${action} was not refused: ${String(answer)}`);
  }

  async row(kind: string, id: string): Promise<Row> {
    return (await this.kernel.reader.get(this.kernel.registry.kind(kind), id as never)) as Row;
  }

  async rows(kind: string, field?: string, value?: string): Promise<readonly Row[]> {
    const where = field === undefined ? undefined : ({ field, op: '=', value } as const);
    return (await this.kernel.reader.list(this.kernel.registry.kind(kind), where as never)) as readonly Row[];
  }

  /** A VPC with one network of one subnet. */
  async vpc(name: string, cidr = '10.0.0.0/24'): Promise<{ readonly vpcId: string; readonly networkId: string }> {
    const vpcId = await this.done('vpc.create', { name });
    return { vpcId, networkId: await this.network(vpcId, cidr, `${name}-net`) };
  }

  async network(vpcId: string, cidr: string, name?: string): Promise<string> {
    return this.done('network.create', { vpcId, subnets: [{ cidr }], ...(name === undefined ? {} : { name }) });
  }

  /** The external network of the lab, behind which the internet is. */
  async external({ ipv4 = true, ipv6 = false }: { readonly ipv4?: boolean; readonly ipv6?: boolean } = {}): Promise<string> {
    const physicalNetworkId = await this.done('physicalNetwork.create', {
      clusterId: this.clusterId,
      label: PHYSICAL_NETWORK,
      role: 'external',
    });
    const subnets = [
      ...(ipv4 ? [{ cidr: EXTERNAL.cidr, gateway: EXTERNAL.gateway }] : []),
      ...(ipv6 ? [{ cidr: EXTERNAL.cidr6, gateway: EXTERNAL.gateway6 }] : []),
    ];
    return this.done('network.create', { name: 'external', physicalNetworkId, vlanId: 0, subnets });
  }

  /** A group that lets everything in and out, for tests of other things. */
  async openGroup(vpcId: string, name = 'open'): Promise<string> {
    const securityGroupId = await this.done('securityGroup.create', { vpcId, name });
    for (const direction of ['inbound', 'outbound'])
      for (const cidrs of [['0.0.0.0/0'], ['::/0']]) await this.done('securityGroupRule.create', { securityGroupId, direction, cidrs });
    return securityGroupId;
  }

  /** A running machine with an address from DHCP, on one of the hosts. */
  async machine(
    name: string,
    host: number,
    nic: { readonly networkId: string } & Readonly<Record<string, unknown>>,
    more: object = {},
  ): Promise<CloudMachine> {
    return this.found(await this.done('instance.create', { ...this.machineInput(name, host, nic), ...more }));
  }

  machineInput(name: string, host: number, nic: object): object {
    return { name, instanceType: 'tiny', imageId: this.#imageId, hostId: this.hostIds[host], nics: [nic] };
  }

  /** A machine that runs, with its address taken. */
  async found(id: string): Promise<CloudMachine> {
    const { name } = await this.row('instance', id);
    const [nic] = await this.rows('nic', 'instanceId', id);
    if (nic === undefined) throw new Error(`${String(name)} has no NIC`);
    const card = this.#namespaces.card(nic.id);
    const lease = await this.addressed(card, nic);
    const probe = await card.probe();
    return { id, name: String(name), nicId: nic.id, address: String(nic.address), mac: String(nic.mac), card, probe, lease };
  }

  /** Has a card take the address of its NIC: by DHCP, where somebody answers that. */
  async addressed(card: LabMachine, nic: Row): Promise<Lease> {
    const { driver } = await this.row('network', String(nic.networkId));
    if (driver === 'ovn') return until(`a lease of ${card.name}`, () => card.dhcp());
    await card.take(`${String(nic.address)}/24`);
    return {};
  }

  /** What an endpoint that changes nothing answers. */
  asked(url: string, question?: object): Promise<unknown> {
    return this.#request(question === undefined ? 'GET' : 'POST', url, jsonBody(question ?? {}));
  }

  /** The next card that a machine gets, as soon as it is plugged in. */
  coming(): Promise<LabMachine> {
    return this.#namespaces.coming();
  }

  card(nicId: string): LabMachine {
    return this.#namespaces.card(nicId);
  }

  /**
   * What is wanted with all that it says, the rows that OVN made of it, and what is plugged in on hosts: not what OVN learns by the way. The order in which hosts
   * may carry a gateway follows who has carried it.
   */
  async wanted(): Promise<readonly string[]> {
    const [rows, contents] = await Promise.all([
      networkInventory(this.lab),
      ovnContents(this.lab.ovn.central.northboundRemote, 'OVN_Northbound'),
    ]);
    const others = rows.filter(
      (line) => !/^northbound|^southbound (?!Port_Binding|Datapath_Binding|Port_Group|Address_Set|DNS)/.test(line),
    );
    return [...contents.map(withoutRank).sort(), ...others];
  }

  /** What there is of networks beside what there was when the cloud came up. */
  async residue(): Promise<readonly string[]> {
    return (await networkInventory(this.lab)).filter((line) => !this.#empty.includes(line));
  }

  /** Deletes all that belongs to a project and waits until nothing of it is left in OVN and on the hosts. */
  async clear(): Promise<readonly string[]> {
    const kinds = ['instance', 'loadBalancer', 'portForward', 'elasticIp', 'natGateway', 'peering', 'network', 'vpc', 'physicalNetwork'];
    for (const kind of kinds) {
      if (this.kernel.registry.findKind(kind) === undefined) continue;
      for (const { id } of await this.rows(kind)) await this.done(`${kind}.delete`, {}, id);
    }
    let left: readonly string[] = [];
    await until('the end of all rows', async () => {
      await Promise.all(this.lab.hosts.map((host) => host.switch.unplugNeedless()));
      left = await this.residue();
      return left.length === 0 ? true : undefined;
    }).catch(() => undefined);
    return left;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.lab.down();
    await rm(this.#dir, { recursive: true, force: true });
  }

  async #populate(): Promise<void> {
    const zoneId = await this.done('zone.create', { name: 'lab' });
    this.clusterId = await this.done('cluster.create', { name: 'lab', zoneId, hypervisor: 'simulated' });
    for (const { name } of this.lab.hosts) {
      const hostId = await this.done('host.create', { name, clusterId: this.clusterId, uri: `sim://${name}` });
      await this.done('pool.create', { name: `pool-${name}`, driver: 'simulated', hostId, settings: {} });
      this.hostIds.push(hostId);
    }
    await this.done('instanceType.create', { name: 'tiny', vcpus: 1, memoryBytes: 96 * MIB });
    this.#imageId = await this.done('image.create', { name: 'nothing' });
    await this.#upload(this.#imageId, new Uint8Array(4096));
  }

  async #upload(imageId: string, content: Uint8Array): Promise<void> {
    await this.#request('PUT', `/v1/images/${imageId}/content`, bytesBody(once(content)));
  }

  async #request(method: string, url: string, body: RequestBody): Promise<unknown> {
    const sent = { method, url, headers: {}, body, principal: systemPrincipal(), requestId: 'acceptance' };
    const response = await new Api(this.kernel).handle({ ...sent, signal: new AbortController().signal, acceptsSocket: false });
    if (response.status !== 200) throw new Error(`${method} ${url} was answered ${response.status}: ${String(response.body)}`);
    return JSON.parse(String(response.body));
  }
}

/** What the northbound database says, without how the hosts of a gateway are ranked. */
export const withoutRank = (line: string): string => line.replace(/^(HA_Chassis \{.*"priority":)\d+/, '$1_');

/** Greets until the answer is from a server: what must be reachable is, soon. */
export function reaches(from: Probe, to: { readonly address: string; readonly port: number; readonly protocol?: 'tcp' | 'udp' | 'http' }) {
  return until(`${from.name} reaches ${to.address}:${to.port}`, async () => {
    const greeted = await from.greet({ protocol: 'tcp', timeoutMs: 2_000, ...to });
    return 'server' in greeted ? greeted : undefined;
  });
}

/** Greets until nobody answers: what must be cut is, soon, and stays so. */
export async function cut(
  from: Probe,
  to: { readonly address: string; readonly port: number; readonly protocol?: 'tcp' | 'udp' },
): Promise<void> {
  const greet = () => from.greet({ protocol: 'tcp', timeoutMs: 1_500, ...to });
  await until(`${from.name} does not reach ${to.address}:${to.port}`, async () => ('error' in (await greet()) ? true : undefined));
}

async function* once(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content;
}
