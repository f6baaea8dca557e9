import { CloudError, expectState, type Id, type Principal, type Reader, type RowOf, type Statement, usable } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { needContents, refuseOtherUser, refuseUsed, refuseUsers, snapshot, usersOf, volume } from '../storage/contract.ts';
import type { Live } from './aside.ts';
import type { BackupContext } from './context.ts';
import { type WhyNotWhileOn, whyNotWhileOn } from './volume-capabilities.ts';

type VolumeRow = RowOf<typeof volume>;
type SnapshotRow = RowOf<typeof snapshot>;

const WITH_CONTENT = ['available', 'attached'] as const;

/** The volume has a content: it is neither on its way in nor out. */
export const keptIn = ({ id }: VolumeRow): Statement => expectState(volume, id, WITH_CONTENT);

const BECAUSE: Readonly<Record<WhyNotWhileOn, string>> = {
  pool: ', and its pool keeps no snapshots',
  hypervisor: ', whose host copies no disks in use',
  encrypted: ', and is encrypted',
  shareable: ', and of several machines',
};

/** What a backup of a volume goes by: a snapshot of its own; or, where the pool keeps none, that nobody uses it. */
export interface Readable {
  readonly hasSnapshots: boolean;
  /** The machine that has the volume and is off: it stays so meanwhile. */
  readonly userId?: string;
  /** The machine that has the volume and is on, where what is in it can be laid aside. */
  readonly live?: Live;
}

/** @throws CloudError conflict, unsupported, in_use */
export async function readable(context: BackupContext, reader: Reader, row: VolumeRow, kept?: SnapshotRow): Promise<Readable> {
  const { name, state, poolId } = row;
  if (kept === undefined && !WITH_CONTENT.some((each) => each === state))
    throw new CloudError('conflict', `Volume ${name} is ${state}.`, {
      pointer: '/volumeId',
      params: { state, allowed: [...WITH_CONTENT] },
    });
  await needContents(context, row, kept === undefined ? '/volumeId' : '/snapshotId');
  const pool = await context.pools.open(poolId);
  if (pool.hasSnapshots) return { hasSnapshots: true };
  const users = await usersOf(reader, row);
  refuseUsers(row, row.shareable === true ? users : [], { params: { reason: 'shareable' satisfies WhyNotWhileOn } });
  const [on] = users.filter(({ state: its }) => its === 'running' || its === 'suspended');
  const why = on === undefined ? undefined : await whyNotWhileOn(context, row, pool, on.hostId);
  if (on !== undefined && why === undefined) return { hasSnapshots: false, live: { instanceId: on.id, hostId: on.hostId } };
  refuseUsers(
    row,
    users.filter(({ state: its }) => its !== 'stopped'),
    why === undefined ? {} : { because: BECAUSE[why], params: { reason: why } },
  );
  const [user] = users;
  return { hasSnapshots: false, ...(user === undefined ? {} : { userId: user.id }) };
}

/** A snapshot that its user has taken, and that is backed up. */
export interface TakenSnapshot {
  readonly snapshotId: Id<'snapshot'>;
  readonly takenAt: string;
}

interface Asked {
  readonly volumeId?: string;
  readonly snapshotId?: string;
}

interface Source {
  readonly row: VolumeRow;
  /** The snapshot that was asked for. */
  readonly kept?: SnapshotRow;
}

/** @throws CloudError invalid_input unless one of the two is given; not_found, conflict */
export async function sourceOf(reader: Reader, principal: Principal, { volumeId, snapshotId }: Asked): Promise<Source> {
  if ((volumeId === undefined) === (snapshotId === undefined))
    throw new CloudError('invalid_input', 'Give what is backed up: a volume, or a snapshot of one.', {
      pointer: snapshotId === undefined ? '/volumeId' : '/snapshotId',
    });
  if (snapshotId === undefined) return { row: await usable(reader, volume, volumeId ?? '', principal, '/volumeId') };
  const kept = await usable(reader, snapshot, snapshotId, principal, '/snapshotId');
  if (kept.state !== 'available')
    throw new CloudError('conflict', `Snapshot ${kept.name} is ${kept.state}.`, { pointer: '/snapshotId', params: { state: kept.state } });
  return { row: await reader.get(volume, kept.volumeId), kept };
}

interface Wanted {
  readonly volumeId: Id<'volume'>;
  readonly poolId: Id<'pool'>;
  readonly sizeBytes: number;
  readonly userId?: string;
}

/** Of a volume that is read itself: it is as it was when that was accepted, and nobody writes to it. @throws CloudError conflict, in_use, unavailable */
export async function refuseUsedOrMoved(ctx: BackupContext, wanted: Wanted, call: Call): Promise<void> {
  await refuseUsed(ctx, await refuseOtherOrMoved(ctx, wanted), call);
}

/** It is where it was, as large, and nobody else's. @throws CloudError conflict */
export async function refuseOtherOrMoved({ reader }: BackupContext, { volumeId, poolId, sizeBytes, userId }: Wanted): Promise<VolumeRow> {
  const row = await reader.get(volume, volumeId);
  if (row.poolId !== poolId) throw new CloudError('conflict', `Volume ${row.name} was moved meanwhile.`);
  if (row.sizeBytes !== sizeBytes) throw new CloudError('conflict', 'The volume was resized meanwhile.');
  await refuseOtherUser(reader, row, userId);
  return row;
}
