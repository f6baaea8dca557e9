import { equals, onContribution, rowsNeeded } from '../kernel/index.ts';
import type { Module } from './services.ts';
import { image, pool } from './storage/contract.ts';
import { stray } from './topology/contract.ts';

/** Which deleted rows the cloud still goes by: those that explain something real that may be there. Debts keep what they name without a word from here. */
export const retention: Module = ({ reader, imageStore }) => {
  /** Copies in pools are found by looking at those that answer; one that volumes of nobody depend on goes after them. */
  const copiesMayBeLeft = async (): Promise<boolean> => {
    const lost = await reader.list(pool, equals('status', 'disconnected'), { limit: 1 });
    return lost.length > 0 || (await reader.list(stray, equals('objectKind', 'volume'), { limit: 1 })).length > 0;
  };
  const imagesNeeded = async (ids: readonly string[]): Promise<readonly string[]> => {
    if (await copiesMayBeLeft()) return ids;
    const contents = new Set(await imageStore.list());
    return ids.filter((id) => contents.has(id));
  };
  const quarantined = async (ids: readonly string[]): Promise<readonly string[]> => {
    const rows = await reader.list(stray, { field: 'objectId', op: 'in', value: ids });
    return rows.map(({ objectId }) => objectId);
  };
  return {
    id: 'retention',
    version: '0.1.0',
    requires: ['topology', 'storage'],
    hooks: [onContribution(rowsNeeded, ({ kind, ids }) => (kind === image.name ? imagesNeeded(ids) : quarantined(ids)))],
  };
};
