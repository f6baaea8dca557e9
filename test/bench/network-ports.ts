import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cloud, systemPrincipal } from '@pileus/core';
import { Api, Kernel } from '@pileus/core/kernel';
import { directoryImageStore, nodeEnvironment } from '@pileus/core/node';
import { openSqlite } from '@pileus/core/sqlite';
import { SimWorld, simulated } from '@pileus/core/testing';
import { ovn } from '@pileus/drivers-ovs/ovn';
import { PrivateCentral } from '../../packages/drivers-ovs/test/ovn/private-central.ts';
import { bareNetwork } from './bare-network.ts';
import { type Bench, inFlight, median, type Row } from './harness.ts';
import { scratch } from './scratch.ts';

const MIB = 2 ** 20;
const END_MS = 60_000;
const ROUNDS = 4;
const HOST = 'hv1';

/** So many machines, of which some are given NICs at once, each one after the other: they share its queue. */
interface Crowd {
  readonly machines: number;
  readonly nicsEach: number;
  readonly atOnce: number;
}
const CROWDS: Readonly<Record<string, Crowd>> = {
  'network.ports': { machines: 40, nicsEach: 8, atOnce: 20 },
  'network.ports.100': { machines: 100, nicsEach: 4, atOnce: 100 },
};

/** Rows of a crowd, beside the one of its own name. */
const PARTS = ['cpu', 'central', 'limit', 'reached'] as const;
const idsOf = (id: string): readonly string[] => [id, ...PARTS.map((part) => `${id}.${part}`)];

interface Round {
  readonly perSecond: number;
  readonly cpuMs: number;
  /** Of OVN's own processes. */
  readonly centralMs: number;
}

/** What the kernel counts processor time in. */
const TICK_MS = 10;

/** Processor time of all processes that this one has begun and that are there. */
function childrenMs(): number {
  let ticks = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    let stat = '';
    try {
      stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    } catch {
      // It has ended.
    }
    const [, parent, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (Number(parent) === process.pid) ticks += Number(rest[9]) + Number(rest[10]);
  }
  return ticks * TICK_MS;
}

/** A control plane on the embedded store, whose machines are simulated and whose networks are by OVN, simulated or the least that writes what OVN needs. */
class Ground implements AsyncDisposable {
  readonly #kernel: Kernel;
  readonly #stack: AsyncDisposableStack;
  #imageId = '';

  private constructor(kernel: Kernel, stack: AsyncDisposableStack) {
    this.#kernel = kernel;
    this.#stack = stack;
  }

  static async lay(): Promise<Ground> {
    await using stack = new AsyncDisposableStack();
    const central = stack.use(await PrivateCentral.start());
    const bareCentral = stack.use(await PrivateCentral.start());
    const dir = stack.use(await scratch());
    const environment = nodeEnvironment();
    const store = await openSqlite({ path: join(dir.path, 'pileus.db') });
    stack.defer(() => store.close());
    const world = new SimWorld(environment, { latencyMs: [0, 0] });
    world.addHost(HOST);
    const simulation = simulated({ world, environment });
    const shared = simulation.strategies.network?.find(({ name }) => name === 'simulated-shared');
    if (shared === undefined) throw new Error('there is no simulated network that all see');
    const bare = { id: 'bare', version: '0.0.0', strategies: { network: [bareNetwork('bare', shared, bareCentral)] } };
    const kernel = new Kernel({
      environment,
      store,
      sealKey: new Uint8Array(32),
      plugins: cloud({
        cloudId: 'bench',
        imageStore: await directoryImageStore(join(dir.path, 'images')),
        plugins: [simulation, ovn(central.options), bare],
      }),
    });
    await kernel.start();
    stack.defer(() => kernel.stop());
    const ground = new Ground(kernel, stack.move());
    await ground.#populate();
    return ground;
  }

  /** A VPC by this driver, and NICs for machines that are off. */
  async network(
    driver: string,
    name: string,
    count: number,
  ): Promise<{ readonly networkId: string; readonly machines: readonly string[] }> {
    const vpcId = await this.#done('vpc.create', { driver, name });
    const networkId = await this.#done('network.create', { vpcId, subnets: [{ cidr: '10.0.0.0/16' }] });
    const machines: string[] = [];
    for (let index = 0; index < count; index += 1)
      machines.push(await this.#done('instance.create', { instanceType: 'tiny', imageId: this.#imageId, start: false, nics: [] }));
    return { networkId, machines };
  }

  async round(
    { networkId, machines }: { readonly networkId: string; readonly machines: readonly string[] },
    { nicsEach, atOnce }: Crowd,
  ): Promise<Round> {
    const count = machines.length * nicsEach;
    const [cpu, central] = [process.cpuUsage(), childrenMs()];
    const startedMs = performance.now();
    await inFlight(atOnce, 0, machines.length, async (index) => {
      for (let slot = 0; slot < nicsEach; slot += 1) await this.#done('instance.attachNic', { networkId }, machines[index]);
    });
    const perSecond = count / ((performance.now() - startedMs) / 1000);
    const { user, system } = process.cpuUsage(cpu);
    const centralMs = (childrenMs() - central) / count;
    for (const nic of await this.#kernel.reader.list(this.#kernel.registry.kind('nic')))
      await this.#done('instance.detachNic', { nicId: nic.id }, String((nic as unknown as { instanceId: string }).instanceId));
    return { perSecond, cpuMs: (user + system) / 1000 / count, centralMs };
  }

  async #done(action: string, input: object, resourceId?: string): Promise<string> {
    const target = resourceId === undefined ? {} : { resourceId };
    const accepted = await this.#kernel.submit({ action, input, principal: systemPrincipal(), ...target });
    const { state, error } = await this.#kernel.operations.wait(accepted.operationId, END_MS);
    if (state !== 'succeeded') throw new Error(`${action} ${state}: ${JSON.stringify(error)}`);
    return accepted.resourceId;
  }

  async #populate(): Promise<void> {
    const zoneId = await this.#done('zone.create', { name: 'z' });
    const clusterId = await this.#done('cluster.create', {
      name: 'c',
      zoneId,
      hypervisor: 'simulated',
      memoryOvercommit: 4,
      vcpuOvercommit: 64,
    });
    const hostId = await this.#done('host.create', { name: HOST, clusterId, uri: `sim://${HOST}` });
    await this.#done('pool.create', { name: 'p', driver: 'simulated', hostId, settings: {} });
    await this.#done('instanceType.create', { name: 'tiny', vcpus: 1, memoryBytes: 16 * MIB });
    this.#imageId = await this.#done('image.create', { name: 'nothing' });
    const { status } = await new Api(this.#kernel).handle({
      method: 'PUT',
      url: `/v1/images/${this.#imageId}/content`,
      headers: {},
      body: {
        json: () => Promise.reject(new Error('an image is no JSON')),
        bytes: async function* () {
          yield new Uint8Array(4096);
        },
      },
      principal: systemPrincipal(),
      requestId: 'upload',
      signal: new AbortController().signal,
      acceptsSocket: false,
    });
    if (status !== 200) throw new Error(`the upload was answered ${status}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

/** Rows of what was measured with our driver, with the simulated one, and with the simulated one that writes into OVN's database. */
function rowsOf(id: string, ours: readonly Round[], floors: readonly Round[], bare: readonly Round[]): readonly Row[] {
  const of = (rounds: readonly Round[], field: keyof Round) => median(rounds.map((round) => round[field]));
  const row = (name: string, unit: string, value: number, floor: number): Row => ({ id: name, value, unit, floor, ratio: value / floor });
  const [value, floor, limit] = [ours, floors, bare].map((rounds) => of(rounds, 'perSecond')) as [number, number, number];
  const cpuMs = of(ours, 'cpuMs');
  return [
    { ...row(id, '1/s', value, floor), cpuMs },
    row(`${id}.cpu`, 'ms', cpuMs, of(floors, 'cpuMs')),
    row(`${id}.central`, 'ms', of(ours, 'centralMs'), of(bare, 'centralMs')),
    { ...row(`${id}.limit`, '1/s', limit, floor), cpuMs: of(bare, 'cpuMs') },
    row(`${id}.reached`, '1/s', value, limit),
  ];
}

/** NICs that the control plane makes a second in a VPC by OVN, beside the same requests where networks are simulated. */
export const networkPortsBench: Bench = {
  ids: Object.keys(CROWDS).flatMap(idsOf),
  async run(wants) {
    await using ground = await Ground.lay();
    const rows: Row[] = [];
    for (const [id, crowd] of Object.entries(CROWDS)) {
      if (!idsOf(id).some(wants)) continue;
      const { atOnce, machines } = crowd;
      const places = [];
      for (const driver of ['ovn', 'simulated-shared', 'bare']) places.push(await ground.network(driver, `${driver}-${atOnce}`, machines));
      const rounds = places.map(() => [] as Round[]);
      for (let round = 0; round < ROUNDS; round += 1)
        for (const [at, place] of places.entries()) rounds[at]?.push(await ground.round(place, crowd));
      const [ours = [], floors = [], bare = []] = rounds;
      rows.push(...rowsOf(id, ours, floors, bare));
    }
    return rows;
  },
};
