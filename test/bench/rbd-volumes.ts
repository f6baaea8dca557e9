import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cloud, systemPrincipal } from '@pileus/core';
import { Api, Kernel } from '@pileus/core/kernel';
import { directoryImageStore, nodeEnvironment } from '@pileus/core/node';
import { openSqlite } from '@pileus/core/sqlite';
import { SimWorld, simulated } from '@pileus/core/testing';
import { RadosCluster, type RbdPool } from '@pileus/drivers-rbd/rados';
import { rbd } from '@pileus/drivers-rbd/rbd';
import { askOsd } from '../../packages/drivers-rbd/test/rbd/lab-pool.ts';
import { CephCluster } from '../../tools/system/ceph-cluster.ts';
import { WARM_UP } from './create.ts';
import { type Bench, inFlight, median, type Row } from './harness.ts';
import { scratch } from './scratch.ts';

const MIB = 2 ** 20;
const END_MS = 120_000;
const SIZE_BYTES = 256 * MIB;
const EACH = 128;
const AT_ONCE = 16;
/** By the command line, which starts a process for each. */
const COMMANDS = 16;
const ROUNDS = 5;
/** The kernel's, of a processor's time. */
const TICK_MS = 10;
const PURGE_LOOK_MS = 50;
const HOST = 'hv1';
const BASE = 'base';
/** Where images are made by librbd itself. */
const NAMESPACE = 'librbd';
const VERBS = ['create', 'clone', 'delete'] as const;
const LIBRBD = 'rbd.create.librbd';
type Verb = (typeof VERBS)[number];
const SIDES = ['ours', 'bare', 'librbd', 'cli'] as const;
type SideName = (typeof SIDES)[number];

/** Of one act of a round. */
interface Measured {
  readonly aSecond: number;
  /** Processor time of all who ask the cluster: this process, those of its connections, and programs. */
  readonly cpuMs: number;
  /** And of the cluster that was asked. */
  readonly clusterMs: number;
  /** What its disks were asked: the one figure of these that no load changes. */
  readonly calls: number;
}

interface Side {
  /** Makes, or takes away, the things of a round by their numbers. */
  create(index: number): Promise<void>;
  clone(index: number): Promise<void>;
  delete(index: number): Promise<void>;
}

/** A control plane on the embedded store with a pool of a real cluster, and the binding alone on the same cluster. */
class Ground implements AsyncDisposable {
  readonly #kernel: Kernel;
  readonly #cluster: CephCluster;
  readonly #pool: RbdPool;
  readonly #bare: RbdPool;
  readonly #librbd: RbdPool;
  readonly #stack: AsyncDisposableStack;
  #imageId = '';
  #poolId = '';
  /** Of a driver that asks nobody. */
  #simulatedId = '';

  private constructor(kernel: Kernel, cluster: CephCluster, binding: RadosCluster, stack: AsyncDisposableStack) {
    this.#kernel = kernel;
    this.#cluster = cluster;
    this.#pool = binding.pool('rbd');
    this.#bare = binding.pool('bare');
    this.#librbd = binding.pool('bare', NAMESPACE);
    this.#stack = stack;
  }

  static async lay(): Promise<Ground> {
    await using stack = new AsyncDisposableStack();
    const cluster = stack.use(await CephCluster.start({ osds: 3, manager: true, pools: ['rbd', 'bare'] }));
    const { monitors, user } = cluster;
    const binding = stack.use(RadosCluster.open({ monitors, user: user.name, key: user.key }));
    const dir = stack.use(await scratch());
    const environment = nodeEnvironment();
    const store = await openSqlite({ path: join(dir.path, 'pileus.db') });
    stack.defer(() => store.close());
    const world = new SimWorld(environment, { latencyMs: [0, 0] });
    world.addHost(HOST);
    const kernel = new Kernel({
      environment,
      store,
      sealKey: new Uint8Array(32),
      plugins: cloud({
        cloudId: 'bench',
        imageStore: await directoryImageStore(join(dir.path, 'images')),
        plugins: [simulated({ world, environment }), rbd()],
      }),
    });
    await kernel.start();
    stack.defer(() => kernel.stop());
    const ground = new Ground(kernel, cluster, binding, stack.move());
    await ground.#populate();
    return ground;
  }

  ours(): Side {
    const ids: string[] = [];
    const create = async (index: number, more: object) => {
      ids[index] = await this.#done('volume.create', { sizeBytes: SIZE_BYTES, poolId: this.#poolId, ...more });
    };
    return {
      create: (index) => create(index, {}),
      clone: (index) => create(index, { imageId: this.#imageId }),
      delete: async (index) => {
        await this.#done('volume.delete', {}, ids[index]);
      },
    };
  }

  bare(): Side {
    const name = (index: number) => `volume-${index}`;
    return {
      create: (index) => this.#bare.create(name(index), { sizeBytes: SIZE_BYTES }),
      clone: async (index) => {
        await this.#bare.clone({ image: 'image', snapshot: BASE }, name(index), { sizeBytes: SIZE_BYTES });
      },
      delete: (index) => this.#bare.trash.putAway(name(index), `part-${index}`),
    };
  }

  /** Images as librbd makes them: so the binding has it do in namespaces. */
  librbd(): Side {
    const name = (index: number) => `volume-${index}`;
    return {
      create: (index) => this.#librbd.create(name(index), { sizeBytes: SIZE_BYTES }),
      clone: () => Promise.reject(new Error('clones are made by librbd anyway')),
      delete: (index) => this.#librbd.trash.putAway(name(index), `part-${index}`),
    };
  }

  cli(): Side {
    const name = (index: number) => `bare/volume-${index}`;
    return {
      create: async (index) => void (await this.#cluster.rbd('create', name(index), `--size=${SIZE_BYTES}B`)),
      clone: async (index) => {
        await this.#cluster.rbd('clone', `bare/image@${BASE}`, name(index));
        await this.#cluster.rbd('resize', '--no-progress', name(index), `--size=${SIZE_BYTES}B`);
      },
      delete: async (index) => void (await this.#cluster.rbd('trash', 'mv', name(index))),
    };
  }

  /**
   * A server runs for days: what comes before its code is compiled says nothing of that. Most of the way without the cluster, to which freeing what was deleted is
   * work for minutes; then on both sides.
   */
  async warmUp(): Promise<void> {
    await inFlight(AT_ONCE, 0, WARM_UP, async () => {
      await this.#done('volume.delete', {}, await this.#done('volume.create', { sizeBytes: SIZE_BYTES, poolId: this.#simulatedId }));
    });
    for (const side of [this.ours(), this.bare()])
      for (const making of ['create', 'clone'] as const) {
        await inFlight(AT_ONCE, 0, EACH, (index) => side[making](index));
        await inFlight(AT_ONCE, 0, EACH, (index) => side.delete(index));
      }
    await this.purge();
  }

  async measured(count: number, act: (index: number) => Promise<void>): Promise<Measured> {
    const callsBefore = await this.#calls();
    const before = await this.#processorMs();
    const startedMs = performance.now();
    await inFlight(AT_ONCE, 0, count, act);
    const tookMs = performance.now() - startedMs;
    const after = await this.#processorMs();
    const each = (of: 'clients' | 'cluster') => (after[of] - before[of]) / count;
    const calls = ((await this.#calls()) - callsBefore) / count;
    return { aSecond: count / (tookMs / 1000), cpuMs: each('clients'), clusterMs: each('cluster'), calls };
  }

  /** All that clients have asked the disks so far. */
  async #calls(): Promise<number> {
    // At once: what was deleted begins to be freed a second later.
    const told = await Promise.all(this.#cluster.osds.map((_, index) => askOsd(this.#cluster, index, 'perf dump')));
    return (told as readonly { readonly osd: { readonly op: number } }[]).reduce((sum, { osd }) => sum + osd.op, 0);
  }

  /** Of this process with those that it has waited for, and of its children that live yet, which are daemons of the cluster or connections to it. */
  async #processorMs(): Promise<{ readonly clients: number; readonly cluster: number }> {
    const daemons = new Set([this.#cluster.monitor, ...this.#cluster.osds, this.#cluster.manager].map(({ pid }) => pid));
    const [own, ended] = await ticksOf(process.pid);
    const sums = { clients: own + ended, cluster: 0 };
    for (const pid of (await readFile(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')).split(' ').map(Number)) {
      if (pid === 0) continue;
      const [ticks] = await ticksOf(pid);
      sums[daemons.has(pid) ? 'cluster' : 'clients'] += ticks;
    }
    return { clients: sums.clients * TICK_MS, cluster: sums.cluster * TICK_MS };
  }

  /** All trashes are empty: what one side deleted costs the other nothing. Answers how many a second the driver freed, by itself, since it began; undefined where there was nothing. */
  async purge(): Promise<number | undefined> {
    for (const { trash } of [this.#bare, this.#librbd])
      for (const { id } of await trash.list()) await trash.remove(id, { timeoutMs: END_MS });
    const look = async () => (await this.#pool.trash.list()).length;
    const all = await look();
    let beganMs = performance.now();
    for (let left = all; left > 0; await sleep(PURGE_LOOK_MS)) {
      left = await look();
      // It waits for whether more comes.
      if (left === all) beganMs = performance.now();
    }
    return all === 0 ? undefined : (1000 * all) / (performance.now() - beganMs);
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
    const clusterId = await this.#done('cluster.create', { name: 'c', zoneId, hypervisor: 'simulated' });
    const hostId = await this.#done('host.create', { name: HOST, clusterId, uri: `sim://${HOST}` });
    this.#simulatedId = await this.#done('pool.create', { name: 'simulated', driver: 'simulated', hostId });
    const { monitors, user } = this.#cluster;
    const settings = { monitors: monitors.join(','), user: user.name, pool: 'rbd' };
    const pool = { name: 'p', driver: 'rbd', zoneId, settings, secrets: { key: user.key }, overcommit: 20 };
    this.#poolId = await this.#done('pool.create', pool);
    this.#imageId = await this.#done('image.create', { name: 'image' });
    const { status } = await new Api(this.#kernel).handle({
      method: 'PUT',
      url: `/v1/images/${this.#imageId}/content`,
      headers: {},
      body: {
        json: () => Promise.reject(new Error('an image is no JSON')),
        bytes: async function* () {
          yield new Uint8Array(MIB).fill(1);
        },
      },
      principal: systemPrincipal(),
      requestId: 'upload',
      signal: new AbortController().signal,
      acceptsSocket: false,
    });
    if (status !== 200) throw new Error(`the upload was answered ${status}`);
    // As on the other side, the pool has a copy of it before anything is cloned.
    await this.#done('volume.delete', {}, await this.#done('volume.create', { imageId: this.#imageId, poolId: this.#poolId }));
    await this.#bare.namespaces.create(NAMESPACE);
    await this.#bare.create('image', { sizeBytes: MIB });
    await this.#bare.image('image').snapshots.create(BASE);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

/** Of the process itself, and of those it has waited for; zeroes of one that has ended. */
async function ticksOf(pid: number): Promise<readonly [number, number]> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = fields.slice(11, 15);
  return [user + system, endedUser + endedSystem];
}

type Rounds = Record<SideName, Record<Verb, Measured[]>>;

function rowsOf(rounds: Rounds, freed: readonly number[]): readonly Row[] {
  const of = (side: SideName, verb: Verb, what: keyof Measured) => median(rounds[side][verb].map((each) => each[what]));
  return VERBS.flatMap((verb): Row[] => {
    const value = of('ours', verb, 'aSecond');
    // Of pairs in turns: what else the machine did meanwhile was done to both.
    const ratioTo = (side: SideName) =>
      median(rounds.ours[verb].map(({ aSecond }, index) => aSecond / (rounds[side][verb][index]?.aSecond ?? Number.NaN)));
    const cpuOf = (side: SideName) => `${of(side, verb, 'cpuMs').toFixed(1)} + ${of(side, verb, 'clusterMs').toFixed(1)} ms`;
    const costOf = (side: SideName) => `${side} ${cpuOf(side)}, ${of(side, verb, 'calls').toFixed(1)} calls`;
    const row = { value, unit: '1/s', cpuMs: of('ours', verb, 'cpuMs') };
    return [
      {
        ...{ id: `rbd.${verb}`, ...row, floor: of('bare', verb, 'aSecond'), ratio: ratioTo('bare') },
        what:
          `CPU of clients + cluster, and calls of its disks: ${sidesOf(verb).map(costOf).join('; ')}` +
          (verb === 'delete' ? `; freed behind the answers: ${median(freed).toFixed(1)} a second` : ''),
      },
      ...(verb === 'create' ? [{ id: LIBRBD, ...row, floor: of('librbd', verb, 'aSecond'), ratio: ratioTo('librbd') }] : []),
      { id: `rbd.${verb}.cli`, ...row, floor: of('cli', verb, 'aSecond'), ratio: ratioTo('cli') },
    ];
  });
}

const sidesOf = (verb: Verb) => SIDES.filter((name) => name !== 'librbd' || verb === 'create');

/** Volumes a second through the control plane, beside the same by the binding alone and by `rbd`, on the same cluster at the same time of day. */
export const rbdVolumesBench: Bench = {
  ids: [...VERBS.flatMap((verb) => [`rbd.${verb}`, `rbd.${verb}.cli`]), LIBRBD],
  async run() {
    await using ground = await Ground.lay();
    await ground.warmUp();
    const none = (): Record<Verb, Measured[]> => ({ create: [], clone: [], delete: [] });
    const freed: number[] = [];
    const rounds: Rounds = { ours: none(), bare: none(), librbd: none(), cli: none() };
    for (let round = 0; round < ROUNDS; round += 1)
      for (const making of ['create', 'clone'] as const)
        for (const name of round % 2 === 0 ? sidesOf(making) : sidesOf(making).toReversed()) {
          const side = ground[name]();
          const count = name === 'cli' ? COMMANDS : EACH;
          rounds[name][making].push(await ground.measured(count, (index) => side[making](index)));
          rounds[name].delete.push(await ground.measured(count, (index) => side.delete(index)));
          const rate = await ground.purge();
          if (rate !== undefined) freed.push(rate);
        }
    return rowsOf(rounds, freed);
  },
};
