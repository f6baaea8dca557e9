import { CloudError, expectState, type Id, type Reader, type RowOf, type Statement } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { inUse, refuseEncrypted, refuseOtherUser, refuseUsed, userOf, volume } from '../storage/contract.ts';
import type { BackupContext } from './context.ts';

type VolumeRow = RowOf<typeof volume>;

const WITH_CONTENT = ['available', 'attached'] as const;

/** The volume has a content: it is neither on its way in nor out. */
export const keptIn = ({ id }: VolumeRow): Statement => expectState(volume, id, WITH_CONTENT);

/** What a backup of a volume goes by: a snapshot of its own; or, where the pool keeps none, that nobody uses it. */
export interface Readable {
  readonly hasSnapshots: boolean;
  /** The machine that has the volume and is off: it stays so meanwhile. */
  readonly userId?: string;
}

/** @throws CloudError conflict, unsupported, in_use */
export async function readable({ pools }: BackupContext, reader: Reader, row: VolumeRow): Promise<Readable> {
  const { name, state, poolId } = row;
  refuseEncrypted(row, '/volumeId', 'backups keep no keys of volumes');
  if (!WITH_CONTENT.some((each) => each === state))
    throw new CloudError('conflict', `Volume ${name} is ${state}.`, {
      pointer: '/volumeId',
      params: { state, allowed: [...WITH_CONTENT] },
    });
  const pool = await pools.open(poolId);
  pool.needContents();
  if (pool.hasSnapshots) return { hasSnapshots: true };
  const user = await userOf(reader, row);
  if (user === undefined) return { hasSnapshots: false };
  if (user.state !== 'stopped') throw inUse(row, user);
  return { hasSnapshots: false, userId: user.id };
}

interface Wanted {
  readonly volumeId: Id<'volume'>;
  readonly poolId: Id<'pool'>;
  readonly sizeBytes: number;
  readonly userId?: string;
}

/** Of a volume that is read itself: it is as it was when that was accepted, and nobody writes to it. @throws CloudError conflict, in_use, unavailable */
export async function refuseUsedOrMoved(ctx: BackupContext, { volumeId, poolId, sizeBytes, userId }: Wanted, call: Call): Promise<void> {
  const row = await ctx.reader.get(volume, volumeId);
  if (row.poolId !== poolId) throw new CloudError('conflict', `Volume ${row.name} was moved meanwhile.`);
  if (row.sizeBytes !== sizeBytes) throw new CloudError('conflict', 'The volume was resized meanwhile.');
  await refuseOtherUser(ctx.reader, row, userId);
  await refuseUsed(ctx, row, call);
}
