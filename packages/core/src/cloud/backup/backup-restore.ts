import { Type } from 'typebox';
import {
  type AcceptRequest,
  CloudError,
  defineAction,
  type Id,
  isCloudError,
  NOTHING_TO_UNDO,
  type Reader,
  type RowOf,
  resourceName,
  revert,
  type Statement,
  saga,
  transition,
} from '../../kernel/index.ts';
import type { SnapshotRef } from '../../strategy/index.ts';
import { given, nameOr } from '../naming.ts';
import { choosePool, protectionIn, refuseUnknownPlace, removeOrOwe, snapshot, volume, volumeRows } from '../storage/contract.ts';
import { backup } from './backup.ts';
import { type BackupContext, TRANSFER_TIMEOUT_MS } from './context.ts';
import { copyIn, Shelf } from './transfer.ts';

export interface RestoreParams {
  readonly backupId: Id<'backup'>;
  readonly projectId: Id<'project'>;
  readonly storeId: Id<'backupStore'>;
  readonly volumeId: Id<'volume'>;
  readonly poolId: Id<'pool'>;
  readonly sizeBytes: number;
  /** Where it is still beside the volume it was made of, in the same pool: that is cloned. */
  readonly snapshot?: SnapshotRef;
}

export const restoreBackup = saga<BackupContext, RestoreParams>('backup.restore', 1)
  .effect('disk', {
    do: async ({ ctx, params: { volumeId, poolId, sizeBytes, snapshot }, call }) => {
      const pool = await ctx.pools.open(poolId);
      const there = snapshot === undefined ? [] : await pool.listSnapshots(snapshot.volumeId, call);
      const isCloned = snapshot !== undefined && there.some(({ id }) => id === snapshot.id);
      await pool.createVolume({ id: volumeId, sizeBytes, ...(isCloned ? { snapshot } : { toFill: true }) }, call);
      return { isCloned };
    },
    undo: (step) => removeOrOwe(step, 'volume.delete', step.params.poolId, step.params.volumeId),
  })
  .effect('content', {
    timeoutMs: TRANSFER_TIMEOUT_MS,
    do: async ({ ctx, params, out, call }) => {
      if (out.disk.isCloned) return;
      const shelf = await Shelf.open(ctx, params);
      const manifest = await shelf.manifest(params.backupId, call);
      if (manifest === undefined) throw new CloudError('internal', 'The backup is missing in its store.');
      await copyIn(ctx, shelf, { manifest, pool: await ctx.pools.open(params.poolId), volumeId: params.volumeId }, call);
    },
    undo: NOTHING_TO_UNDO,
  })
  .write('available', {
    do: ({ params, out: { disk } }) => [
      transition(volume, params.volumeId, { from: 'creating', to: 'available', set: disk.isCloned ? {} : { snapshotId: null } }),
    ],
    undo: ({ params }) => [revert(volume, params.volumeId, { from: 'available', to: 'creating' })],
  })
  .build();

/** Takes the acceptance of one back. */
export const notRestored = ({ volumeId, poolId, sizeBytes }: RestoreParams): readonly Statement[] =>
  volumeRows.takeBack({ id: volumeId, poolId, sizeBytes });

type Wanted = Parameters<typeof choosePool>[1];

/** A clone takes no time, so its pool is the first choice of who names none. @throws CloudError no_capacity */
async function besideOrElse(reader: Reader, beside: RowOf<typeof snapshot> | undefined, wanted: Wanted) {
  const isFree = wanted.poolId === undefined && wanted.storageClass === undefined && wanted.hostId === undefined;
  if (beside?.state !== 'available' || !isFree) return choosePool(reader, wanted);
  try {
    return await choosePool(reader, { ...wanted, poolId: beside.poolId });
  } catch (error) {
    // Full; or of a class that takes encrypted volumes only by now.
    if (!isCloudError(error) || (error.code !== 'no_capacity' && error.code !== 'conflict')) throw error;
    return choosePool(reader, wanted);
  }
}

const uuid = Type.Optional(Type.String({ format: 'uuid' }));

/** Where new volumes go. */
export const WHERE_TO = {
  poolId: uuid,
  storageClass: Type.Optional(Type.String({ minLength: 1, maxLength: 63 })),
  hostId: Type.Optional(Type.String({ format: 'uuid', description: 'A host that must reach the new volume.' })),
};

interface Asked {
  readonly name?: string | undefined;
  readonly poolId?: string | undefined;
  readonly storageClass?: string | undefined;
  readonly hostId?: string | undefined;
}

/** What the restore of one backup writes and goes by. @throws CloudError no_capacity, unsupported */
export async function restoring(
  context: BackupContext,
  row: RowOf<typeof backup>,
  input: Asked,
  { principal, reader, attempt, mint }: Pick<AcceptRequest<typeof backup, unknown>, 'principal' | 'reader' | 'attempt' | 'mint'>,
) {
  await refuseUnknownPlace(reader, principal, input);
  const { id: backupId, projectId, storeId, sizeBytes } = row;
  const where = given({ poolId: input.poolId, storageClass: input.storageClass, hostId: input.hostId });
  const beside = row.snapshotId === undefined ? undefined : await reader.find(snapshot, row.snapshotId);
  const encryptedBy = input.poolId !== undefined ? '/poolId' : input.storageClass !== undefined ? '/storageClass' : '';
  // What is restored is not encrypted, so it has no place in a class that demands that.
  const place = await besideOrElse(reader, beside, { ...where, encrypted: false, encryptedBy, sizeBytes, attempt });
  const { id: poolId } = place;
  const { guards } = await protectionIn(reader, place, false, encryptedBy);
  const cloned = beside !== undefined && beside.state === 'available' && beside.poolId === poolId ? beside : undefined;
  (await context.pools.open(poolId)).needContents();
  const volumeId = mint('volume');
  const facts = { projectId: projectId as Id<'project'>, poolId, sizeBytes };
  const params: RestoreParams = {
    ...{ ...facts, backupId, storeId, volumeId },
    ...(cloned === undefined ? {} : { snapshot: { id: cloned.id, volumeId: cloned.volumeId } }),
  };
  return {
    params,
    statements: [
      ...volumeRows.reserve({
        ...given({ snapshotId: cloned?.id }),
        ...facts,
        id: volumeId,
        name: nameOr(input.name, volume, volumeId),
        deleteWithInstance: false,
      }),
      ...guards,
    ],
    keys: [volumeId, ...(cloned === undefined ? [] : [cloned.id])],
  };
}

export const backupRestore = (context: BackupContext) =>
  defineAction({
    kind: backup,
    verb: 'restore',
    description: 'Makes a new volume with what the backup has. The volume it was made of stays as it is.',
    target: 'resource',
    makes: [volume],
    input: Type.Object({ name: Type.Optional({ ...resourceName(), description: 'Of the new volume.' }), ...WHERE_TO }),
    from: ['available'],
    accept: async ({ row, input, ...request }) => {
      const one = await restoring(context, row, input, request);
      return { ...one, notes: { volumeId: one.params.volumeId } };
    },
    saga: restoreBackup,
    context: () => context,
    unwound: notRestored,
  });
