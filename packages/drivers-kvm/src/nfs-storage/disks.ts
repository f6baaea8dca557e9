import type { Attachment, Content, NewVolume, StorageDriver, StoredObject } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import { QCOW2_HEADER_BYTES, Qcow2Map } from '../storage/qcow2.ts';
import { MARK_AT, markOf, wordOf } from '../storage/qcow2-mark.ts';
import { fileName, readName } from './names.ts';
import { inTurns, type NewPart, type NfsPool, type StoredFile } from './pool.ts';
import { emptyQcow2, refuseBeyondTable, refuseLarger, sizePart } from './qcow2-file.ts';

const NAME_BYTES_MAX = 1024;
/** Gathered before they are sent. */
const UPLOAD_BYTES = 4 * 2 ** 20;

/** What is in a file: the size of its disk, and the file that shows through. */
export interface DiskView {
  readonly sizeBytes: number;
  readonly backingName: string | undefined;
}

export async function viewDisk(pool: NfsPool, file: StoredFile, deadline: Deadline): Promise<DiskView> {
  if (file.format === 'raw') return { sizeBytes: (await pool.attributes(file, deadline)).sizeBytes, backingName: undefined };
  const map = new Qcow2Map(await pool.read(file, 0, QCOW2_HEADER_BYTES, deadline));
  const { sizeBytes, backing } = map;
  if (backing === undefined) return { sizeBytes, backingName: undefined };
  if (backing.lengthBytes > NAME_BYTES_MAX)
    throw new DriverError('internal', `${file.name} names a file below in ${backing.lengthBytes} bytes`);
  return { sizeBytes, backingName: nameOf((await pool.read(file, backing.offsetBytes, backing.lengthBytes, deadline)).toString()) };
}

/**
 * A file of the pool as QEMU is to find it when it shows through another one. By its name alone QEMU would look for it below the other file, as if that were a
 * folder; and it would ask as the user that it runs as.
 */
function urlOf({ place }: NfsPool, name: string): string {
  const { server, path, credential } = place;
  return `nfs://${server.includes(':') ? `[${server}]` : server}${path}/${name}?uid=${credential.uid}&gid=${credential.gid}`;
}

const nameOf = (url: string): string => url.replace(/\?.*$/, '').replace(/^.*\//, '');

/** As the contract shows it: the disk of a volume, the content of an image or a seed. */
export async function storedObject(pool: NfsPool, file: StoredFile, deadline: Deadline): Promise<StoredObject> {
  const { kind, id } = file;
  const sizeBytes =
    kind === 'volume' ? (await viewDisk(pool, file, deadline)).sizeBytes : (await pool.attributes(file, deadline)).sizeBytes;
  return { kind, id, sizeBytes };
}

/**
 * qcow2 files, which take room only for what is written and say where that is; with an image below. One that is to be filled is a
 * plain file, since what writes to it is not QEMU; so is one of several machines, each of which would read the tables of qcow2 once.
 */
export function volumeVerbs(pool: NfsPool): StorageDriver['volumes'] {
  return {
    create: (request, call) => create(pool, request, new Deadline(call)),

    async resize(id, sizeBytes, call) {
      const deadline = new Deadline(call);
      refuseLarger(sizeBytes);
      const file = await pool.need('volume', id, deadline);
      const attributes = await pool.attributes(file, deadline);
      const present = (await viewDisk(pool, file, deadline)).sizeBytes;
      if (sizeBytes === present) return;
      if (sizeBytes < present) throw new DriverError('invalid', `volume ${id} has ${present} bytes and cannot shrink to ${sizeBytes}`);
      if (file.format === 'raw') await pool.resize(file, sizeBytes, attributes, deadline);
      else {
        const header = await pool.read(file, 0, QCOW2_HEADER_BYTES, deadline);
        refuseBeyondTable(header, sizeBytes);
        const mark = markOf(header);
        const unmark = mark?.word === undefined ? [] : [{ offsetBytes: MARK_AT, bytes: wordOf(undefined, mark) }];
        await pool.write(file, [...unmark, sizePart(sizeBytes)], deadline);
      }
    },

    delete: (id, call) => pool.delete('volume', id, new Deadline(call)),

    /** QEMU speaks NFS by itself, so a host has nothing to mount. */
    async attach(id, _host, call): Promise<Attachment> {
      return attachmentOf(pool, await pool.need('volume', id, new Deadline(call)));
    },

    /** There is nothing to end. The server is asked all the same: success says that the pool can be reached. */
    async release(id, _host, call) {
      await pool.find('volume', id, new Deadline(call));
    },
  };
}

function attachmentOf(pool: NfsPool, { name, format }: Pick<StoredFile, 'name' | 'format'>): Attachment {
  const { server, path } = pool.place;
  return { type: 'nfs', server, export: path, path: name, format };
}

async function create(pool: NfsPool, request: NewVolume & { readonly toFill?: true }, deadline: Deadline): Promise<void> {
  const { id, sizeBytes, imageId, snapshot, toFill } = request;
  if (snapshot !== undefined) throw new DriverError('unsupported', 'the pool keeps no snapshots');
  refuseLarger(sizeBytes);
  if ((await pool.find('volume', id, deadline)) === undefined) {
    const image = imageId === undefined ? undefined : await pool.need('image', imageId, deadline);
    const imageBytes = image === undefined ? 0 : (await viewDisk(pool, image, deadline)).sizeBytes;
    if (imageBytes > sizeBytes)
      throw new DriverError('invalid', `a volume of image ${imageId} has ${imageBytes} bytes at least, not ${sizeBytes}`);
    const format = toFill === true ? 'raw' : 'qcow2';
    const backing = image && { name: urlOf(pool, image.name), format: image.format };
    const fill = (part: NewPart) => (toFill === true ? part.resize(sizeBytes) : fillQcow2(part, sizeBytes, backing));
    if (await pool.put({ kind: 'volume', id, format }, fill, deadline)) return;
  }
  const file = await pool.need('volume', id, deadline);
  if (file.format === 'raw' && toFill !== true)
    throw new DriverError('conflict', `volume ${id} is there, and is for several machines, or to be filled`);
  const present = await viewDisk(pool, file, deadline);
  if (present.sizeBytes !== sizeBytes)
    throw new DriverError('conflict', `volume ${id} is there with ${present.sizeBytes} bytes, not ${sizeBytes}`);
}

export async function createShareable(
  pool: NfsPool,
  { id, sizeBytes }: Pick<NewVolume, 'id' | 'sizeBytes'>,
  deadline: Deadline,
): Promise<void> {
  const there = await pool.find('volume', id, deadline);
  if (there?.format === 'qcow2') throw new DriverError('conflict', `volume ${id} is there, and is for one machine alone`);
  await create(pool, { id, sizeBytes, toFill: true }, deadline);
}

async function fillQcow2(part: NewPart, sizeBytes: number, backing: Parameters<typeof emptyQcow2>[1]): Promise<void> {
  const { lengthBytes, parts } = emptyQcow2(sizeBytes, backing);
  await part.resize(lengthBytes);
  for (const each of parts) await part.write(each);
  await part.commit();
}

export function imageVerbs(pool: NfsPool): StorageDriver['images'] {
  return {
    async put({ id, format, content }, call) {
      const deadline = new Deadline(call);
      const file = { kind: 'image', id, format } as const;
      const known = await pool.find('image', id, deadline);
      if (known === undefined) {
        const { sizeBytes } = content;
        await pool.put(
          file,
          (part) => upload(part, fileName(file), content, deadline, (bytes) => call.onProgress?.(Math.min(1, bytes / sizeBytes))),
          deadline,
        );
      }
      call.onProgress?.(1);
    },

    async delete(id, call) {
      const deadline = new Deadline(call);
      const image = await pool.find('image', id, deadline);
      const dependent = image && (await findDependent(pool, image.name, deadline));
      if (dependent !== undefined) throw new DriverError('conflict', `image ${id} shows through in ${dependent}`);
      await pool.delete('image', id, deadline);
    },

    attach: async (id, call) => attachmentOf(pool, await pool.need('image', id, new Deadline(call))),
  };
}

/** The name of a volume that shows the file. */
async function findDependent(pool: NfsPool, name: string, deadline: Deadline): Promise<string | undefined> {
  const volumes = (await pool.list(deadline)).filter(({ kind, format }) => kind === 'volume' && format === 'qcow2');
  const views = await inTurns(volumes, async (volume) => ({ volume, view: await viewDisk(pool, volume, deadline) }));
  return views.find(({ view }) => view.backingName === name)?.volume.name;
}

/** Its source may be stuck, so it is waited for no longer than the call may take. */
async function upload(
  part: NewPart,
  name: string,
  content: Content,
  deadline: Deadline,
  onProgress: (bytes: number) => void,
): Promise<void> {
  const source = content.open()[Symbol.asyncIterator]();
  let waiting: Uint8Array[] = [];
  let [sentBytes, waitingBytes] = [0, 0];
  const send = async () => {
    const bytes = Buffer.concat(waiting);
    await part.write({ offsetBytes: sentBytes, bytes });
    sentBytes += bytes.length;
    [waiting, waitingBytes] = [[], 0];
    onProgress(sentBytes);
  };
  try {
    for (let next = await deadline.bound(source.next(), `the content of ${name}`); next.done !== true; ) {
      waiting.push(next.value);
      waitingBytes += next.value.length;
      if (waitingBytes >= UPLOAD_BYTES) await send();
      next = await deadline.bound(source.next(), `the content of ${name}`);
    }
  } catch (error) {
    void source.return?.()?.catch(() => {});
    throw error;
  }
  if (waitingBytes > 0) await send();
  if (sentBytes !== content.sizeBytes)
    throw new DriverError('invalid', `${name}: the content has ${sentBytes} bytes, not the ${content.sizeBytes} announced`);
  await part.commit();
}

export function seedVerbs(pool: NfsPool): StorageDriver['seeds'] {
  return {
    async put(id, bytes, call) {
      const file = { kind: 'seed', id, format: 'raw' } as const;
      const fill = async (part: NewPart) => {
        await part.write({ offsetBytes: 0, bytes });
        await part.commit();
      };
      await pool.put(file, fill, new Deadline(call), { replaces: true });
      return attachmentOf(pool, { name: fileName(file), format: 'raw' });
    },
    delete: (id, call) => pool.delete('seed', id, new Deadline(call)),
  };
}

/** What is below a volume, by what its file says of it. @throws DriverError not_found */
export async function needBelow(pool: NfsPool, url: string, deadline: Deadline): Promise<StoredFile> {
  const file = readName(nameOf(url));
  if (file === undefined) throw new DriverError('unsupported', `a volume shows ${url}, which is no image of this pool`);
  return pool.need(file.kind, file.id, deadline);
}
