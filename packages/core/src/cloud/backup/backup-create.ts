import { Type } from 'typebox';
import {
  bindSaga,
  CloudError,
  change,
  create,
  defineAction,
  expectState,
  type Failed,
  type Id,
  NOTHING_TO_UNDO,
  type Reader,
  resourceName,
  revert,
  saga,
  timestamp,
  transition,
  usable,
} from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { given, nameOr } from '../naming.ts';
import { patiently } from '../patient-call.ts';
import {
  contentKey,
  dropSnapshot,
  openedKey,
  snapshot,
  snapshotRows,
  takeSnapshot,
  volume,
  type WantedSnapshot,
} from '../storage/contract.ts';
import { type Aside, asideKey, type Live, layAside, leaveAside, notedManifest, takeBackAside } from './aside.ts';
import { backup } from './backup.ts';
import { backupPlan } from './backup-plan.ts';
import { keptIn, readable, refuseUsedOrMoved, sourceOf, type TakenSnapshot } from './backup-source.ts';
import { backupStore } from './backup-store.ts';
import { type BackupContext, TRANSFER_TIMEOUT_MS } from './context.ts';
import { planInput, storeInput } from './input.ts';
import { storeFor } from './store-choice.ts';
import { type Copied, copyOut, Shelf } from './transfer.ts';
import { madeOf, settled, watch, wordOf } from './unchanged.ts';
import { damage } from './vault.ts';

interface CreateBackupParams {
  readonly backupId: Id<'backup'>;
  readonly projectId: Id<'project'>;
  readonly storeId: Id<'backupStore'>;
  readonly volumeId: Id<'volume'>;
  readonly volumeName: string;
  readonly poolId: Id<'pool'>;
  readonly sizeBytes: number;
  /**
   * Stays in the pool until the next backup is made: what has changed is told from it, and restores clone it. Without it, in a pool that keeps no snapshots, the
   * volume itself is read, which nobody uses meanwhile.
   */
  readonly snapshot?: WantedSnapshot;
  /** A snapshot of its user's own, which is read in place of the volume. It is no part of the chain: whoever took it deletes it when he likes. */
  readonly taken?: TakenSnapshot;
  /** The machine that has the volume, which is held with it where the volume itself is read. */
  readonly userId?: string;
  /** The machine that has the volume and is on: what is in it is laid aside, and read there. */
  readonly live?: Live;
  /** The last one is damaged: all is read and put anew, which mends what older ones share with it. */
  readonly afresh?: true;
  /** The backup before, in the same store, with the snapshot of it. */
  readonly earlier?: { readonly backupId: Id<'backup'>; readonly snapshotId: Id<'snapshot'> };
}

/** What has changed since the backup before, where that and its snapshot are still there. */
async function earlierOf(shelf: Shelf, { earlier, afresh }: CreateBackupParams, snapshotIds: readonly string[], call: Call) {
  if (earlier === undefined || afresh === true || !snapshotIds.includes(earlier.snapshotId)) return undefined;
  const manifest = await shelf.manifest(earlier.backupId, call);
  return manifest === undefined ? undefined : { manifest, snapshotId: earlier.snapshotId };
}

const snapshotsOf = ({ snapshot }: CreateBackupParams): readonly WantedSnapshot[] => (snapshot === undefined ? [] : [snapshot]);

/** The snapshot that is read; where there is none, the volume itself is. */
const readId = ({ snapshot, taken }: CreateBackupParams) => snapshot?.snapshotId ?? taken?.snapshotId;

/** Ids of snapshots that are beside the volume. @throws CloudError where what is to be read is not what it was when this was accepted */
async function beside(ctx: BackupContext, params: CreateBackupParams, call: Call): Promise<readonly string[]> {
  const { volumeId, sizeBytes, poolId, taken } = params;
  const snapshotId = readId(params);
  if (snapshotId === undefined) {
    await refuseUsedOrMoved(ctx, params, call);
    return [];
  }
  const there = await (await ctx.pools.open(poolId)).listSnapshots(volumeId, call);
  if (there.find(({ id }) => id === snapshotId)?.sizeBytes !== sizeBytes)
    throw new CloudError(
      'conflict',
      taken === undefined ? 'The volume was resized meanwhile.' : 'The pool does not have the snapshot any more.',
    );
  return there.map(({ id }) => id);
}

/** Of what was laid aside, with what the backup before has where that is not in it. */
async function copyAside(ctx: BackupContext, params: CreateBackupParams, { takenAt, since }: Aside, call: Call): Promise<Copied> {
  const { backupId, volumeId, volumeName, sizeBytes, afresh } = params;
  const shelf = await Shelf.open(ctx, params);
  const pool = await ctx.pools.open(params.poolId);
  const manifest = since === undefined ? undefined : await notedManifest(ctx, { ...params, since }, call);
  if (since !== undefined && manifest === undefined) throw damage('The backup that this one goes on from is not there any more.');
  const goesOn = manifest === undefined ? {} : ({ earlier: { manifest }, isPart: true } as const);
  const facts = { volumeId, volumeName, sizeBytes, takenAt };
  // Who had given up asking for a copy may be heard late, and would write there again.
  const mark = wordOf(ctx.environment.random.bytes(8));
  const isMarked = await patiently(ctx, call, (c) => pool.markVolume(backupId, mark, c));
  const made = await copyOut(ctx, shelf, { pool, of: { volumeId: backupId }, facts, ...goesOn, ...given({ afresh }) }, call);
  if (isMarked && (await patiently(ctx, call, (c) => pool.markOf(backupId, c))) !== mark)
    throw new CloudError('conflict', 'What was laid aside was written to meanwhile; ask again.');
  await shelf.putManifest(backupId, made.manifest, call);
  return made.copied;
}

/** The manifest is put last: until then there are chunks that nobody names, which go again. Whatever a volume is used for meanwhile, the snapshot stays as it is. */
const createBackup = saga<BackupContext, CreateBackupParams>('backup.create', 1)
  .effect('begin', {
    do: async ({ ctx, params }) => {
      if (params.snapshot !== undefined && isOvertaken(params, await before(ctx.reader, params.volumeId, params.storeId)))
        throw new CloudError('conflict', 'Another backup of the volume was made or deleted meanwhile.');
      const takenAt = params.taken?.takenAt ?? timestamp(ctx.environment.clock);
      const { backedUpAt } = await ctx.reader.get(volume, params.volumeId);
      const isNewest = backedUpAt === undefined || takenAt > backedUpAt;
      return { takenAt, backedUpAt: isNewest ? takenAt : backedUpAt };
    },
    undo: NOTHING_TO_UNDO,
  })
  .subs('snapshot', { limit: 1, run: ({ ctx, params }) => snapshotsOf(params).map((wanted) => [bindSaga(takeSnapshot, ctx, wanted)]) })
  .effect('aside', {
    timeoutMs: TRANSFER_TIMEOUT_MS,
    do: async ({ ctx, params, call }): Promise<Aside | undefined> => {
      const { live } = params;
      return live === undefined ? undefined : layAside(ctx, { ...params, live }, call);
    },
    undo: async (step) => {
      const { live } = step.params;
      if (live !== undefined) await takeBackAside({ ...step, params: { ...step.params, live } });
    },
  })
  .effect('copy', {
    timeoutMs: TRANSFER_TIMEOUT_MS,
    do: async ({ ctx, params, out, call }): Promise<Copied> => {
      const { backupId, volumeId, volumeName, sizeBytes } = params;
      if (out.aside !== undefined) return copyAside(ctx, params, out.aside, call);
      const shelf = await Shelf.open(ctx, params);
      const pool = await ctx.pools.open(params.poolId);
      const snapshotIds = await patiently(ctx, call, (c) => beside(ctx, params, c));
      const watched = readId(params) === undefined ? await watch(ctx, shelf, params, call) : {};
      const earlier = watched.earlier ?? (await earlierOf(shelf, params, snapshotIds, call));
      const facts = { volumeId, volumeName, sizeBytes, takenAt: out.begin.takenAt };
      // Changed together with the header, by what this waits for.
      const { encryptionKey } = await ctx.reader.get(volume, volumeId);
      const of = { volumeId, ...given({ id: readId(params) }), ...(await openedKey(ctx, encryptionKey)) };
      const { manifest, copied } = await copyOut(ctx, shelf, { pool, of, facts, ...given({ earlier, afresh: params.afresh }) }, call);
      // Its machine may have been switched on meanwhile, behind our back.
      if (of.id === undefined) await patiently(ctx, call, (c) => beside(ctx, params, c));
      await shelf.putManifest(backupId, await patiently(ctx, call, (c) => settled(pool, volumeId, { watched, manifest }, c)), call);
      return copied;
    },
    undo: async ({ ctx, params, call }) => {
      await (await Shelf.open(ctx, params)).deleteManifest(params.backupId, call);
      ctx.collector.kick(params);
    },
  })
  .write('available', {
    do: ({ params: { backupId, volumeId, snapshot, earlier }, out }) => [
      transition(backup, backupId, {
        from: 'creating',
        to: 'available',
        set: { takenAt: out.aside?.takenAt ?? out.begin.takenAt, ...out.copy, ...given({ snapshotId: snapshot?.snapshotId }) },
      }),
      change(volume, volumeId, { backedUpAt: out.aside?.takenAt ?? out.begin.backedUpAt }),
      ...(earlier === undefined ? [] : [change(backup, earlier.backupId, { snapshotId: null })]),
    ],
    undo: ({ params: { backupId, earlier } }) => [
      revert(backup, backupId, {
        from: 'available',
        to: 'creating',
        set: { takenAt: null, readBytes: null, newBytes: null, snapshotId: null },
      }),
      ...(earlier === undefined ? [] : [change(backup, earlier.backupId, { snapshotId: earlier.snapshotId })]),
    ],
  })
  .subs('apart', {
    limit: 1,
    run: ({ ctx, params: { earlier, snapshot } }) =>
      earlier === undefined || snapshot === undefined
        ? []
        : [[bindSaga(dropSnapshot, ctx, { ...snapshot, snapshotId: earlier.snapshotId, force: true })]],
  })
  .effect('tidy', {
    do: async (step) => {
      const { live } = step.params;
      if (live !== undefined) await leaveAside({ ...step, params: { ...step.params, live } });
    },
    undo: NOTHING_TO_UNDO,
  })
  .build();

const { properties } = backup.schema;

export const backupCreate = (context: BackupContext) =>
  defineAction({
    kind: backup,
    verb: 'create',
    description:
      'Keeps what is in a volume now, or in a snapshot of one, outside of its pool. The volume may be in use meanwhile where its pool keeps snapshots, or is a folder of a host whose hypervisor copies disks in use; elsewhere its machine must be off.',
    target: 'collection',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      description: properties.description,
      volumeId: Type.Optional(Type.String({ format: 'uuid', description: 'What is in this volume now;' })),
      snapshotId: Type.Optional(
        Type.String({ format: 'uuid', description: 'or what this snapshot has. It can be deleted as soon as the backup is made.' }),
      ),
      storeId: storeInput,
      planId: planInput,
    }),
    accept: async ({ id, input, principal, reader, mint }) => {
      const plan = input.planId === undefined ? undefined : await usable(reader, backupPlan, input.planId, principal, '/planId');
      const { row: source, kept } = await sourceOf(reader, principal, input);
      const { hasSnapshots, userId, live } = await readable(context, reader, source, kept);
      const store = await storeFor(reader, input.storeId);
      const facts = {
        ...{ projectId: source.projectId as Id<'project'>, storeId: store.id, volumeId: source.id },
        ...{ volumeName: source.name, sizeBytes: (kept ?? source).sizeBytes },
      };
      const { afresh, ...chain } = await before(reader, source.id, store.id);
      const common = { ...facts, poolId: source.poolId, backupId: id, ...given({ afresh }) };
      const statements = [
        expectState(backupStore, store.id, ['available']),
        create(backup, {
          ...facts,
          ...given({ description: input.description, planId: plan?.id, encrypted: source.encrypted }),
          id,
          name: nameOr(input.name, backup, id),
        }),
      ];
      if (kept !== undefined)
        return {
          params: { ...common, taken: { snapshotId: kept.id, takenAt: kept.createdAt } },
          statements: [expectState(snapshot, kept.id, ['available']), ...statements],
          keys: [contentKey(source.id), kept.id],
        };
      if (live !== undefined)
        return {
          params: { ...common, live },
          statements: [keptIn(source), ...statements],
          keys: liveKeys(source.id, live),
        };
      if (!hasSnapshots)
        return {
          params: { ...common, ...given({ userId }) },
          statements: [keptIn(source), ...statements],
          keys: [source.id, contentKey(source.id), userId ?? source.id],
        };
      const { earlier } = chain;
      const wanted = { id: mint('snapshot'), system: true };
      return {
        params: { ...common, ...given({ earlier }), snapshot: snapshotRows.wanted(source, wanted) },
        statements: [
          ...snapshotRows.insert(source, wanted),
          ...(earlier === undefined ? [] : [expectState(backup, earlier.backupId, ['available'])]),
          ...statements,
        ],
        keys: keysOf(source.id, wanted.id, earlier),
      };
    },
    saga: createBackup,
    context: () => context,
    unwound: (params) => [
      transition(backup, params.backupId, { from: 'creating', to: 'deleted' }),
      ...snapshotsOf(params).map(snapshotRows.takeBack),
    ],
    again: beginAnew,
  });

async function beginAnew({ params: { earlier, afresh, ...params }, error, reader }: Failed<CreateBackupParams>) {
  const { live } = params;
  // What it was to go on from is damaged, or gone.
  if (live !== undefined && afresh === undefined && error.code === 'internal')
    return { params: { ...params, afresh: true as const }, statements: [], keys: liveKeys(params.volumeId, live), queue: true as const };
  if (params.snapshot === undefined) return undefined;
  const now = await before(reader, params.volumeId, params.storeId);
  if (error.code !== 'conflict' || !isOvertaken(given({ earlier }), now)) return undefined;
  const keys = keysOf(params.volumeId, params.snapshot.snapshotId, now.earlier);
  return { params: { ...params, ...now }, statements: [], keys, queue: true as const };
}

/** The machine goes on, and may be stopped and started: the volume stays with it, and as large. */
const liveKeys = (volumeId: string, live: Live): readonly string[] => [volumeId, contentKey(volumeId), asideKey(live)];

type Before = Pick<CreateBackupParams, 'earlier' | 'afresh'>;

/** Backups of a volume are made one after another, and while its content is not replaced. */
const keysOf = (volumeId: string, snapshotId: string, earlier: Before['earlier']): readonly string[] => [
  ...[contentKey(volumeId), snapshotId],
  ...(earlier === undefined ? [] : [earlier.snapshotId]),
];

/** It was accepted while another was on its way: the one before it is not the one that it was then. */
const isOvertaken = (then: Before, now: Before): boolean => then.earlier?.backupId !== now.earlier?.backupId;

async function before(reader: Reader, volumeId: Id<'volume'>, storeId: Id<'backupStore'>): Promise<Before> {
  const made = await madeOf(reader, volumeId, storeId);
  const last = made.find(({ snapshotId }) => snapshotId !== undefined);
  return {
    ...(last?.snapshotId === undefined ? {} : { earlier: { backupId: last.id, snapshotId: last.snapshotId } }),
    ...(made[0]?.condition === 'damaged' ? { afresh: true } : {}),
  };
}
