import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeEnvironment } from '@pileus/core/node';
import type { PoolEndpoint, StorageDriver } from '@pileus/core/strategy';
import { CephCluster, type CephClusterOptions } from '../../../../tools/system/ceph-cluster.ts';
import { QemuClient } from '../../../../tools/system/qemu-client.ts';
import { type RbdOptions, rbd } from '../../src/rbd/index.ts';

const SETTLED_MS = 180_000;
const POOL_ID = '01900000-0000-7000-8000-00000000900b';

/** A real cluster with a pool for the driver. */
export class LabPool {
  readonly environment = nodeEnvironment();
  readonly cluster: CephCluster;
  readonly host = { hostId: 'any', uri: 'qemu:///system' };
  readonly #namespace: string | undefined;
  readonly #plugin: ReturnType<typeof rbd>;

  private constructor(cluster: CephCluster, { namespace, ...options }: RbdOptions & { readonly namespace?: string }) {
    this.cluster = cluster;
    this.#namespace = namespace;
    this.#plugin = rbd(options);
  }

  static async up(options: CephClusterOptions & RbdOptions & { readonly namespace?: string } = {}): Promise<LabPool> {
    // The manager counts what is stored.
    const cluster = await CephCluster.start({ manager: true, ...options });
    return new LabPool(cluster, options);
  }

  get settings(): PoolEndpoint['settings'] {
    const { monitors, user } = this.cluster;
    const namespace = this.#namespace === undefined ? {} : { namespace: this.#namespace };
    return { monitors: monitors.join(','), user: user.name, key: user.key, pool: 'rbd', ...namespace };
  }

  async open(settings: PoolEndpoint['settings'] = this.settings): Promise<StorageDriver> {
    const [factory] = this.#plugin.strategies.storage ?? [];
    if (factory === undefined) throw new Error('the plugin has no storage');
    return factory.open({ poolId: POOL_ID, scope: 'zone', settings });
  }

  /** Where the witness finds an image. */
  spec(image: string): string {
    return ['rbd', ...(this.#namespace === undefined ? [] : [this.#namespace]), image].join('/');
  }

  client(volumeId: string): Promise<QemuClient> {
    return QemuClient.open(`rbd:${this.spec(`volume-${volumeId}`)}:id=admin:conf=${this.cluster.configPath}`);
  }

  async freeze(): Promise<void> {
    for (const daemon of this.#daemons()) daemon.freeze();
    for (const daemon of this.#daemons()) await daemon.untilFrozen();
  }

  async thaw(): Promise<void> {
    for (const daemon of this.#daemons()) daemon.thaw();
  }

  #daemons() {
    return [...this.cluster.monitorDaemons, ...this.cluster.osds];
  }

  /** Until no disk has anything under way, some looks in a row: between two of them it has read what was sent. */
  async settle(): Promise<void> {
    await this.cluster.untilUp();
    const deadline = performance.now() + SETTLED_MS;
    for (let idleLooks = 0; idleLooks < 3; await sleep(50)) {
      for (const daemon of this.#daemons()) await daemon.expectRunning();
      idleLooks = (await this.#isIdle()) ? idleLooks + 1 : 0;
      if (performance.now() > deadline) throw new Error(`the cluster in ${this.cluster.dir} is not idle in ${SETTLED_MS} ms`);
    }
  }

  async #isIdle(): Promise<boolean> {
    const answers = await Promise.all(this.cluster.osds.map((_, index) => askOsd(this.cluster, index, 'dump_ops_in_flight')));
    return answers.every((answer) => (answer as { readonly num_ops: number }).num_ops === 0);
  }

  async plant(name: string, sizeBytes: number): Promise<void> {
    await this.cluster.rbd('create', `--size=${sizeBytes}B`, this.spec(name));
  }

  async harm(): Promise<void> {
    await this.cluster.osd(0).kill();
  }

  async heal(): Promise<void> {
    await this.cluster.osd(0).start();
    await this.cluster.untilUp();
  }

  async close(): Promise<void> {
    await this.cluster[Symbol.asyncDispose]();
  }
}

/** What a daemon of Ceph answers at its own socket: four bytes of length, then JSON. */
export async function askOsd(cluster: CephCluster, osd: number, prefix: string): Promise<unknown> {
  const socket = connect(join(cluster.dir, 'run', `osd.${osd}.asok`));
  socket.write(`${JSON.stringify({ prefix })}\0`);
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part as Buffer);
  return JSON.parse(Buffer.concat(parts).subarray(4).toString('utf8'));
}
