import { Type } from 'typebox';
import {
  bytesText,
  type Clock,
  CloudError,
  defineAction,
  type Id,
  type KernelServices,
  NOTHING_TO_UNDO,
  type Owed,
  resourceName,
  revert,
  saga,
  transition,
} from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { given, nameOr } from '../naming.ts';
import { refuseUnknownPlace } from './asked-place.ts';
import { protectionIn } from './class-encryption.ts';
import { image } from './image.ts';
import { choosePool } from './pool-choice.ts';
import { removeOrOwe, type StorageContext } from './removal.ts';
import { dropOrOwe, snapshotRows, type WantedSnapshot } from './snapshots/snapshot-rows.ts';
import { diskBytes, volume } from './volume.ts';
import { newKey, openedKey, refuseUnencrypted, sameKey } from './volume-key.ts';
import { volumeRows } from './volume-rows.ts';
import { sharedNotIn } from './volume-share.ts';
import { imageFacts, sourceFor, type VolumeSource } from './volume-source.ts';

export type VolumeContext = StorageContext & Pick<KernelServices, 'secrets' | 'environment'>;

export interface CreateVolumeParams {
  readonly volumeId: Id<'volume'>;
  readonly poolId: Id<'pool'>;
  readonly sizeBytes: number;
  readonly imageId?: Id<'image'>;
  /** In the same pool. */
  readonly snapshot?: { readonly id: Id<'snapshot'>; readonly volumeId: Id<'volume'> };
  /** Reference to its key, which is sealed: of one that is encrypted. */
  readonly encryptionKey?: string;
  readonly shareable?: true;
  /** That snapshot is one of its own, for as long as the copy of a volume takes: its row is there in `creating`. */
  readonly between?: WantedSnapshot;
}

/** Filling a pool's copy of an image moves gigabytes. */
const COPY_TIMEOUT_MS = 3600_000;
/** What is made in an instant. */
const DISK_TIMEOUT_MS = 60_000;
/** A clone may have to be made a whole copy. */
const FLATTEN_TIMEOUT_MS = 3600_000;

interface DiskStep {
  readonly ctx: VolumeContext;
  readonly params: CreateVolumeParams;
  readonly call: Call;
  readonly owe: (debt: Owed) => void;
}

const betweenOf = ({ between }: CreateVolumeParams): readonly WantedSnapshot[] => (between === undefined ? [] : [between]);

/** What is cloned from an image needs the pool's copy of it. */
const imageCopy = {
  light: true,
  timeoutMs: COPY_TIMEOUT_MS,
  do: async ({ ctx, params, call }: DiskStep) => {
    // What is cloned from a snapshot has the image's content from there.
    if (params.imageId === undefined || params.snapshot !== undefined) return;
    const facts = imageFacts(await ctx.reader.get(image, params.imageId));
    await (await ctx.pools.open(params.poolId)).ensureImage(facts, call);
  },
  // The copy is a cache: the next volume finds it, the image's deletion removes it.
  undo: NOTHING_TO_UNDO,
} as const;

const disk = {
  timeoutMs: COPY_TIMEOUT_MS,
  do: async ({ ctx, params: { volumeId, poolId, sizeBytes, imageId, snapshot, encryptionKey, shareable }, call }: DiskStep) => {
    const pool = await ctx.pools.open(poolId);
    const source = snapshot === undefined ? given({ imageId }) : { snapshot };
    // Some pools write all of a volume, or copy an image that is to be encrypted. What takes no time is not waited for as long when its answer is lost.
    const isCopy = pool.fillsVolumes || (encryptionKey !== undefined && imageId !== undefined && snapshot === undefined);
    const bounds = isCopy ? call : { ...call, timeoutMs: Math.min(call.timeoutMs, DISK_TIMEOUT_MS) };
    await pool.createVolume(
      { id: volumeId, sizeBytes, ...source, ...given({ shareable }), ...(await openedKey(ctx, encryptionKey)) },
      bounds,
    );
  },
  undo: (step: DiskStep) => removeOrOwe(step, 'volume.delete', step.params.poolId, step.params.volumeId),
} as const;

/**
 * The disk of a volume inside the creation of a machine, whose last write says that it is there: until then the row stays in `creating`, as those of NICs do.
 * Its entries wait for that of the machine's definition: made again, a disk is as it was.
 */
export const makeDisk = saga<VolumeContext, CreateVolumeParams>('volume.make', 1)
  .effect('image', imageCopy)
  .effect('disk', { ...disk, light: true })
  .build();

/** The disk of a volume whose row is there in `creating`. */
export const createVolume = saga<VolumeContext, CreateVolumeParams>('volume.create', 1)
  .effect('image', imageCopy)
  .each('between', {
    items: ({ params }) => betweenOf(params),
    limit: 1,
    do: async ({ ctx, item: { snapshotId, volumeId, poolId }, call }) =>
      (await ctx.pools.open(poolId)).createSnapshot({ id: snapshotId, volumeId }, call),
    undo: (step) => dropOrOwe(step, step.item),
  })
  .effect('disk', disk)
  // At once where the backend lets it go while there is a clone; else the clone is made independent first.
  .each('apart', {
    items: ({ params }) => betweenOf(params),
    limit: 1,
    timeoutMs: FLATTEN_TIMEOUT_MS,
    do: async ({ ctx, params, item: { snapshotId, volumeId, poolId }, call }) =>
      (await ctx.pools.open(poolId)).deleteSnapshotOf({ id: snapshotId, volumeId }, [params.volumeId], call),
    undo: NOTHING_TO_UNDO,
  })
  .write('available', {
    do: ({ params }) => [
      transition(volume, params.volumeId, { from: 'creating', to: 'available' }),
      ...betweenOf(params).map(snapshotRows.takeBack),
    ],
    undo: ({ params }) => [revert(volume, params.volumeId, { from: 'available', to: 'creating' })],
  })
  .build();

const { properties } = volume.schema;
const uuid = (description: string) => Type.Optional(Type.String({ format: 'uuid', description }));

export const volumeCreateInput = Type.Object({
  name: Type.Optional(resourceName()),
  description: properties.description,
  sizeBytes: Type.Optional(diskBytes(' Default: the size of what it is made from.')),
  imageId: uuid('The image that it is cloned from.'),
  snapshotId: uuid('The snapshot that it is cloned from, in the pool of that.'),
  volumeId: uuid('The volume whose content of now it gets, in the pool of that.'),
  poolId: uuid('The pool to make it in.'),
  storageClass: Type.Optional(Type.String({ minLength: 1, maxLength: 63 })),
  hostId: uuid('A host that must reach it.'),
  encrypted: Type.Optional(
    Type.Boolean({
      description:
        'Whether its content is encrypted. Default: as the class of its pool demands, else false; what is cloned from a snapshot or a volume is as that.',
    }),
  ),
  shareable: Type.Optional(
    Type.Boolean({
      description:
        'Whether several machines may have it at once, as cluster file systems want; what they write at once is for them to agree on. It is made empty and not encrypted, in a pool that offers that. Default: false.',
    }),
  ),
});

export const volumeCreate = (context: VolumeContext, clock: Clock) =>
  defineAction({
    kind: volume,
    verb: 'create',
    description:
      'Makes a volume: empty or cloned from an image, in the pool given or in the emptiest that fits; or cloned from a snapshot or a volume, beside that.',
    target: 'collection',
    input: volumeCreateInput,
    accept: async ({ id, input, projectId, principal, reader, attempt, mint, seal }) => {
      await refuseUnknownPlace(reader, principal, input);
      const source = await sourceFor({ ...context, clock }, reader, principal, input, mint);
      const sizeBytes = sizeFor(input.sizeBytes, source);
      const where = given({ poolId: source?.poolId ?? input.poolId, storageClass: input.storageClass, hostId: input.hostId });
      const shareable = input.shareable === true ? (true as const) : undefined;
      const { encrypted, by } = shareable ? plainFor(input, source) : encryptedFor(input.encrypted, source);
      const notIn = shareable && sharedNotIn(context);
      const place = await choosePool(reader, { ...where, ...given({ encrypted, notIn }), encryptedBy: by, sizeBytes, attempt });
      const { id: poolId } = place;
      const { isEncrypted, byClass, guards } = await protectionIn(reader, place, encrypted, by);
      const { statements = [], keys = [], row = {}, params = {}, notes } = source ?? {};
      const key = source?.content === undefined ? await newKey(context, seal, isEncrypted) : await sameKey(context, seal, source.content);
      if (isEncrypted) await refuseUnencrypted(context, poolId, by);
      return {
        params: { volumeId: id, poolId, sizeBytes, ...params, ...given({ encryptionKey: key.row.encryptionKey, shareable }) },
        statements: [
          ...volumeRows.reserve({
            ...row,
            ...key.row,
            ...given({ description: input.description, shareable }),
            id,
            projectId,
            poolId,
            sizeBytes,
            name: nameOr(input.name, volume, id),
            deleteWithInstance: false,
          }),
          ...guards,
          ...statements,
          ...key.statements,
        ],
        keys,
        ...(byClass === undefined ? given({ notes }) : { notes: { ...notes, encryptedByClass: byClass } }),
      };
    },
    saga: createVolume,
    context: () => context,
    unwound: (params) => [...volumeRows.takeBack({ ...params, id: params.volumeId }), ...betweenOf(params).map(snapshotRows.takeBack)],
  });

/**
 * Whether it is to be encrypted, and the field that says so: a clone of ciphertext is ciphertext of the same key.
 * @throws CloudError invalid_input when it is asked to be otherwise than its source
 */
function encryptedFor(
  asked: boolean | undefined,
  source: VolumeSource | undefined,
): { readonly encrypted: boolean | undefined; readonly by: string } {
  if (source?.content === undefined) return { encrypted: asked, by: '/encrypted' };
  const encrypted = source.content.encryptionKey !== undefined;
  if (asked !== undefined && asked !== encrypted)
    throw new CloudError('invalid_input', `A clone of a ${source.what} is encrypted if and only if that is.`, { pointer: '/encrypted' });
  return { encrypted, by: `/${source.what}Id` };
}

/** One of several machines is empty at first, and not encrypted. @throws CloudError invalid_input */
function plainFor({ encrypted }: { readonly encrypted?: boolean }, source: VolumeSource | undefined) {
  const refuse = (why: string) => new CloudError('invalid_input', `A volume of several machines ${why}.`, { pointer: '/shareable' });
  if (source !== undefined) throw refuse('is made empty');
  if (encrypted === true) throw refuse('is not encrypted');
  return { encrypted: false, by: '/shareable' };
}

/** @throws CloudError invalid_input when it does not fit, or no size is known */
function sizeFor(asked: number | undefined, source: VolumeSource | undefined): number {
  const sizeBytes = asked ?? source?.sizeBytes;
  if (sizeBytes === undefined) throw new CloudError('invalid_input', 'An empty volume needs a size.', { pointer: '/sizeBytes' });
  if (source !== undefined && sizeBytes < source.sizeBytes)
    throw new CloudError('invalid_input', `The ${source.what} needs ${bytesText(source.sizeBytes)}.`, {
      pointer: '/sizeBytes',
      params: { minimumBytes: source.sizeBytes },
    });
  return sizeBytes;
}
