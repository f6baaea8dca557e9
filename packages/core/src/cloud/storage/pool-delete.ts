import {
  both,
  CloudError,
  debt,
  defineDeletion,
  describeChain,
  type Environment,
  equals,
  FORWARD_ONLY,
  forgetSealed,
  type Id,
  isCloudError,
  NOTHING_TO_UNDO,
  type Reader,
  type RowOf,
  type StateOf,
  saga,
  timestamp,
  transition,
} from '../../kernel/index.ts';
import type { Call, StoredObject } from '../../strategy/index.ts';
import { given } from '../naming.ts';
import type { CloudServices } from '../services.ts';
import { cluster, host, removalAllowed } from '../topology/contract.ts';
import { explained } from './explained.ts';
import { pool } from './pool.ts';
import { forgetPoolLimit, POOL_CLEAR, type PoolContext } from './pool-context.ts';
import { poolAt } from './pool-place.ts';
import { hostOfPool, poolReachable } from './removal.ts';
import type { StoragePool } from './storage-pool.ts';
import { deleteWithSnapshots } from './stray-removal.ts';

export type ClearingContext = PoolContext &
  Pick<CloudServices, 'kernel' | 'slices' | 'store'> & { readonly environment: Pick<Environment, 'clock' | 'logger'> };

interface DeletePoolParams {
  readonly poolId: Id<'pool'>;
  readonly force: boolean;
  /** Reference to what is sealed. */
  readonly secrets?: string;
}

interface Ours extends StoredObject {
  /** It was deleted before: nobody misses it. */
  readonly isLeft: boolean;
}

/** Copies of our images, and what was deleted, and made by a call that came late. */
async function oursIn(ctx: ClearingContext, opened: StoragePool, call: Call): Promise<readonly Ours[]> {
  const ours: Ours[] = [];
  for (const [object, { as, row }] of await explained(ctx, await opened.list(call))) {
    const isLeft = as === 'left';
    // What another module keeps under the name of an image is no copy of ours.
    if (isLeft || (object.kind === 'image' && row !== undefined)) ours.push({ ...object, isLeft });
  }
  return ours;
}

/**
 * Whether there may be something whose removal can be late. It is asked before the first removal: when that is tried again, nothing may be left to be seen of what the
 * first try is still at.
 */
async function mayHaveOurs(ctx: ClearingContext, poolId: string, call: Call): Promise<boolean> {
  try {
    const opened = await ctx.pools.open(poolId);
    await opened.ensure(call);
    return (await oursIn(ctx, opened, call)).length > 0;
  } catch {
    // Of a pool that does not answer nobody knows; whether it can be removed is for the next step to say.
    return true;
  }
}

interface Clearing {
  /** Whether somebody else is at work with it. */
  readonly isHeld: (id: string) => boolean;
  readonly call: Call;
}

/**
 * What is ours goes with the pool; what else is found in it, also an image of another cloud that shares the place, is not ours to judge and stays. So does what was
 * deleted before and cannot be removed now, or may not be: when the place is registered again, its row tells what it is.
 */
async function clearPool(ctx: ClearingContext, poolId: string, { isHeld, call }: Clearing): Promise<void> {
  const opened = await ctx.pools.open(poolId);
  // A host that was started anew may not have opened its pools.
  await opened.ensure(call);
  const ours = await oursIn(ctx, opened, call);
  let isAllGone = true;
  // Volumes first: they may be clones of the images.
  for (const object of [...ours.filter(({ kind }) => kind !== 'image'), ...ours.filter(({ kind }) => kind === 'image')])
    try {
      if (object.isLeft && !(await mayGo(ctx, opened, object, { isHeld, call }))) isAllGone = false;
      else await removeFrom(opened, object, call);
    } catch (error) {
      // A copy may be what something that stays is cloned from.
      if ((!object.isLeft && isAllGone) || !isCloudError(error) || error.code !== 'conflict') throw error;
      isAllGone = false;
      const { kind, id } = object;
      ctx.environment.logger.warn({ kind, id, place: opened.place, error: describeChain(error) }, 'left behind in a pool that is deleted');
    }
}

/** Rows of a restored store may be wrong about what was deleted, and something may be at work. */
async function mayGo(ctx: ClearingContext, opened: StoragePool, { kind, id }: Ours, { isHeld, call }: Clearing): Promise<boolean> {
  if (isHeld(id) || !(await removalAllowed(ctx))) return false;
  return kind !== 'volume' || !(await opened.listSnapshots(id, call)).some((each) => isHeld(each.id));
}

function removeFrom(opened: StoragePool, { kind, id }: Ours, call: Call): Promise<void> {
  if (kind === 'volume') return deleteWithSnapshots(opened, id, call);
  return kind === 'seed' ? opened.deleteSeed(id, call) : opened.deleteImage(id, call);
}

/** The last that is done to it. */
async function leavePool(ctx: PoolContext, poolId: string, call: Call): Promise<void> {
  await takeSecrets(ctx, poolId, (await ctx.pools.open(poolId)).secretRefs, call);
  await releasePool(ctx, poolId, call);
}

/** No machine is left that needs them. A host that is out of reach now keeps what it was given. */
async function takeSecrets({ reader, hosts }: PoolContext, poolId: string, refs: readonly string[], call: Call): Promise<void> {
  if (refs.length === 0) return;
  for (const id of await hostsThatReach(reader, await reader.get(pool, poolId))) {
    if (!(await hosts.reachable(id))) continue;
    const hypervisor = await hosts.hypervisor(id);
    if (hypervisor.offers('secrets')) for (const ref of refs) await hypervisor.deleteSecret(ref, call);
  }
}

async function hostsThatReach(reader: Reader, { hostId, clusterId, zoneId }: RowOf<typeof pool>): Promise<readonly string[]> {
  if (hostId !== undefined) return [hostId];
  const inZone = zoneId === undefined ? [] : (await reader.list(cluster, equals('zoneId', zoneId))).map(({ id }) => id);
  const clusterIds = clusterId === undefined ? inZone : [clusterId];
  return (await Promise.all(clusterIds.map((id) => reader.list(host, equals('clusterId', id))))).flat().map(({ id }) => id);
}

export async function releasePool({ pools }: Pick<PoolContext, 'pools'>, poolId: string, call: Call): Promise<void> {
  await (await pools.open(poolId)).release(call);
  await pools.forget(poolId);
}

const LIVE: readonly StateOf<typeof pool>[] = ['available', 'disabled'];

/** Releases a pool that this is owed for: its making was undone while its host was out of reach. One that is in use stays. */
export async function payPoolRelease(ctx: PoolContext, poolId: string, call: Call): Promise<void> {
  const row = await ctx.reader.find(pool, poolId);
  if (row === undefined || !LIVE.includes(row.state)) await releasePool(ctx, poolId, call);
}

/** Clears a pool that this is owed for, after everything else in it that is to go. One that is in use stays. */
export async function payPoolClearing(ctx: ClearingContext, poolId: string, hostId: string, call: Call): Promise<void> {
  const row = await ctx.reader.find(pool, poolId);
  if (row !== undefined && LIVE.includes(row.state)) return;
  const owed = await ctx.reader.list(debt, both(equals('place', hostId), equals('state', 'owed')));
  if (owed.some(({ task, target }) => task !== POOL_CLEAR && target.poolId === poolId))
    throw new CloudError('unavailable', 'Something in the pool could not be removed yet.');
  // Where another pool was registered since, the copies of images are that one's.
  if (row !== undefined && (await poolAt(ctx.reader, ctx.pools.factory(row.driver), row)) !== undefined)
    return releasePool(ctx, poolId, call);
  await clearPool(ctx, poolId, { isHeld: (id) => ctx.kernel().holds(id), call });
  await leavePool(ctx, poolId, call);
}

/** The host that what is to be done is owed to. */
async function hostThatIsAway(ctx: PoolContext, { poolId, force }: DeletePoolParams): Promise<string | undefined> {
  const hostId = force ? await hostOfPool(ctx.reader, poolId) : undefined;
  return hostId === undefined || (await ctx.hosts.reachable(hostId)) ? undefined : hostId;
}

const removePool = saga<ClearingContext, DeletePoolParams>('pool.remove', 1)
  .effect('reach', {
    do: async ({ ctx, params, call }) => {
      const isReachable = await poolReachable(ctx, params.poolId);
      if (!params.force && !isReachable)
        throw new CloudError('unavailable', 'The host of the pool is out of reach; with `force` it is cleaned up when the host is back.');
      return { mayHaveCopies: !isReachable || (await mayHaveOurs(ctx, params.poolId, call)) };
    },
    undo: NOTHING_TO_UNDO,
  })
  .effect('clear', {
    do: async ({ ctx, params, call, owe, operationId }) => {
      const hostId = await hostThatIsAway(ctx, params);
      // What the pool takes along is held by its own deletion.
      const isHeld = (id: string) => ctx.kernel().holdsAhead(id, operationId);
      if (hostId === undefined) await clearPool(ctx, params.poolId, { isHeld, call });
      else owe({ task: POOL_CLEAR, place: hostId, target: { poolId: params.poolId } });
      return { isOwed: hostId !== undefined };
    },
    undo: FORWARD_ONLY,
  })
  // Apart: whoever passes over what cannot be removed leaves no secrets behind with it.
  .effect('release', {
    do: async ({ ctx, params, call, owe, out: { reach, clear } }) => {
      // Who clears it when its host is back does this, too.
      const isClearingOwed = clear?.isOwed === true;
      const hostId = isClearingOwed ? undefined : await hostThatIsAway(ctx, params);
      if (hostId !== undefined) owe({ task: 'pool.release', place: hostId, target: { poolId: params.poolId } });
      else if (!isClearingOwed) await leavePool(ctx, params.poolId, call);
      const isOwed = isClearingOwed || hostId !== undefined;
      return { isOwed, ...given({ copiesRemovedAt: reach?.mayHaveCopies === false ? undefined : timestamp(ctx.environment.clock) }) };
    },
    undo: FORWARD_ONLY,
  })
  .write('deleted', {
    do: ({ params: { poolId, secrets }, out: { release } }) => [
      transition(pool, poolId, {
        from: 'deleting',
        to: 'deleted',
        set: { status: 'disconnected', ...given({ copiesRemovedAt: release?.copiesRemovedAt }) },
      }),
      forgetPoolLimit(poolId),
      // Whoever pays the debt has to open the pool.
      ...(secrets === undefined || release?.isOwed === true ? [] : [forgetSealed(secrets)]),
    ],
    undo: FORWARD_ONLY,
  })
  .build();

export const poolDeletion = (context: ClearingContext) =>
  defineDeletion({
    kind: pool,
    from: ['available', 'disabled'],
    remove: removePool,
    context: () => context,
    params: ({ id, secrets }: RowOf<typeof pool>, { force }) => ({ poolId: id, force, ...given({ secrets }) }),
  });
