import type { Args, ImageAt, ImageSize, Place, Result, TrashEntry } from '../calls.ts';
import { readKey, readKeys, readPage } from './omap.ts';
import type { Session } from './session.ts';

/**
 * Two maps of each pool and namespace in which librbd keeps what images there are. They are read here page by page, where librbd reads all of them; and of the
 * trash also what librbd hides: images whose removal was begun, which it puts there first.
 */
const NAMES = { object: 'rbd_directory', prefix: 'name_' } as const;
const TRASH = { object: 'rbd_trash', prefix: 'id_' } as const;
/** Where librbd keeps the words of an image, in the same map as its size. */
const METADATA_PREFIX = 'metadata_';
const PAGE = 1_000;
const LOOKS_AT_ONCE = 16;

export async function listImages(session: Session, args: Args<'image.list'>): Promise<Result<'image.list'>> {
  const { after, limit } = args;
  const { entries, isLast } = await readPage(session, { ...args, object: NAMES.object }, { prefix: NAMES.prefix, after, limit });
  return { images: entries.map(({ key, value }) => ({ name: key, id: readText(value, 0) })), isLast };
}

export async function listTrash(session: Session, { pool, namespace }: Place): Promise<readonly TrashEntry[]> {
  const found: TrashEntry[] = [];
  for (let after: string | undefined; ; ) {
    const page = { prefix: TRASH.prefix, after, limit: PAGE };
    const { entries, isLast } = await readPage(session, { pool, namespace, object: TRASH.object }, page);
    found.push(...entries.map(({ key, value }) => ({ id: key, ...readTrashEntry(value) })));
    after = entries.at(-1)?.key;
    if (isLast || after === undefined) return found;
  }
}

/** The id of an image that has this name, or had it when its removal was begun. */
export async function findId(session: Session, { pool, namespace, image }: ImageAt): Promise<string | undefined> {
  const listed = await readKey(session, { pool, namespace, object: NAMES.object }, `${NAMES.prefix}${image}`);
  if (listed !== undefined) return readText(listed, 0);
  return (await listTrash(session, { pool, namespace })).find(({ name, source }) => name === image && source === 'removing')?.id;
}

/** Of images by their ids, from where librbd keeps it: one look each, where to open an image takes ten. */
export async function sizesOf(session: Session, args: Args<'image.sizes'>): Promise<Result<'image.sizes'>> {
  const { ids, metadataKey } = args;
  const sizes = new Map<string, ImageSize>();
  const queue = ids.values();
  const work = async () => {
    for (const id of queue) {
      const size = await readSize(session, args, id, metadataKey);
      if (size !== undefined) sizes.set(id, size);
    }
  };
  await Promise.all(Array.from({ length: LOOKS_AT_ONCE }, work));
  return ids.map((id) => sizes.get(id) ?? null);
}

/** Undefined where there is no image of this id. */
export async function readSize(
  session: Session,
  { pool, namespace }: Place,
  id: string,
  metadataKey: string | undefined,
): Promise<ImageSize | undefined> {
  const word = metadataKey === undefined ? undefined : `${METADATA_PREFIX}${metadataKey}`;
  const keys = ['size', ...(word === undefined ? [] : [word])];
  const found = await readKeys(session, { pool, namespace, object: `rbd_header.${id}` }, keys);
  const [size, value] = [found.get('size'), word === undefined ? undefined : found.get(word)];
  return size && { sizeBytes: size.readBigUInt64LE(), ...(value === undefined ? {} : { metadataValue: value.toString() }) };
}

const SOURCES = ['user', 'mirroring', 'migration', 'removing', 'parent'] as const;
/** Version, oldest version that can read it, length. */
const HEADER_BYTES = 6;

function readTrashEntry(value: Buffer): Omit<TrashEntry, 'id'> {
  const source = SOURCES[value[HEADER_BYTES] ?? -1] ?? 'other';
  const name = readText(value, HEADER_BYTES + 1);
  const timesAt = HEADER_BYTES + 1 + 4 + Buffer.byteLength(name);
  return { name, source, movedAt: readDate(value, timesAt), keptUntil: readDate(value, timesAt + 8) };
}

const readText = (value: Buffer, from: number): string => value.toString('utf8', from + 4, from + 4 + value.readUInt32LE(from));

const readDate = (value: Buffer, from: number): Date =>
  new Date(value.readUInt32LE(from) * 1_000 + Math.floor(value.readUInt32LE(from + 4) / 1e6));
