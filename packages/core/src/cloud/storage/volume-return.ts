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

type Row = Pick<RowOf<typeof volume>, 'id' | 'name' | 'leftPools'>;

const untilMs = ({ settings }: Context, at: string): number => Date.parse(at) + settings.global(volumeReturnSeconds) * 1000;

/**
 * The pools that the row has left lately, with this one, which is left now. A volume has the same name in every pool: a removal there that was given up, and is carried out after all,
 * would take what has come back.
 */
export const leftLately = (ctx: Context, { leftPools = [] }: Pick<Row, 'leftPools'>, poolId: string): NonNullable<Row['leftPools']> => [
  ...leftPools.filter((left) => left.poolId !== poolId && untilMs(ctx, left.at) > ctx.environment.clock.nowMs()),
  { poolId, at: timestamp(ctx.environment.clock) },
];

/** @throws CloudError conflict while another move of it has not come to its end */
export async function refuseUnsettled({ reader }: { readonly reader: Reader }, row: RowOf<typeof volume>): Promise<void> {
  if (row.movingToPoolId !== undefined)
    throw new CloudError('conflict', `Volume ${row.name} is being moved already.`, { params: { movingToPoolId: row.movingToPoolId } });
  const left = row.leftPoolId === undefined ? undefined : await reader.find(pool, row.leftPoolId);
  if (left !== undefined)
    throw new CloudError('conflict', `What the last move of volume ${row.name} left in pool ${left.name} is not removed yet; ask again.`, {
      params: { leftPoolId: left.id },
    });
}

/**
 * Why a volume may not come to a pool yet: something may lie there that bears its name and is not it, or a removal of what it was there may still be under way.
 * `pointer` is to the field that asks for the pool.
 */
export async function barredFrom(
  ctx: Context & { readonly reader: Reader },
  row: Row,
  poolId: Id<'pool'>,
  pointer: string,
): Promise<CloudError | undefined> {
  const { reader } = ctx;
  const returnsAt = returnOf(ctx, row, poolId);
  if (returnsAt !== undefined)
    return new CloudError(
      'conflict',
      `Volume ${row.name} has only just left pool ${(await reader.get(pool, poolId)).name}, where what removed it may not have ended: it may return from ${returnsAt} on.`,
      { pointer, params: { leftPoolId: poolId, returnsAt } },
    );
  const unknown = both(both(equals('place', poolId), equals('objectKind', 'volume')), equals('objectId', row.id));
  const [found] = await reader.list(stray, unknown, { limit: 1 });
  if (found !== undefined)
    return new CloudError('conflict', `Something with the name of volume ${row.name} lies in that pool in quarantine; remove that first.`, {
      pointer,
      params: { strayId: found.id },
    });
  const hostId = await hostOfPool(reader, poolId);
  if (hostId === undefined) return undefined;
  const owed = await reader.list(debt, both(equals('place', hostId), equals('state', 'owed')));
  if (!owed.some(({ target }) => target.id === row.id && target.poolId === poolId)) return undefined;
  return new CloudError('conflict', `What volume ${row.name} has left in that pool is not removed yet; ask again.`, {
    pointer,
    params: { leftPoolId: poolId },
  });
}

/** When it may, where that is later than now. */
function returnOf(ctx: Context, { leftPools = [] }: Row, poolId: string): string | undefined {
  const left = leftPools.find((each) => each.poolId === poolId);
  if (left === undefined || untilMs(ctx, left.at) <= ctx.environment.clock.nowMs()) return undefined;
  return new Date(untilMs(ctx, left.at)).toISOString();
}
