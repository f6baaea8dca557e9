import { type Args, IMAGE_FEATURES, type ImageAt, type ImageSize } from '../calls.ts';
import { changeObject, encoded, removeIf } from './classes.ts';
import { readSize } from './directory.ts';
import { check, EBUSY, EEXIST, EINVAL, ENOENT, ENOTEMPTY, EOPNOTSUPP, NativeFailure, unlessGone } from './failures.ts';
import { bitsOf, cloneImage, resizeImage, watchersOf } from './images.ts';
import { type Pointer, rados, rbd, textIn } from './native.ts';
import { readKeys } from './omap.ts';
import { nameOf, type Session } from './session.ts';
import { snapshotsOf } from './snapshots.ts';

/*
 * What librbd does to an image that it has open for writing costs the cluster some twenty calls beside the change itself: to open it, to be heard of, to have its
 * lock, and to leave all of that. What nobody has open is changed here where librbd keeps it, in the order in which librbd does it.
 */

/** With others, as a journal, there is more to change than what is changed here. */
const PLAIN = bitsOf(['layering', 'exclusive-lock', 'object-map', 'fast-diff', 'deep-flatten', 'data-pool', 'operations']);
const isPlain = (features: bigint): boolean => (features & ~PLAIN) === 0n;

const ID_BYTES = 256;

/** By its name. @throws NativeFailure ENOENT */
async function readId(session: Session, { pool, namespace, image }: ImageAt): Promise<string> {
  return await session.within({ pool, namespace }, async (io) => {
    const bytes = Buffer.alloc(ID_BYTES);
    const length = check(await rados.rados_read.later(io, `rbd_id.${image}`, bytes, bytes.length, 0), nameOf({ pool, namespace, image }));
    return bytes.toString('utf8', 4, Math.min(length, 4 + bytes.readUInt32LE()));
  });
}

export async function sizeOf(session: Session, args: Args<'image.size'>): Promise<ImageSize> {
  const size = await readSize(session, args, await readId(session, args), args.metadataKey);
  if (size === undefined) throw new NativeFailure(ENOENT, nameOf(args));
  return size;
}

/** A clone that is to be larger, or to have words, gets these at once after the rest: who finds the words finds all of it. */
export async function cloneGrown(session: Session, args: Args<'image.clone'>): Promise<null> {
  await cloneImage(session, args);
  if (args.sizeBytes !== undefined || args.metadata !== undefined) await growClone(session, args);
  return null;
}

async function growClone(session: Session, { sizeBytes, metadata = [], pool, namespace, image }: Args<'image.clone'>): Promise<void> {
  const at: ImageAt = { pool, namespace, image };
  const id = await readId(session, at);
  const header = { pool, namespace, object: `rbd_header.${id}` };
  const found = await readKeys(session, header, ['size', 'order', 'features']);
  const [size, features, order] = [found.get('size')?.readBigUInt64LE(), found.get('features')?.readBigUInt64LE(), found.get('order')?.[0]];
  if (size === undefined || features === undefined || order === undefined) throw new NativeFailure(ENOENT, nameOf(at));
  const wanted = sizeBytes ?? size;
  if (wanted < size) {
    check(await session.within(at, (io) => rbd.rbd_remove.later(io, at.image)), nameOf(at));
    throw new NativeFailure(EINVAL, `${nameOf(at)}: ${wanted} bytes are fewer than the ${size} of what it is cloned from`);
  }
  if (!isPlain(features)) {
    await resizeImage(session, { ...at, sizeBytes: wanted, allowShrink: false }, undefined, metadata);
    return;
  }
  const objectBytes = 1n << BigInt(order);
  if (wanted > size && (features & IMAGE_FEATURES['object-map']) !== 0n) {
    const objects = (wanted + objectBytes - 1n) / objectBytes;
    const input = Buffer.concat([encoded.u64(objects), encoded.u8(0)]);
    await changeObject(session, { pool, namespace, object: `rbd_object_map.${id}` }, [{ method: 'object_map_resize', input }]);
  }
  const words = metadata.flatMap(([key, value]) => [encoded.text(key), encoded.text(value)]);
  await changeObject(session, header, [
    ...(wanted > size ? [{ method: 'set_size', input: encoded.u64(wanted) }] : []),
    ...(words.length > 0 ? [{ method: 'metadata_set', input: Buffer.concat([encoded.u32(metadata.length), ...words]) }] : []),
  ]);
}

/** Into the trash under another name, and out of the directory. Done again it goes on where it was cut short. */
export async function putAway(session: Session, args: Args<'trash.putAway'>): Promise<null> {
  return await session.withImage(args, 'read', async (image) => {
    const name = nameOf(args);
    const watchers = await watchersOf(image, name);
    if (watchers.length > 0) throw new NativeFailure(EBUSY, name, watchers);
    if ((await snapshotsOf(image, args)).length > 0) throw new NativeFailure(ENOTEMPTY, name);
    const [id, features] = await facts(image, name);
    if (!isPlain(features)) throw new NativeFailure(EOPNOTSUPP, name);
    const { pool, namespace } = args;
    await addToTrash(session, { pool, namespace, id, name: args.as });
    // The name may be another image's by now, when this arrives late.
    await Promise.all([
      unlessGone(removeIf(session, { pool, namespace, object: `rbd_id.${args.image}` }, encoded.text(id))),
      unlessGone(
        changeObject(session, { pool, namespace, object: 'rbd_directory' }, [
          { method: 'dir_remove_image', input: Buffer.concat([encoded.text(args.image), encoded.text(id)]) },
        ]),
      ),
    ]);
    return null;
  });
}

async function facts(image: Pointer, name: string): Promise<readonly [id: string, features: bigint]> {
  const [id, features] = [Buffer.alloc(ID_BYTES), Buffer.alloc(8)];
  check(await rbd.rbd_get_id.later(image, id, id.length), name);
  check(await rbd.rbd_get_features.later(image, features), name);
  return [textIn(id), features.readBigUInt64LE()];
}

/** Of `TrashImageSpec`: its version, the oldest that can read it; by a user; in its place. */
const [SPEC_VERSION, SPEC_SINCE, BY_USER, NORMAL] = [2, 1, 0, 0] as const;

async function addToTrash(
  session: Session,
  { id, name, ...place }: { readonly pool: string; readonly namespace: string; readonly id: string; readonly name: string },
): Promise<void> {
  const now = encoded.time(Date.now());
  const spec = Buffer.concat([encoded.u8(BY_USER), encoded.text(name), now, now, encoded.u8(NORMAL)]);
  const versions = Buffer.concat([encoded.u8(SPEC_VERSION), encoded.u8(SPEC_SINCE), encoded.u32(spec.length)]);
  const input = Buffer.concat([encoded.text(id), versions, spec]);
  try {
    await changeObject(session, { ...place, object: 'rbd_trash', mayBeNew: true }, [{ method: 'trash_add', input }]);
  } catch (error) {
    // By who was cut short, or by another at the same time.
    if (!(error instanceof NativeFailure) || error.errno !== EEXIST) throw error;
  }
}
