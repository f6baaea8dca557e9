import { Type } from 'typebox';
import { CloudError, defineAction, type Id, NOTHING_TO_UNDO, type Reader, saga, transition, usable } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { hostPlace, pool, reaches, volume } from '../storage/contract.ts';
import {
  type ComputeContext,
  type ComputeServices,
  diskSpec,
  hostOf,
  type InstanceRow,
  releaseDisk,
  unlessGone,
  type VolumeRow,
  volumesOf,
} from './context.ts';
import { instance } from './instance.ts';
import { brief, SETTLE_TIMEOUT_MS, settleLate, suspectLate } from './late.ts';
import { DISKS_MAX, freeSlot } from './slots.ts';

interface DiskParams {
  readonly instanceId: Id<'instance'>;
  readonly volumeId: Id<'volume'>;
}

interface Step {
  readonly ctx: ComputeContext;
  readonly params: DiskParams;
  readonly call: Call;
  readonly mayHaveBegun: boolean;
}

const asked = (method: 'attachDisk' | 'detachDisk', { instanceId, volumeId }: DiskParams) =>
  ({ method, machineId: instanceId, partId: volumeId }) as const;

/** An unplugging that may come late would take it out again. */
async function plugDisk({ ctx, params, call, mayHaveBegun }: Step, slot: number): Promise<void> {
  const { instanceId, volumeId } = params;
  const hostId = hostOf(await ctx.reader.get(instance, instanceId));
  suspectLate(ctx, mayHaveBegun, hostId, asked('attachDisk', params));
  const plug = async (c: Call) => {
    const spec = await diskSpec(ctx, await ctx.reader.get(volume, volumeId), hostId, slot, c);
    await (await ctx.hosts.hypervisor(hostId)).attachDisk(instanceId, spec, c);
  };
  await plug(brief(call));
  await settleLate(ctx, hostId, asked('detachDisk', params), call, plug);
}

/** Another may have the volume only when no plugging can come late any more: until then it stays this machine's. */
async function unplugDisk({ ctx, params, call, mayHaveBegun }: Step, isUndo = false): Promise<void> {
  const { instanceId, volumeId } = params;
  const row = await ctx.reader.get(instance, instanceId);
  const hostId = hostOf(row);
  suspectLate(ctx, mayHaveBegun, hostId, asked('detachDisk', params));
  suspectLate(ctx, row.pluggingSince !== undefined || (isUndo && mayHaveBegun), hostId, asked('attachDisk', params));
  const detach = async (c: Call) => (await ctx.hosts.hypervisor(hostId)).detachDisk(instanceId, volumeId, c);
  const unplug = (c: Call) => (isUndo ? unlessGone(ctx, instanceId, c, () => detach(c)) : detach(c));
  await unplug(brief(call));
  await settleLate(ctx, hostId, asked('attachDisk', params), call, unplug);
  await releaseDisk(ctx, await ctx.reader.get(volume, volumeId), hostId, brief(call));
}

export const volumeAttach = saga<ComputeContext, DiskParams>('instance.attachVolume', 1)
  .effect('slot', {
    // Decided at the head of the queue: what went before may have taken one. None for a volume that is there already.
    do: async ({ ctx, params }) => {
      const row = await ctx.reader.get(volume, params.volumeId);
      if (row.state === 'attached' && row.instanceId === params.instanceId) return null;
      if (row.state !== 'available') throw taken(row);
      await refuseUnreached(ctx.reader, row, await ctx.reader.get(instance, params.instanceId));
      const slots = (await volumesOf(ctx, params.instanceId)).map((entry) => entry.slot ?? 0);
      return freeSlot(slots, DISKS_MAX, 'disks');
    },
    undo: NOTHING_TO_UNDO,
  })
  .effect('plug', {
    timeoutMs: SETTLE_TIMEOUT_MS,
    do: async (step) => {
      if (step.out.slot !== null) await plugDisk(step, step.out.slot);
    },
    // From a machine that may be gone, too.
    undo: async (step) => {
      if (step.out.slot !== null) await unplugDisk(step, true);
    },
  })
  .write('attached', {
    do: ({ params, out }) =>
      out.slot === null
        ? []
        : [
            transition(volume, params.volumeId, {
              from: 'available',
              to: 'attached',
              set: { instanceId: params.instanceId, slot: out.slot },
            }),
          ],
    undo: NOTHING_TO_UNDO,
  })
  .build();

export const volumeDetach = saga<ComputeContext, DiskParams>('instance.detachVolume', 1)
  .effect('slot', {
    do: async ({ ctx, params }) => {
      const row = await ctx.reader.get(volume, params.volumeId);
      if (row.state === 'available') return null;
      refuseDetach(row, params.instanceId);
      return row.slot ?? 1;
    },
    undo: NOTHING_TO_UNDO,
  })
  .effect('unplug', {
    timeoutMs: SETTLE_TIMEOUT_MS,
    do: async (step) => {
      if (step.out.slot !== null) await unplugDisk(step);
    },
    undo: async (step) => {
      const { ctx, params, out, call } = step;
      const { slot } = out;
      if (slot === null) return;
      suspectLate(ctx, step.mayHaveBegun, hostOf(await ctx.reader.get(instance, params.instanceId)), asked('detachDisk', params));
      await unlessGone(ctx, params.instanceId, brief(call), () => plugDisk(step, slot));
    },
  })
  .write('available', {
    do: ({ params, out }) =>
      out.slot === null
        ? []
        : [transition(volume, params.volumeId, { from: 'attached', to: 'available', set: { instanceId: null, slot: null } })],
    undo: NOTHING_TO_UNDO,
  })
  .build();

const taken = (row: VolumeRow) =>
  new CloudError('conflict', `Volume ${row.name} is ${row.state}.`, { pointer: '/volumeId', params: { state: row.state } });

/** @throws CloudError conflict */
function refuseDetach(row: VolumeRow, instanceId: string): void {
  if (row.instanceId !== instanceId)
    throw new CloudError('conflict', `Volume ${row.name} is not attached to this machine.`, { pointer: '/volumeId' });
  if (row.slot === 0) throw new CloudError('conflict', 'The root disk stays with its machine.', { pointer: '/volumeId' });
}

/** @throws CloudError conflict */
async function refuseUnreached(reader: Reader, { poolId }: VolumeRow, row: InstanceRow): Promise<void> {
  const hostId = hostOf(row);
  if (reaches(await reader.get(pool, poolId), await hostPlace(reader, hostId))) return;
  throw new CloudError('conflict', 'The host of the machine does not reach the pool of the volume.', {
    pointer: '/volumeId',
    params: { poolId, hostId },
  });
}

const input = Type.Object({ volumeId: Type.String({ format: 'uuid' }) });

export const volumeActions = (services: ComputeServices) => [
  defineAction({
    kind: instance,
    verb: 'attachVolume',
    description: 'Attaches a volume; a running guest sees it at once.',
    target: 'resource',
    input,
    from: ['running', 'stopped', 'suspended'],
    accept: async ({ row, input: { volumeId }, principal, reader }) => {
      const disk = await usable(reader, volume, volumeId, principal, '/volumeId');
      const attached = disk.state === 'attached' && disk.instanceId === row.id;
      // What is known now is refused now; with an operation ahead the head of the queue decides.
      if (disk.state !== 'available' && !attached && !services.kernel().holds(disk.id)) throw taken(disk);
      await refuseUnreached(reader, disk, row);
      (await services.hosts.hypervisor(hostOf(row))).need('hotplug');
      return { params: { instanceId: row.id, volumeId: disk.id }, statements: [], keys: [disk.id] };
    },
    saga: volumeAttach,
    context: () => services,
  }),
  defineAction({
    kind: instance,
    verb: 'detachVolume',
    description: 'Detaches a volume; a running guest must let go of it.',
    target: 'resource',
    input,
    from: ['running', 'stopped', 'suspended'],
    accept: async ({ row, input: { volumeId }, principal, reader }) => {
      const disk = await usable(reader, volume, volumeId, principal, '/volumeId');
      if (disk.state !== 'available' && !services.kernel().holds(disk.id)) refuseDetach(disk, row.id);
      (await services.hosts.hypervisor(hostOf(row))).need('hotplug');
      return { params: { instanceId: row.id, volumeId: disk.id }, statements: [], keys: [disk.id] };
    },
    saga: volumeDetach,
    context: () => services,
  }),
];
