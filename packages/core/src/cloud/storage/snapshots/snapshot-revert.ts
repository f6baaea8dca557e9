import { Type } from 'typebox';
import {
  bytesText,
  CloudError,
  change,
  defineAction,
  equals,
  FORWARD_ONLY,
  type Id,
  NOTHING_TO_UNDO,
  quotaGrowth,
  quotaReleased,
  type Reader,
  type Statement,
  saga,
} from '../../../kernel/index.ts';
import { poolCapacity } from '../../placement/contract.ts';
import { refuseFull } from '../pool-choice.ts';
import { poolReachable, type StorageContext } from '../removal.ts';
import { volume } from '../volume.ts';
import { blockersOf, machinesOf, refuseShared } from '../volume-user.ts';
import { snapshot } from './snapshot.ts';
import { snapshotGroup } from './snapshot-group.ts';
import { contentKey, hasContent, type SnapshotRow } from './snapshot-rows.ts';

interface Reverted {
  readonly snapshotId: Id<'snapshot'>;
  readonly volumeId: Id<'volume'>;
  readonly poolId: Id<'pool'>;
  /** The machines that have the volume when this is accepted: it holds them. Absent in what was accepted before they were noted. */
  readonly machineIds?: readonly Id<'instance'>[];
  /** What the volume has when this is accepted, and what it gets. */
  readonly fromBytes: number;
  readonly sizeBytes: number;
}

interface RevertParams {
  readonly volumes: readonly Reverted[];
  /** What they grow by, taken when it was accepted. */
  readonly quota: readonly Statement[];
}

/** What was written since is lost, and no second try brings it back: so all that can be wrong is asked before. */
const revertVolumes = saga<StorageContext, RevertParams>('snapshot.revert', 1)
  .each('ready', {
    items: ({ params }) => params.volumes,
    limit: 8,
    do: async ({ ctx, item, call }) => {
      const row = await ctx.reader.get(volume, item.volumeId);
      if (row.sizeBytes !== item.fromBytes)
        throw new CloudError('conflict', `Volume ${row.name} was resized meanwhile.`, { params: { sizeBytes: row.sizeBytes } });
      const kept = await ctx.reader.get(snapshot, item.snapshotId);
      await refuseUsed(ctx.reader, kept);
      const heldIds = item.machineIds ?? [];
      // An attachment that was ahead may have given the volume to a machine that nothing keeps from starting meanwhile.
      const others = (await machinesOf(ctx.reader, row)).filter(({ id }) => !heldIds.includes(id));
      if (others.length > 0) throw new CloudError('conflict', `Volume ${row.name} was attached meanwhile; ask again.`);
      if (!(await poolReachable(ctx, item.poolId))) throw new CloudError('unavailable', 'The host of its pool is out of reach.');
      const pool = await ctx.pools.open(item.poolId);
      const seen = (await pool.listSnapshots(item.volumeId, call)).find(({ id }) => id === item.snapshotId);
      if (seen === undefined) throw new CloudError('not_found', `${pool.place} has nothing of snapshot ${kept.name}.`);
      if (seen.sizeBytes !== item.sizeBytes)
        throw new CloudError('conflict', `Snapshot ${kept.name} has ${bytesText(seen.sizeBytes)} in ${pool.place}.`, {
          params: { sizeBytes: seen.sizeBytes },
        });
    },
    undo: NOTHING_TO_UNDO,
  })
  .each('images', {
    items: ({ params }) => params.volumes,
    limit: 8,
    do: async ({ ctx, item: { snapshotId, volumeId, poolId }, call }) =>
      (await ctx.pools.open(poolId)).revert({ id: snapshotId, volumeId }, call),
    undo: FORWARD_ONLY,
  })
  .write('contents', {
    do: ({ params }) => [
      ...params.volumes.flatMap(({ snapshotId, volumeId, poolId, fromBytes, sizeBytes }) => [
        change(volume, volumeId, { sizeBytes, currentSnapshotId: snapshotId }),
        ...(sizeBytes < fromBytes ? [poolCapacity(poolId, fromBytes - sizeBytes, -1)] : []),
      ]),
      ...quotaReleased(params.quota),
    ],
    undo: FORWARD_ONLY,
  })
  .build();

/** The states of a machine that has none of its disks open. */
const OFF: readonly string[] = ['stopped', 'crashed', 'missing'];

/** @throws CloudError conflict, in_use while a machine runs on the volume */
async function refuseUsed(reader: Reader, kept: SnapshotRow): Promise<void> {
  if (kept.state !== 'available')
    throw new CloudError('conflict', `Snapshot ${kept.name} is ${kept.state}.`, { params: { state: kept.state } });
  const row = await reader.get(volume, kept.volumeId);
  if (!hasContent(row)) throw new CloudError('conflict', `Volume ${row.name} is ${row.state}.`, { params: { state: row.state } });
  const machines = await machinesOf(reader, row);
  refuseShared(row, machines);
  const on = machines.filter(({ state }) => !OFF.includes(state));
  const [user] = on;
  if (user === undefined) return;
  throw new CloudError('in_use', `Volume ${row.name} is in use by instance ${user.name}, which is ${user.state}; stop it first.`, {
    params: { blockers: blockersOf(on) },
  });
}

/** What takes volumes back, and the room they need for that. @throws CloudError */
async function planRevert(reader: Reader, kept: readonly SnapshotRow[]) {
  const volumes: Reverted[] = [];
  const quota: Statement[] = [];
  const guards: Statement[] = [];
  const keys = new Set<string>();
  for (const row of kept) {
    await refuseUsed(reader, row);
    const disk = await reader.get(volume, row.volumeId);
    const { id, poolId, sizeBytes: fromBytes } = disk;
    const growth = Math.max(0, row.sizeBytes - fromBytes);
    await refuseFull(reader, poolId, growth);
    const machineIds = (await machinesOf(reader, disk)).map((machine) => machine.id);
    volumes.push({ snapshotId: row.id, volumeId: id, poolId, machineIds, fromBytes, sizeBytes: row.sizeBytes });
    quota.push(...quotaGrowth(volume, disk, { sizeBytes: row.sizeBytes }));
    guards.push({ op: 'expect', table: volume.name, key: id, expect: { sizeBytes: fromBytes } });
    if (growth > 0) guards.push(poolCapacity(poolId, growth, 1));
    for (const key of [id, contentKey(id), row.id, ...machineIds]) keys.add(key);
  }
  return { params: { volumes, quota } satisfies RevertParams, statements: [...guards, ...quota], keys: [...keys] };
}

const takenBack = ({ volumes, quota }: RevertParams): readonly Statement[] => [
  ...volumes.flatMap(({ poolId, fromBytes, sizeBytes }) =>
    sizeBytes > fromBytes ? [poolCapacity(poolId, sizeBytes - fromBytes, -1)] : [],
  ),
  ...quotaReleased(quota),
];

export const snapshotRevert = (context: StorageContext) =>
  defineAction({
    kind: snapshot,
    verb: 'revert',
    description: 'Gives the volume the content and the size that it had. What was written since is lost; all snapshots stay.',
    target: 'resource',
    input: Type.Object({}),
    from: ['available'],
    accept: ({ row, reader }) => planRevert(reader, [row]),
    saga: revertVolumes,
    context: () => context,
    unwound: takenBack,
  });

export const snapshotGroupRevert = (context: StorageContext) =>
  defineAction({
    kind: snapshotGroup,
    verb: 'revert',
    description: 'Gives all disks that it has snapshots of the content and the size that they had. The machine must be off.',
    target: 'resource',
    input: Type.Object({}),
    from: ['available'],
    accept: async ({ row, reader }) => planRevert(reader, await reader.list(snapshot, equals('groupId', row.id))),
    saga: revertVolumes,
    context: () => context,
    unwound: takenBack,
  });
