import { Type } from 'typebox';
import {
  bytesText,
  CloudError,
  change,
  defineAction,
  FORWARD_ONLY,
  type Id,
  type KernelServices,
  NOTHING_TO_UNDO,
  quotaGrowth,
  quotaReleased,
  type RowOf,
  type Statement,
  saga,
} from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { poolCapacity } from '../placement/contract.ts';
import { ClassLimits } from './class-limits.ts';
import { refuseFull } from './pool-choice.ts';
import { poolReachable } from './removal.ts';
import { diskBytes, volume } from './volume.ts';
import { openedKey } from './volume-key.ts';
import { isOn, type UsedVolumeContext, usersOf, usersOn, type VolumeUser } from './volume-user.ts';

interface ResizeVolumeParams {
  readonly volumeId: Id<'volume'>;
  readonly poolId: Id<'pool'>;
  readonly fromBytes: number;
  readonly sizeBytes: number;
  /** What it grows by, taken when it was accepted. */
  readonly quota?: readonly Statement[];
}

/** What growing reaches: a disk that is in use grows through the machine that uses it. */
type ResizeContext = UsedVolumeContext & Pick<KernelServices, 'secrets'>;

/** A disk that may have grown cannot be made smaller again, so all that can be wrong is asked before. */
const resizeVolume = saga<ResizeContext, ResizeVolumeParams>('volume.resize', 1)
  .effect('ready', {
    do: async ({ ctx, params, call }) => {
      const row = await ctx.reader.get(volume, params.volumeId);
      if (row.sizeBytes !== params.fromBytes || row.poolId !== params.poolId)
        throw new CloudError('conflict', `Volume ${row.name} was changed meanwhile.`, { params: { sizeBytes: row.sizeBytes } });
      if (!(await poolReachable(ctx, params.poolId))) throw new CloudError('unavailable', 'The host of its pool is out of reach.');
      const pool = await ctx.pools.open(params.poolId);
      const stored = await pool.inspect('volume', params.volumeId, call);
      if (stored === undefined) throw new CloudError('not_found', `${pool.place} has nothing of volume ${row.name}.`);
      if (stored.sizeBytes > params.sizeBytes)
        throw new CloudError('conflict', `Volume ${row.name} has ${bytesText(stored.sizeBytes)} in ${pool.place}, and only grows.`, {
          params: { sizeBytes: stored.sizeBytes },
        });
      for (const { hostId } of await usersOn(ctx, row, call)) (await ctx.hosts.hypervisor(hostId)).need('growDisk');
    },
    undo: NOTHING_TO_UNDO,
  })
  .effect('disk', {
    do: async ({ ctx, params, call }) => {
      const row = await ctx.reader.get(volume, params.volumeId);
      const users = await usersOf(ctx.reader, row);
      const grown = { ...row, sizeBytes: params.sizeBytes };
      if (await growInUse(ctx, users, grown, call)) return;
      const { key } = await openedKey(ctx, row.encryptionKey);
      await (await ctx.pools.open(params.poolId)).resizeVolume(params.volumeId, params.sizeBytes, key, call);
      // It may have been switched on meanwhile, behind our back.
      await growInUse(ctx, users, grown, call);
    },
    undo: FORWARD_ONLY,
  })
  .write('size', {
    do: ({ params }) => [change(volume, params.volumeId, { sizeBytes: params.sizeBytes }), ...quotaReleased(params.quota)],
    undo: FORWARD_ONLY,
  })
  .build();

/** Grows the disk through the machines that have it. False where none of them is on. */
async function growInUse(ctx: UsedVolumeContext, users: readonly VolumeUser[], row: RowOf<typeof volume>, call: Call): Promise<boolean> {
  let isGrown = false;
  for (const user of users) isGrown = (await growUnder(ctx, user, row, call)) || isGrown;
  return isGrown;
}

/**
 * With what its class allows at that size. False where the machine is off; it is also for the pool alone once the host cannot be asked any more: the guest sees the
 * size at its next start then.
 */
async function growUnder(ctx: UsedVolumeContext, user: VolumeUser, row: RowOf<typeof volume>, call: Call): Promise<boolean> {
  if (!(await ctx.hosts.reachable(user.hostId))) return false;
  const hypervisor = await ctx.hosts.hypervisor(user.hostId);
  if (!(await isOn(hypervisor, user.id, row.id, call))) return false;
  await hypervisor.growDisk(user.id, row.id, row.sizeBytes, call);
  const limits = await new ClassLimits(ctx.reader).of(row);
  if (limits !== undefined && hypervisor.offers('diskLimits')) await hypervisor.setDiskLimits(user.id, row.id, limits, call);
  return true;
}

export const volumeResize = (context: ResizeContext) =>
  defineAction({
    kind: volume,
    verb: 'resize',
    description: 'Grows a volume, also under a machine that is on: its guest sees it at once.',
    target: 'resource',
    input: Type.Object({ sizeBytes: diskBytes(' Not smaller than now.') }),
    from: ['available', 'attached'],
    accept: async ({ id, row, input: { sizeBytes }, reader }) => {
      if (sizeBytes < row.sizeBytes)
        throw new CloudError('invalid_input', `A volume only grows; it has ${bytesText(row.sizeBytes)}.`, {
          pointer: '/sizeBytes',
          params: { minimumBytes: row.sizeBytes },
        });
      (await context.pools.open(row.poolId)).needGrowth();
      await refuseFull(reader, row.poolId, sizeBytes - row.sizeBytes);
      const users = await usersOf(reader, row);
      for (const { state, hostId } of users)
        if (state === 'running' || state === 'suspended') (await context.hosts.hypervisor(hostId)).need('growDisk');
      const quota = quotaGrowth(volume, row, { sizeBytes });
      return {
        params: { volumeId: id, poolId: row.poolId, fromBytes: row.sizeBytes, sizeBytes, quota },
        statements: [
          // What it grows by is reserved where it is: a move may end between the look at its row and this.
          { op: 'expect', table: volume.name, key: id, expect: { sizeBytes: row.sizeBytes, poolId: row.poolId } },
          poolCapacity(row.poolId, sizeBytes - row.sizeBytes, 1),
          ...quota,
        ],
        keys: users.map(({ id: userId }) => userId),
      };
    },
    saga: resizeVolume,
    context: () => context,
    unwound: ({ poolId, fromBytes, sizeBytes, quota }) => [poolCapacity(poolId, sizeBytes - fromBytes, -1), ...quotaReleased(quota)],
  });
