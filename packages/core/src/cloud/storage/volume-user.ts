import { type AnyKind, CloudError, type Condition, equals, type Id, type Reader, type RowOf } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { instance } from '../compute/contract.ts';
import type { Hosts, Hypervisor } from '../topology/contract.ts';
import { type AttachmentRow, attachment } from './attachment.ts';
import type { StorageContext } from './removal.ts';
import { volume } from './volume.ts';

type VolumeRow = RowOf<typeof volume>;
type InstanceRow = RowOf<typeof instance>;

/** What sagas on volumes reach that machines may use meanwhile. */
export interface UsedVolumeContext extends StorageContext {
  readonly hosts: Pick<Hosts, 'reachable' | 'hypervisor' | 'endpoint'>;
}

export interface VolumeUser {
  readonly id: Id<'instance'>;
  readonly name: string;
  readonly hostId: Id<'host'>;
  readonly state: InstanceRow['state'];
}

/** The machines that the volume is attached to: the one place that knows how rows say that, with `disksOf`. */
export async function machinesOf(reader: Reader, { id, instanceId, shareable }: VolumeRow): Promise<readonly InstanceRow[]> {
  const ids = shareable === true ? (await attachmentsOf(reader, id)).filter(isThere).map((each) => each.instanceId) : [];
  const rows = await Promise.all([...ids, ...(instanceId === undefined ? [] : [instanceId])].map((each) => reader.find(instance, each)));
  return rows.filter((row) => row !== undefined);
}

/** Those of machines that lie in the trash, too. */
export const attachmentsOf = (reader: Reader, volumeId: string): Promise<readonly AttachmentRow[]> =>
  reader.list(attachment, equals('volumeId', volumeId));

/** Not of a machine that lies in the trash, which has nothing open. */
const isThere = ({ state }: AttachmentRow): boolean => state !== 'trashed';

/** Those of them that have a host. */
export const usersOf = async (reader: Reader, row: VolumeRow): Promise<readonly VolumeUser[]> =>
  (await machinesOf(reader, row)).flatMap(({ id, name, hostId, state }) => (hostId === undefined ? [] : [{ id, name, hostId, state }]));

/** A volume as a machine has it: `instanceId`, `slot` and `state` are of its use there. */
export type MachineDisk = VolumeRow & {
  /** Of one that other machines may have, too. */
  readonly attachmentId?: Id<'attachment'>;
};

/** Of a `Reader`, or of what lists in slices. */
interface Lists {
  readonly list: <K extends AnyKind>(kind: K, where: Condition) => Promise<readonly RowOf<K>[]>;
}

/** The disks of these machines, in no order. */
export async function disksOf(rows: Lists, instanceIds: readonly string[]): Promise<readonly MachineDisk[]> {
  const theirs: Condition = { field: 'instanceId', op: 'in', value: instanceIds };
  const [own, attachments] = await Promise.all([rows.list(volume, theirs), rows.list(attachment, theirs)]);
  return [...own, ...(await sharedDisks(rows, attachments.filter(isThere)))];
}

async function sharedDisks(rows: Lists, attachments: readonly AttachmentRow[]): Promise<readonly MachineDisk[]> {
  if (attachments.length === 0) return [];
  const volumes = await rows.list(volume, { field: 'id', op: 'in', value: [...new Set(attachments.map(({ volumeId }) => volumeId))] });
  const byId = new Map(volumes.map((row) => [row.id, row]));
  return attachments.flatMap(({ id: attachmentId, volumeId, instanceId, slot, state }): MachineDisk[] => {
    const row = byId.get(volumeId);
    return row === undefined ? [] : [{ ...row, attachmentId, instanceId, slot, state: state === 'attached' ? 'attached' : 'deleting' }];
  });
}

/** Whether the machine is on with the disk plugged in: by what its host sees, since guests go down by themselves. */
export async function isOn(hypervisor: Hypervisor, instanceId: string, volumeId: string, call: Call): Promise<boolean> {
  const seen = await hypervisor.inspect(instanceId, call);
  return (seen?.power === 'running' || seen?.power === 'paused') && seen.diskIds.includes(volumeId);
}

/** Those that are on with it, by what their hosts see. @throws CloudError unavailable */
export async function usersOn(ctx: UsedVolumeContext, row: VolumeRow, call: Call): Promise<readonly VolumeUser[]> {
  const on: VolumeUser[] = [];
  for (const user of await usersOf(ctx.reader, row)) {
    if (!(await ctx.hosts.reachable(user.hostId)))
      throw new CloudError('unavailable', `The host of instance ${user.name} is out of reach.`);
    if (await isOn(await ctx.hosts.hypervisor(user.hostId), user.id, row.id, call)) on.push(user);
  }
  return on;
}

/** By what the hosts of its machines see. @throws CloudError in_use, unavailable */
export async function refuseUsed(ctx: UsedVolumeContext, row: VolumeRow, call: Call): Promise<void> {
  refuseUsers(row, await usersOn(ctx, row, call));
}

/** What else a refusal tells: `because` ends with the sentence that names the machines. */
interface Told {
  readonly because?: string;
  readonly params?: Readonly<Record<string, string>>;
}

/** @throws CloudError in_use that names them */
export function refuseUsers(
  row: Pick<VolumeRow, 'name' | 'shareable'>,
  users: readonly Pick<VolumeUser, 'id' | 'name'>[],
  told?: Told,
): void {
  if (users.length > 0) throw inUse(row, users, told);
}

/**
 * What works on the volume holds the machine that had it when it was accepted. An attachment that was ahead of it may have given the volume to another, which
 * nothing would keep from starting meanwhile.
 * @throws CloudError conflict
 */
export async function refuseOtherUser(reader: Reader, row: VolumeRow, heldId: string | undefined): Promise<void> {
  const users = await usersOf(reader, row);
  if (users.length > 1 || users[0]?.id !== heldId)
    throw new CloudError('conflict', `Volume ${row.name} was attached or detached meanwhile; ask again.`);
}

/** For what needs it for itself, and holds the machine that has it: nothing would keep several from starting, so none may have it then. @throws CloudError in_use */
export const refuseShared = (row: VolumeRow, users: readonly Pick<VolumeUser, 'id' | 'name'>[]): void =>
  refuseUsers(row, row.shareable === true ? users : []);

/** Names the machines, and the way to free it. */
export const inUse = (
  { name, shareable }: Pick<VolumeRow, 'name' | 'shareable'>,
  users: readonly Pick<VolumeUser, 'id' | 'name'>[],
  { because = '', params = {} }: Told = {},
): CloudError =>
  new CloudError(
    'in_use',
    shareable === true
      ? `Volume ${name} is attached to ${listed(users)}; detach it first.`
      : `Volume ${name} is in use by ${listed(users)}${because}; stop the instance first.`,
    { params: { blockers: blockersOf(users), ...params } },
  );

/** `instance a`, `instances a, b`. */
export const listed = (users: readonly Pick<VolumeUser, 'name'>[]): string =>
  `${users.length === 1 ? 'instance' : 'instances'} ${users.map(({ name }) => name).join(', ')}`;

export const blockersOf = (users: readonly Pick<VolumeUser, 'id' | 'name'>[]) =>
  users.map(({ id, name }) => ({ kind: instance.name, id, name }));
