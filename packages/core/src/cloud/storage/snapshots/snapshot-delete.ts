import {
  bindSaga,
  both,
  CloudError,
  change,
  defineDeletion,
  equals,
  FORWARD_ONLY,
  NOTHING_TO_UNDO,
  type Reader,
  revert,
  saga,
  transition,
} from '../../../kernel/index.ts';
import { poolReachable, type StorageContext } from '../removal.ts';
import { volume } from '../volume.ts';
import { snapshot } from './snapshot.ts';
import { snapshotGroup } from './snapshot-group.ts';
import { drop, dropOrOwe, type SnapshotRow, type WantedSnapshot } from './snapshot-rows.ts';

interface DeleteSnapshotParams extends WantedSnapshot {
  readonly force: boolean;
}

/** Clones may have to be copied whole before it can go. */
const FLATTEN_TIMEOUT_MS = 3600_000;

/** Out of its pool, while rows still say what was cloned from it. */
const quiesceSnapshot = saga<StorageContext, DeleteSnapshotParams>('snapshot.quiesce', 1)
  .effect('reach', {
    do: async ({ ctx, params }) => {
      if (!params.force && !(await poolReachable(ctx, params.poolId)))
        throw new CloudError('unavailable', 'The host of its pool is out of reach; with `force` it is removed when the host is back.');
    },
    undo: NOTHING_TO_UNDO,
  })
  .effect('image', {
    timeoutMs: FLATTEN_TIMEOUT_MS,
    do: (step) => (step.params.force ? dropOrOwe(step, step.params) : drop(step.ctx, step.params, step.call)),
    undo: FORWARD_ONLY,
  })
  .build();

/** What went on from it goes on from what it went on from itself. */
const removeSnapshot = saga<StorageContext, DeleteSnapshotParams>('snapshot.remove', 1)
  .effect('tree', {
    do: async ({ ctx, params: { snapshotId, volumeId } }) => {
      const { parentId = null } = await ctx.reader.get(snapshot, snapshotId);
      // Not those that go with it, in whatever order.
      const after = await ctx.reader.list(snapshot, both(equals('parentId', snapshotId), equals('state', 'available')));
      const { currentSnapshotId } = await ctx.reader.get(volume, volumeId);
      return { parentId, afterIds: after.map(({ id }) => id), isCurrent: currentSnapshotId === snapshotId };
    },
    undo: NOTHING_TO_UNDO,
    needed: true,
  })
  .write('deleted', {
    do: ({ params: { snapshotId, volumeId }, out: { tree } }) => [
      transition(snapshot, snapshotId, { from: 'deleting', to: 'deleted' }),
      ...tree.afterIds.map((id) => change(snapshot, id, { parentId: tree.parentId })),
      ...(tree.isCurrent ? [change(volume, volumeId, { currentSnapshotId: tree.parentId })] : []),
    ],
    undo: FORWARD_ONLY,
  })
  .build();

/**
 * Deletes a snapshot from within another operation, one that holds the key of its volume's content: for what the cloud keeps for purposes of its own (`system`). One that
 * is gone already is no matter.
 */
export const dropSnapshot = saga<StorageContext, DeleteSnapshotParams>('snapshot.drop', 1)
  .effect('there', {
    do: async ({ ctx, params }) => {
      const row = await ctx.reader.find(snapshot, params.snapshotId);
      return row !== undefined && row.deletedAt === undefined;
    },
    undo: NOTHING_TO_UNDO,
    needed: true,
  })
  .write('deleting', {
    do: ({ params, out }) =>
      out.there ? [transition(snapshot, params.snapshotId, { from: ['available', 'deleting'], to: 'deleting' })] : [],
    undo: ({ params, out }) => (out.there ? [revert(snapshot, params.snapshotId, { from: 'deleting', to: 'available' })] : []),
  })
  .subs('gone', {
    limit: 1,
    run: ({ ctx, params, out }) => (out.there ? [[bindSaga(quiesceSnapshot, ctx, params)], [bindSaga(removeSnapshot, ctx, params)]] : []),
  })
  .build();

/** @returns why it does not go by itself */
async function alone(row: SnapshotRow, reader: Reader): Promise<CloudError | undefined> {
  if (row.system) return new CloudError('in_use', 'It is kept for a backup, which is deleted in its place.');
  const group = row.groupId === undefined ? undefined : await reader.find(snapshotGroup, row.groupId);
  if (group === undefined || group.deletedAt !== undefined) return undefined;
  const blockers = [{ kind: snapshotGroup.name, id: group.id, name: group.name }];
  return new CloudError('in_use', `Snapshot ${row.name} is a part of snapshotGroup ${group.name}; delete that.`, { params: { blockers } });
}

export const snapshotDeletion = (context: () => StorageContext) =>
  defineDeletion({
    kind: snapshot,
    from: ['available'],
    quiesce: quiesceSnapshot,
    remove: removeSnapshot,
    context,
    params: ({ id, volumeId, poolId, system }: SnapshotRow, { force }) => ({ snapshotId: id, volumeId, poolId, system, force }),
    // The tree of a volume is changed by one operation at a time.
    shares: ({ volumeId }) => [volumeId],
    alone,
  });
