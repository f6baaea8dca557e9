import {
  CloudError,
  defineDeletion,
  FORWARD_ONLY,
  forgetSealed,
  type Id,
  NOTHING_TO_UNDO,
  type Reader,
  type RowOf,
  saga,
  transition,
} from '../../kernel/index.ts';
import { instance } from '../compute/contract.ts';
import { given } from '../naming.ts';
import { poolCapacity } from '../placement/contract.ts';
import { pool } from './pool.ts';
import { deleteVolume, poolReachable, removeOrOwe, type StorageContext } from './removal.ts';
import { volume } from './volume.ts';
import { endedOutages } from './volume-availability.ts';
import { attachmentsOf, blockersOf, listed, machinesOf } from './volume-user.ts';

type VolumeRow = RowOf<typeof volume>;

interface DeleteVolumeParams {
  readonly volumeId: Id<'volume'>;
  readonly poolId: Id<'pool'>;
  readonly sizeBytes: number;
  readonly force: boolean;
}

export const removeVolume = saga<StorageContext, DeleteVolumeParams>('volume.remove', 1)
  .effect('reach', {
    do: async ({ ctx, params }) => {
      const { poolIds } = await placesOf(ctx, params);
      for (const id of poolIds)
        if (!params.force && !(await poolReachable(ctx, id)))
          throw new CloudError('unavailable', 'The host of its pool is out of reach; with `force` it is removed when the host is back.');
    },
    undo: NOTHING_TO_UNDO,
    light: true,
  })
  .effect('disk', {
    do: async (step) => {
      const { volumeId, force } = step.params;
      const { poolIds } = await placesOf(step.ctx, step.params);
      // Without force nothing is owed: the engine tries until the host answers.
      for (const poolId of poolIds)
        if (force) await removeOrOwe(step, 'volume.delete', poolId, volumeId);
        else await deleteVolume(step.ctx, await step.ctx.pools.open(poolId), volumeId, step.call);
    },
    undo: FORWARD_ONLY,
  })
  // A step of its own, for who says that the disk is to be passed over; and behind it, so that its entry need not be durable before the disk goes.
  .effect('place', {
    do: async ({ ctx, params }) => {
      const { poolId, keys, ended } = await placesOf(ctx, params);
      const home = await ctx.reader.find(pool, poolId);
      return { poolId, isLost: home === undefined || home.deletedAt !== undefined, keys, ...ended };
    },
    undo: NOTHING_TO_UNDO,
    needed: true,
  })
  .write('deleted', {
    do: ({ params, out: { place } }) => [
      transition(volume, params.volumeId, { from: 'deleting', to: 'deleted', set: given({ outages: place.outages }) }),
      // Of a pool that is gone nothing is counted any more.
      ...(place.isLost ? [] : [poolCapacity(place.poolId, params.sizeBytes, -1)]),
      ...place.keys.map(forgetSealed),
    ],
    undo: FORWARD_ONLY,
  })
  .build();

/** Where it lies, and what it is sealed with: as the row says now, for both may have changed since this was planned. */
async function placesOf({ reader }: StorageContext, { volumeId }: DeleteVolumeParams) {
  // One that a move is stuck with, which force has passed by, may lie in two pools. Its key may be about to be changed by what force has passed by.
  const row = await reader.get(volume, volumeId);
  const { poolId, movingToPoolId, leftPoolId, encryptionKey, otherKey } = row;
  const poolIds = [...new Set([poolId, movingToPoolId, leftPoolId].filter((id) => id !== undefined))];
  return { poolId, poolIds, keys: [encryptionKey, otherKey].filter((key) => key !== undefined), ended: endedOutages(row) };
}

/** Names the machine that has it, and the way to free it: another for a root disk, which no machine can do without. */
async function heldByInstance(row: VolumeRow, reader: Reader): Promise<CloudError | undefined> {
  const [holder] = await machinesOf(reader, row);
  if (row.state !== 'attached' || holder === undefined) return undefined;
  const message =
    row.slot === 0
      ? `Volume ${row.name} is the root disk of instance ${holder.name}; delete the instance first.`
      : `Volume ${row.name} is attached to instance ${holder.name}; run detach-volume on the instance first.`;
  return new CloudError('in_use', message, { params: { blockers: blockersOf([holder]) } });
}

/** Of one of several machines the state does not tell. Those that lie in the trash have it when they are back. */
async function refuseAttached(row: VolumeRow, reader: Reader): Promise<CloudError | undefined> {
  const attachments = row.shareable === true ? await attachmentsOf(reader, row.id) : [];
  const machines = (await Promise.all(attachments.map(({ instanceId }) => reader.find(instance, instanceId)))).filter(
    (one) => one !== undefined,
  );
  if (machines.length === 0) return undefined;
  const isTrash = attachments.every(({ state }) => state === 'trashed');
  const how = isTrash ? 'expunge or recover what lies in the trash first' : 'run detach-volume on each first';
  return new CloudError('in_use', `Volume ${row.name} is attached to ${listed(machines)}; ${how}.`, {
    params: { blockers: blockersOf(machines) },
  });
}

/** Alone a volume must be free; a machine's deletion takes those along that go with it. */
export const volumeDeletion = (context: () => StorageContext) =>
  defineDeletion({
    kind: volume,
    from: ['available'],
    heldBy: heldByInstance,
    alone: refuseAttached,
    remove: removeVolume,
    trash: {},
    context,
    params: ({ id, poolId, sizeBytes }: VolumeRow, { force }) => ({ volumeId: id, poolId, sizeBytes, force }),
  });
