import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { OperationState } from '@pileus/sdk';
import { virsh } from '../../../lab/guest-domain.ts';
import { until } from '../../../lab/waiting.ts';
import { type Inventory, poolInventory } from '../inventory.ts';
import type { Ground } from './ground.ts';

/** All that storage leaves: in the pool of Ceph, in the folder of a host, in the server's own, and on the host. */
export interface World extends Inventory {
  /** Volumes in the folder of the host. */
  readonly local: readonly string[];
  /** Images whose content the server has. */
  readonly contents: readonly string[];
  readonly domains: readonly string[];
  /** What is not at rest: operations, rows between two states, debts, and what nothing explains. */
  readonly restless: readonly string[];
}

export interface Told {
  readonly seen: World;
  readonly expected: World;
}

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;
const UNFINISHED: readonly OperationState[] = ['queued', 'running', 'unwinding', 'needs_attention', 'parked'];
const AT_REST = ['available', 'attached', 'trashed', 'stopped', 'running', 'awaiting_content', 'disabled'];
/** A copy in the pool, and what begins a machine, are there for as long as what they are of. */
const KEPT_WITH = /^(?:image|seed)-/;

async function restless({ cloud }: Ground): Promise<readonly string[]> {
  const operations = await cloud.operations.list({ where: { state: { in: UNFINISHED } } }).toArray();
  const unfinished = operations.map(({ action, state }) => `${action} is ${state}`);
  const kinds = [
    cloud.volumes,
    cloud.snapshots,
    cloud.snapshotGroups,
    cloud.images,
    cloud.instances,
    cloud.volumeBackups,
    cloud.backupSets,
  ];
  const rows = (await Promise.all([...kinds, cloud.pools, cloud.backupStores].map((kind) => kind.list().toArray()))).flat();
  const between = rows.filter(({ state }) => !AT_REST.includes(state)).map(({ name, state }) => `${name} is ${state}`);
  const missing = rows.filter((row) => 'status' in row && row.status === 'missing').map(({ name }) => `${name} is missing`);
  const moving = (await cloud.volumes.list().toArray()).filter((row) => row.leftPoolId !== undefined || row.movingToPoolId !== undefined);
  const debts = (await cloud.debts.list().toArray()).map(({ task }) => `${task} is owed`);
  const strays = (await cloud.strays.list().toArray()).map(({ name }) => `stray ${name}`);
  return [...unfinished, ...between, ...missing, ...moving.map(({ name }) => `${name} is moving`), ...debts, ...strays];
}

const idsIn = async (directory: string, prefix = ''): Promise<readonly string[]> => {
  const names = (await readdir(directory)).filter((name) => name.includes(prefix));
  return [...new Set(names.flatMap((name) => UUID.exec(name)?.[0] ?? []))].sort();
};

async function look(ground: Ground): Promise<Told> {
  const { cloud, lab } = ground;
  const found = await poolInventory(lab.ceph);
  const [volumes, snapshots, images, instances] = await Promise.all([
    cloud.volumes.list().toArray(),
    cloud.snapshots.list().toArray(),
    cloud.images.list().toArray(),
    cloud.instances.list().toArray(),
  ]);
  const live = new Set<string>([...images, ...instances].map(({ id }) => id));
  const kept = (name: string) => KEPT_WITH.test(name) && live.has(UUID.exec(name)?.[0] ?? '');
  const inPool = volumes.filter(({ poolId }) => poolId === lab.poolId);
  const domains = (await virsh(lab.lab.host(0), 'list', '--all', '--uuid')).split('\n').map((line) => line.trim());
  return {
    seen: {
      ...found,
      local: await idsIn(join(ground.files, 'local'), 'volume'),
      contents: await idsIn(join(lab.serverDir, 'data/images')),
      domains: domains.filter((uuid) => uuid !== '').sort(),
      restless: await restless(ground),
    },
    expected: {
      images: [...inPool.map(({ id }) => `volume-${id}`), ...found.images.filter(kept)].sort(),
      trash: [],
      snapshots: [
        ...found.snapshots.filter(kept),
        ...snapshots.filter(({ poolId }) => poolId === lab.poolId).map(({ id, volumeId }) => `volume-${volumeId}@${id}`),
      ].sort(),
      watched: [],
      locked: [],
      local: volumes
        .filter(({ poolId }) => poolId === ground.localId)
        .map(({ id }) => id)
        .sort(),
      contents: images
        .filter(({ sha256 }) => sha256 !== undefined)
        .map(({ id }) => id)
        .sort(),
      domains: instances
        .filter(({ state }) => state !== 'trashed')
        .map(({ id }) => id)
        .sort(),
      restless: [],
    },
  };
}

const sorted = ({ seen, expected }: Told): Told => ({ seen: { ...seen, snapshots: seen.snapshots.toSorted() }, expected });

/** Waits until all is as the rows say, and nothing is under way. Answers what there is if that does not come. */
export async function settledWorld(ground: Ground): Promise<Told> {
  const settled = async () => {
    const told = await look(ground)
      .then(sorted)
      .catch(() => undefined);
    return told !== undefined && JSON.stringify(told.seen) === JSON.stringify(told.expected) ? told : undefined;
  };
  return until('the world as the rows say', settled).catch(async () => sorted(await look(ground)));
}

/** Everything but the image of the ground goes: what depends on others first. */
export async function cleared(ground: Ground): Promise<void> {
  const { cloud, lab } = ground;
  const permanent = { permanent: true } as const;
  for (const { id } of await cloud.backupSets.list().toArray()) await cloud.backupSets.delete(id).wait();
  await Promise.all((await cloud.volumeBackups.list().toArray()).map(({ id }) => cloud.volumeBackups.delete(id).wait()));
  for (const { id } of await cloud.snapshotGroups.list().toArray()) await cloud.snapshotGroups.delete(id).wait();
  for (const { id, system } of await cloud.snapshots.list().toArray()) if (!system) await cloud.snapshots.delete(id).wait();
  for (const { id, state } of await cloud.instances.list().toArray())
    await (state === 'trashed' ? cloud.instances.expunge(id).wait() : cloud.instances.delete(id, permanent).wait());
  const volumes = await cloud.volumes.list().toArray();
  await Promise.all(
    volumes.map(({ id, state }) => (state === 'trashed' ? cloud.volumes.expunge(id) : cloud.volumes.delete(id, permanent)).wait()),
  );
  for (const { id, state } of await cloud.images.list().toArray())
    if (id !== ground.imageId) await (state === 'trashed' ? cloud.images.expunge(id) : cloud.images.delete(id, permanent)).wait();
  for (const { id } of await cloud.pools.list().toArray())
    if (id !== lab.poolId && id !== ground.localId) await cloud.pools.delete(id).wait();
  for (const { id } of await cloud.backupStores.list().toArray()) if (id !== ground.storeId) await cloud.backupStores.delete(id).wait();
}
