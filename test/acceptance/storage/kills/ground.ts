import { randomBytes, randomUUID } from 'node:crypto';
import type { Cloud, Id, Volume } from '@pileus/sdk';
import { until } from '../../../lab/waiting.ts';
import { type CephCloud, MIB, POOL } from '../ceph-cloud.ts';

/** What plays are played on, and the names of what they make. */
export interface Ground {
  readonly lab: CephCloud;
  readonly cloud: Cloud;
  /** With content, and in the pool already. */
  readonly imageId: Id<'image'>;
  readonly localId: Id<'pool'>;
  /** That of the pool of Ceph alone. */
  readonly storageClass: string;
  readonly storeId: Id<'backupStore'>;
  /** In a bucket. */
  readonly bucketId: Id<'backupStore'>;
  /** Which the pool has copies of already: an ISO, and what boots. */
  readonly isoId: Id<'image'>;
  readonly guestId: Id<'image'>;
  /** Machines that run for as long as a wave is played. They have booted: what is plugged in or out they notice. */
  readonly running: Id<'instance'>[];
  /** On the server: images may be imported from there. */
  readonly files: string;
  name(of: string): string;
}

/** What was accepted, as the SDK tells it. `beganMs`: where most of the work is the request itself. */
export type Asked = PromiseLike<{ readonly operationId: Id<'operation'>; readonly beganMs?: number }>;

/** One saga: `ready` makes what it needs, and answers what asks for it. */
export interface Play {
  readonly title: string;
  readonly ready: (ground: Ground) => Promise<() => Asked>;
}

export const play = (title: string, ready: Play['ready']): Play => ({ title, ready });

/** Sagas that take about as long, asked for at once, and killed at once. */
export interface Wave {
  readonly title: string;
  /** So many machines run meanwhile, whatever becomes of the server. */
  readonly machines?: number;
  readonly plays: readonly Play[];
}

export const CONTENT_BYTES = 16 * MIB;

export const empty = (g: Ground, more: object = {}): Promise<Volume> =>
  Promise.resolve(g.cloud.volumes.create({ name: g.name('volume'), sizeBytes: 16 * MIB, poolId: g.lab.poolId, ...more }).wait());
/** A clone of the image: it has content that is shared. */
export const filled = (g: Ground, more: object = {}): Promise<Volume> =>
  empty(g, { imageId: g.imageId, sizeBytes: CONTENT_BYTES, ...more });

export async function independent(g: Ground, more: object = {}): Promise<Volume> {
  const { id } = await filled(g, more);
  return await g.cloud.volumes.flatten(id).wait();
}

export async function snapshotOf(g: Ground, volumeId: Id<'volume'>): Promise<Id<'snapshot'>> {
  return (await g.cloud.snapshots.create({ name: g.name('snapshot'), volumeId }).wait()).id;
}

/** A machine that is off, with a root disk from the image and an empty one. */
export const machine = (g: Ground, more: object = {}) =>
  g.cloud.instances.create({
    name: g.name('machine'),
    instanceType: 'tiny',
    imageId: g.imageId,
    nics: [],
    rootVolume: { storageClass: g.storageClass },
    volumes: [{ sizeBytes: MIB, storageClass: g.storageClass, deleteWithInstance: true }],
    start: false,
    ...more,
  });
export const off = async (g: Ground, more: object = {}): Promise<Id<'instance'>> => (await machine(g, more).wait()).id;

/** An image of its own, which no pool has yet. */
export async function fresh(g: Ground): Promise<Id<'image'>> {
  const { id } = await g.cloud.images.create({ name: g.name('image') }).wait();
  await g.cloud.images.upload(id, randomBytes(CONTENT_BYTES));
  return id;
}

export const backUp = (g: Ground, volumeId: Id<'volume'>, storeId = g.storeId) =>
  g.cloud.volumeBackups.create({ name: g.name('backup'), volumeId, storeId });

/** One of the machines that run. */
export function machineOf(g: Ground, number: number): Id<'instance'> {
  const id = g.running[number];
  if (id === undefined) throw new RangeError(`no machine ${number} runs in this wave`);
  return id;
}

/** A volume that is plugged into one of the machines that run. */
export async function plugged(g: Ground, number: number, volume: Promise<Volume> = empty(g)): Promise<Id<'volume'>> {
  const { id } = await volume;
  await g.cloud.instances.attachVolume(machineOf(g, number), { volumeId: id }).wait();
  return id;
}

/** A disk with our mark that no row tells of, found by a look at the pool. */
export async function strayed(g: Ground): Promise<Id<'stray'>> {
  const objectId = randomUUID();
  await g.lab.ceph.rbd('create', `${POOL}/volume-${objectId}`, '--size=16M');
  const found = async () => (await g.cloud.strays.list({ where: { objectId } }).toArray())[0]?.id;
  return until('the disk to be found', found);
}

export async function group(g: Ground): Promise<Id<'snapshotGroup'>> {
  const name = g.name('group');
  await g.cloud.instances.snapshot(await off(g), { name }).wait();
  return (await g.cloud.snapshotGroups.get(name)).id;
}

export async function backupSet(g: Ground): Promise<Id<'backupSet'>> {
  const set = { name: g.name('set'), instanceId: await off(g), storeId: g.storeId };
  return (await g.cloud.backupSets.create(set).wait()).id;
}

export const poolInput = ({ lab, name }: Ground, zoneId: Id<'zone'>) => ({
  ...{ name: name('pool'), driver: 'rbd', zoneId },
  settings: { monitors: lab.ceph.monitors.join(','), pool: 'other', user: lab.ceph.user.name },
  secrets: { key: lab.ceph.user.key },
});

export async function otherPool(g: Ground): Promise<Id<'pool'>> {
  const { zoneId } = await g.cloud.pools.get(g.lab.poolId);
  return (await g.cloud.pools.create(poolInput(g, zoneId as Id<'zone'>)).wait()).id;
}

/** In the trash of the cloud, from which it can be recovered. */
export async function trashed(g: Ground): Promise<Id<'volume'>> {
  const { id } = await filled(g);
  await g.cloud.volumes.delete(id).wait();
  return id;
}
