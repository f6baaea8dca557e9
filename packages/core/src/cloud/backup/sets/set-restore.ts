import { Type } from 'typebox';
import { bindSaga, CloudError, defineAction, equals, resourceName, saga } from '../../../kernel/index.ts';
import { given } from '../../naming.ts';
import { backup } from '../backup.ts';
import { notRestored, type RestoreParams, restoreBackup, restoring, WHERE_TO } from '../backup-restore.ts';
import type { BackupContext } from '../context.ts';
import { backupSet } from './backup-set.ts';
import { nameOfDisk } from './set-create.ts';

const PARALLEL = 2;

/** All of them or none. */
export const restoreSet = saga<BackupContext, { readonly disks: readonly RestoreParams[] }>('backupSet.restore', 1)
  .subs('volumes', { limit: PARALLEL, run: ({ ctx, params }) => [params.disks.map((disk) => bindSaga(restoreBackup, ctx, disk))] })
  .build();

export const setRestore = (context: BackupContext) =>
  defineAction({
    kind: backupSet,
    verb: 'restore',
    description:
      'Makes a new volume of each backup in it: all disks of the machine as they were at that instant. The machine stays as it is.',
    target: 'resource',
    input: Type.Object({
      name: Type.Optional({
        ...resourceName(),
        description: 'Of the new volumes, each with the place of its disk behind it: `db-0`, `db-1`.',
      }),
      ...WHERE_TO,
    }),
    from: ['available'],
    accept: async ({ id, input: { name, ...where }, reader, ...request }) => {
      const rows = await reader.list(backup, equals('setId', id));
      if (rows.length === 0) throw new CloudError('conflict', 'None of its backups is left.');
      const inOrder = rows.toSorted((a, b) => (a.slot ?? 0) - (b.slot ?? 0));
      const disks = await Promise.all(
        inOrder.map((row) =>
          restoring(context, row, { ...where, ...given({ name: nameOfDisk(name, row.slot ?? 0) }) }, { reader, ...request }),
        ),
      );
      return {
        params: { disks: disks.map(({ params }) => params) },
        statements: disks.flatMap(({ statements }) => statements),
        keys: [...rows.map((row) => row.id), ...disks.flatMap(({ keys }) => keys)],
        notes: { volumeIds: disks.map(({ params }) => params.volumeId) },
      };
    },
    saga: restoreSet,
    context: () => context,
    unwound: ({ disks }) => disks.flatMap(notRestored),
  });
