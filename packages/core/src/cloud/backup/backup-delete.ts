import { bindSaga, defineDeletion, FORWARD_ONLY, type Id, isCloudError, type RowOf, saga, transition } from '../../kernel/index.ts';
import { given } from '../naming.ts';
import { dropSnapshot, snapshot } from '../storage/contract.ts';
import { backup } from './backup.ts';
import type { BackupContext } from './context.ts';
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
    undo: FORWARD_ONLY,
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
  });
