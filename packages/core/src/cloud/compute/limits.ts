import { Type } from 'typebox';
import { change, defineAction, type Id, NOTHING_TO_UNDO, saga } from '../../kernel/index.ts';
import type { Call, DiskLimits, NicLimits } from '../../strategy/index.ts';
import { nic, nicLimits } from '../network/contract.ts';
import { ClassLimits, diskLimits, machinesOf, volume } from '../storage/contract.ts';
import { type ComputeContext, type ComputeServices, type InstanceRow, nicSpec } from './context.ts';
import { instance } from './instance.ts';

interface LimitParams<L> {
  readonly id: string;
  readonly after: L;
}

/** 0 lifts each limit that the other side names and this one does not. */
export const against = <L extends object>(limits: L, other: L): L => ({
  ...Object.fromEntries(Object.keys(other).map((key) => [key, 0])),
  ...limits,
});

/** The host on which the machine runs; a machine that does not run gets its limits when it starts. */
const liveHost = ({ state, hostId }: InstanceRow): string | undefined =>
  state === 'running' || state === 'suspended' ? hostId : undefined;

/** The row, which is changed last, says what the limits were and which machines have the disk: they may be others than when this was accepted. */
async function limitDisk(ctx: ComputeContext, params: LimitParams<DiskLimits>, phase: 'do' | 'undo', call: Call): Promise<void> {
  const row = await ctx.reader.get(volume, params.id);
  const on = (await machinesOf(ctx.reader, row)).flatMap((machine) => ({ id: machine.id, hostId: liveHost(machine) }));
  if (on.length === 0) return;
  // What its class allows holds beside its own.
  const inForce = new ClassLimits(ctx.reader);
  const [now = {}, after = {}] = [await inForce.of(row), await inForce.of({ ...row, limits: params.after as never })];
  const wanted = phase === 'do' ? against(after, now) : against(now, after);
  for (const { id, hostId } of on)
    if (hostId !== undefined) await (await ctx.hosts.hypervisor(hostId)).setDiskLimits(id, params.id, wanted, call);
}

async function limitNic(ctx: ComputeContext, params: LimitParams<NicLimits>, phase: 'do' | 'undo', call: Call): Promise<void> {
  const row = await ctx.reader.get(nic, params.id);
  const { limits = {}, instanceId } = row;
  const machine = await ctx.reader.get(instance, instanceId);
  const hostId = liveHost(machine);
  if (hostId === undefined) return;
  const wanted = phase === 'do' ? against(params.after, limits) : against(limits, params.after);
  const limited = { ...row, limits: wanted };
  // What the machine sends may be for its switch to bound.
  const own = wanted.outboundBytesPerSecond === undefined ? wanted : (await nicSpec(ctx, limited, machine, call)).limits;
  if (own !== undefined) await (await ctx.hosts.hypervisor(hostId)).setNicLimits(instanceId, params.id, own, call);
}

export const volumeSetLimits = saga<ComputeContext, LimitParams<DiskLimits>>('volume.setLimits', 1)
  .effect('apply', {
    do: ({ ctx, params, call }) => limitDisk(ctx, params, 'do', call),
    undo: ({ ctx, params, call }) => limitDisk(ctx, params, 'undo', call),
  })
  .write('changed', {
    do: ({ params }) => [change(volume, params.id as Id<'volume'>, { limits: params.after as never })],
    undo: NOTHING_TO_UNDO,
  })
  .build();

export const nicSetLimits = saga<ComputeContext, LimitParams<NicLimits>>('nic.setLimits', 1)
  .effect('apply', {
    do: ({ ctx, params, call }) => limitNic(ctx, params, 'do', call),
    undo: ({ ctx, params, call }) => limitNic(ctx, params, 'undo', call),
  })
  .write('changed', { do: ({ params }) => [change(nic, params.id as Id<'nic'>, { limits: params.after as never })], undo: NOTHING_TO_UNDO })
  .build();

export const limitActions = (services: ComputeServices) => [
  defineAction({
    kind: volume,
    verb: 'setLimits',
    description: 'Limits a disk, at once where it is in use.',
    target: 'resource',
    input: Type.Object({ limits: diskLimits }),
    from: ['available', 'attached'],
    accept: async ({ row, input, reader }) => {
      const machines = await machinesOf(reader, row);
      for (const hostId of machines.map(liveHost)) if (hostId !== undefined) (await services.hosts.hypervisor(hostId)).need('diskLimits');
      return { params: { id: row.id, after: input.limits }, statements: [], keys: machines.map(({ id }) => id) };
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
    accept: async ({ row, input, reader }) => {
      const hostId = liveHost(await reader.get(instance, row.instanceId));
      if (hostId !== undefined) (await services.hosts.hypervisor(hostId)).need('nicLimits');
      return {
        params: { id: row.id, after: input.limits },
        statements: [],
        keys: [row.instanceId],
      };
    },
    saga: nicSetLimits,
    context: () => services,
  }),
];
