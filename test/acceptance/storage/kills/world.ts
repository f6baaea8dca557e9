import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Id, OperationState } from '@pileus/sdk';
import { virsh } from '../../../lab/guest-domain.ts';
import { until } from '../../../lab/waiting.ts';
import { type Inventory, sizedInventory } from '../inventory.ts';
import type { Ground } from './ground.ts';

/** All that storage leaves: in the pool of Ceph, in the folder of a host, in the server's own, and on the host. */
export interface World extends Inventory {
  /** How large volumes are in the pool that are not encrypted. */
  readonly sizes: readonly string[];
  /** Volumes in the folder of the host. */
  readonly local: readonly string[];
  /** Images whose content the server has. */
  readonly contents: readonly string[];
  readonly domains: readonly string[];
  /** Of each machine on the host: its disks and what is in its drive, as it runs, if it does, and as it will start. */
  readonly plugged: readonly string[];
  /** What is not at rest: operations, rows between two states, debts, and what nothing explains. */
  readonly restless: readonly string[];
}

export interface Told {
  readonly seen: World;
  readonly expected: World;
}

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;
/** In what `virsh` calls the sources of disks. Seeds are none of them. */
const PLUGGED = /(?:volume|image)-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/g;
const UNFINISHED: readonly OperationState[] = ['queued', 'running', 'unwinding', 'needs_attention', 'parked'];
const AT_REST = ['available', 'attached', 'trashed', 'stopped', 'running', 'awaiting_content', 'disabled'];
const DETACH_TIMEOUT_MS = 180_000;
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

/** Volumes and ISOs of what `virsh domblklist` prints. */
const pluggedIn = (printed: string): string =>
  [...printed.matchAll(PLUGGED)]
    .map(([, id]) => id)
    .sort()
    .join(' ');

/** Of each machine on the host, by one call of its client. */
async function pluggedOn({ lab }: Ground): Promise<{ readonly domains: readonly string[]; readonly plugged: readonly string[] }> {
  const host = lab.lab.host(0);
  const printed = await virsh(host, 'list', '--all', '--uuid');
  const domains = printed
    .split('\n')
    .flatMap((line) => UUID.exec(line)?.[0] ?? [])
    .sort();
  const asked = domains.map((id) => `echo @${id}; domstate ${id}; domblklist ${id}; echo @starts; domblklist ${id} --inactive`);
  const told = domains.length === 0 ? '' : await virsh(host, asked.join('; '));
  const plugged = domains.flatMap((id) => {
    const [now = '', later = ''] = (told.split(`@${id}`)[1] ?? '').split('@starts');
    return [
      ...(now.includes('shut off') ? [] : [`${id} runs with ${pluggedIn(now)}`]),
      `${id} starts with ${pluggedIn(later.split('@')[0] ?? '')}`,
    ];
  });
  return { domains, plugged };
}

async function look(ground: Ground): Promise<Told> {
  const { cloud, lab } = ground;
  const { inventory, sizes } = await sizedInventory(lab.ceph);
  const [volumes, snapshots, images, instances, attachments] = await Promise.all([
    cloud.volumes.list().toArray(),
    cloud.snapshots.list().toArray(),
    cloud.images.list().toArray(),
    cloud.instances.list().toArray(),
    cloud.attachments.list().toArray(),
  ]);
  const live = new Set<string>([...images, ...instances].map(({ id }) => id));
  const kept = (name: string) => KEPT_WITH.test(name) && live.has(UUID.exec(name)?.[0] ?? '');
  const inPool = volumes.filter(({ poolId }) => poolId === lab.poolId);
  const disksOf = (id: Id<'instance'>): readonly string[] => [
    ...volumes.filter(({ instanceId }) => instanceId === id).map((row) => row.id),
    ...attachments.filter(({ instanceId }) => instanceId === id).map(({ volumeId }) => volumeId),
  ];
  const open = new Set(instances.flatMap(({ id, state }) => (state === 'running' ? disksOf(id) : [])));
  const inUse = inPool.flatMap(({ id }) => (open.has(id) ? [`volume-${id}`] : []));
  const { domains, plugged } = await pluggedOn(ground);
  const plain = inPool.filter(({ encrypted }) => encrypted !== true);
  return {
    seen: {
      ...inventory,
      // What lies in the drives of machines has no writers.
      watched: inventory.watched.filter((name) => name.startsWith('volume-')),
      // Of what is in use who has written last has it.
      locked: inventory.locked.filter((name) => !inUse.includes(name)),
      sizes: plain.map(({ id }) => `${id} has ${sizes.get(`volume-${id}`)}`),
      local: await idsIn(join(ground.files, 'local'), 'volume'),
      contents: await idsIn(join(lab.serverDir, 'data/images')),
      domains,
      plugged,
      restless: await restless(ground),
    },
    expected: {
      images: [...inPool.map(({ id }) => `volume-${id}`), ...inventory.images.filter(kept)].sort(),
      trash: [],
      snapshots: [
        ...inventory.snapshots.filter(kept),
        ...snapshots.filter(({ poolId }) => poolId === lab.poolId).map(({ id, volumeId }) => `volume-${volumeId}@${id}`),
      ].sort(),
      watched: inUse.sort(),
      locked: [],
      sizes: plain.map(({ id, sizeBytes }) => `${id} has ${sizeBytes}`),
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
      plugged: instances
        .filter(({ state }) => state !== 'trashed')
        .toSorted((a, b) => (a.id < b.id ? -1 : 1))
        .flatMap(({ id, state, isoImageId }) => {
          const disks = [...disksOf(id), ...(isoImageId === undefined ? [] : [isoImageId])].sort().join(' ');
          return [...(state === 'running' ? [`${id} runs with ${disks}`] : []), `${id} starts with ${disks}`];
        }),
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

/** Everything but what the ground was laid with goes: what depends on others first. Machines that run are left with their root disks alone. */
export async function cleared(ground: Ground): Promise<void> {
  const { cloud, lab } = ground;
  const permanent = { permanent: true } as const;
  const kept = new Set<string>([ground.imageId, ground.isoId, ground.guestId, ground.storeId, ground.bucketId]);
  for (const { id } of await cloud.backupSets.list().toArray()) await cloud.backupSets.delete(id).wait();
  await Promise.all((await cloud.volumeBackups.list().toArray()).map(({ id }) => cloud.volumeBackups.delete(id).wait()));
  for (const { id } of await cloud.snapshotGroups.list().toArray()) await cloud.snapshotGroups.delete(id).wait();
  for (const { id, system } of await cloud.snapshots.list().toArray()) if (!system) await cloud.snapshots.delete(id).wait();
  const stay = new Set<string>(ground.running);
  await Promise.all([...stay].map((id) => emptied(ground, id as Id<'instance'>)));
  for (const { id, state } of await cloud.instances.list().toArray())
    if (!stay.has(id)) await (state === 'trashed' ? cloud.instances.expunge(id).wait() : cloud.instances.delete(id, permanent).wait());
  const volumes = (await cloud.volumes.list().toArray()).filter(({ instanceId }) => instanceId === undefined || !stay.has(instanceId));
  await Promise.all(
    volumes.map(({ id, state }) => (state === 'trashed' ? cloud.volumes.expunge(id) : cloud.volumes.delete(id, permanent)).wait()),
  );
  for (const { id, state } of await cloud.images.list().toArray())
    if (!kept.has(id)) await (state === 'trashed' ? cloud.images.expunge(id) : cloud.images.delete(id, permanent)).wait();
  for (const { id } of await cloud.pools.list().toArray())
    if (id !== lab.poolId && id !== ground.localId) await cloud.pools.delete(id).wait();
  for (const { id } of await cloud.backupStores.list().toArray()) if (!kept.has(id)) await cloud.backupStores.delete(id).wait();
}

/** Takes out what was put into a machine that runs. */
async function emptied({ cloud }: Ground, id: Id<'instance'>): Promise<void> {
  if ((await cloud.instances.get(id)).isoImageId !== undefined) await cloud.instances.detachIso(id, { force: true }).wait();
  const disks = await cloud.volumes.list({ where: { instanceId: id } }).toArray();
  const shared = await cloud.attachments.list({ where: { instanceId: id } }).toArray();
  const volumeIds = [...disks.filter(({ slot }) => slot !== 0).map((disk) => disk.id), ...shared.map(({ volumeId }) => volumeId)];
  for (const volumeId of volumeIds) await cloud.instances.detachVolume(id, { volumeId }).wait({ timeoutMs: DETACH_TIMEOUT_MS });
}
