import {
  bindSaga,
  CloudError,
  defineDeletion,
  FORWARD_ONLY,
  type Id,
  isCloudError,
  NOTHING_TO_UNDO,
  type Reader,
  type RowOf,
  saga,
  transition,
} from '../../kernel/index.ts';
import { given } from '../naming.ts';
import { dropSnapshot, snapshot } from '../storage/contract.ts';
import { backup } from './backup.ts';
import type { BackupContext } from './context.ts';
import { backupSet } from './sets/backup-set.ts';
import { Shelf } from './transfer.ts';

interface DeleteBackupParams {
  readonly backupId: Id<'backup'>;
  readonly projectId: Id<'project'>;
  readonly storeId: Id<'backupStore'>;
  /** What of it is left beside the volume. */
  readonly snapshotId?: Id<'snapshot'>;
  readonly force: boolean;
}

/** Its chunks go when no other backup names them. Forced, a manifest that cannot be removed now is removed when its store is back: its row is the tombstone. */
const removeBackup = saga<BackupContext, DeleteBackupParams>('backup.remove', 1)
  .effect('manifest', {
    do: async ({ ctx, params, call }) => {
      try {
        await (await Shelf.open(ctx, params)).deleteManifest(params.backupId, call);
      } catch (error) {
        if (!params.force || !isCloudError(error)) throw error;
      }
      ctx.collector.kick(params);
    },
    undo: FORWARD_ONLY,
  })
  .effect('beside', {
    do: async ({ ctx, params }) => {
      const row = params.snapshotId === undefined ? undefined : await ctx.reader.find(snapshot, params.snapshotId);
      return row === undefined || row.deletedAt !== undefined ? {} : { poolId: row.poolId, volumeId: row.volumeId };
    },
    undo: NOTHING_TO_UNDO,
    needed: true,
  })
  .subs('snapshot', {
    limit: 1,
    run: ({ ctx, params: { snapshotId, force }, out: { beside } }) =>
      snapshotId === undefined || beside.poolId === undefined
        ? []
        : [[bindSaga(dropSnapshot, ctx, { snapshotId, poolId: beside.poolId, volumeId: beside.volumeId, system: true, force })]],
  })
  .write('deleted', {
    do: ({ params }) => [transition(backup, params.backupId, { from: 'deleting', to: 'deleted' })],
    undo: FORWARD_ONLY,
  })
  .build();

/** @returns why it does not go by itself: of a machine nothing but all disks of one instant is restored */
async function alone({ name, setId }: RowOf<typeof backup>, reader: Reader): Promise<CloudError | undefined> {
  const set = setId === undefined ? undefined : await reader.find(backupSet, setId);
  if (set === undefined || set.deletedAt !== undefined) return undefined;
  const blockers = [{ kind: backupSet.name, id: set.id, name: set.name }];
  return new CloudError('in_use', `Backup ${name} is a part of backupSet ${set.name}; delete that.`, { params: { blockers } });
}

export const backupDeletion = (context: BackupContext) =>
  defineDeletion({
    kind: backup,
    from: ['available'],
    remove: removeBackup,
    context: () => context,
    params: ({ id, projectId, storeId, snapshotId }: RowOf<typeof backup>, { force }) => ({
      ...given({ snapshotId }),
      ...{ backupId: id, projectId: projectId as Id<'project'>, storeId, force },
    }),
    shares: ({ snapshotId }) => (snapshotId === undefined ? [] : [snapshotId]),
    alone,
  });
