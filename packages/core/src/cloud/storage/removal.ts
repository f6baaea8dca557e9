import { type Id, isCloudError, type Owed, type Reader } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { instance, isMade } from '../compute/contract.ts';
import type { Hosts } from '../topology/contract.ts';
import { image } from './image.ts';
import { pool } from './pool.ts';
import type { Pools } from './pools.ts';
import { seedPool } from './seeds.ts';
import { snapshot } from './snapshots/snapshot.ts';
import type { StoragePool } from './storage-pool.ts';
import { volume } from './volume.ts';

/** What sagas on stored things reach. */
export interface StorageContext {
  readonly pools: Pick<Pools, 'open'>;
  readonly hosts: Pick<Hosts, 'reachable'>;
  readonly reader: Reader;
}

/** Names of the cleanups that can be owed to a host out of reach. */
export type RemovalTask = 'volume.delete' | 'image.delete' | 'seed.delete';

/** How each kind of stored thing is removed from its pool; absent is done. */
export const REMOVALS: Record<RemovalTask, (pool: StoragePool, id: string, call: Call) => Promise<void>> = {
  'volume.delete': (from, id, call) => from.deleteVolume(id, call),
  'image.delete': (from, id, call) => from.deleteImage(id, call),
  'seed.delete': (from, id, call) => from.deleteSeed(id, call),
};

/**
 * Removes a volume that no row explains any more. A snapshot that was given up and made late all the same, which a look has not come to yet, does not hold it;
 * any other does.
 * @throws CloudError
 */
export async function deleteVolume(
  { reader }: Pick<StorageContext, 'reader'>,
  from: StoragePool,
  volumeId: string,
  call: Call,
): Promise<void> {
  try {
    await from.deleteVolume(volumeId, call);
  } catch (error) {
    if (!isCloudError(error) || error.code !== 'conflict') throw error;
    const late: string[] = [];
    for (const { id } of await from.listSnapshots(volumeId, call))
      if ((await reader.find(snapshot, id))?.deletedAt !== undefined) late.push(id);
    if (late.length === 0) throw error;
    for (const id of late) await from.deleteSnapshot({ id, volumeId }, call);
    await from.deleteVolume(volumeId, call);
  }
}

const removeFrom = (ctx: StorageContext, task: RemovalTask, from: StoragePool, id: string, call: Call): Promise<void> =>
  task === 'volume.delete' ? deleteVolume(ctx, from, id, call) : REMOVALS[task](from, id, call);

interface Step {
  readonly ctx: StorageContext;
  readonly call: Call;
  readonly owe: (debt: Owed) => void;
}

/** The host through which a pool is managed; undefined for a pool that is reached without one. */
export const hostOfPool = async (reader: Reader, poolId: string): Promise<Id<'host'> | undefined> =>
  (await reader.find(pool, poolId))?.hostId;

/** Whether the pool can be reached now, as far as its host tells. */
export async function poolReachable(ctx: StorageContext, poolId: string): Promise<boolean> {
  const hostId = await hostOfPool(ctx.reader, poolId);
  return hostId === undefined || ctx.hosts.reachable(hostId);
}

/**
 * Removes a stored thing, or, when the pool's host is known to be out of reach, leaves that as a debt of the host. Any other failure is thrown, so that
 * the engine tries again: a host that only stumbled is not owed to. Of a pool that is gone there is nothing to remove.
 */
export async function removeOrOwe({ ctx, call, owe }: Step, task: RemovalTask, poolId: string, id: string): Promise<void> {
  const from = await ctx.reader.find(pool, poolId);
  if (from === undefined || from.deletedAt !== undefined) return;
  const { hostId } = from;
  if (hostId !== undefined && !(await ctx.hosts.reachable(hostId))) return owe({ task, place: hostId, target: { poolId, id } });
  await removeFrom(ctx, task, await ctx.pools.open(poolId), id, call);
}

/** A seed follows the root disk that has left the pool: a machine that is on has the new one by then, and one that is off gets it when it starts. */
export async function leaveSeed(
  step: Step,
  { slot, instanceId }: { readonly slot?: number | undefined; readonly instanceId?: string | undefined },
  poolId: string,
): Promise<void> {
  if (slot === 0 && instanceId !== undefined) await removeOrOwe(step, 'seed.delete', poolId, instanceId);
}

/** Whether a live row says that the thing lies there by right. */
const BELONGS: Record<RemovalTask, (reader: Reader, poolId: string, id: string) => Promise<boolean>> = {
  'volume.delete': async (reader, poolId, id) => {
    const row = await reader.find(volume, id);
    const isThere = row?.poolId === poolId || row?.movingToPoolId === poolId;
    return isThere && row.deletedAt === undefined && row.state !== 'creating' && row.state !== 'deleting';
  },
  'image.delete': async (reader, _poolId, id) => ['available', 'trashed'].includes((await reader.find(image, id))?.state ?? ''),
  'seed.delete': async (reader, poolId, id) => {
    const machine = await reader.find(instance, id);
    return machine !== undefined && isMade(machine) && (await seedPool(reader, id)) === poolId;
  },
};

/** Removes from a pool what this is owed for. What lies there by right stays. */
export async function payRemoval(ctx: StorageContext, task: RemovalTask, poolId: string, id: string, call: Call): Promise<void> {
  if (!(await BELONGS[task](ctx.reader, poolId, id))) await removeFrom(ctx, task, await ctx.pools.open(poolId), id, call);
}
