import { type Args, IMAGE_FEATURES, type ImageAt, type ImageFeature, type ImageStat, type NewImageOptions, type Result } from '../calls.ts';
import type { Watcher } from '../errors.ts';
import { check, ENOENT, ERANGE, NativeFailure } from './failures.ts';
import { metadataOf } from './metadata.ts';
import {
  dateIn,
  filled,
  hasFunction,
  type Pointer,
  type Progress,
  rbd,
  sizeCell,
  tellingProgress,
  textAt,
  textIn,
  textsIn,
  withProgress,
} from './native.ts';
import { mapAnew } from './object-maps.ts';
import { nameOf, type Session } from './session.ts';
import { listSnapshots, snapshotsOf } from './snapshots.ts';

const OPTION = { features: 1, order: 2, dataPool: 10, cloneFormat: 12 } as const;
export const DEFAULT_FEATURES: readonly ImageFeature[] = ['layering', 'exclusive-lock', 'object-map', 'fast-diff', 'deep-flatten'];
export const DEFAULT_ORDER = 22;
const CLONE_FORMAT = 2;

export const bitsOf = (features: readonly ImageFeature[]): bigint => features.reduce((bits, feature) => bits | IMAGE_FEATURES[feature], 0n);

async function withOptions<T>(how: NewImageOptions, isClone: boolean, body: (options: Pointer) => Promise<T>): Promise<T> {
  const out = Buffer.alloc(8);
  rbd.rbd_image_options_create.now(out);
  const options = out.readBigUInt64LE();
  const set = (name: keyof typeof OPTION, value: bigint) =>
    check(rbd.rbd_image_options_set_uint64.now(options, OPTION[name], value), `option ${name}`);
  try {
    set('features', bitsOf(how.features ?? DEFAULT_FEATURES));
    if (how.order !== undefined || !isClone) set('order', BigInt(how.order ?? DEFAULT_ORDER));
    if (isClone) set('cloneFormat', BigInt(CLONE_FORMAT));
    if (how.dataPool !== undefined)
      check(rbd.rbd_image_options_set_string.now(options, OPTION.dataPool, how.dataPool), `data pool ${how.dataPool}`);
    return await body(options);
  } finally {
    rbd.rbd_image_options_destroy.now(options);
  }
}

/** As librbd makes it, whatever is asked for. */
export async function createByLibrbd(session: Session, args: Args<'image.create'>): Promise<void> {
  await session.within(args, (io) =>
    withOptions(args, false, async (options) => {
      check(await rbd.rbd_create4.later(io, args.image, args.sizeBytes, options), nameOf(args));
    }),
  );
}

export async function cloneImage(session: Session, args: Args<'image.clone'>): Promise<null> {
  const { parent, snapshot } = args;
  const what = `${nameOf({ ...parent, snapshot })} to ${nameOf(args)}`;
  return await session.within(parent, (from) =>
    session.within(args, (io) =>
      withOptions(args, true, async (options) => {
        if (typeof snapshot === 'bigint' && hasFunction('rbd_clone4')) {
          check(await rbd.rbd_clone4.later(from, parent.image, snapshot, io, args.image, options), what);
          return null;
        }
        const name = typeof snapshot === 'bigint' ? await snapshotName(session, parent, snapshot) : snapshot;
        check(await rbd.rbd_clone3.later(from, parent.image, name, io, args.image, options), what);
        return null;
      }),
    ),
  );
}

/** Where clones are made by name alone. */
async function snapshotName(session: Session, at: ImageAt, id: bigint): Promise<string> {
  const snapshots = await listSnapshots(session, at);
  const found = snapshots.find((snapshot) => snapshot.id === id);
  if (found === undefined) throw new NativeFailure(ENOENT, nameOf({ ...at, snapshot: id }));
  return found.name;
}

export async function statImage(session: Session, args: Args<'image.stat'>): Promise<ImageStat> {
  return await session.withImage(args, 'read', async (image) => {
    const stat = await statOf(image, nameOf(args));
    const value = args.metadataKey === undefined ? null : await metadataOf(image, args.metadataKey, nameOf(args));
    return value === null ? stat : { ...stat, metadataValue: value };
  });
}

/** `rbd_image_info_t`; of it only sizes are used. */
const INFO_BYTES = 160;
const FLAGS = ['object-map-invalid', 'fast-diff-invalid'] as const;

export async function statOf(image: Pointer, name: string): Promise<ImageStat> {
  const [info, features, flags, created, id] = [
    Buffer.alloc(INFO_BYTES),
    Buffer.alloc(8),
    Buffer.alloc(8),
    Buffer.alloc(16),
    Buffer.alloc(128),
  ];
  check(await rbd.rbd_stat.later(image, info, info.length), name);
  check(await rbd.rbd_get_features.later(image, features), name);
  check(await rbd.rbd_get_flags.later(image, flags), name);
  check(await rbd.rbd_get_create_timestamp.later(image, created), name);
  check(await rbd.rbd_get_id.later(image, id, id.length), name);
  const parent = await parentOf(image, name);
  const bits = features.readBigUInt64LE();
  return {
    id: textIn(id),
    sizeBytes: info.readBigUInt64LE(0),
    objectBytes: info.readBigUInt64LE(8),
    objects: info.readBigUInt64LE(16),
    order: info.readInt32LE(24),
    features: (Object.keys(IMAGE_FEATURES) as ImageFeature[]).filter((feature) => (bits & IMAGE_FEATURES[feature]) !== 0n),
    flags: FLAGS.filter((_, index) => (flags.readBigUInt64LE() & (1n << BigInt(index))) !== 0n),
    createdAt: dateIn(created),
    ...(parent === undefined ? {} : { parent }),
  };
}

/** `rbd_linked_image_spec_t` and `rbd_snap_spec_t`. */
const LINKED_BYTES = 48;
const SNAP_SPEC_BYTES = 24;

function linkedAt(table: Buffer, from: number) {
  return {
    pool: textAt(table.readBigUInt64LE(from + 8)),
    namespace: textAt(table.readBigUInt64LE(from + 16)),
    imageId: textAt(table.readBigUInt64LE(from + 24)),
    image: textAt(table.readBigUInt64LE(from + 32)),
    isInTrash: table[from + 40] === 1,
  };
}

async function parentOf(image: Pointer, name: string): Promise<ImageStat['parent']> {
  const [parent, snapshot, overlap] = [Buffer.alloc(LINKED_BYTES), Buffer.alloc(SNAP_SPEC_BYTES), Buffer.alloc(8)];
  const result = await rbd.rbd_get_parent.later(image, parent, snapshot);
  if (result === -ENOENT) return undefined;
  check(result, `parent of ${name}`);
  const linked = linkedAt(parent, 0);
  const from = { snapshotId: snapshot.readBigUInt64LE(0), snapshot: textAt(snapshot.readBigUInt64LE(16)) };
  rbd.rbd_linked_image_spec_cleanup.now(parent);
  rbd.rbd_snap_spec_cleanup.now(snapshot);
  check(await rbd.rbd_get_overlap.later(image, overlap), `parent of ${name}`);
  return { ...linked, ...from, overlapBytes: overlap.readBigUInt64LE() };
}

export async function listChildren(session: Session, args: Args<'image.children'>): Promise<Result<'image.children'>> {
  return await session.withImage(args, 'read', async (image) => {
    const { table, count } = await filled(LINKED_BYTES, `clones of ${nameOf(args)}`, (room, cell) =>
      rbd.rbd_list_children3.later(image, room, cell),
    );
    const children = Array.from({ length: count }, (_, index) => linkedAt(table, index * LINKED_BYTES));
    rbd.rbd_linked_image_spec_list_cleanup.now(table, count);
    return children;
  });
}

type Words = readonly (readonly [key: string, value: string])[];

/** `words` are set while it is open for that, once it has the size. */
export async function resizeImage(session: Session, args: Args<'image.resize'>, progress: Progress, words: Words = []): Promise<null> {
  return await session.withImage(args, 'write', async (image) => {
    const telling = (tell: Pointer) => rbd.rbd_resize2.later(image, args.sizeBytes, args.allowShrink, tell, null);
    // The silent form of librbd shrinks whatever was allowed; growth has no steps to tell.
    const resize = args.allowShrink
      ? withProgress(progress, telling, () => rbd.rbd_resize.later(image, args.sizeBytes))
      : tellingProgress(progress, telling);
    check(await resize, nameOf(args));
    for (const [key, value] of words) check(await rbd.rbd_metadata_set.later(image, key, value), `${key} of ${nameOf(args)}`);
    return null;
  });
}

/**
 * Without its object map. A writer notes an object there before it copies it from the parent; where it was killed in between, librbd before Ceph 19.2.1 (tracker 68998)
 * passes over that object and then drops the parent, so that it reads as zeroes for ever. To build the map anew before does not help: what it notes is kept.
 */
export async function flattenImage(session: Session, args: Args<'image.flatten'>, progress: Progress): Promise<null> {
  const name = nameOf(args);
  return await session.withImage(args, 'write', async (image) => {
    const { parent, features } = await statOf(image, name);
    // librbd refuses to flatten what is flat.
    if (parent !== undefined) {
      await changeFeatures(
        image,
        name,
        MAPS.filter((feature) => features.includes(feature)),
        false,
      );
      const telling = (tell: Pointer) => rbd.rbd_flatten_with_progress.later(image, tell, null);
      check(await withProgress(progress, telling, () => rbd.rbd_flatten.later(image)), name);
    }
    if (features.includes('exclusive-lock')) await mapAgain(image, args);
    return null;
  });
}

const MAPS: readonly ImageFeature[] = ['object-map', 'fast-diff'];

/** Also what an earlier flattening has left without one; of its snapshots, too, whose maps went with it. */
async function mapAgain(image: Pointer, args: ImageAt): Promise<void> {
  const name = nameOf(args);
  const { features } = await statOf(image, name);
  await changeFeatures(
    image,
    name,
    MAPS.filter((feature) => !features.includes(feature)),
    true,
  );
  await mapAnew(
    image,
    name,
    (await snapshotsOf(image, args)).map(({ id }) => id),
  );
}

async function changeFeatures(image: Pointer, name: string, features: readonly ImageFeature[], enabled: boolean): Promise<void> {
  if (features.length === 0) return;
  check(await rbd.rbd_update_features.later(image, bitsOf(features), enabled ? 1 : 0), `${features.join(', ')} of ${name}`);
}

export async function copyImage(session: Session, args: Args<'image.copy'>, progress: Progress): Promise<null> {
  return await session.withImage(args, 'read', (image) =>
    session.within(args.to, (io) =>
      withOptions(args, false, async (options) => {
        const telling = (tell: Pointer) => rbd.rbd_copy_with_progress3.later(image, io, args.to.image, options, tell, null);
        const result = withProgress(progress, telling, () => rbd.rbd_copy3.later(image, io, args.to.image, options));
        check(await result, `${nameOf(args)} to ${nameOf(args.to)}`);
        return null;
      }),
    ),
  );
}

export async function updateFeatures(session: Session, args: Args<'image.features'>): Promise<null> {
  return await session.withImage(args, 'write', async (image) => {
    await changeFeatures(image, nameOf(args), args.features, args.enabled);
    return null;
  });
}

const WATCHER_BYTES = 24;

export async function watchersOf(image: Pointer, name: string): Promise<readonly Watcher[]> {
  const { table, count } = await filled(WATCHER_BYTES, `watchers of ${name}`, (room, cell) =>
    rbd.rbd_watchers_list.later(image, room, cell),
  );
  const watchers = Array.from({ length: count }, (_, index) => ({
    address: textAt(table.readBigUInt64LE(index * WATCHER_BYTES)),
    clientId: table.readBigInt64LE(index * WATCHER_BYTES + 8),
    cookie: table.readBigUInt64LE(index * WATCHER_BYTES + 16),
  }));
  rbd.rbd_watchers_list_cleanup.now(table, count);
  return watchers;
}

export async function listWatchers(session: Session, args: Args<'image.watchers'>): Promise<readonly Watcher[]> {
  return await session.withImage(args, 'read', (image) => watchersOf(image, nameOf(args)));
}

export async function usageOf(session: Session, args: Args<'image.usage'>): Promise<Result<'image.usage'>> {
  return await session.withImage(args, 'read', async (image) => ({
    watchers: await watchersOf(image, nameOf(args)),
    snapshots: await snapshotsOf(image, args),
  }));
}

const LOCK_TEXT_BYTES = 4_096;

export async function listLocks(session: Session, args: Args<'image.locks'>): Promise<Result<'image.locks'>> {
  return await session.withImage(args, 'read', async (image) => {
    const exclusive = Buffer.alloc(4);
    for (let room = LOCK_TEXT_BYTES; ; room *= 2) {
      const texts = [Buffer.alloc(room), Buffer.alloc(room), Buffer.alloc(room), Buffer.alloc(room)] as const;
      const lengths = texts.map(() => sizeCell(room));
      const memory = texts.flatMap((text, index) => [text, lengths[index] ?? null]);
      const result = await rbd.rbd_list_lockers.later(image, exclusive, ...memory);
      if (result === -ERANGE) continue;
      const count = check(result, `lock of ${nameOf(args)}`);
      const [, clients, cookies, addresses] = texts.map((text, index) => textsIn(text, Number(lengths[index]?.readBigUInt64LE() ?? 0)));
      const lockers = Array.from({ length: count }, (_, index) => ({
        client: clients?.[index] ?? '',
        cookie: cookies?.[index] ?? '',
        address: addresses?.[index] ?? '',
      }));
      return { isExclusive: count > 0 && exclusive.readInt32LE() === 1, lockers };
    }
  });
}
