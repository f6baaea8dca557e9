import { CloudError, type Reader, type RowOf } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { instance } from '../compute/contract.ts';
import type { Hosts, Hypervisor } from '../topology/contract.ts';
import type { StorageContext } from './removal.ts';
import type { volume } from './volume.ts';

/** What sagas on volumes reach that machines may use meanwhile. */
export interface UsedVolumeContext extends StorageContext {
  readonly hosts: Pick<Hosts, 'reachable' | 'hypervisor' | 'endpoint'>;
}

export interface VolumeUser {
  readonly id: string;
  readonly name: string;
  readonly hostId: string;
  readonly state: RowOf<typeof instance>['state'];
}

/** The machine that has the volume. */
export async function userOf(reader: Reader, { instanceId }: RowOf<typeof volume>): Promise<VolumeUser | undefined> {
  const row = instanceId === undefined ? undefined : await reader.find(instance, instanceId);
  return row?.hostId === undefined ? undefined : { id: row.id, name: row.name, hostId: row.hostId, state: row.state };
}

/** Whether the machine is on with the disk plugged in: by what its host sees, since guests go down by themselves. */
export async function isOn(hypervisor: Hypervisor, instanceId: string, volumeId: string, call: Call): Promise<boolean> {
  const seen = await hypervisor.inspect(instanceId, call);
  return (seen?.power === 'running' || seen?.power === 'paused') && seen.diskIds.includes(volumeId);
}

/** By what the host of its machine sees. @throws CloudError in_use, unavailable */
export async function refuseUsed(ctx: UsedVolumeContext, row: RowOf<typeof volume>, call: Call): Promise<void> {
  const user = await userOf(ctx.reader, row);
  if (user === undefined) return;
  if (!(await ctx.hosts.reachable(user.hostId))) throw new CloudError('unavailable', `The host of instance ${user.name} is out of reach.`);
  if (await isOn(await ctx.hosts.hypervisor(user.hostId), user.id, row.id, call)) throw inUse(row, user);
}

/**
 * What works on the volume holds the machine that had it when it was accepted. An attachment that was ahead of it may have given the volume to another, which
 * nothing would keep from starting meanwhile.
 * @throws CloudError conflict
 */
export async function refuseOtherUser(reader: Reader, row: RowOf<typeof volume>, heldId: string | undefined): Promise<void> {
  if ((await userOf(reader, row))?.id !== heldId)
    throw new CloudError('conflict', `Volume ${row.name} was attached or detached meanwhile; ask again.`);
}

/** Names the machine, and the way to free it. */
export const inUse = ({ name }: Pick<RowOf<typeof volume>, 'name'>, user: { readonly id: string; readonly name: string }): CloudError =>
  new CloudError('in_use', `Volume ${name} is in use by instance ${user.name}; stop the instance first.`, {
    params: { blockers: [{ kind: 'instance', id: user.id, name: user.name }] },
  });
