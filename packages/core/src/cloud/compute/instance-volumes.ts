import { Type } from 'typebox';
import { CloudError, defineAction, type Id, NOTHING_TO_UNDO, type RowOf, saga, transition } from '../../kernel/index.ts';
import type { CloudServices } from '../services.ts';
import { pool, volume } from '../storage/contract.ts';
import { type ComputeContext, diskSpec, volumesOf } from './context.ts';
import { instance } from './instance.ts';

interface DiskParams {
  readonly instanceId: Id<'instance'>;
  readonly hostId: Id<'host'>;
  readonly volumeId: Id<'volume'>;
}

const SLOTS_MAX = 17;

/** The lowest slot that is free. Decided at the head of the queue: what went before may have taken one. */
const freeSlot = (taken: readonly number[]): number => {
  const slot = Array.from({ length: SLOTS_MAX }, (_, index) => index).find((index) => !taken.includes(index));
  if (slot === undefined) throw new CloudError('conflict', `A machine takes at most ${SLOTS_MAX} of these.`);
  return slot;
};

async function plugDisk(ctx: ComputeContext, params: DiskParams, slot: number, call: Parameters<typeof diskSpec>[4]): Promise<void> {
  const spec = await diskSpec(ctx, await ctx.reader.get(volume, params.volumeId), params.hostId, slot, call);
  await (await ctx.hosts.hypervisor(params.hostId)).attachDisk(params.instanceId, spec, call);
}

async function unplugDisk(ctx: ComputeContext, params: DiskParams, call: Parameters<typeof diskSpec>[4]): Promise<void> {
  await (await ctx.hosts.hypervisor(params.hostId)).detachDisk(params.instanceId, params.volumeId, call);
  const row = await ctx.reader.get(volume, params.volumeId);
  await (await ctx.pools.open(row.poolId)).releaseVolume(row.id, await ctx.hosts.endpoint(params.hostId), call);
}

export const volumeAttach = saga<ComputeContext, DiskParams>('instance.attachVolume', 1)
  .effect('slot', {
    do: async ({ ctx, params }) => {
      const row = await ctx.reader.get(volume, params.volumeId);
      if (row.state !== 'available') throw new CloudError('conflict', `Volume ${row.name} is ${row.state}.`, { pointer: '/volumeId' });
      return freeSlot((await volumesOf(ctx, params.instanceId)).map((entry) => entry.slot ?? 0));
    },
    undo: NOTHING_TO_UNDO,
  })
  .effect('plug', {
    do: ({ ctx, params, out, call }) => plugDisk(ctx, params, out.slot, call),
    undo: ({ ctx, params, call }) => unplugDisk(ctx, params, call),
  })
  .write('attached', {
    do: ({ params, out }) => [
      transition(volume, params.volumeId, { from: 'available', to: 'attached', set: { instanceId: params.instanceId, slot: out.slot } }),
    ],
    undo: NOTHING_TO_UNDO,
  })
  .build();

export const volumeDetach = saga<ComputeContext, DiskParams>('instance.detachVolume', 1)
  .effect('slot', {
    do: async ({ ctx, params }) => {
      const row = await ctx.reader.get(volume, params.volumeId);
      if (row.instanceId !== params.instanceId)
        throw new CloudError('conflict', `Volume ${row.name} is not attached to this machine.`, { pointer: '/volumeId' });
      if (row.slot === 0) throw new CloudError('conflict', 'The root disk stays with its machine.', { pointer: '/volumeId' });
      return row.slot ?? 1;
    },
    undo: NOTHING_TO_UNDO,
  })
  .effect('unplug', {
    do: ({ ctx, params, call }) => unplugDisk(ctx, params, call),
    undo: ({ ctx, params, out, call }) => plugDisk(ctx, params, out.slot, call),
  })
  .write('available', {
    do: ({ params }) => [transition(volume, params.volumeId, { from: 'attached', to: 'available', set: { instanceId: null, slot: null } })],
    undo: NOTHING_TO_UNDO,
  })
  .build();

const input = Type.Object({ volumeId: Type.String({ format: 'uuid' }) });

export const volumeActions = (services: CloudServices) => [
  defineAction({
    kind: instance,
    verb: 'attachVolume',
    description: 'Attaches a volume; a running guest sees it at once.',
    target: 'resource',
    input,
    from: ['running', 'stopped', 'suspended'],
    accept: async ({ row, input: { volumeId }, projectId, reader }) => {
      const disk = await ownVolume(reader, volumeId, projectId);
      const at = await reader.get(pool, disk.poolId);
      if (at.hostId !== undefined && at.hostId !== row.hostId)
        throw new CloudError('conflict', 'The volume is in a pool of another host.', {
          pointer: '/volumeId',
          params: { volumeHost: at.hostId, instanceHost: row.hostId },
        });
      (await services.hosts.hypervisor(row.hostId)).need('hotplug');
      return { params: { instanceId: row.id, hostId: row.hostId, volumeId: disk.id }, statements: [], keys: [disk.id] };
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
    accept: async ({ row, input: { volumeId }, projectId, reader }) => {
      const disk = await ownVolume(reader, volumeId, projectId);
      (await services.hosts.hypervisor(row.hostId)).need('hotplug');
      return { params: { instanceId: row.id, hostId: row.hostId, volumeId: disk.id }, statements: [], keys: [disk.id] };
    },
    saga: volumeDetach,
    context: () => services,
  }),
];

async function ownVolume(reader: CloudServices['reader'], volumeId: string, projectId: string): Promise<RowOf<typeof volume>> {
  const row = await reader.get(volume, volumeId, '/volumeId');
  if (row.projectId !== projectId) throw new CloudError('not_found', `No volume ${volumeId}.`, { pointer: '/volumeId' });
  return row;
}

export { freeSlot };
