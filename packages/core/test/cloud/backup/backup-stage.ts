import { createHash } from 'node:crypto';
import type { SimCloudOptions } from '@pileus/core/testing';
import { backup, volume } from '../../../src/cloud/index.ts';
import { LittleCloud } from '../little-cloud.ts';

export const CHUNK = 4 * 2 ** 20;
/** The collector takes two looks, five seconds apart. */
export const A_TIDYING_MS = 30_000;

/** A cloud with a host, a pool and a backup store. */
export class BackupStage {
  readonly cloud: LittleCloud;
  readonly hostId: string;
  readonly poolId: string;
  readonly storeId: string;

  private constructor(cloud: LittleCloud, ids: { readonly hostId: string; readonly poolId: string; readonly storeId: string }) {
    this.cloud = cloud;
    this.hostId = ids.hostId;
    this.poolId = ids.poolId;
    this.storeId = ids.storeId;
  }

  static async open(options: Partial<SimCloudOptions> = {}): Promise<BackupStage> {
    const cloud = await LittleCloud.open(options);
    const hostId = await cloud.host('hv1');
    const poolId = await cloud.pool(hostId);
    const storeId = await cloud.sim.done('backupStore.create', { name: 'store', driver: 'simulated' });
    return new BackupStage(cloud, { hostId, poolId, storeId });
  }

  get sim() {
    return this.cloud.sim;
  }

  /** What a guest does. */
  write(volumeId: string, offsetBytes: number, bytes: Uint8Array): void {
    this.#pool.write(volumeId, offsetBytes, bytes);
  }
  fill(volumeId: string, chunk: number, byte: number): void {
    this.write(volumeId, chunk * CHUNK, new Uint8Array(CHUNK).fill(byte));
  }
  contentOf(volumeId: string): string | undefined {
    return this.#pool.find('volume', volumeId)?.content.digest;
  }
  snapshotsOf(volumeId: string): readonly string[] {
    return this.#pool.snapshotsOf(volumeId).map(({ id }) => id);
  }
  get #pool() {
    const pool = this.sim.world.pools.get(`hv1/${this.poolId}`);
    if (pool === undefined) throw new Error('no pool');
    return pool;
  }

  get objects(): Map<string, Uint8Array> {
    const objects = this.sim.world.backups.get('backups');
    if (objects === undefined) throw new Error('no place');
    return objects;
  }
  chunks(): readonly string[] {
    return [...this.objects.keys()].filter((key) => key.includes('/chunks/'));
  }

  backUp(volumeId: string, more: object = {}): Promise<string> {
    return this.sim.done('backup.create', { volumeId, ...more });
  }
  row(id: string) {
    return this.cloud.row(backup, id);
  }

  /** The new volume. */
  async restore(backupId: string, more: object = {}): Promise<string> {
    const known = new Set((await this.cloud.rows(volume)).map(({ id }) => id));
    await this.sim.done('backup.restore', more, backupId);
    const made = (await this.cloud.rows(volume)).find(({ id }) => !known.has(id));
    if (made === undefined) throw new Error('no new volume');
    return made.id;
  }

  tidy(): Promise<void> {
    return this.sim.run(A_TIDYING_MS);
  }
}

export const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
