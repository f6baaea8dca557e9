import { Type } from 'typebox';
import { CloudError, change, defineAction, expectState, type Id, NOTHING_TO_UNDO, resourceName, saga } from '../../kernel/index.ts';
import { given } from '../naming.ts';
import { pool } from './pool.ts';
import { cappedBy } from './pool-capacity.ts';
import { type PoolContext, poolLimit } from './pool-context.ts';
import { storageClass } from './storage-class.ts';
import { classNamed, refuseShortfall } from './storage-class-verbs.ts';

interface UpdatePoolParams {
  readonly poolId: Id<'pool'>;
  readonly set: {
    readonly name?: string;
    readonly storageClass?: string;
    readonly classId?: Id<'storageClass'> | null;
    readonly shortfall?: null;
    readonly overcommit?: number;
  };
}

/** Volumes that are over a lowered promise stay; only nothing more is made. */
const updatePool = saga<PoolContext, UpdatePoolParams>('pool.update', 1)
  .effect('size', {
    do: async ({ ctx, params }) => (await ctx.reader.get(pool, params.poolId)).totalBytes ?? 0,
    undo: NOTHING_TO_UNDO,
  })
  .write('set', {
    do: ({ params: { poolId, set }, out: { size } }) => [
      // The size that the limit is made of must still be the pool's.
      change(pool, poolId, { ...set, ...(set.overcommit && { isCapped: cappedBy(size, set.overcommit) }) }, { totalBytes: size }),
      ...(set.overcommit === undefined ? [] : [poolLimit(poolId, size, set.overcommit)]),
    ],
    undo: NOTHING_TO_UNDO,
  })
  .build();

const { properties } = pool.schema;

export const poolUpdate = (context: PoolContext) =>
  defineAction({
    kind: pool,
    verb: 'update',
    description: 'Changes the name, the class or the overcommit of the pool.',
    target: 'resource',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      storageClass: Type.Optional(properties.storageClass),
      overcommit: Type.Optional(properties.overcommit),
    }),
    from: ['available', 'disabled'],
    accept: async ({ id, row, input, reader }) => {
      if (Object.keys(input).length === 0) throw new CloudError('invalid_input', 'Nothing to change was given.', { pointer: '' });
      if (input.storageClass === undefined) return { params: { poolId: id, set: given(input) }, statements: [] };
      const promised = await classNamed(reader, input.storageClass);
      if (promised !== undefined) refuseShortfall(promised, [row], '/storageClass');
      return {
        params: { poolId: id, set: { ...given(input), classId: promised?.id ?? null, shortfall: null } },
        statements: promised === undefined ? [] : [expectState(storageClass, promised.id, ['available'])],
        keys: promised === undefined ? [] : [promised.id],
      };
    },
    saga: updatePool,
    context: () => context,
  });
