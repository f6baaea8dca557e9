import { isCloudError, type Reader, type RowOf } from '../../kernel/index.ts';
import { choosePool, type Protection, protectionIn, type snapshot } from '../storage/contract.ts';
import type { BackupContext } from './context.ts';

type Wanted = Parameters<typeof choosePool>[1];
type SnapshotRow = RowOf<typeof snapshot>;

type Place = Protection & { readonly poolId: Awaited<ReturnType<typeof choosePool>>['id'] };

/**
 * Where what is in a backup goes. A clone takes no time, so the pool that has its snapshot is the first choice of who names none. Of pools that encrypt some cannot be
 * filled but by machines: those are passed over.
 * @throws CloudError no_capacity, conflict, unsupported
 */
export async function placeToFill(context: BackupContext, reader: Reader, wanted: Wanted, beside?: SnapshotRow): Promise<Place> {
  const seen = new Set<string>();
  for (let attempt = wanted.attempt; ; attempt += 1) {
    const row = await besideOrElse(reader, seen.size === 0 ? beside : undefined, { ...wanted, attempt });
    const protection = await protectionIn(reader, row, wanted.encrypted, wanted.encryptedBy);
    const pool = await context.pools.open(row.id);
    if (!protection.isEncrypted || pool.canCopyEncrypted || seen.has(row.id)) {
      pool.needContents(protection.isEncrypted);
      return { ...protection, poolId: row.id };
    }
    seen.add(row.id);
  }
}

async function besideOrElse(reader: Reader, beside: SnapshotRow | undefined, wanted: Wanted) {
  const isFree = wanted.poolId === undefined && wanted.storageClass === undefined && wanted.hostId === undefined;
  if (beside?.state !== 'available' || !isFree) return choosePool(reader, wanted);
  try {
    return await choosePool(reader, { ...wanted, poolId: beside.poolId });
  } catch (error) {
    // Full; of a class that takes encrypted volumes only by now; or of one that encrypts none.
    if (!isCloudError(error) || !['no_capacity', 'conflict', 'unsupported'].includes(error.code)) throw error;
    return choosePool(reader, wanted);
  }
}
