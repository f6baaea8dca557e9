import { Type } from 'typebox';
import {
  CloudError,
  defineAction,
  type Id,
  NOTHING_TO_UNDO,
  type Reader,
  type Statement,
  saga,
  transition,
  usable,
} from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { given } from '../naming.ts';
import { attachment, hostPlace, type MachineDisk, pool, reaches, volume } from '../storage/contract.ts';
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
import { asDiskOf, attachmentRow, forget, type NewAttachment, opening, refuseCrowd } from './shared-disks.ts';
import { DISKS_MAX, freeSlot } from './slots.ts';

interface DiskParams {
  readonly instanceId: Id<'instance'>;
  readonly volumeId: Id<'volume'>;
}

interface AttachParams extends DiskParams {
  readonly shared?: NewAttachment;
}

/** Where the machine has the disk; with the row that says so, where others may have it, too. */
interface Place {
  readonly slot: number;
  readonly attachmentId?: Id<'attachment'>;
}

const placeIn = ({ shared }: AttachParams, slot: number): Place => ({ slot, ...given({ attachmentId: shared?.attachmentId }) });
const placeOf = (found: number | Place): Place => (typeof found === 'number' ? { slot: found } : found);

interface Step {
  readonly ctx: ComputeContext;
  readonly params: DiskParams;
  readonly call: Call;
  readonly mayHaveBegun: boolean;
}

const asked = (method: 'attachDisk' | 'detachDisk', { instanceId, volumeId }: DiskParams) =>
  ({ method, machineId: instanceId, partId: volumeId }) as const;

/** An unplugging that may come late would take it out again. */
async function plugDisk({ ctx, params, call, mayHaveBegun }: Step, { slot, attachmentId }: Place): Promise<void> {
  const { instanceId, volumeId } = params;
  const machine = await ctx.reader.get(instance, instanceId);
  const hostId = hostOf(machine);
  suspectLate(ctx, mayHaveBegun, hostId, asked('attachDisk', params));
  const plug = async (c: Call) => {
    const row = await ctx.reader.get(volume, volumeId);
    const spec = await diskSpec(ctx, row, hostId, slot, c);
    const hypervisor = await ctx.hosts.hypervisor(hostId);
    const disks = machine.state === 'stopped' ? [] : [asDiskOf(row, attachmentId && { attachmentId })];
    await opening(ctx, instanceId, disks, c, () => hypervisor.attachDisk(instanceId, spec, c));
  };
  await plug(brief(call));
  await settleLate(ctx, hostId, asked('detachDisk', params), call, plug);
}

/** Another may have the volume only when no plugging can come late any more: until then it stays this machine's. */
async function unplugDisk({ ctx, params, call, mayHaveBegun }: Step, { attachmentId }: Place, isUndo = false): Promise<void> {
  const { instanceId, volumeId } = params;
  const row = await ctx.reader.get(instance, instanceId);
  const hostId = hostOf(row);
  suspectLate(ctx, mayHaveBegun, hostId, asked('detachDisk', params));
  suspectLate(ctx, row.pluggingSince !== undefined || (isUndo && mayHaveBegun), hostId, asked('attachDisk', params));
  const detach = async (c: Call) => (await ctx.hosts.hypervisor(hostId)).detachDisk(instanceId, volumeId, c);
  const unplug = (c: Call) => (isUndo ? unlessGone(ctx, instanceId, c, () => detach(c)) : detach(c));
  await unplug(brief(call));
  await settleLate(ctx, hostId, asked('attachDisk', params), call, unplug);
  const disk = await ctx.reader.get(volume, volumeId);
  await releaseDisk(ctx, disk, { instanceId, hostId }, brief(call));
  await forget(ctx, instanceId, [asDiskOf(disk, attachmentId && { attachmentId })], brief(call));
}

export const volumeAttach = saga<ComputeContext, AttachParams>('instance.attachVolume', 1)
  .effect('slot', {
    // Decided at the head of the queue: what went before may have taken one. None for a volume that is there already.
    do: async ({ ctx, params }) => {
      const row = await ctx.reader.get(volume, params.volumeId);
      const disks = await volumesOf(ctx, params.instanceId);
      if (disks.some(({ id, state }) => id === row.id && state === 'attached')) return null;
      if (row.state !== 'available') throw taken(row);
      await refuseUnreached(ctx.reader, row, await ctx.reader.get(instance, params.instanceId));
      await refuseCrowd(ctx, row);
      const slots = disks.map((entry) => entry.slot ?? 0);
      // What others have, too, is no root disk.
      return freeSlot(row.shareable === true ? [0, ...slots] : slots, DISKS_MAX, 'disks');
    },
    undo: NOTHING_TO_UNDO,
  })
  .effect('plug', {
    timeoutMs: SETTLE_TIMEOUT_MS,
    do: async (step) => {
      if (step.out.slot !== null) await plugDisk(step, placeIn(step.params, step.out.slot));
    },
    // From a machine that may be gone, too.
    undo: async (step) => {
      if (step.out.slot !== null) await unplugDisk(step, placeIn(step.params, step.out.slot), true);
    },
  })
  .write('attached', {
    do: ({ params, out }) => (out.slot === null ? [] : attachedRows(params, out.slot)),
    undo: NOTHING_TO_UNDO,
  })
  .build();

export const volumeDetach = saga<ComputeContext, DiskParams>('instance.detachVolume', 1)
  .effect('slot', {
    do: async ({ ctx, params }) => {
      const row = await ctx.reader.get(volume, params.volumeId);
      const disk = (await volumesOf(ctx, params.instanceId)).find(({ id }) => id === row.id);
      if (disk === undefined && row.state === 'available') return null;
      const { slot = 1, attachmentId } = refuseDetach(row, disk);
      return attachmentId === undefined ? slot : { slot, attachmentId };
    },
    undo: NOTHING_TO_UNDO,
  })
  .effect('unplug', {
    timeoutMs: SETTLE_TIMEOUT_MS,
    do: async (step) => {
      if (step.out.slot !== null) await unplugDisk(step, placeOf(step.out.slot));
    },
    undo: async (step) => {
      const { ctx, params, out, call } = step;
      const { slot } = out;
      if (slot === null) return;
      suspectLate(ctx, step.mayHaveBegun, hostOf(await ctx.reader.get(instance, params.instanceId)), asked('detachDisk', params));
      await unlessGone(ctx, params.instanceId, brief(call), () => plugDisk(step, placeOf(slot)));
    },
  })
  .write('available', {
    do: ({ params, out }) => (out.slot === null ? [] : [detachedRow(params, placeOf(out.slot))]),
    undo: NOTHING_TO_UNDO,
  })
  .build();

const taken = (row: VolumeRow) =>
  new CloudError('conflict', `Volume ${row.name} is ${row.state}.`, { pointer: '/volumeId', params: { state: row.state } });

const attachedRows = ({ instanceId, volumeId, shared }: AttachParams, slot: number): readonly Statement[] =>
  shared === undefined
    ? [transition(volume, volumeId, { from: 'available', to: 'attached', set: { instanceId, slot } })]
    : attachmentRow(shared, { instanceId, volumeId, slot });

const detachedRow = ({ volumeId }: DiskParams, { attachmentId }: Place): Statement =>
  attachmentId === undefined
    ? transition(volume, volumeId, { from: 'attached', to: 'available', set: { instanceId: null, slot: null } })
    : transition(attachment, attachmentId, { from: 'attached', to: 'deleted' });

/** @throws CloudError conflict */
function refuseDetach(row: VolumeRow, disk: MachineDisk | undefined): MachineDisk {
  if (disk === undefined) throw new CloudError('conflict', `Volume ${row.name} is not attached to this machine.`, { pointer: '/volumeId' });
  if (disk.slot === 0) throw new CloudError('conflict', 'The root disk stays with its machine.', { pointer: '/volumeId' });
  return disk;
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
    accept: async ({ row, input: { volumeId }, projectId, principal, reader, mint }) => {
      const disk = await usable(reader, volume, volumeId, principal, '/volumeId');
      const own = (await volumesOf({ reader }, row.id)).find(({ id }) => id === disk.id);
      const attached = own?.state === 'attached';
      // What is known now is refused now; with an operation ahead the head of the queue decides.
      if (disk.state !== 'available' && !attached && !services.kernel().holds(disk.id)) throw taken(disk);
      await refuseUnreached(reader, disk, row);
      (await services.hosts.hypervisor(hostOf(row))).need('hotplug');
      const shared = disk.shareable === true ? { attachmentId: mint('attachment'), projectId } : undefined;
      return { params: { instanceId: row.id, volumeId: disk.id, ...given({ shared }) }, statements: [], keys: [disk.id] };
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
      const own = (await volumesOf({ reader }, row.id)).find(({ id }) => id === disk.id);
      if (own !== undefined || (disk.state !== 'available' && !services.kernel().holds(disk.id))) refuseDetach(disk, own);
      (await services.hosts.hypervisor(hostOf(row))).need('hotplug');
      return { params: { instanceId: row.id, volumeId: disk.id }, statements: [], keys: [disk.id] };
    },
    saga: volumeDetach,
    context: () => services,
  }),
];
