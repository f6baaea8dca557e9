import { Type } from 'typebox';
import { CloudError, change, defineAction, type Id, NOTHING_TO_UNDO, saga } from '../../kernel/index.ts';
import type { Call, DiskLimits, NicLimits } from '../../strategy/index.ts';
import { nic, nicLimits } from '../network/contract.ts';
import type { CloudServices } from '../services.ts';
import { diskLimits, volume } from '../storage/contract.ts';
import type { ComputeContext } from './context.ts';
import { instance } from './instance.ts';

interface LimitParams<L> {
  readonly id: string;
  readonly instanceId?: Id<'instance'>;
  readonly before: L;
  readonly after: L;
}

/** 0 lifts each limit that the other side names and this one does not. */
const against = <L extends object>(limits: L, other: L): L => ({
  ...Object.fromEntries(Object.keys(other).map((key) => [key, 0])),
  ...limits,
});

async function live(ctx: ComputeContext, instanceId: string | undefined): Promise<string | undefined> {
  if (instanceId === undefined) return undefined;
  const row = await ctx.reader.get(instance, instanceId);
  return row.state === 'running' || row.state === 'suspended' ? row.hostId : undefined;
}

async function limitDisk(ctx: ComputeContext, params: LimitParams<DiskLimits>, limits: DiskLimits, call: Call): Promise<void> {
  const hostId = await live(ctx, params.instanceId);
  if (hostId !== undefined && params.instanceId !== undefined)
    await (await ctx.hosts.hypervisor(hostId)).setDiskLimits(params.instanceId, params.id, limits, call);
}

async function limitNic(ctx: ComputeContext, params: LimitParams<NicLimits>, limits: NicLimits, call: Call): Promise<void> {
  const hostId = await live(ctx, params.instanceId);
  if (hostId !== undefined && params.instanceId !== undefined)
    await (await ctx.hosts.hypervisor(hostId)).setNicLimits(params.instanceId, params.id, limits, call);
}

export const volumeSetLimits = saga<ComputeContext, LimitParams<DiskLimits>>('volume.setLimits', 1)
  .effect('apply', {
    do: ({ ctx, params, call }) => limitDisk(ctx, params, against(params.after, params.before), call),
    undo: ({ ctx, params, call }) => limitDisk(ctx, params, against(params.before, params.after), call),
  })
  .write('changed', {
    do: ({ params }) => [change(volume, params.id as Id<'volume'>, { limits: params.after as never })],
    undo: NOTHING_TO_UNDO,
  })
  .build();

export const nicSetLimits = saga<ComputeContext, LimitParams<NicLimits>>('nic.setLimits', 1)
  .effect('apply', {
    do: ({ ctx, params, call }) => limitNic(ctx, params, against(params.after, params.before), call),
    undo: ({ ctx, params, call }) => limitNic(ctx, params, against(params.before, params.after), call),
  })
  .write('changed', { do: ({ params }) => [change(nic, params.id as Id<'nic'>, { limits: params.after as never })], undo: NOTHING_TO_UNDO })
  .build();

export const limitActions = (services: CloudServices) => [
  defineAction({
    kind: volume,
    verb: 'setLimits',
    description: 'Limits a disk, at once where it is in use.',
    target: 'resource',
    input: Type.Object({ limits: diskLimits }),
    from: ['available', 'attached'],
    accept: async ({ row, input }) => {
      const hostId = await live(services, row.instanceId);
      if (hostId !== undefined) (await services.hosts.hypervisor(hostId)).need('diskLimits');
      return {
        params: {
          id: row.id,
          before: row.limits ?? {},
          after: input.limits,
          ...(row.instanceId === undefined ? {} : { instanceId: row.instanceId }),
        },
        statements: [],
        keys: row.instanceId === undefined ? [] : [row.instanceId],
      };
    },
    saga: volumeSetLimits,
    context: () => services,
  }),
  defineAction({
    kind: nic,
    verb: 'setLimits',
    description: 'Limits a NIC, at once where it is in use.',
    target: 'resource',
    input: Type.Object({ limits: nicLimits }),
    from: ['attached'],
    accept: async ({ row, input }) => {
      const hostId = await live(services, row.instanceId);
      if (hostId === undefined && (await services.reader.find(instance, row.instanceId)) === undefined)
        throw new CloudError('not_found', `No instance ${row.instanceId}.`);
      if (hostId !== undefined) (await services.hosts.hypervisor(hostId)).need('nicLimits');
      return {
        params: { id: row.id, instanceId: row.instanceId, before: row.limits ?? {}, after: input.limits },
        statements: [],
        keys: [row.instanceId],
      };
    },
    saga: nicSetLimits,
    context: () => services,
  }),
];
