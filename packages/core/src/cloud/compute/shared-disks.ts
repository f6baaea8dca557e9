import { CloudError, create, expectState, type Id, type Statement } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { nameOr } from '../naming.ts';
import { attachment, attachmentsOf, MACHINES_MAX, type MachineDisk, volume } from '../storage/contract.ts';
import { type ComputeContext, volumesOf } from './context.ts';

/** Disks that other machines may have, too. */
export const sharedOf = (disks: readonly MachineDisk[]): readonly MachineDisk[] =>
  disks.filter(({ attachmentId }) => attachmentId !== undefined);

/** What opens such a disk holds its volume meanwhile, so that one machine opens it at a time: only then is it known whose a client of the storage is. */
export const sharedIds = async (ctx: Pick<ComputeContext, 'reader'>, instanceId: string): Promise<readonly Id<'volume'>[]> =>
  sharedOf(await volumesOf(ctx, instanceId)).map(({ id }) => id);

/** What was attached by what went before is not held: it is asked for again with that. @throws CloudError conflict */
export async function refuseUnheld(ctx: Pick<ComputeContext, 'reader'>, instanceId: string, held: readonly string[] = []): Promise<void> {
  if ((await sharedIds(ctx, instanceId)).some((id) => !held.includes(id)))
    throw new CloudError('conflict', 'A disk that others have, too, was attached to it meanwhile; ask again.');
}

/**
 * Runs what makes the machine open these disks, with their volumes held. What was known of who has them open is void before, and new after: nothing that is out of date is ever
 * shut out in place of what is there.
 */
export async function opening(
  ctx: Pick<ComputeContext, 'pools'>,
  instanceId: string,
  disks: readonly MachineDisk[],
  call: Call,
  open: () => Promise<void>,
): Promise<void> {
  await forget(ctx, instanceId, disks, call);
  await open();
  await learn(ctx, instanceId, disks, call);
}

/** The machine has closed them. Repeatable. */
export async function forget(
  ctx: Pick<ComputeContext, 'pools'>,
  instanceId: string,
  disks: readonly MachineDisk[],
  call: Call,
): Promise<void> {
  for (const { id, poolId } of sharedOf(disks)) await (await ctx.pools.open(poolId)).forgetMachine(id, instanceId, call);
}

async function learn(ctx: Pick<ComputeContext, 'pools'>, instanceId: string, disks: readonly MachineDisk[], call: Call): Promise<void> {
  for (const { id, poolId } of sharedOf(disks)) await (await ctx.pools.open(poolId)).learnMachine(id, instanceId, call);
}

/** Of a volume of several machines: the row that will say that a machine has it, and whose that is. */
export interface NewAttachment {
  readonly attachmentId: Id<'attachment'>;
  readonly projectId: Id<'project'>;
}

/** The row of a volume as the machine is about to have it. */
export const asDiskOf = (row: MachineDisk, shared: Pick<NewAttachment, 'attachmentId'> | undefined): MachineDisk =>
  shared === undefined ? row : { ...row, attachmentId: shared.attachmentId };

/** It has the volume, from now on. */
export const attachmentRow = (
  { attachmentId: id, projectId }: NewAttachment,
  use: { readonly volumeId: Id<'volume'>; readonly instanceId: Id<'instance'>; readonly slot: number },
): readonly Statement[] => [
  expectState(volume, use.volumeId, ['available']),
  create(attachment, { id, projectId, name: nameOr(undefined, attachment, id), ...use }),
];

/** @throws CloudError conflict */
export async function refuseCrowd({ reader }: Pick<ComputeContext, 'reader'>, { id, name, shareable }: MachineDisk): Promise<void> {
  if (shareable !== true || (await attachmentsOf(reader, id)).length < MACHINES_MAX) return;
  throw new CloudError('conflict', `Volume ${name} has ${MACHINES_MAX} machines, and takes no more.`, {
    params: { volumeId: id, max: MACHINES_MAX },
  });
}

/** Guards that the machine has the disk still. */
export const keepsDisk = ({ id, attachmentId }: MachineDisk, instanceId: string): Statement =>
  attachmentId === undefined
    ? { op: 'expect', table: volume.name, key: id, expect: { instanceId } }
    : { op: 'expect', table: attachment.name, key: attachmentId, expect: { instanceId, deletedAt: null } };
