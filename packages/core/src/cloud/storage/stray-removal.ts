import { CloudError } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import type { StrayKind } from '../topology/contract.ts';
import { REMOVALS, type StorageContext } from './removal.ts';
import { deleteSeeds } from './seeds.ts';
import type { StoragePool } from './storage-pool.ts';
import { volume } from './volume.ts';

interface Unknown {
  readonly objectKind: StrayKind;
  readonly objectId: string;
  readonly hostId: string;
  readonly place: string;
  readonly call: Call;
}

/** Destroys what nothing explains, since a person said so; answers whether it is of the sort that lies in pools. A volume takes its snapshots along. */
export async function removeUnknown(ctx: StorageContext, { objectKind, objectId, hostId, place, call }: Unknown): Promise<boolean> {
  if (objectKind === 'machine') await deleteSeeds(ctx, objectId, hostId, call);
  if (objectKind === 'snapshot') {
    const { poolId } = await ctx.reader.get(volume, place);
    await (await ctx.pools.open(poolId)).deleteSnapshot({ id: objectId, volumeId: place }, call);
    return true;
  }
  if (objectKind !== 'volume' && objectKind !== 'seed' && objectKind !== 'image') return false;
  if (objectKind === 'volume') await refuseExplained(ctx, objectId, place);
  const pool = await ctx.pools.open(place);
  if (objectKind === 'volume') await deleteWithSnapshots(pool, objectId, call);
  else await REMOVALS[`${objectKind}.delete`](pool, objectId, call);
  return true;
}

export async function deleteWithSnapshots(pool: StoragePool, volumeId: string, call: Call): Promise<void> {
  for (const { id } of await pool.listSnapshots(volumeId, call)) await pool.deleteSnapshot({ id, volumeId }, call);
  await pool.deleteVolume(volumeId, call);
}

/** What was found beside a volume may be the volume by now. @throws CloudError conflict */
async function refuseExplained({ reader }: StorageContext, volumeId: string, poolId: string): Promise<void> {
  const row = await reader.find(volume, volumeId);
  if (row !== undefined && row.deletedAt === undefined && [row.poolId, row.movingToPoolId].includes(poolId as never))
    throw new CloudError('conflict', `It is what volume ${row.name} has in that pool.`);
}
