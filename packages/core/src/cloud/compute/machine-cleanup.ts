import type { Owed } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { volume } from '../storage/contract.ts';
import type { ComputeContext } from './context.ts';
import { instance, isMade } from './instance.ts';

export const MACHINE_REMOVE = 'machine.remove';

/** Removes the machine from its host, or leaves that as a debt where the host is known to be out of reach. */
export async function machineCleanup(
  ctx: ComputeContext,
  machine: { readonly instanceId: string; readonly hostId: string },
  call: Call,
  owe: (debt: Owed) => void,
): Promise<void> {
  if (await ctx.hosts.reachable(machine.hostId)) await (await ctx.hosts.hypervisor(machine.hostId)).remove(machine.instanceId, call);
  else owe({ task: MACHINE_REMOVE, place: machine.hostId, target: { instanceId: machine.instanceId } });
}

/** Removes the machine from a host that this is owed to. One that is there by right stays. One still `creating` is not: its making is being taken back. */
export async function payMachineRemoval(ctx: ComputeContext, instanceId: string, hostId: string, call: Call): Promise<void> {
  const row = await ctx.reader.find(instance, instanceId);
  if (row?.hostId === hostId && isMade(row)) return;
  await (await ctx.hosts.hypervisor(hostId)).remove(instanceId, call);
}

/** Ends what attaching these volumes to the host made. A host out of reach holds nothing that a later attachment would mind. */
export async function releaseDisks(ctx: ComputeContext, hostId: string, volumeIds: readonly string[], call: Call): Promise<void> {
  if (!(await ctx.hosts.reachable(hostId))) return;
  const endpoint = await ctx.hosts.endpoint(hostId);
  for (const id of volumeIds) {
    const row = await ctx.reader.get(volume, id);
    await (await ctx.pools.open(row.poolId)).releaseVolume(row.id, endpoint, call);
  }
}
