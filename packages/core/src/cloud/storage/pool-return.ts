import { CloudError, debt, type Environment, equals, type Reader, type RowOf, type Settings } from '../../kernel/index.ts';
import { host } from '../topology/contract.ts';
import type { pool } from './pool.ts';
import { POOL_CLEAR } from './pool-context.ts';
import type { PoolPlace } from './pool-place.ts';
import { volumeReturnSeconds } from './settings.ts';

export interface PoolReturnContext {
  readonly reader: Reader;
  readonly environment: Pick<Environment, 'clock'>;
  readonly settings: Settings;
}

type PoolRow = RowOf<typeof pool>;

/**
 * A copy of an image has the same name in every pool: a removal of it with a pool, which was given up and is carried out after all, would take the copy of the next
 * pool at that place, under the volumes that are cloned from it.
 * @param alike pools of the same driver and settings
 * @throws CloudError conflict while such a removal may still be under way
 */
export async function refuseEarlyRegistration(ctx: PoolReturnContext, place: PoolPlace, alike: readonly PoolRow[]): Promise<void> {
  const waitMs = ctx.settings.global(volumeReturnSeconds) * 1000;
  const nowMs = ctx.environment.clock.nowMs();
  for (const row of alike) {
    if (row.deletedAt === undefined || row.copiesRemovedAt === undefined || !(await isSameMachine(ctx.reader, row, place))) continue;
    const untilMs = Date.parse(await lastRemoval(ctx.reader, row, row.copiesRemovedAt)) + waitMs;
    if (untilMs <= nowMs) continue;
    const returnsAt = new Date(untilMs).toISOString();
    throw new CloudError(
      'conflict',
      `Pool ${row.name} at the same place has only just been deleted, and what removes its copies of images may not have ended: another may be registered there from ${returnsAt} on.`,
      { pointer: '/settings', params: { deletedPoolId: row.id, returnsAt } },
    );
  }
}

/** What was left to be done when the host would be back was done when that was paid. */
async function lastRemoval(reader: Reader, { id, hostId }: PoolRow, removedAt: string): Promise<string> {
  const ofHost = hostId === undefined ? [] : await reader.list(debt, equals('place', hostId), { deleted: true });
  const paid = ofHost.flatMap(({ task, target, deletedAt }) =>
    task === POOL_CLEAR && target.poolId === id && deletedAt !== undefined ? [deletedAt] : [],
  );
  return [removedAt, ...paid].sort().at(-1) ?? removedAt;
}

/** Also as a host that was deleted and registered again. */
async function isSameMachine(reader: Reader, a: Pick<PoolRow, 'hostId'>, b: PoolPlace): Promise<boolean> {
  if (a.hostId === b.hostId) return true;
  const [before, now] = await Promise.all([a, b].map(async ({ hostId }) => (hostId === undefined ? undefined : reader.find(host, hostId))));
  if (before === undefined || now === undefined) return false;
  return before.uri === now.uri || (before.hostUuid !== undefined && before.hostUuid === now.hostUuid);
}
