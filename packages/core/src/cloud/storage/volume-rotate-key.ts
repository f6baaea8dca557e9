import { Type } from 'typebox';
import {
  bindSaga,
  CloudError,
  change,
  defineAction,
  expectState,
  FORWARD_ONLY,
  forgetSealed,
  type Id,
  isCloudError,
  type KernelServices,
  NOTHING_TO_UNDO,
  type Reader,
  type RowOf,
  saga,
  unnote,
} from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import type { instance } from '../compute/contract.ts';
import { given } from '../naming.ts';
import { poolReachable } from './removal.ts';
import { dropSnapshot } from './snapshots/snapshot-delete.ts';
import { contentKey, refuseSnapshots, snapshotsOf } from './snapshots/snapshot-rows.ts';
import { volume } from './volume.ts';
import { newKey } from './volume-key.ts';
import { inUse, isOn, refuseOtherUser, refuseUsed, type UsedVolumeContext, usersOf } from './volume-user.ts';

type VolumeRow = RowOf<typeof volume>;

export type RotateKeyContext = UsedVolumeContext & Pick<KernelServices, 'secrets' | 'environment'>;

/** The least that is read of a volume. */
const SECTOR_BYTES = 512;

/** References to keys, which are sealed. */
interface RotateKeyParams {
  readonly volumeId: Id<'volume'>;
  readonly poolId: Id<'pool'>;
  readonly fromKey: string;
  readonly toKey: string;
  /** The machine that has the volume, which is held with it. */
  readonly userId?: string;
  /** That machine may be on: its host has the key, too. */
  readonly isLive?: boolean;
}

const ON: readonly RowOf<typeof instance>['state'][] = ['running', 'suspended'];

const target = ({ volumeId, isLive = false }: RotateKeyParams) => ({ volumeId, isLive });

/** Its host is given the key, for when it opens the volume anew. One that is out of reach is given it when it starts a machine with the volume. */
async function tell(ctx: RotateKeyContext, { volumeId, poolId, isLive }: RotateKeyParams, sealed: string, call: Call): Promise<void> {
  const [user] = isLive === true ? await usersOf(ctx.reader, await ctx.reader.get(volume, volumeId)) : [];
  if (user === undefined || !(await ctx.hosts.reachable(user.hostId))) return;
  const hypervisor = await ctx.hosts.hypervisor(user.hostId);
  if (!(await isOn(hypervisor, user.id, volumeId, call))) return;
  const secretRef = (await ctx.pools.open(poolId)).keyRefOf(volumeId);
  await hypervisor.putSecret(secretRef, await ctx.secrets.open(sealed), call, 'luks');
}

/**
 * At every instant the key that the row names opens the volume: it names the new one when that has been tried, and until no trace of the old one is left in the
 * header, that is sealed, too.
 */
export const rotateVolumeKey = saga<RotateKeyContext, RotateKeyParams>('volume.rotateKey', 1)
  .effect('ready', {
    do: async ({ ctx, params, call }) => {
      const row = await ctx.reader.get(volume, params.volumeId);
      if (row.encryptionKey !== params.fromKey || row.poolId !== params.poolId)
        throw new CloudError('conflict', `Volume ${row.name} was changed meanwhile.`);
      await refuseOtherUser(ctx.reader, row, params.userId);
      await refuseKept(ctx.reader, row);
      if (!(await poolReachable(ctx, params.poolId))) throw new CloudError('unavailable', 'The host of its pool is out of reach.');
      if (params.isLive !== true) await refuseUsed(ctx, row, call);
      const beside = (await snapshotsOf(ctx.reader, row.id)).filter(({ system, state }) => system && state === 'available');
      // From then on there is no way back: the key is tried before.
      if (beside.length > 0) {
        const key = await ctx.secrets.open(params.fromKey);
        await (await ctx.pools.open(params.poolId)).readContent({ volumeId: params.volumeId, key }, 0, SECTOR_BYTES, call);
      }
      return { systemIds: beside.map(({ id }) => id) };
    },
    undo: NOTHING_TO_UNDO,
  })
  // What is kept for a backup has the header of its time: the next backup reads all.
  .subs('beside', {
    limit: 1,
    run: ({ ctx, params: { volumeId, poolId }, out: { ready } }) =>
      ready.systemIds.map((snapshotId) => [bindSaga(dropSnapshot, ctx, { snapshotId, volumeId, poolId, system: true, force: true })]),
  })
  .effect('added', {
    do: async ({ ctx, params, call }) => {
      const [key, added] = await Promise.all([ctx.secrets.open(params.fromKey), ctx.secrets.open(params.toKey)]);
      await (await ctx.pools.open(params.poolId)).addKey(target(params), key, added, call);
    },
    undo: async ({ ctx, params, call }) => {
      const keep = async () => (await ctx.pools.open(params.poolId)).keepKey(target(params), await ctx.secrets.open(params.fromKey), call);
      // Of what is gone nothing is opened by any key.
      await keep().catch((error: unknown) => {
        if (!isCloudError(error) || error.code !== 'not_found') throw error;
      });
    },
  })
  .write('switched', {
    do: ({ params: { volumeId, fromKey, toKey } }) => [change(volume, volumeId, { encryptionKey: toKey, otherKey: fromKey })],
    undo: ({ params: { volumeId, fromKey, toKey } }) => [change(volume, volumeId, { encryptionKey: fromKey, otherKey: toKey })],
  })
  .effect('told', {
    do: ({ ctx, params, call }) => tell(ctx, params, params.toKey, call),
    undo: ({ ctx, params, call }) => tell(ctx, params, params.fromKey, call),
  })
  .effect('kept', {
    do: async ({ ctx, params, call }) =>
      (await ctx.pools.open(params.poolId)).keepKey(target(params), await ctx.secrets.open(params.toKey), call),
    undo: FORWARD_ONLY,
  })
  .write('rotated', {
    do: ({ params: { volumeId, fromKey } }) => [change(volume, volumeId, { otherKey: null }), forgetSealed(fromKey)],
    undo: FORWARD_ONLY,
  })
  .build();

/** A snapshot keeps the header of its time, which the old key opens. @throws CloudError in_use */
const refuseKept = async (reader: Reader, row: VolumeRow): Promise<void> =>
  refuseSnapshots(
    row,
    (await snapshotsOf(reader, row.id)).filter(({ system }) => !system),
    'its key would go on opening',
  );

export const volumeRotateKey = (context: RotateKeyContext) =>
  defineAction({
    kind: volume,
    verb: 'rotateKey',
    description:
      'Gives an encrypted volume another key: the one of before opens it no more. Of one without snapshots that nobody uses, or whose machine is off; where its pool can, also while that is on.',
    target: 'resource',
    input: Type.Object({}),
    from: ['available', 'attached'],
    accept: async ({ id, row, reader, seal }) => {
      const { encryptionKey: fromKey } = row;
      if (fromKey === undefined) throw new CloudError('conflict', `Volume ${row.name} is not encrypted.`);
      const pool = await context.pools.open(row.poolId);
      pool.needKeyChanges();
      const [user] = await usersOf(reader, row);
      const isLive = user !== undefined && ON.includes(user.state) && pool.changesKeysLive;
      if (user !== undefined && user.state !== 'stopped' && !isLive) throw inUse(row, [user]);
      await refuseKept(reader, row);
      const key = await newKey(context, seal, true);
      const toKey = String(key.row.encryptionKey);
      return {
        params: { volumeId: id, poolId: row.poolId, fromKey, toKey, ...given({ userId: user?.id, isLive: isLive || undefined }) },
        statements: [
          expectState(volume, id, ['available', 'attached'], { generation: row.generation }),
          ...key.statements,
          change(volume, id, { otherKey: toKey }),
        ],
        keys: [contentKey(id), ...(user === undefined ? [] : [user.id])],
      };
    },
    saga: rotateVolumeKey,
    context: () => context,
    unwound: async ({ volumeId, toKey }) => [...(await unnote(context.reader, volume, volumeId, { otherKey: null })), forgetSealed(toKey)],
  });
