import type { Reader, RowOf } from '../../kernel/index.ts';
import type { StorageFactory } from '../../strategy/index.ts';
import { pool } from './pool.ts';
import { placeSettings } from './pool-settings.ts';

type PoolRow = RowOf<typeof pool>;

/** What tells where a pool keeps things: by its settings, on what it belongs to. */
export type PoolPlace = Pick<PoolRow, 'driver' | 'settings' | 'hostId' | 'clusterId' | 'zoneId'>;

const settingsText = (factory: StorageFactory, { settings }: PoolPlace): string =>
  JSON.stringify(Object.entries(placeSettings(factory, settings)).sort());

/** Whether they mean the same by their driver and its settings; of pools of hosts, if it is the same machine. One without settings has a place of its own. */
export const isSamePlace = (factory: StorageFactory, row: PoolPlace, place: PoolPlace): boolean => {
  const settings = settingsText(factory, place);
  return settings !== '[]' && row.driver === place.driver && settingsText(factory, row) === settings;
};

/** The live pool at a place, whoever asks there. */
export async function poolAt(reader: Reader, factory: StorageFactory, place: PoolPlace): Promise<PoolRow | undefined> {
  return (await reader.list(pool)).find(
    (row) =>
      row.hostId === place.hostId && row.clusterId === place.clusterId && row.zoneId === place.zoneId && isSamePlace(factory, row, place),
  );
}
