import { CloudError, type Environment, type Id, type Reader, type RowOf, type Settings, timestamp } from '../../kernel/index.ts';
import { pool } from './pool.ts';
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
export async function refuseEarlyReturn(
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
