import {
  announce,
  CloudError,
  defineDeletion,
  FORWARD_ONLY,
  forgetSealed,
  type Id,
  NOTHING_TO_UNDO,
  saga,
  transition,
} from '../../kernel/index.ts';
import { given } from '../naming.ts';
import { type GroupSeat, hostCapacity, leaveGroup } from '../placement/contract.ts';
import { REMOVALS, removeOrOwe } from '../storage/contract.ts';
import { type ComputeContext, hostOf, type InstanceRow, prepareMachine, releaseDisk, volumesOf } from './context.ts';
import { instance } from './instance.ts';
import { brief, SETTLE_TIMEOUT_MS, settleLate, suspectLate } from './late.ts';
import { machineCleanup, releaseDisks } from './machine-cleanup.ts';
import { instanceDeleted } from './points.ts';
import { forget } from './shared-disks.ts';

interface DeleteParams {
  readonly instanceId: Id<'instance'>;
  readonly hostId: Id<'host'>;
  readonly size: { readonly vcpus: number; readonly memoryBytes: number };
  readonly force: boolean;
  readonly seat?: GroupSeat;
  /** Reference to what is sealed. */
  readonly userData?: string;
}

/** Of a machine that waits for room: it ends before its deletion begins. */
const NOWHERE = '' as Id<'host'>;

export const seatOf = ({ placementGroupId: groupId, placementDomain: domain }: InstanceRow): GroupSeat | undefined =>
  groupId === undefined || domain === undefined ? undefined : { groupId, domain };

/** Before its disks and NICs go: the machine leaves its host. Without force nothing begins while the host is out of reach. */
export const instanceQuiesce = saga<ComputeContext, DeleteParams>('instance.quiesce', 1)
  .effect('reach', {
    do: async ({ ctx, params }) => {
      if (params.hostId === NOWHERE) throw new CloudError('conflict', 'It got its host meanwhile; ask again.');
      if (!params.force && !(await ctx.hosts.reachable(params.hostId)))
        throw new CloudError('unavailable', 'Its host is out of reach; with `force` the rest is removed when the host is back.');
    },
    undo: NOTHING_TO_UNDO,
  })
  .effect('machine', {
    do: async (step) => {
      const { ctx, params, call } = step;
      suspectLate(ctx, step.mayHaveBegun, params.hostId, { method: 'remove', machineId: params.instanceId });
      if (params.force) await machineCleanup(ctx, params, step);
      else await (await ctx.hosts.hypervisor(params.hostId)).remove(params.instanceId, call);
      ctx.consoles.revoke({ instanceId: params.instanceId });
    },
    undo: FORWARD_ONLY,
  })
  .effect('disks', {
    do: async (step) => {
      const { ctx, params, call } = step;
      for (const row of await volumesOf(ctx, params.instanceId)) {
        const pool = await ctx.pools.open(row.poolId);
        if (params.force) await releaseDisks(ctx, params, [row.id], step);
        else await releaseDisk(ctx, row, params, call);
        if (!params.force) await forget(ctx, params.instanceId, [row], call);
        if (row.slot !== 0) continue;
        if (params.force) await removeOrOwe(step, 'seed.delete', row.poolId, params.instanceId);
        else await REMOVALS['seed.delete'](pool, params.instanceId, call);
      }
    },
    undo: FORWARD_ONLY,
  })
  .build();

export const instanceRemove = saga<ComputeContext, DeleteParams>('instance.remove', 1)
  .write('deleted', {
    do: ({ params, operationId }) => [
      announce(instanceDeleted, `${operationId}/deleted/${params.instanceId}`, { instanceId: params.instanceId, hostId: params.hostId }),
      transition(instance, params.instanceId, { from: 'deleting', to: 'deleted' }),
      ...hostCapacity(params.hostId, params.size, -1),
      ...leaveGroup(params.seat),
      ...(params.userData === undefined ? [] : [forgetSealed(params.userData)]),
    ],
    undo: FORWARD_ONLY,
  })
  .build();

/** Out of the trash: the machine is defined again, on its disks and with its ports, and stays off. */
const instanceBack = saga<ComputeContext, DeleteParams>('instance.back', 1)
  .effect('reach', {
    do: async ({ ctx, params }) => {
      if (!(await ctx.hosts.reachable(params.hostId)))
        throw new CloudError('unavailable', 'Its host is out of reach; it can be recovered when the host is back.');
    },
    undo: NOTHING_TO_UNDO,
  })
  .effect('define', {
    timeoutMs: SETTLE_TIMEOUT_MS,
    // Its removal may come late, and would end it when it is on again.
    do: async ({ ctx, params, call }) => {
      const row = await ctx.reader.get(instance, params.instanceId);
      const hypervisor = await ctx.hosts.hypervisor(hostOf(row));
      const removal = { method: 'remove', machineId: row.id } as const;
      await settleLate(ctx, hostOf(row), removal, call, (c) => hypervisor.inspect(row.id, c));
      await hypervisor.define(await prepareMachine(ctx, row, brief(call)), brief(call));
    },
    undo: async (stepForLong) => {
      const step = { ...stepForLong, call: brief(stepForLong.call) };
      const { ctx, params } = step;
      await machineCleanup(ctx, params, step);
      const volumes = await volumesOf(ctx, params.instanceId);
      await releaseDisks(
        ctx,
        params,
        volumes.map(({ id }) => id),
        step,
      );
      for (const row of volumes) if (row.slot === 0) await removeOrOwe(step, 'seed.delete', row.poolId, params.instanceId);
    },
  })
  .build();

export const instanceDeletion = (context: () => ComputeContext) =>
  defineDeletion({
    kind: instance,
    from: ['running', 'suspended', 'stopped', 'crashed', 'missing'],
    quiesce: instanceQuiesce,
    remove: instanceRemove,
    trash: { to: 'stopped', set: { desiredPower: 'stopped' }, back: instanceBack },
    context,
    params: (row: InstanceRow, { force }) => ({
      instanceId: row.id,
      hostId: row.hostId ?? NOWHERE,
      size: { vcpus: row.vcpus, memoryBytes: row.memoryBytes },
      force,
      ...given({ userData: row.userData, seat: seatOf(row) }),
    }),
  });
