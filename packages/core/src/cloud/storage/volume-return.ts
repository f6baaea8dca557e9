import {
  both,
  CloudError,
  debt,
  type Environment,
  equals,
  type Id,
  type Reader,
  type RowOf,
  type Settings,
  timestamp,
} from '../../kernel/index.ts';
import { stray } from '../topology/contract.ts';
import { pool } from './pool.ts';
import { hostOfPool } from './removal.ts';
import { volumeReturnSeconds } from './settings.ts';
import type { volume } from './volume.ts';

interface Context {
  readonly environment: Pick<Environment, 'clock'>;
  readonly settings: Settings;
}

type Row = Pick<RowOf<typeof volume>, 'name' | 'leftPools'>;

const untilMs = ({ settings }: Context, at: string): number => Date.parse(at) + settings.global(volumeReturnSeconds) * 1000;

/**
 * The pools that the row has left lately, with this one, which is left now. A volume has the same name in every pool: a removal there that was given up, and is carried out after all,
 * would take what has come back.
 */
export const leftLately = (ctx: Context, { leftPools = [] }: Pick<Row, 'leftPools'>, poolId: string): NonNullable<Row['leftPools']> => [
  ...leftPools.filter((left) => left.poolId !== poolId && untilMs(ctx, left.at) > ctx.environment.clock.nowMs()),
  { poolId, at: timestamp(ctx.environment.clock) },
];

/** @throws CloudError conflict while a removal of what the volume was there may still be under way */
async function refuseEarlyReturn(
  ctx: Context & { readonly reader: Reader },
  { name, leftPools = [] }: Row,
  poolId: Id<'pool'>,
): Promise<void> {
  const left = leftPools.find((each) => each.poolId === poolId);
  if (left === undefined || untilMs(ctx, left.at) <= ctx.environment.clock.nowMs()) return;
  const returnsAt = new Date(untilMs(ctx, left.at)).toISOString();
  throw new CloudError(
    'conflict',
    `Volume ${name} has only just left pool ${(await ctx.reader.get(pool, poolId)).name}, where what removed it may not have ended: it may return from ${returnsAt} on.`,
    { pointer: '/poolId', params: { leftPoolId: poolId, returnsAt } },
  );
}

/** @throws CloudError conflict while something may lie in a pool that bears the name of the volume and is not it */
export async function refuseUnsettled(
  ctx: Context & { readonly reader: Reader },
  row: RowOf<typeof volume>,
  toPoolId: Id<'pool'>,
): Promise<void> {
  const { reader } = ctx;
  if (row.movingToPoolId !== undefined)
    throw new CloudError('conflict', `Volume ${row.name} is being moved already.`, { params: { movingToPoolId: row.movingToPoolId } });
  const left = row.leftPoolId === undefined ? undefined : await reader.find(pool, row.leftPoolId);
  if (left !== undefined)
    throw new CloudError('conflict', `What the last move of volume ${row.name} left in pool ${left.name} is not removed yet; ask again.`, {
      params: { leftPoolId: left.id },
    });
  await refuseEarlyReturn(ctx, row, toPoolId);
  const unknown = both(both(equals('place', toPoolId), equals('objectKind', 'volume')), equals('objectId', row.id));
  const [found] = await reader.list(stray, unknown, { limit: 1 });
  if (found !== undefined)
    throw new CloudError('conflict', `Something with the name of volume ${row.name} lies in that pool in quarantine; remove that first.`, {
      pointer: '/poolId',
      params: { strayId: found.id },
    });
  const hostId = await hostOfPool(reader, toPoolId);
  if (hostId === undefined) return;
  const owed = await reader.list(debt, both(equals('place', hostId), equals('state', 'owed')));
  if (owed.some(({ target }) => target.id === row.id && target.poolId === toPoolId))
    throw new CloudError('conflict', `What volume ${row.name} has left in that pool is not removed yet; ask again.`, {
      pointer: '/poolId',
      params: { leftPoolId: toPoolId },
    });
}
