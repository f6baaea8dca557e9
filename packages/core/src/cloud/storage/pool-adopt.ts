import { type TObject, Type } from 'typebox';
import {
  CloudError,
  create,
  defineAction,
  type Endpoint,
  expectState,
  type Id,
  isCloudError,
  NOTHING_TO_UNDO,
  quotaOfRow,
  quotaReleased,
  type RowOf,
  resourceName,
  type Statement,
  saga,
} from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { project } from '../identity/contract.ts';
import { nameOr } from '../naming.ts';
import { poolCapacity } from '../placement/contract.ts';
import { protectionIn } from './class-encryption.ts';
import { HEAD_BYTES, wrappingOf } from './image-format.ts';
import { pool } from './pool.ts';
import type { PoolContext } from './pool-context.ts';
import { poolReachable } from './removal.ts';
import { diskBytes, volume } from './volume.ts';

type PlannedVolume = Omit<Parameters<typeof create<typeof volume>>[1], 'state'> & { readonly projectId: Id<'project'> };

interface AdoptDiskParams {
  readonly poolId: Id<'pool'>;
  /** What others call it. */
  readonly disk: string;
  readonly row: PlannedVolume;
  readonly guards: readonly Statement[];
  /** What the row will count for, taken when it was accepted. */
  readonly quota: readonly Statement[];
}

const LIST_TIMEOUT_MS = 30_000;
const diskName = (description: string) => Type.String({ minLength: 1, maxLength: 255, description });

/**
 * The row is made in the last write alone: one that was made and taken back would be a tombstone, by which a look would remove a disk that arrives late, and it is
 * not ours. Without a row it lies in quarantine.
 */
const adoptDisk = saga<PoolContext, AdoptDiskParams>('pool.adopt', 1)
  .effect('looked', {
    do: async ({ ctx, params: { poolId, disk, row }, call }) => {
      if (!(await poolReachable(ctx, poolId))) throw new CloudError('unavailable', 'The host of the pool is out of reach.');
      const { sizeBytes, head } = await found(ctx, poolId, disk, call);
      if (sizeBytes !== row.sizeBytes)
        throw new CloudError('conflict', `Disk ${disk} has ${sizeBytes} bytes, not ${row.sizeBytes}.`, {
          pointer: '/sizeBytes',
          params: { sizeBytes },
        });
      const wrapping = wrappingOf(head);
      if (wrapping !== undefined)
        throw new CloudError('conflict', `What is in disk ${disk} is ${wrapping}, which no machine could read: upload it as an image.`, {
          pointer: '/disk',
        });
    },
    undo: NOTHING_TO_UNDO,
  })
  .effect('taken', {
    do: async ({ ctx, params: { poolId, disk, row }, call }) => {
      try {
        await (await ctx.pools.open(poolId)).adoptDisk(disk, row.id, call);
      } catch (error) {
        throw isCloudError(error) && error.code === 'conflict' ? at(error, '/disk') : error;
      }
    },
    undo: async ({ ctx, params: { poolId, disk, row }, call }) => (await ctx.pools.open(poolId)).giveDiskBack(disk, row.id, call),
  })
  .write('adopted', {
    do: ({ params: { poolId, row, guards, quota } }) => [
      expectState(pool, poolId, ['available']),
      expectState(project, row.projectId, ['available']),
      ...guards,
      create(volume, { ...row, state: 'available' }),
      ...quotaReleased(quota),
    ],
    undo: NOTHING_TO_UNDO,
  })
  .build();

const at = (error: CloudError, pointer: string) => new CloudError(error.code, error.publicMessage, { pointer, cause: error });

async function found({ pools }: PoolContext, poolId: string, disk: string, call: Call) {
  try {
    return await (await pools.open(poolId)).lookAtOthers(disk, HEAD_BYTES, call);
  } catch (error) {
    if (isCloudError(error) && error.code === 'conflict') throw at(error, '/disk');
    if (!isCloudError(error) || error.code !== 'not_found') throw error;
    throw new CloudError('not_found', `The pool has no disk ${disk} of others.`, { pointer: '/disk', cause: error });
  }
}

const { properties } = volume.schema;

export const poolAdopt = (context: PoolContext) =>
  defineAction({
    kind: pool,
    verb: 'adopt',
    description:
      'Makes a disk that others have put into the pool a volume of the project that is worked in, with all that is in it. Nothing is copied: from then on it is the volume, and goes with it.',
    target: 'resource',
    makes: [volume],
    input: Type.Object({
      disk: diskName('What it is called in the pool.'),
      sizeBytes: diskBytes(' As the list of unknown disks shows it: nothing else than what was looked at is taken.'),
      name: Type.Optional(resourceName()),
      description: properties.description,
    }),
    from: ['available'],
    accept: async ({ id, row, input, projectId, reader, mint }) => {
      (await context.pools.open(row.id)).needOthers();
      const { guards } = await protectionIn(reader, row, false, '/disk');
      const volumeId = mint('volume');
      const planned = {
        id: volumeId,
        projectId,
        name: nameOr(input.name, volume, volumeId),
        description: input.description ?? `Adopted; it was called ${input.disk}.`,
        poolId: id,
        sizeBytes: input.sizeBytes,
        deleteWithInstance: false,
        status: 'present' as const,
      };
      const quota = quotaOfRow(volume, planned);
      return {
        params: { poolId: id, disk: input.disk, row: planned, guards, quota },
        statements: [...guards, poolCapacity(id, input.sizeBytes, 1), ...quota],
        keys: [volumeId],
        notes: { volumeId, name: planned.name },
      };
    },
    saga: adoptDisk,
    context: () => context,
    unwound: ({ poolId, row, quota }) => [poolCapacity(poolId, row.sizeBytes, -1), ...quotaReleased(quota)],
  });

/** Not rows: what is not ours is not kept account of, and there may be much of it. */
export const unknownDisksEndpoint = ({ pools, reader }: Pick<PoolContext, 'pools' | 'reader'>): Endpoint => ({
  type: 'value',
  method: 'GET',
  path: '/pools/{id}/unknown-disks',
  summary: 'A page of what others have put into the pool: disks that are none of this cloud, which `adopt` makes volumes.',
  permission: 'pool.adopt',
  query: Type.Object({ after: Type.Optional(diskName('`next` of the page before.')) }),
  answer: Type.Object({
    disks: Type.Array(Type.Object({ name: Type.String(), sizeBytes: Type.Integer({ minimum: 0 }) })),
    next: Type.Optional(Type.String({ description: 'Asks for the next page; absent with the last one.' })),
  }) as TObject,
  handle: async ({ params, query, signal }) => {
    const { id }: RowOf<typeof pool> = await reader.get(pool, params.id ?? '');
    const after = query.after === undefined ? undefined : String(query.after);
    return await (await pools.open(id)).othersDisks(after, { requestId: `unknown-disks-${id}`, signal, timeoutMs: LIST_TIMEOUT_MS });
  },
});
