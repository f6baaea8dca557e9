import { Type } from 'typebox';
import {
  both,
  CloudError,
  change,
  defineAction,
  equals,
  FORWARD_ONLY,
  forgetSealed,
  type Id,
  type KernelServices,
  NOTHING_TO_UNDO,
  saga,
} from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { type Access, changedAccess, isStill, triedWith } from './credentials.ts';
import { pool } from './pool.ts';
import type { PoolContext } from './pool-context.ts';
import { poolSecrets } from './pool-settings.ts';
import type { Pools } from './pools.ts';
import type { StoragePool } from './storage-pool.ts';
import { volume } from './volume.ts';

export type CredentialsContext = Omit<PoolContext, 'pools'> &
  Pick<KernelServices, 'secrets'> & { readonly pools: PoolContext['pools'] & Pick<Pools, 'beside' | 'exchange'> };

interface ChangeCredentialsParams {
  readonly poolId: Id<'pool'>;
  readonly from: Access;
  readonly to: Access;
}

const SECTOR = new Uint8Array(512);

/**
 * At every instant the row names credentials that were tried; those of before are forgotten when everything that begins goes by the new ones. The driver is
 * exchanged in memory alone: a process that begins later opens the pool by what its row says.
 */
const changeCredentials = saga<CredentialsContext, ChangeCredentialsParams>('pool.changeCredentials', 1)
  .effect('seen', {
    do: async ({ ctx, params: { poolId, from, to }, call }) => {
      const { name, ...row } = await ctx.reader.get(pool, poolId);
      if (!isStill(row, from)) throw new CloudError('conflict', `Pool ${name} was changed meanwhile.`);
      await tried(ctx, poolId, to, (beside) => lookRound(ctx, poolId, beside, call));
    },
    undo: NOTHING_TO_UNDO,
  })
  // A seed by the id of the pool, which nothing else has.
  .effect('written', {
    do: ({ ctx, params: { poolId, to }, call }) =>
      tried(ctx, poolId, to, async (beside) => {
        await beside.putSeed(poolId, SECTOR, call);
        await beside.deleteSeed(poolId, call);
      }),
    undo: async ({ ctx, params: { poolId, to }, call }) => {
      try {
        await tried(ctx, poolId, to, (beside) => beside.deleteSeed(poolId, call));
      } catch {
        await (await ctx.pools.open(poolId)).deleteSeed(poolId, call);
      }
    },
  })
  .write('set', {
    do: ({ params: { poolId, to } }) => [change(pool, poolId, to)],
    undo: ({ params: { poolId, from } }) => [change(pool, poolId, { ...from, secrets: from.secrets ?? null })],
  })
  .effect('exchanged', {
    do: ({ ctx, params: { poolId, to } }) => ctx.pools.exchange(poolId, to),
    undo: ({ ctx, params: { poolId, from } }) => ctx.pools.exchange(poolId, from),
  })
  .write('changed', {
    do: ({ params: { from } }) => (from.secrets === undefined ? [] : [forgetSealed(from.secrets)]),
    undo: FORWARD_ONLY,
  })
  .build();

/** With another driver, while everything goes on by the one of before. @throws CloudError pointing at what does not do */
const tried = async (
  { pools }: CredentialsContext,
  poolId: string,
  access: Access,
  act: (beside: StoragePool) => Promise<void>,
): Promise<void> => triedWith(await pools.beside(poolId, access), act);

/** Who comes with them is in the same place: what is there is seen. @throws CloudError conflict */
async function lookRound({ pools, reader }: CredentialsContext, poolId: string, beside: StoragePool, call: Call): Promise<void> {
  await beside.ensure(call);
  const settled = { field: 'state', op: 'in', value: ['available', 'attached'] } as const;
  const [known] = await reader.list(volume, both(equals('poolId', poolId), both(settled, equals('status', 'present'))), { limit: 1 });
  if (known === undefined || (await beside.inspect('volume', known.id, call)) !== undefined) return;
  // It may have been deleted meanwhile.
  if ((await (await pools.open(poolId)).inspect('volume', known.id, call)) !== undefined)
    throw new CloudError('conflict', `With these credentials volume ${known.name} is not to be seen.`);
}

const { properties } = pool.schema;

export const poolChangeCredentials = (context: CredentialsContext) =>
  defineAction({
    kind: pool,
    verb: 'changeCredentials',
    description:
      'Gives the pool other secrets, and other settings that say who asks. They are tried first; what is under way, and machines that run, go on with those of before.',
    target: 'resource',
    input: Type.Object({
      settings: Type.Optional(properties.settings),
      secrets: Type.Optional(poolSecrets()),
    }),
    from: ['available', 'disabled'],
    accept: async ({ id, row, input, seal }) => {
      const { statements, ...access } = await changedAccess(context, context.pools.factory(row.driver), row, { input, seal });
      return { params: { poolId: id, ...access }, statements };
    },
    saga: changeCredentials,
    context: () => context,
    unwound: ({ to: { secrets } }) => (secrets === undefined ? [] : [forgetSealed(secrets)]),
  });
