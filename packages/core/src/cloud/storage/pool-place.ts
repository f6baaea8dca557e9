import type { Reader, RowOf } from '../../kernel/index.ts';
import type { StorageFactory } from '../../strategy/index.ts';
import { pool } from './pool.ts';
import { placeSettings } from './pool-settings.ts';

type PoolRow = RowOf<typeof pool>;

/** What tells where a pool keeps things: by its settings, on what it belongs to. */
export type PoolPlace = Pick<PoolRow, 'driver' | 'settings' | 'hostId' | 'clusterId' | 'zoneId'>;

const settingsText = (factory: StorageFactory, { settings }: PoolPlace): string =>
  JSON.stringify(Object.entries(placeSettings(factory, settings)).sort());

/** Pools whose driver and settings mean the same as those of a place, deleted ones included. One without settings has a place of its own. */
export async function likePlace(reader: Reader, factory: StorageFactory, place: PoolPlace): Promise<readonly PoolRow[]> {
  const settings = settingsText(factory, place);
  if (settings === '[]') return [];
  const rows = await reader.list(pool, undefined, { deleted: true });
  return rows.filter((row) => row.driver === place.driver && settingsText(factory, row) === settings);
}

/** The live one of these that belongs where the place does. */
export const twinAmong = (rows: readonly PoolRow[], { hostId, clusterId, zoneId }: PoolPlace): PoolRow | undefined =>
  rows.find((row) => row.deletedAt === undefined && row.hostId === hostId && row.clusterId === clusterId && row.zoneId === zoneId);

/** The live pool at a place, whoever asks there. */
export const poolAt = async (reader: Reader, factory: StorageFactory, place: PoolPlace): Promise<PoolRow | undefined> =>
  twinAmong(await likePlace(reader, factory, place), place);
