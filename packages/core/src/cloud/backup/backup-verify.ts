import { Type } from 'typebox';
import { CloudError, change, defineAction, type Id, NOTHING_TO_UNDO, saga, timestamp } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { given, nameOr } from '../naming.ts';
import { patiently } from '../patient-call.ts';
import { newKey, openedKey, removeOrOwe, volume, volumeRows } from '../storage/contract.ts';
import { backup } from './backup.ts';
import { type BackupContext, TRANSFER_TIMEOUT_MS } from './context.ts';
import { placeToFill } from './restore-place.ts';
import { copyIn, differs, readThrough, Shelf } from './transfer.ts';
import { isDamage } from './vault.ts';

/** A volume that is there for the test alone, by a row of its own in `creating`. */
interface Scratch {
  readonly volumeId: Id<'volume'>;
  readonly snapshotId: Id<'snapshot'>;
  readonly poolId: Id<'pool'>;
  readonly sizeBytes: number;
  /** Reference to its key, which is sealed: of one that is encrypted, as its backup's volume was. */
  readonly encryptionKey?: string;
}

interface VerifyParams {
  readonly backupId: Id<'backup'>;
  readonly projectId: Id<'project'>;
  readonly storeId: Id<'backupStore'>;
  readonly scratch?: Scratch;
}

interface Checked {
  readonly damage: string | null;
}

/** Reads all that a backup names. What cannot be reached, or fails on the way, is no damage: it is thrown. */
async function check(ctx: BackupContext, params: VerifyParams, call: Call): Promise<Checked> {
  const shelf = await Shelf.open(ctx, params);
  try {
    const manifest = await shelf.manifest(params.backupId, call);
    if (manifest === undefined) return { damage: 'Its manifest is missing.' };
    await readThrough(shelf, manifest, call);
    return { damage: null };
  } catch (error) {
    if (!isDamage(error)) throw error;
    return { damage: error.publicMessage };
  }
}

/** Restores it and compares what is then in the volume, as a reader of that sees it. */
async function tryOut(ctx: BackupContext, params: VerifyParams, scratch: Scratch, call: Call) {
  const { volumeId, snapshotId, poolId, sizeBytes, encryptionKey } = scratch;
  const shelf = await Shelf.open(ctx, params);
  const pool = await ctx.pools.open(poolId);
  const manifest = await shelf.manifest(params.backupId, call);
  if (manifest === undefined) throw new CloudError('internal', 'The backup is missing in its store.');
  const { clock } = ctx.environment;
  const beganMs = clock.monotonicMs();
  const key = await openedKey(ctx, encryptionKey);
  await patiently(ctx, call, (c) => pool.createVolume({ id: volumeId, sizeBytes, toFill: true, ...key }, c));
  await copyIn(ctx, shelf, { manifest, pool, to: { volumeId, ...key } }, call);
  const restoreSeconds = Math.ceil((clock.monotonicMs() - beganMs) / 1000);
  // As whoever restores from there sees it, where the pool keeps snapshots.
  const of = pool.hasSnapshots ? { id: snapshotId, volumeId } : { volumeId };
  const { id } = of;
  if (id !== undefined) await patiently(ctx, call, (c) => pool.createSnapshot({ id, volumeId }, c));
  return { restoreSeconds, isEqual: !(await differs(ctx, shelf, { manifest, pool, of: { ...of, ...key } }, call)) };
}

const scratchOf = ({ params, out }: { readonly params: VerifyParams; readonly out: { readonly check: Checked } }): readonly Scratch[] =>
  params.scratch === undefined || out.check.damage !== null ? [] : [params.scratch];

const verifyBackup = saga<BackupContext, VerifyParams>('backup.verify', 1)
  .effect('check', {
    timeoutMs: TRANSFER_TIMEOUT_MS,
    do: ({ ctx, params, call }) => check(ctx, params, call),
    undo: NOTHING_TO_UNDO,
  })
  .each('scratch', {
    items: scratchOf,
    limit: 1,
    timeoutMs: TRANSFER_TIMEOUT_MS,
    do: ({ ctx, params, item, call }) => tryOut(ctx, params, item, call),
    undo: async (step) => {
      await dropScratchSnapshot(step.ctx, step.item, step.call);
      await removeOrOwe(step, 'volume.delete', step.item.poolId, step.item.volumeId);
    },
  })
  .each('apart', {
    items: scratchOf,
    limit: 1,
    do: async ({ ctx, item, call }) => {
      await dropScratchSnapshot(ctx, item, call);
      await (await ctx.pools.open(item.poolId)).deleteVolume(item.volumeId, call);
    },
    undo: NOTHING_TO_UNDO,
  })
  .effect('time', { do: ({ ctx }) => ({ checkedAt: timestamp(ctx.environment.clock) }), undo: NOTHING_TO_UNDO })
  .write('checked', {
    do: ({ params: { backupId, scratch }, out }) => {
      const [tried] = out.scratch;
      const damage = out.check.damage ?? (tried?.isEqual === false ? 'What was restored is not what was backed up.' : null);
      return [
        change(backup, backupId, {
          ...{ ...out.time, condition: damage === null ? 'sound' : 'damaged', damage },
          ...(tried === undefined ? {} : { restoreSeconds: tried.restoreSeconds }),
        }),
        ...(scratch === undefined ? [] : volumeRows.takeBack({ ...scratch, id: scratch.volumeId })),
      ];
    },
    undo: NOTHING_TO_UNDO,
  })
  .build();

async function dropScratchSnapshot({ pools }: BackupContext, { poolId, snapshotId, volumeId }: Scratch, call: Call): Promise<void> {
  const pool = await pools.open(poolId);
  if (pool.hasSnapshots) await pool.deleteSnapshot({ id: snapshotId, volumeId }, call);
}

export const backupVerify = (context: BackupContext) =>
  defineAction({
    kind: backup,
    verb: 'verify',
    description:
      'Reads all of a backup and shows in what condition it is. With `restore` also into a volume, which is compared and removed.',
    target: 'resource',
    input: Type.Object({
      restore: Type.Optional(
        Type.Boolean({
          description: 'Restores it for a test, which shows how long that takes. It needs room in a pool and the quota for a volume.',
        }),
      ),
    }),
    from: ['available'],
    accept: async ({ row, input, reader, attempt, mint, seal }) => {
      const { id: backupId, storeId, sizeBytes } = row;
      const projectId = row.projectId as Id<'project'>;
      const params: VerifyParams = { backupId, storeId, projectId };
      if (input.restore !== true) return { params, statements: [] };
      const wanted = { sizeBytes, encrypted: row.encrypted === true, encryptedBy: '/restore', attempt };
      const { poolId, isEncrypted, guards } = await placeToFill(context, reader, wanted);
      const key = await newKey(context, seal, isEncrypted);
      const volumeId = mint('volume');
      const scratch: Scratch = {
        volumeId,
        snapshotId: mint('snapshot'),
        poolId,
        sizeBytes,
        ...given({ encryptionKey: key.row.encryptionKey }),
      };
      const name = `restore-test-${nameOr(undefined, volume, volumeId).slice(-8)}`;
      return {
        params: { ...params, scratch },
        statements: [
          ...volumeRows.reserve({ id: volumeId, projectId, poolId, sizeBytes, name, deleteWithInstance: false, ...key.row }),
          ...guards,
          ...key.statements,
        ],
        keys: [volumeId],
      };
    },
    saga: verifyBackup,
    context: () => context,
    unwound: ({ scratch }) => (scratch === undefined ? [] : volumeRows.takeBack({ ...scratch, id: scratch.volumeId })),
  });
