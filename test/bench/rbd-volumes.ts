import { join } from 'node:path';
import { cloud, systemPrincipal } from '@pileus/core';
import { Api, Kernel } from '@pileus/core/kernel';
import { directoryImageStore, nodeEnvironment } from '@pileus/core/node';
import { openSqlite } from '@pileus/core/sqlite';
import { SimWorld, simulated } from '@pileus/core/testing';
import { RadosCluster, type RbdPool } from '@pileus/drivers-rbd/rados';
import { rbd } from '@pileus/drivers-rbd/rbd';
import { CephCluster } from '../../tools/system/ceph-cluster.ts';
import { type Bench, inFlight, median, type Row } from './harness.ts';
import { scratch } from './scratch.ts';

const MIB = 2 ** 20;
const END_MS = 120_000;
const SIZE_BYTES = 256 * MIB;
const EACH = 100;
const AT_ONCE = 16;
const ROUNDS = 3;
const HOST = 'hv1';
const BASE = 'base';
const VERBS = ['create', 'clone', 'delete'] as const;

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
  readonly #bare: RbdPool;
  readonly #stack: AsyncDisposableStack;
  #imageId = '';

  private constructor(kernel: Kernel, cluster: CephCluster, bare: RbdPool, stack: AsyncDisposableStack) {
    this.#kernel = kernel;
    this.#cluster = cluster;
    this.#bare = bare;
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
    const ground = new Ground(kernel, cluster, binding.pool('bare'), stack.move());
    await ground.#populate();
    return ground;
  }

  ours(): Side {
    const ids: string[] = [];
    const create = async (index: number, more: object) => {
      ids[index] = await this.#done('volume.create', { sizeBytes: SIZE_BYTES, ...more });
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
        await this.#bare.clone({ image: 'image', snapshot: BASE }, name(index));
        await this.#bare.image(name(index)).resize(SIZE_BYTES);
      },
      delete: (index) => this.#bare.trash.move(name(index)),
    };
  }

  /** Both trashes are empty: what one side deleted costs the other nothing. */
  async purge(): Promise<void> {
    for (const { id } of await this.#bare.trash.list()) await this.#bare.trash.remove(id, { timeoutMs: END_MS });
    for (const pool of ['rbd', 'bare']) while ((await this.#cluster.rbd('trash', 'ls', pool)).trim() !== '');
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
    await this.#done('host.create', { name: HOST, clusterId, uri: `sim://${HOST}` });
    const { monitors, user } = this.#cluster;
    const settings = { monitors: monitors.join(','), user: user.name, pool: 'rbd' };
    const pool = { name: 'p', driver: 'rbd', zoneId, settings, secrets: { key: user.key }, overcommit: 20 };
    await this.#done('pool.create', pool);
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
    await this.#bare.create('image', { sizeBytes: MIB });
    await this.#bare.image('image').snapshots.create(BASE);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

async function perSecond(act: (index: number) => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await inFlight(AT_ONCE, 0, EACH, act);
  return EACH / ((performance.now() - startedMs) / 1000);
}

/** Volumes a second through the control plane, beside the same by the binding alone on the same cluster at the same time of day. */
export const rbdVolumesBench: Bench = {
  ids: VERBS.map((verb) => `rbd.${verb}`),
  async run() {
    await using ground = await Ground.lay();
    const rates = { ours: { create: [], clone: [], delete: [] }, bare: { create: [], clone: [], delete: [] } } as Record<
      'ours' | 'bare',
      Record<(typeof VERBS)[number], number[]>
    >;
    for (let round = 0; round < ROUNDS; round += 1)
      for (const making of ['create', 'clone'] as const)
        for (const [name, side] of [
          ['ours', ground.ours()],
          ['bare', ground.bare()],
        ] as const) {
          rates[name][making].push(await perSecond((index) => side[making](index)));
          rates[name].delete.push(await perSecond((index) => side.delete(index)));
          await ground.purge();
        }
    return VERBS.map((verb): Row => {
      const [value, floor] = [median(rates.ours[verb]), median(rates.bare[verb])];
      return { id: `rbd.${verb}`, value, unit: '1/s', floor, ratio: value / floor };
    });
  },
};
