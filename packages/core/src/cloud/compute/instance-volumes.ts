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
import { DISKS_MAX, freeSlot } from './slots.ts';

interface DiskParams {
  readonly instanceId: Id<'instance'>;
  readonly volumeId: Id<'volume'>;
}

async function plugDisk(ctx: ComputeContext, { instanceId, volumeId }: DiskParams, slot: number, call: Call): Promise<void> {
  const hostId = hostOf(await ctx.reader.get(instance, instanceId));
  const spec = await diskSpec(ctx, await ctx.reader.get(volume, volumeId), hostId, slot, call);
  await (await ctx.hosts.hypervisor(hostId)).attachDisk(instanceId, spec, call);
}

async function unplugDisk(ctx: ComputeContext, { instanceId, volumeId }: DiskParams, call: Call): Promise<void> {
  const hostId = hostOf(await ctx.reader.get(instance, instanceId));
  await (await ctx.hosts.hypervisor(hostId)).detachDisk(instanceId, volumeId, call);
  await releaseDisk(ctx, await ctx.reader.get(volume, volumeId), hostId, call);
}

/** As an undo: from a machine that may be gone, too. */
async function takeBackDisk(ctx: ComputeContext, { instanceId, volumeId }: DiskParams, call: Call): Promise<void> {
  const hostId = hostOf(await ctx.reader.get(instance, instanceId));
  await unlessGone(ctx, instanceId, call, async () => (await ctx.hosts.hypervisor(hostId)).detachDisk(instanceId, volumeId, call));
  await releaseDisk(ctx, await ctx.reader.get(volume, volumeId), hostId, call);
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
    do: async ({ ctx, params, out, call }) => {
      if (out.slot !== null) await plugDisk(ctx, params, out.slot, call);
    },
    undo: async ({ ctx, params, out, call }) => {
      if (out.slot !== null) await takeBackDisk(ctx, params, call);
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
    do: async ({ ctx, params, out, call }) => {
      if (out.slot !== null) await unplugDisk(ctx, params, call);
    },
    undo: async ({ ctx, params, out: { slot }, call }) => {
      if (slot !== null) await unlessGone(ctx, params.instanceId, call, () => plugDisk(ctx, params, slot, call));
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
