import type { Reader, RowOf } from '../../kernel/index.ts';
import type { StorageFactory } from '../../strategy/index.ts';
import { pool } from './pool.ts';
import { placeSettings } from './pool-settings.ts';

type PoolRow = RowOf<typeof pool>;

/** What tells where a pool keeps things: by its settings, on what it belongs to. */
export type PoolPlace = Pick<PoolRow, 'driver' | 'settings' | 'hostId' | 'clusterId' | 'zoneId'>;

const settingsText = (factory: StorageFactory, { settings }: PoolPlace): string =>
  JSON.stringify(Object.entries(placeSettings(factory, settings)).sort());

/** The live pool at a place, whoever asks there; a pool without settings has a place of its own. */
export async function poolAt(reader: Reader, factory: StorageFactory, place: PoolPlace): Promise<PoolRow | undefined> {
  const settings = settingsText(factory, place);
  if (settings === '[]') return undefined;
  return (await reader.list(pool)).find(
    (row) =>
      row.driver === place.driver &&
      row.hostId === place.hostId &&
      row.clusterId === place.clusterId &&
      row.zoneId === place.zoneId &&
      settingsText(factory, row) === settings,
  );
}
