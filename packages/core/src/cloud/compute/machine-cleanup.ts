import { CloudError, type Owed } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { attachmentsOf, machinesOf, pool, volume } from '../storage/contract.ts';
import { type ComputeContext, type ComputeServices, releaseDisk } from './context.ts';
import { instance, isMade } from './instance.ts';
import { suspectLate } from './late.ts';

export const MACHINE_REMOVE = 'machine.remove';
export const VOLUME_RELEASE = 'volume.release';

/** Removes the machine from its host, or leaves that as a debt where the host is known to be out of reach. */
export async function machineCleanup(
  ctx: ComputeContext,
  machine: { readonly instanceId: string; readonly hostId: string },
  { call, owe, mayHaveBegun }: { readonly call: Call; readonly owe: (debt: Owed) => void; readonly mayHaveBegun: boolean },
): Promise<void> {
  suspectLate(ctx, mayHaveBegun, machine.hostId, { method: 'remove', machineId: machine.instanceId });
  if (await ctx.hosts.reachable(machine.hostId)) await (await ctx.hosts.hypervisor(machine.hostId)).remove(machine.instanceId, call);
  else owe({ task: MACHINE_REMOVE, place: machine.hostId, target: { instanceId: machine.instanceId } });
}

/** Removes the machine from a host that this is owed to. One that is there by right stays. One still `creating` is not: its making is being taken back. */
export async function payMachineRemoval(ctx: ComputeContext, instanceId: string, hostId: string, call: Call): Promise<void> {
  const row = await ctx.reader.find(instance, instanceId);
  if (row?.hostId === hostId && isMade(row)) return;
  await (await ctx.hosts.hypervisor(hostId)).remove(instanceId, call);
}

/**
 * Ends what attaching these volumes of a machine to its host made, or leaves that as a debt where the host is out of reach: but for disks that no other host
 * reaches, which are attached there again or go with it.
 */
export async function releaseDisks(
  ctx: ComputeContext,
  { instanceId, hostId }: { readonly instanceId: string; readonly hostId: string },
  volumeIds: readonly string[],
  { call, owe }: { readonly call: Call; readonly owe: (debt: Owed) => void },
): Promise<void> {
  const isReachable = await ctx.hosts.reachable(hostId);
  for (const id of volumeIds) {
    const row = await ctx.reader.get(volume, id);
    if (isReachable) await releaseDisk(ctx, row, { instanceId, hostId }, call);
    else if ((await ctx.reader.get(pool, row.poolId)).scope !== 'host')
      owe({ task: VOLUME_RELEASE, place: hostId, target: { volumeId: id, instanceId } });
  }
}

/** Releases a volume from a host that this is owed to, once the machine that had it there is gone. One that was attached there again stays. */
export async function payVolumeRelease(
  { reader, hosts, pools, kernel }: ComputeServices,
  { volumeId, instanceId }: { readonly volumeId: string; readonly instanceId: string },
  hostId: string,
  call: Call,
): Promise<void> {
  const row = await reader.find(volume, volumeId);
  if (row === undefined || row.deletedAt !== undefined) return;
  if (kernel().holds(volumeId)) throw new CloudError('conflict', 'An operation is at work on the volume.');
  if ((await machinesOf(reader, row)).some((user) => user.hostId === hostId)) return;
  if ((await (await hosts.hypervisor(hostId)).inspect(instanceId, call)) !== undefined)
    throw new CloudError('conflict', 'The machine that had it is still there.');
  await releaseDisk({ hosts, pools, reader }, row, { instanceId, hostId }, call);
  // One that was evacuated has it elsewhere.
  const has = (await attachmentsOf(reader, row.id)).some((each) => each.instanceId === instanceId);
  if (row.shareable === true && !has) await (await pools.open(row.poolId)).forgetMachine(row.id, instanceId, call);
}
