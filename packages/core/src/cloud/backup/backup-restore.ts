import { Type } from 'typebox';
import {
  type AcceptRequest,
  CloudError,
  defineAction,
  type Id,
  NOTHING_TO_UNDO,
  type RowOf,
  resourceName,
  revert,
  type Statement,
  saga,
  transition,
} from '../../kernel/index.ts';
import type { SnapshotRef } from '../../strategy/index.ts';
import { given, nameOr } from '../naming.ts';
import { newKey, openedKey, refuseUnknownPlace, removeOrOwe, sameKey, snapshot, volume, volumeRows } from '../storage/contract.ts';
import { backup } from './backup.ts';
import { type BackupContext, TRANSFER_TIMEOUT_MS } from './context.ts';
import { placeToFill } from './restore-place.ts';
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
  /** Reference to the new volume's key, which is sealed: of one that is encrypted. */
  readonly encryptionKey?: string;
}

export const restoreBackup = saga<BackupContext, RestoreParams>('backup.restore', 1)
  .effect('disk', {
    do: async ({ ctx, params: { volumeId, poolId, sizeBytes, snapshot, encryptionKey }, call }) => {
      const pool = await ctx.pools.open(poolId);
      const there = snapshot === undefined ? [] : await pool.listSnapshots(snapshot.volumeId, call);
      const isCloned = snapshot !== undefined && there.some(({ id }) => id === snapshot.id);
      const how = { ...(isCloned ? { snapshot } : { toFill: true as const }), ...(await openedKey(ctx, encryptionKey)) };
      await pool.createVolume({ id: volumeId, sizeBytes, ...how }, call);
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
      const to = { volumeId: params.volumeId, ...(await openedKey(ctx, params.encryptionKey)) };
      await copyIn(ctx, shelf, { manifest, pool: await ctx.pools.open(params.poolId), to }, call);
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
export const notRestored = ({ volumeId, ...params }: RestoreParams): readonly Statement[] =>
  volumeRows.takeBack({ ...params, id: volumeId });

const uuid = Type.Optional(Type.String({ format: 'uuid' }));

/** Where new volumes go. */
export const WHERE_TO = {
  poolId: uuid,
  storageClass: Type.Optional(Type.String({ minLength: 1, maxLength: 63 })),
  hostId: Type.Optional(Type.String({ format: 'uuid', description: 'A host that must reach the new volume.' })),
  encrypted: Type.Optional(
    Type.Boolean({
      description:
        'Whether it is encrypted, with a key of its own. Default: as the volume was, or as the class demands that is named, or that of the pool.',
    }),
  ),
};

interface Asked {
  readonly name?: string | undefined;
  readonly poolId?: string | undefined;
  readonly storageClass?: string | undefined;
  readonly hostId?: string | undefined;
  readonly encrypted?: boolean | undefined;
}

/** What the restore of one backup writes and goes by. @throws CloudError no_capacity, unsupported */
export async function restoring(
  context: BackupContext,
  row: RowOf<typeof backup>,
  input: Asked,
  {
    principal,
    reader,
    attempt,
    mint,
    seal,
  }: Pick<AcceptRequest<typeof backup, unknown>, 'principal' | 'reader' | 'attempt' | 'mint' | 'seal'>,
) {
  await refuseUnknownPlace(reader, principal, input);
  const { id: backupId, projectId, storeId, sizeBytes } = row;
  const where = given({ poolId: input.poolId, storageClass: input.storageClass, hostId: input.hostId });
  const beside = row.snapshotId === undefined ? undefined : await reader.find(snapshot, row.snapshotId);
  const { encrypted, encryptedBy } = encryptedFor(row, input);
  const wanted = { ...where, ...given({ encrypted }), encryptedBy, sizeBytes, attempt };
  const { poolId, isEncrypted, guards } = await placeToFill(context, reader, wanted, beside);
  const isAlike = isEncrypted === (row.encrypted === true);
  const cloned = beside !== undefined && beside.state === 'available' && beside.poolId === poolId && isAlike ? beside : undefined;
  const key =
    cloned === undefined
      ? await newKey(context, seal, isEncrypted)
      : await sameKey(context, seal, await reader.get(volume, cloned.volumeId));
  const volumeId = mint('volume');
  const facts = { projectId: projectId as Id<'project'>, poolId, sizeBytes };
  const params: RestoreParams = {
    ...{ ...facts, backupId, storeId, volumeId },
    ...(cloned === undefined ? {} : { snapshot: { id: cloned.id, volumeId: cloned.volumeId } }),
    ...given({ encryptionKey: key.row.encryptionKey }),
  };
  return {
    params,
    statements: [
      ...volumeRows.reserve({
        ...given({ snapshotId: cloned?.id }),
        ...facts,
        ...key.row,
        id: volumeId,
        name: nameOr(input.name, volume, volumeId),
        deleteWithInstance: false,
      }),
      ...guards,
      ...key.statements,
    ],
    keys: [volumeId, ...(cloned === undefined ? [] : [cloned.id])],
  };
}

/**
 * Whether it is to be encrypted, and the field that says so: what was encrypted comes back in the clear only if that is asked for; else the class decides that is named, or that
 * of the pool that is. Who names neither gets one in the clear, as ever.
 */
function encryptedFor(row: RowOf<typeof backup>, { encrypted, poolId, storageClass }: Asked) {
  const place = poolId !== undefined ? '/poolId' : storageClass !== undefined ? '/storageClass' : '';
  if (encrypted !== undefined) return { encrypted, encryptedBy: '/encrypted' };
  if (row.encrypted === true) return { encrypted: true, encryptedBy: place };
  return place === '' ? { encrypted: false, encryptedBy: place } : { encrypted: undefined, encryptedBy: place };
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
