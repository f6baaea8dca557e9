import { Type } from 'typebox';
import {
  CloudError,
  changeable,
  create,
  defineAction,
  equals,
  type Id,
  type KernelServices,
  NOTHING_TO_UNDO,
  type Principal,
  type Reader,
  type RowOf,
  resourceName,
  revert,
  type Statement,
  saga,
  transition,
} from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { instance } from '../compute/contract.ts';
import { given, nameOr } from '../naming.ts';
import { patiently } from '../patient-call.ts';
import { image } from './image.ts';
import type { ImageContext } from './image-context.ts';
import { imageAvailable, refuseLargeDisk } from './image-create.ts';
import { ClusterMap, qcow2Stream } from './qcow2-stream.ts';
import { imageBytesMax } from './settings.ts';
import { snapshot } from './snapshots/snapshot.ts';
import { dropOrOwe, hasContent, snapshotRows, type WantedSnapshot } from './snapshots/snapshot-rows.ts';
import type { ContentAt, StoragePool } from './storage-pool.ts';
import { volume } from './volume.ts';
import { needContents, openedKey } from './volume-key.ts';
import { refuseOtherUser, refuseShared, refuseUsed, refuseUsers, type UsedVolumeContext, usersOf } from './volume-user.ts';

type VolumeRow = RowOf<typeof volume>;
type Traits = Pick<RowOf<typeof image>, 'guestOs' | 'firmware' | 'diskBus'>;

export interface CaptureContext
  extends UsedVolumeContext,
    Pick<ImageContext, 'imageStore' | 'settings'>,
    Pick<KernelServices, 'environment' | 'secrets'> {}

interface CaptureParams {
  readonly imageId: Id<'image'>;
  readonly poolId: Id<'pool'>;
  readonly volumeId: Id<'volume'>;
  /** What is read; without it the volume itself, which nobody uses meanwhile. */
  readonly snapshotId?: Id<'snapshot'>;
  /** The machine that has the volume, which is held with it where the volume itself is read. */
  readonly userId?: string;
  /** That snapshot is one of its own, for as long as this takes: its row is there in `creating`. */
  readonly between?: WantedSnapshot;
}

/** A disk of terabytes takes its time; a cancel ends it at once. */
const COPY_TIMEOUT_MS = 48 * 3600_000;

const betweenOf = ({ between }: CaptureParams): readonly WantedSnapshot[] => (between === undefined ? [] : [between]);

/** The content is in the store whole or not at all; what is read does not change meanwhile. */
const captureImage = saga<CaptureContext, CaptureParams>('image.capture', 1)
  .each('between', {
    items: ({ params }) => betweenOf(params),
    limit: 1,
    do: async ({ ctx, item: { snapshotId, volumeId, poolId }, call }) =>
      (await ctx.pools.open(poolId)).createSnapshot({ id: snapshotId, volumeId }, call),
    undo: (step) => dropOrOwe(step, step.item),
  })
  .effect('content', {
    timeoutMs: COPY_TIMEOUT_MS,
    do: async ({ ctx, params, call }) => {
      const { imageId, poolId, volumeId, snapshotId, userId } = params;
      const row = await ctx.reader.get(volume, volumeId);
      if (row.poolId !== poolId) throw new CloudError('conflict', `Volume ${row.name} was moved meanwhile.`);
      if (snapshotId === undefined) await refuseOtherUser(ctx.reader, row, userId);
      const isUsable = () => (snapshotId === undefined ? patiently(ctx, call, (c) => refuseUsed(ctx, row, c)) : undefined);
      await isUsable();
      const pool = await ctx.pools.open(poolId);
      const of = { volumeId, ...given({ id: snapshotId }), ...(await openedKey(ctx, row.encryptionKey)) };
      const virtualSizeBytes = await patiently(ctx, call, (c) => sizeOf(pool, of, c));
      refuseLargeDisk(ctx.settings, virtualSizeBytes);
      const bytes = contentOf(ctx, { pool, of, sizeBytes: virtualSizeBytes }, call);
      const facts = await ctx.imageStore.write(imageId, bytes, ctx.settings.global(imageBytesMax));
      // It may have been switched on meanwhile, behind our back.
      await isUsable();
      return { ...facts, virtualSizeBytes, format: 'qcow2' as const };
    },
    undo: ({ ctx, params }) => ctx.imageStore.delete(params.imageId),
  })
  .each('apart', {
    items: ({ params }) => betweenOf(params),
    limit: 1,
    do: async ({ ctx, item: { snapshotId, volumeId, poolId }, call }) =>
      (await ctx.pools.open(poolId)).deleteSnapshot({ id: snapshotId, volumeId }, call),
    undo: NOTHING_TO_UNDO,
  })
  .write('available', {
    do: ({ params, out }) => [imageAvailable(params.imageId, out.content), ...betweenOf(params).map(snapshotRows.takeBack)],
    undo: ({ params }) => [
      revert(image, params.imageId, {
        from: 'available',
        to: 'awaiting_content',
        set: { format: null, sizeBytes: null, virtualSizeBytes: null, sha256: null },
      }),
    ],
  })
  .build();

/** By the word of the pool. @throws CloudError not_found */
async function sizeOf(pool: StoragePool, { id, volumeId }: ContentAt, call: Call): Promise<number> {
  const found =
    id === undefined
      ? await pool.inspect('volume', volumeId, call)
      : (await pool.listSnapshots(volumeId, call)).find((each) => each.id === id);
  if (found === undefined) throw new CloudError('not_found', `${pool.place} has nothing of it.`);
  return found.sizeBytes;
}

interface Source {
  readonly pool: StoragePool;
  readonly of: ContentAt;
  readonly sizeBytes: number;
}

/** As qcow2, of what has data alone. */
async function* contentOf(
  ctx: Pick<KernelServices, 'environment'>,
  { pool, of, sizeBytes }: Source,
  call: Call,
): AsyncGenerator<Uint8Array, void, undefined> {
  const map = new ClusterMap(sizeBytes);
  await pool.eachChange(of, undefined, call, async (found) => {
    for await (const { offsetBytes, lengthBytes, hasData } of found) if (hasData) map.mark(offsetBytes, lengthBytes);
  });
  yield* qcow2Stream(map, async (offsetBytes, lengthBytes) => {
    const bytes = await patiently(ctx, call, (c) => pool.readContent(of, offsetBytes, lengthBytes, c));
    call.onProgress?.((offsetBytes + lengthBytes) / sizeBytes);
    return bytes;
  });
}

const { properties } = image.schema;
const uuid = (description: string) => Type.Optional(Type.String({ format: 'uuid', description }));
const SOURCES = ['instanceId', 'volumeId', 'snapshotId'] as const;
interface Asked extends Partial<Record<(typeof SOURCES)[number], string>> {
  /** What the image is to be. */
  readonly encrypted?: boolean;
}

interface Captured {
  readonly traits: Partial<Traits>;
  /** It is encrypted, which the image is not. */
  readonly isSealed: boolean;
  readonly params: Omit<CaptureParams, 'imageId'>;
  readonly statements?: readonly Statement[];
  readonly keys: readonly string[];
}

interface Asking {
  readonly reader: Reader;
  readonly principal: Principal;
  readonly mint: (kind: 'snapshot') => Id<'snapshot'>;
}

/** @throws CloudError invalid_input, not_found, conflict, in_use, unsupported */
async function sourceOf(context: CaptureContext, asked: Asked, at: Asking): Promise<Captured> {
  const { reader, principal } = at;
  const [first, second] = SOURCES.filter((field) => asked[field] !== undefined);
  if (first === undefined)
    throw new CloudError('invalid_input', 'An image is captured from an instance, a volume or a snapshot.', { pointer: '/instanceId' });
  if (second !== undefined) throw new CloudError('invalid_input', 'An image is captured from one thing.', { pointer: `/${second}` });
  if (asked.snapshotId !== undefined) return ofSnapshot(context, at, asked.snapshotId, asked);
  const pointer = `/${first}`;
  if (asked.volumeId !== undefined)
    return ofVolume(context, at, await changeable(reader, volume, asked.volumeId, principal, pointer), pointer, asked);
  const machine = await changeable(reader, instance, asked.instanceId ?? '', principal, pointer);
  const root = (await reader.list(volume, equals('instanceId', machine.id))).find(({ slot }) => slot === 0);
  if (root === undefined) throw new CloudError('conflict', `Instance ${machine.name} has no root disk yet.`, { pointer });
  return ofVolume(context, at, root, pointer, asked);
}

/** What is in it leaves its encryption only where somebody says so. @throws CloudError invalid_input, unsupported */
function refuseUnasked({ name, encrypted }: VolumeRow, asked: Asked): void {
  if (asked.encrypted === true) throw new CloudError('unsupported', 'Images are not encrypted.', { pointer: '/encrypted' });
  if (encrypted !== true || asked.encrypted === false) return;
  throw new CloudError(
    'invalid_input',
    `Volume ${name} is encrypted, and images are not: say that this one is not to be (encrypted: false), and it has in the clear what is in there.`,
    { pointer: '/encrypted' },
  );
}

async function ofSnapshot(context: CaptureContext, { reader, principal }: Asking, id: string, asked: Asked): Promise<Captured> {
  const kept = await changeable(reader, snapshot, id, principal, '/snapshotId');
  if (kept.state !== 'available')
    throw new CloudError('conflict', `Snapshot ${kept.name} is ${kept.state}.`, { pointer: '/snapshotId', params: { state: kept.state } });
  const source = await reader.get(volume, kept.volumeId);
  refuseUnasked(source, asked);
  await needContents(context, source, '/snapshotId');
  return {
    traits: await traitsOf(reader, source),
    isSealed: source.encrypted === true,
    params: { poolId: kept.poolId, volumeId: kept.volumeId, snapshotId: kept.id },
    keys: [kept.id],
  };
}

/** Where the pool keeps snapshots, by one of now, whoever uses the volume; else while nobody does. */
async function ofVolume(
  context: CaptureContext,
  { reader, mint }: Asking,
  row: VolumeRow,
  pointer: string,
  asked: Asked,
): Promise<Captured> {
  if (!hasContent(row)) throw new CloudError('conflict', `Volume ${row.name} is ${row.state}.`, { pointer, params: { state: row.state } });
  refuseUnasked(row, asked);
  await needContents(context, row, pointer);
  const pool = await context.pools.open(row.poolId);
  const from = { traits: await traitsOf(reader, row), isSealed: row.encrypted === true };
  const params = { poolId: row.poolId, volumeId: row.id };
  if (!pool.hasSnapshots) {
    const users = await usersOf(reader, row);
    refuseShared(row, users);
    refuseUsers(
      row,
      users.filter(({ state }) => state !== 'stopped'),
    );
    const [user] = users;
    return { ...from, params: { ...params, ...given({ userId: user?.id }) }, keys: user === undefined ? [row.id] : [row.id, user.id] };
  }
  const between = { id: mint('snapshot'), system: true };
  return {
    ...from,
    params: { ...params, snapshotId: between.id, between: snapshotRows.wanted(row, between) },
    statements: snapshotRows.insert(row, between),
    keys: [row.id],
  };
}

/** Of the machine whose root disk it is, or else of the image it was cloned from. */
async function traitsOf(reader: Reader, { instanceId, slot, imageId }: VolumeRow): Promise<Partial<Traits>> {
  const machine = instanceId === undefined || slot !== 0 ? undefined : await reader.find(instance, instanceId);
  const row = machine ?? (imageId === undefined ? undefined : await reader.find(image, imageId));
  return row === undefined ? {} : { guestOs: row.guestOs, firmware: row.firmware, diskBus: row.diskBus };
}

export const imageCapture = (context: CaptureContext) =>
  defineAction({
    kind: image,
    verb: 'capture',
    description:
      'Makes an image of what a volume, a snapshot or the root disk of an instance has. Of one that runs it has what a loss of power would leave.',
    target: 'collection',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      description: properties.description,
      instanceId: uuid('The instance whose root disk is captured.'),
      volumeId: uuid('The volume that is captured as it is now.'),
      snapshotId: uuid('The snapshot that is captured.'),
      guestOs: Type.Optional(properties.guestOs),
      firmware: Type.Optional(properties.firmware),
      diskBus: Type.Optional(properties.diskBus),
      encrypted: Type.Optional(
        Type.Boolean({
          description:
            'Images are not encrypted. Of a volume that is, one is made only where `false` is said: what is in there is in the clear in it.',
        }),
      ),
    }),
    accept: async ({ id, input, projectId, reader, principal, mint }) => {
      const { name, description, instanceId, volumeId, snapshotId, encrypted, ...asked } = input;
      const {
        traits,
        isSealed,
        params,
        statements = [],
        keys,
      } = await sourceOf(context, given({ instanceId, volumeId, snapshotId, encrypted }), { reader, principal, mint });
      const row: Traits = { guestOs: 'linux', firmware: 'bios', diskBus: 'virtio', ...traits, ...given(asked) };
      return {
        params: { ...params, imageId: id },
        statements: [
          create(image, { ...given({ description }), ...row, capturedFrom: params.volumeId, id, projectId, name: nameOr(name, image, id) }),
          ...statements,
        ],
        keys,
        ...(isSealed ? { notes: { decrypted: true } } : {}),
      };
    },
    saga: captureImage,
    context: () => context,
    unwound: (params) => [
      transition(image, params.imageId, { from: 'awaiting_content', to: 'deleted' }),
      ...betweenOf(params).map(snapshotRows.takeBack),
    ],
  });
