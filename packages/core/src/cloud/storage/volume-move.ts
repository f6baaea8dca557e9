import { Type } from 'typebox';
import {
  bindSaga,
  CloudError,
  change,
  defineAction,
  expectState,
  FORWARD_ONLY,
  type Id,
  type KernelServices,
  NOTHING_TO_UNDO,
  type Owed,
  type Reader,
  type RowOf,
  saga,
  timestamp,
  unnote,
} from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { instance } from '../compute/contract.ts';
import { given } from '../naming.ts';
import { patiently } from '../patient-call.ts';
import { poolCapacity } from '../placement/contract.ts';
import { refuseUnknownPlace } from './asked-place.ts';
import { protectionIn } from './class-encryption.ts';
import { pool } from './pool.ts';
import { choosePool, hostPlace, reaches } from './pool-choice.ts';
import { leaveSeed, poolReachable, removeOrOwe } from './removal.ts';
import { dropSnapshot } from './snapshots/snapshot-delete.ts';
import { contentKey, refuseSnapshots, type SnapshotRow, snapshotsOf } from './snapshots/snapshot-rows.ts';
import { volume } from './volume.ts';
import { pastPoolsWith } from './volume-availability.ts';
import { contentsDiffer, copyContent } from './volume-copy.ts';
import { needContents, openedKey, refuseUnencrypted } from './volume-key.ts';
import { copyLive, endCopy, goOn, holdStill, type LiveContext, type LiveUser, leavePlace, liveUser, pivot, settle } from './volume-live.ts';
import { barredFrom, leftLately, refuseUnsettled } from './volume-return.ts';
import { sharedNotIn } from './volume-share.ts';
import { inUse, refuseOtherUser, refuseShared, refuseUsed, usersOf } from './volume-user.ts';

type VolumeRow = RowOf<typeof volume>;

export type MoveContext = LiveContext & Pick<KernelServices, 'settings'>;

interface MoveVolumeParams {
  readonly volumeId: Id<'volume'>;
  readonly fromPoolId: Id<'pool'>;
  readonly toPoolId: Id<'pool'>;
  readonly sizeBytes: number;
  readonly verify: boolean;
  /** Of what is copied while the machine is on. */
  readonly bytesPerSecond?: number;
  /** The machine that has the volume, which is held with it. */
  readonly userId?: string;
}

/** A volume of terabytes takes its time; a cancel ends it at once. */
const COPY_TIMEOUT_MS = 48 * 3600_000;
/** A host's libvirtd that is started anew is no reason to begin from the beginning. */
const COPY_RETRY = { attempts: 12, backoffMs: 500 };
/** While this lasts the guest stands still: it is given up early rather than tried again. */
const STILL_TIMEOUT_MS = 30_000;
const ONCE = { attempts: 1, backoffMs: 0 };

/**
 * The copy has the volume's own name in its pool, so no two of them may be there that could be taken for each other: `leftPoolId` tells where something may lie
 * that is not the volume, and until that is gone, for certain, the volume moves nowhere; `leftPools` where a removal may be late, so that it does not return there for a while. Its source is there, whole and unused, until the copy is complete.
 *
 * Under a machine that is on its host copies, while the guest goes on. It stands still while the disk changes its place, and goes on only when the row says where that is: so the row is right whatever
 * dies in between: docs/decisions/0028-moves-under-a-running-guest.md.
 */
export const moveVolume = saga<MoveContext, MoveVolumeParams>('volume.move', 1)
  .effect('ready', {
    do: async ({ ctx, params, call }) => {
      const row = await ctx.reader.get(volume, params.volumeId);
      if (row.poolId !== params.fromPoolId || row.sizeBytes !== params.sizeBytes)
        throw new CloudError('conflict', `Volume ${row.name} was changed meanwhile.`, { params: { sizeBytes: row.sizeBytes } });
      await refuseOtherUser(ctx.reader, row, params.userId);
      // What went before may have taken its machine to another host.
      const [at] = await usersOf(ctx.reader, row);
      if (at !== undefined) await refuseUnreached(ctx.reader, params.toPoolId, at);
      await refuseIsoBeside(ctx.reader, row);
      const beside = await snapshotsOf(ctx.reader, row.id);
      // One in `creating` is of an operation behind this.
      refuseStaying(
        row,
        beside.filter(({ state }) => state !== 'creating'),
      );
      for (const id of [params.fromPoolId, params.toPoolId])
        if (!(await poolReachable(ctx, id)))
          throw new CloudError('unavailable', `The host of pool ${(await ctx.reader.get(pool, id)).name} is out of reach.`);
      if ((await sizeIn(ctx, params.fromPoolId, params, call)) !== params.sizeBytes) throw ofAnotherSize(params);
      const user = await liveUser(ctx, row.id, call);
      if (user === undefined) await needCopy(ctx, row, params.toPoolId);
      else await refuseUncopied(ctx, user, params);
      return {
        ...given({ user }),
        systemIds: beside.filter(({ state }) => state === 'available').map(({ id }) => id),
      };
    },
    undo: NOTHING_TO_UNDO,
  })
  .write('begun', {
    do: ({ params }) => [change(volume, params.volumeId, { leftPoolId: params.toPoolId })],
    undo: NOTHING_TO_UNDO,
  })
  .effect('disk', {
    do: async ({ ctx, params: { volumeId, toPoolId, sizeBytes }, out: { ready }, call }) => {
      const { shareable } = await ctx.reader.get(volume, volumeId);
      const how = given({
        toFill: ready.user || shareable ? undefined : (true as const),
        shareable: shareable ? (true as const) : undefined,
      });
      const request = { id: volumeId, sizeBytes, ...how, ...(await keyOf(ctx, volumeId)) };
      await (await ctx.pools.open(toPoolId)).createVolume(request, call);
    },
    undo: (step) => removeOrOwe(step, 'volume.delete', step.params.toPoolId, step.params.volumeId),
  })
  .effect('content', {
    timeoutMs: COPY_TIMEOUT_MS,
    retry: COPY_RETRY,
    do: async ({ ctx, params, out: { ready }, call }) => {
      if (ready.user === undefined) return { writtenBytes: await copyContent(ctx, await copyOf(ctx, params), call) };
      await copyLive(ctx, params, ready.user, call);
      return { writtenBytes: params.sizeBytes };
    },
    undo: async ({ ctx, params, out: { ready }, call }) => {
      if (ready.user !== undefined) await endCopy(ctx, params, ready.user, call);
    },
  })
  .effect('verified', {
    timeoutMs: COPY_TIMEOUT_MS,
    do: async ({ ctx, params, out: { ready }, call }) => {
      // Some pools round up.
      if ((await sizeIn(ctx, params.toPoolId, params, call)) < params.sizeBytes) throw ofAnotherSize(params);
      if (ready.user !== undefined) return;
      if (params.verify && (await contentsDiffer(ctx, await copyOf(ctx, params), call)))
        throw new CloudError('internal', 'What was copied is not what the volume has.');
      // Somebody may have switched it on meanwhile, behind our back.
      const row = await ctx.reader.get(volume, params.volumeId);
      await patiently(ctx, call, (c) => refuseUsed(ctx, row, c));
    },
    undo: NOTHING_TO_UNDO,
  })
  .effect('still', {
    timeoutMs: STILL_TIMEOUT_MS,
    retry: ONCE,
    do: async ({ ctx, params, out: { ready }, call }) => {
      if (ready.user !== undefined) await holdStill(ctx, params, ready.user, call);
    },
    undo: async ({ ctx, out: { ready }, call }) => {
      if (ready.user !== undefined) await goOn(ctx, ready.user, call);
    },
  })
  .effect('switch', {
    do: async ({ ctx, params, out: { ready }, call }) => {
      if (ready.user !== undefined) await pivot(ctx, params, ready.user, call);
      return { at: timestamp(ctx.environment.clock) };
    },
    undo: FORWARD_ONLY,
  })
  .write('moved', {
    do: ({ params: { volumeId, fromPoolId, toPoolId } }) => [
      change(volume, volumeId, {
        poolId: toPoolId,
        movingToPoolId: null,
        leftPoolId: fromPoolId,
        imageId: null,
        snapshotId: null,
        currentSnapshotId: null,
      }),
    ],
    undo: FORWARD_ONLY,
  })
  .effect('on', {
    do: async ({ ctx, params, out: { ready }, call }) => {
      if (ready.user === undefined) return;
      await goOn(ctx, ready.user, call);
      await settle(ctx, params, ready.user, call);
    },
    undo: FORWARD_ONLY,
  })
  // The next backup reads all of it.
  .subs('beside', {
    limit: 1,
    run: ({ ctx, params: { volumeId, fromPoolId }, out: { ready } }) =>
      ready.systemIds.map((snapshotId) => [
        bindSaga(dropSnapshot, ctx, { snapshotId, volumeId, poolId: fromPoolId, system: true, force: true }),
      ]),
  })
  .effect('source', {
    do: async (step) => {
      const { ctx, call, params } = step;
      const { volumeId, fromPoolId: poolId } = params;
      const row = await ctx.reader.get(volume, volumeId);
      const [user] = await usersOf(ctx.reader, row);
      if (user !== undefined && (await ctx.hosts.reachable(user.hostId)) && (await poolReachable(ctx, poolId)))
        await leavePlace(ctx, { volumeId, poolId, staysIn: params.toPoolId }, user.hostId, call);
      const owed: Owed[] = [];
      await removeOrOwe({ ctx, call, owe: (what) => owed.push(what) }, 'volume.delete', poolId, volumeId);
      owed.forEach(step.owe);
      await leaveSeed(step, row, poolId);
      return { isOwed: owed.length > 0 };
    },
    undo: FORWARD_ONLY,
  })
  .effect('past', {
    do: async ({ ctx, params: { volumeId, fromPoolId }, out }) => {
      const row = await ctx.reader.get(volume, volumeId);
      const left = { poolId: fromPoolId, until: out.switch?.at ?? timestamp(ctx.environment.clock) };
      return { leftPools: leftLately(ctx, row, fromPoolId), pastPools: pastPoolsWith(row, left, ctx.environment.clock.nowMs()) };
    },
    undo: NOTHING_TO_UNDO,
    needed: true,
  })
  .write('left', {
    // Of what is owed or was passed over, the look that does not find it tells that it is gone.
    do: ({ params: { volumeId, fromPoolId, sizeBytes }, out: { source, past } }) => [
      change(volume, volumeId, { ...(source?.isOwed === false ? { leftPoolId: null } : {}), ...past }),
      poolCapacity(fromPoolId, sizeBytes, -1),
    ],
    undo: FORWARD_ONLY,
  })
  .build();

/** What opens it in both places; nothing where it is not encrypted. */
const keyOf = async (ctx: MoveContext, volumeId: Id<'volume'>) => openedKey(ctx, (await ctx.reader.get(volume, volumeId)).encryptionKey);

const copyOf = async (ctx: MoveContext, { volumeId, fromPoolId, toPoolId, sizeBytes }: MoveVolumeParams) => ({
  from: await ctx.pools.open(fromPoolId),
  of: { volumeId, ...(await keyOf(ctx, volumeId)) },
  to: await ctx.pools.open(toPoolId),
  volumeId,
  sizeBytes,
});

/** @throws CloudError not_found */
async function sizeIn(ctx: MoveContext, poolId: Id<'pool'>, { volumeId }: MoveVolumeParams, call: Call): Promise<number> {
  const opened = await ctx.pools.open(poolId);
  // Not for as long as a copy may take: an answer that is lost is asked for again.
  const stored = await patiently(ctx, call, (c) => opened.inspect('volume', volumeId, c));
  if (stored === undefined) throw new CloudError('not_found', `${opened.place} has nothing of the volume.`);
  return stored.sizeBytes;
}

const ofAnotherSize = ({ sizeBytes }: MoveVolumeParams): CloudError =>
  new CloudError('conflict', 'The volume has another size in its pool than its row says.', { params: { sizeBytes } });

/** What the cloud keeps beside it for purposes of its own goes with the source. @throws CloudError in_use */
const refuseStaying = (row: VolumeRow, rows: readonly SnapshotRow[]): void =>
  refuseSnapshots(
    row,
    rows.filter(({ system }) => !system),
    'stay where they are',
  );

/** The ISO in the drive of a machine is read from the pool of its root disk. @throws CloudError conflict */
async function refuseIsoBeside(reader: Reader, { name, slot, instanceId }: VolumeRow): Promise<void> {
  const user = slot !== 0 || instanceId === undefined ? undefined : await reader.find(instance, instanceId);
  if (user?.isoImageId === undefined) return;
  throw new CloudError('conflict', `An ISO is in the drive of instance ${user.name}, beside its root disk ${name}: detach it first.`, {
    params: { instanceId: user.id, isoImageId: user.isoImageId },
  });
}

/** What is in both pools can be read and written. @throws CloudError unsupported */
async function needCopy(ctx: MoveContext, row: VolumeRow, toPoolId: Id<'pool'>): Promise<void> {
  await needContents(ctx, row, '');
  (await ctx.pools.open(toPoolId)).needContents(row.encrypted);
}

/** By what the host of the machine can do, and what cannot be done while a guest writes. @throws CloudError unsupported */
async function refuseUncopied(
  { hosts }: Pick<MoveContext, 'hosts'>,
  { hostId }: LiveUser,
  { verify }: { readonly verify: boolean },
): Promise<void> {
  (await hosts.hypervisor(hostId)).need('diskCopy');
  if (verify)
    throw new CloudError('unsupported', 'What a running machine writes to is not compared; stop it first.', { pointer: '/verify' });
}

interface Wanted {
  readonly poolId?: string;
  readonly storageClass?: string;
}

/** @throws CloudError invalid_input unless one of them is given */
function refuseUnclear({ poolId, storageClass }: Wanted): void {
  if (poolId === undefined && storageClass === undefined)
    throw new CloudError('invalid_input', 'A move needs a pool or a storage class.', { pointer: '/poolId' });
  if (poolId !== undefined && storageClass !== undefined)
    throw new CloudError('invalid_input', 'A move is to a pool or to a storage class.', { pointer: '/storageClass' });
}

/** @throws CloudError conflict */
async function refuseUnreached(reader: Reader, poolId: string, user: { readonly name: string; readonly hostId: string }): Promise<void> {
  const row = await reader.get(pool, poolId, '/poolId');
  if (reaches(row, await hostPlace(reader, user.hostId))) return;
  throw new CloudError('conflict', `The host of instance ${user.name} does not reach pool ${row.name}.`, {
    pointer: '/poolId',
    params: { poolId, hostId: user.hostId },
  });
}

interface WantedPlace extends Wanted {
  readonly hostId?: string;
  readonly attempt: number;
  readonly isLive: boolean;
}

/** Where it goes, and stays as it is: encrypted or not. @throws CloudError conflict, no_capacity, not_found, unsupported */
async function placeFor(ctx: MoveContext, reader: Reader, row: VolumeRow, { isLive, ...wanted }: WantedPlace) {
  const encrypted = row.encrypted === true;
  const asked = wanted.poolId === undefined ? '/storageClass' : '/poolId';
  await refuseUnsettled(ctx, row);
  const notShared = sharedNotIn(ctx, asked);
  const notIn = async (poolId: Id<'pool'>) =>
    (row.shareable === true ? await notShared(poolId) : undefined) ?? (await barredFrom(ctx, row, poolId, asked));
  const place = await choosePool(reader, { ...wanted, encrypted, encryptedBy: asked, sizeBytes: row.sizeBytes, notIn });
  const { guards } = await protectionIn(reader, place, encrypted, asked);
  if (encrypted) await refuseUnencrypted(ctx, place.id, asked);
  if (!isLive) await needCopy(ctx, row, place.id);
  return { toPoolId: place.id, guards };
}

export const volumeMove = (context: MoveContext) =>
  defineAction({
    kind: volume,
    verb: 'move',
    description:
      'Moves a volume to another pool: by copy, after which it is the volume. Its machine may be on; the guest goes on but for a moment. A clone is independent then.',
    target: 'resource',
    input: Type.Object({
      poolId: Type.Optional(Type.String({ format: 'uuid', description: 'Where to.' })),
      storageClass: Type.Optional(
        Type.String({ minLength: 1, maxLength: 63, description: 'In place of a pool: to the emptiest of this class that fits.' }),
      ),
      verify: Type.Optional(
        Type.Boolean({
          description: 'Reads both again, and compares, before the source is removed; not of a machine that is on. Default: false.',
        }),
      ),
      bytesPerSecond: Type.Optional(
        Type.Integer({
          minimum: 2 ** 20,
          maximum: Number.MAX_SAFE_INTEGER,
          description: 'As much is copied at most while its machine is on. Default: as fast as it goes.',
        }),
      ),
    }),
    from: ['available', 'attached'],
    accept: async ({ id, row, input, principal, reader, attempt }) => {
      refuseUnclear(input);
      await refuseUnknownPlace(reader, principal, input);
      const params = { volumeId: id, fromPoolId: row.poolId, sizeBytes: row.sizeBytes, verify: input.verify === true };
      const { bytesPerSecond } = input;
      const isThere = input.poolId === row.poolId || (await reader.get(pool, row.poolId)).storageClass === input.storageClass;
      if (isThere) return { params: { ...params, toPoolId: row.poolId }, statements: [], satisfied: true };
      const users = await usersOf(reader, row);
      refuseShared(row, users);
      const [user] = users;
      const isLive = user?.state === 'running' || user?.state === 'suspended';
      if (user !== undefined && isLive) await refuseUncopied(context, user, params);
      else if (user !== undefined && user.state !== 'stopped') throw inUse(row, [user]);
      else if (bytesPerSecond !== undefined)
        throw new CloudError('invalid_input', 'Only what is copied under a running machine is held back.', { pointer: '/bytesPerSecond' });
      await refuseIsoBeside(reader, row);
      if (user !== undefined && input.poolId !== undefined) await refuseUnreached(reader, input.poolId, user);
      refuseStaying(row, await snapshotsOf(reader, id));
      const { toPoolId, guards } = await placeFor(context, reader, row, {
        ...given({ poolId: input.poolId, storageClass: input.storageClass, hostId: user?.hostId }),
        attempt,
        isLive,
      });
      return {
        params: { ...params, toPoolId, ...given({ userId: user?.id, bytesPerSecond }) },
        statements: [
          expectState(volume, id, ['available', 'attached'], { poolId: row.poolId, sizeBytes: row.sizeBytes, generation: row.generation }),
          ...guards,
          poolCapacity(toPoolId, row.sizeBytes, 1),
          change(volume, id, { movingToPoolId: toPoolId }),
        ],
        // Backups read beside all else; not while what they read goes.
        keys: [contentKey(id), ...(user === undefined ? [] : [user.id])],
        notes: { toPoolId },
      };
    },
    saga: moveVolume,
    context: () => context,
    unwound: async ({ volumeId, toPoolId, sizeBytes }) => [
      ...(await unnote(context.reader, volume, volumeId, { movingToPoolId: null })),
      poolCapacity(toPoolId, sizeBytes, -1),
    ],
    // Once the row says that it is there, a deletion gives back what it has there; what it left is given back with the last step.
    abandoned: ({ fromPoolId, toPoolId, sizeBytes }, isDone) => {
      if (!isDone('moved')) return [poolCapacity(toPoolId, sizeBytes, -1)];
      return isDone('left') ? [] : [poolCapacity(fromPoolId, sizeBytes, -1)];
    },
  });
