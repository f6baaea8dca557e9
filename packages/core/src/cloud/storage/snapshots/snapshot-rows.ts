import {
  CloudError,
  change,
  create,
  equals,
  expectState,
  type Id,
  type Reader,
  type RowOf,
  revert,
  type Statement,
  transition,
} from '../../../kernel/index.ts';
import type { Call } from '../../../strategy/index.ts';
import { given, nameOr } from '../../naming.ts';
import { hostOfPool, type StorageContext } from '../removal.ts';
import { volume } from '../volume.ts';
import { snapshot } from './snapshot.ts';

export type SnapshotRow = RowOf<typeof snapshot>;
type VolumeRow = RowOf<typeof volume>;

/** Cleanup that can be owed to a host out of reach. */
export const SNAPSHOT_DELETE = 'snapshot.delete';

/** Volumes that have a content: not on their way in or out. */
export const WITH_CONTENT = ['available', 'attached'] as const;

/** What is remembered of a snapshot to take, and to take its acceptance back. */
export interface WantedSnapshot {
  readonly snapshotId: Id<'snapshot'>;
  readonly volumeId: Id<'volume'>;
  readonly poolId: Id<'pool'>;
  /** No tenant sees it, and it has no place in the tree. */
  readonly system: boolean;
}

/** What it is when it is taken, which may be later than when it was asked for. */
export interface Taken {
  readonly sizeBytes: number;
  readonly instanceId: Id<'instance'> | null;
  /** The snapshot that the content of the volume went on from. */
  readonly before: string | null;
}

interface Wanting {
  readonly id: Id<'snapshot'>;
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly groupId?: Id<'snapshotGroup'>;
  readonly system?: boolean;
}

/** Of what stands in the way, as many are named. */
const BLOCKERS_MAX = 10;

export const snapshotsOf = (reader: Reader, volumeId: string): Promise<readonly SnapshotRow[]> =>
  reader.list(snapshot, equals('volumeId', volumeId));

/** For what snapshots of a volume stand in the way of. @throws CloudError in_use that names them */
export function refuseSnapshots({ name }: VolumeRow, rows: readonly SnapshotRow[], why: string): void {
  if (rows.length === 0) return;
  throw new CloudError('in_use', `Volume ${name} has snapshots, which ${why}; delete them first.`, {
    params: { blockers: rows.slice(0, BLOCKERS_MAX).map((row) => ({ kind: snapshot.name, id: row.id, name: row.name })) },
  });
}

/** Held by what replaces a volume's content, and by what keeps it for the cloud's own purposes: beside its own key, so that the volume can be used meanwhile. */
export const contentKey = (volumeId: string): string => `content/${volumeId}`;

/** Row changes that a snapshot's life begins and ends with. */
export const snapshotRows = {
  wanted: (row: VolumeRow, { id, system = false }: Wanting): WantedSnapshot => ({
    snapshotId: id,
    volumeId: row.id,
    poolId: row.poolId,
    system,
  }),
  /** The row in `creating`; guards that the volume has a content. The operation holds the key of the volume, or of its content for a system one. */
  insert: (row: VolumeRow, { id, name, description, groupId, system = false }: Wanting): readonly Statement[] => [
    expectState(volume, row.id, WITH_CONTENT),
    create(snapshot, {
      ...given({ description, groupId, instanceId: row.instanceId }),
      id,
      projectId: row.projectId as Id<'project'>,
      name: nameOr(name, snapshot, id),
      volumeId: row.id,
      poolId: row.poolId,
      sizeBytes: row.sizeBytes,
      system,
      status: 'unknown',
    }),
  ],
  /** The row as the point in time was; its volume goes on from there. */
  taken: ({ snapshotId, volumeId, system }: WantedSnapshot, { sizeBytes, instanceId, before }: Taken): readonly Statement[] => [
    transition(snapshot, snapshotId, {
      from: 'creating',
      to: 'available',
      set: { sizeBytes, instanceId, status: 'present', ...(system ? {} : { parentId: before }) },
    }),
    ...(system ? [] : [change(volume, volumeId, { currentSnapshotId: snapshotId })]),
  ],
  /** Takes `taken` back. */
  untaken: ({ snapshotId, volumeId, system }: WantedSnapshot, { before }: Taken): readonly Statement[] => [
    revert(snapshot, snapshotId, { from: 'available', to: 'creating', set: { status: 'unknown' } }),
    ...(system ? [] : [change(volume, volumeId, { currentSnapshotId: before })]),
  ],
  /** A snapshot that never came to be ends as a tombstone whose status is `unknown`: looks ask for its late arrival. */
  takeBack: ({ snapshotId }: Pick<WantedSnapshot, 'snapshotId'>): Statement =>
    transition(snapshot, snapshotId, { from: 'creating', to: 'deleted' }),
};

/** A volume whose content can be kept, in a pool that can do that. @throws CloudError conflict, unsupported */
export async function refuseUnkept(ctx: Pick<StorageContext, 'pools'>, row: VolumeRow, pointer: string): Promise<void> {
  if (!hasContent(row)) throw new CloudError('conflict', `Volume ${row.name} is ${row.state}.`, { pointer, params: { state: row.state } });
  (await ctx.pools.open(row.poolId)).needSnapshots();
}

export const hasContent = ({ state }: VolumeRow): boolean => (WITH_CONTENT as readonly string[]).includes(state);

/** Takes it, by an operation that holds the key of its volume, or of its content for a system one. @throws CloudError conflict */
export async function take(
  ctx: Pick<StorageContext, 'pools' | 'reader'>,
  { snapshotId, volumeId, poolId }: WantedSnapshot,
  call: Call,
): Promise<Taken> {
  const row = await ctx.reader.get(volume, volumeId);
  if (!hasContent(row)) throw new CloudError('conflict', `Volume ${row.name} is ${row.state}.`, { params: { state: row.state } });
  if (row.poolId !== poolId) throw new CloudError('conflict', `Volume ${row.name} was moved meanwhile.`);
  await (await ctx.pools.open(poolId)).createSnapshot({ id: snapshotId, volumeId }, call);
  return { sizeBytes: row.sizeBytes, before: row.currentSnapshotId ?? null, instanceId: row.instanceId ?? null };
}

interface Step {
  readonly ctx: Pick<StorageContext, 'pools' | 'reader' | 'hosts'>;
  readonly call: Call;
  readonly owe: (debt: { readonly task: string; readonly place: string; readonly target: { readonly [field: string]: string } }) => void;
}

type Placed = Pick<WantedSnapshot, 'snapshotId' | 'volumeId' | 'poolId'>;

/** Removes a snapshot, or leaves that as a debt where the host of the pool is known to be out of reach. */
export async function dropOrOwe(step: Step, { snapshotId, volumeId, poolId }: Placed): Promise<void> {
  const { ctx, owe } = step;
  const hostId = await hostOfPool(ctx.reader, poolId);
  if (hostId !== undefined && !(await ctx.hosts.reachable(hostId)))
    return owe({ task: SNAPSHOT_DELETE, place: hostId, target: { poolId, volumeId, id: snapshotId } });
  await drop(ctx, { snapshotId, volumeId, poolId }, step.call);
}

/**
 * Removes it from its pool. Where the pool keeps it for volumes that were cloned from it, those are made independent first: so snapshots go in any order,
 * whatever a backend makes of clones.
 */
export async function drop(
  ctx: Pick<StorageContext, 'pools' | 'reader'>,
  { snapshotId, volumeId, poolId }: Placed,
  call: Call,
): Promise<void> {
  const clones = await clonesOf(ctx.reader, snapshotId);
  const cloneIds = clones.map(({ id }) => id);
  await (await ctx.pools.open(poolId)).deleteSnapshotOf({ id: snapshotId, volumeId }, cloneIds, call);
}

const clonesOf = (reader: Reader, snapshotId: string): Promise<readonly VolumeRow[]> =>
  reader.list(volume, equals('snapshotId', snapshotId));

/** Removes from a pool what this is owed for. One that is there by right stays. */
export async function payDrop(
  ctx: StorageContext,
  { id, ...at }: { readonly id: string; readonly volumeId: string; readonly poolId: string },
  call: Call,
) {
  const row = await ctx.reader.find(snapshot, id);
  if (row?.state === 'available') return;
  await drop(ctx, { snapshotId: id as Id<'snapshot'>, volumeId: at.volumeId as Id<'volume'>, poolId: at.poolId as Id<'pool'> }, call);
}
