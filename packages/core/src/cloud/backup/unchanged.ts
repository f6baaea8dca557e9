import { both, CloudError, equals, type Id, isCloudError, type Reader, type RowOf } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { patiently } from '../patient-call.ts';
import type { StoragePool } from '../storage/contract.ts';
import { backup } from './backup.ts';
import { refuseUsedOrMoved } from './backup-source.ts';
import type { BackupContext } from './context.ts';
import type { Manifest } from './manifest.ts';
import type { Shelf } from './transfer.ts';

interface Wanted {
  readonly volumeId: Id<'volume'>;
  readonly poolId: Id<'pool'>;
  readonly sizeBytes: number;
  readonly storeId: Id<'backupStore'>;
  readonly userId?: string;
  readonly afresh?: true;
}

export interface Watched {
  /** With the volume before anything of it is read. */
  readonly mark?: string;
  /** What has all that is in it. */
  readonly earlier?: { readonly manifest: Manifest };
}

/** Backups of a volume, in one store or all, the last one first. */
export async function madeOf(reader: Reader, volumeId: string, storeId?: string): Promise<readonly RowOf<typeof backup>[]> {
  const rows = await reader.list(backup, both(equals('volumeId', volumeId), equals('state', 'available')));
  return rows
    .filter((row) => storeId === undefined || row.storeId === storeId)
    .sort((a, b) => ((a.takenAt ?? '') < (b.takenAt ?? '') ? 1 : -1));
}

/**
 * Before a volume itself is read, which nobody uses: has anything been written to it since the last backup? Its mark is gone then, and it gets another one. A mark that
 * is there stays, whichever store has the backup that was made under it: what is in the volume is one thing for as long as that is there. One that could not be set
 * may come late, and is trusted by nobody, for no manifest has it.
 */
export async function watch(ctx: BackupContext, shelf: Shelf, params: Wanted, call: Call): Promise<Watched> {
  const { volumeId, poolId } = params;
  const pool = await ctx.pools.open(poolId);
  const found = await patiently(ctx, call, (c) => pool.markOf(volumeId, c));
  if (found === undefined) {
    const mark = wordOf(ctx.environment.random.bytes(8));
    if (!(await marked(ctx, pool, { volumeId, mark }, call))) return {};
    // Who has opened it just before would not have seen the mark.
    await patiently(ctx, call, (c) => refuseUsedOrMoved(ctx, params, c));
    return { mark };
  }
  const manifest = await lastUnder(found, ctx, shelf, params, call);
  return { mark: found, ...(manifest === undefined ? {} : { earlier: { manifest } }) };
}

/** The last backup, if it was made under this mark. Nobody keeps it from being deleted: what it has stays all the same for a backup at work, unless it is condemned already. */
async function lastUnder(mark: string, { reader }: BackupContext, shelf: Shelf, params: Wanted, call: Call): Promise<Manifest | undefined> {
  const [last] = await madeOf(reader, params.volumeId, params.storeId);
  if (last === undefined || last.condition === 'damaged' || params.afresh === true) return undefined;
  const manifest = await shelf.manifest(last.id, call);
  if (manifest?.head.mark !== mark || manifest.head.sizeBytes !== params.sizeBytes) return undefined;
  return (await shelf.unusable(call)).size === 0 ? manifest : undefined;
}

/** After all was read: the manifest, with the mark under which that was. @throws CloudError conflict where an earlier one was taken for it, and it has been opened meanwhile */
export async function settled(
  pool: StoragePool,
  volumeId: string,
  { watched: { mark, earlier }, manifest }: { readonly watched: Watched; readonly manifest: Manifest },
  call: Call,
): Promise<Manifest> {
  if (mark === undefined) return manifest;
  if ((await pool.markOf(volumeId, call)) === mark) return manifest.withMark(mark);
  if (earlier !== undefined) throw new CloudError('conflict', 'The volume was written to meanwhile.');
  return manifest;
}

async function marked(
  ctx: BackupContext,
  pool: StoragePool,
  { volumeId, mark }: { readonly volumeId: string; readonly mark: string },
  call: Call,
): Promise<boolean> {
  try {
    return await patiently(ctx, call, (c) => pool.markVolume(volumeId, mark, c));
  } catch (error) {
    if (!isCloudError(error) || call.signal.aborted) throw error;
    return false;
  }
}

export const wordOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex').slice(0, 15);
