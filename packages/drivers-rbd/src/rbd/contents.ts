import type { ContentRef, Extent, StorageDriver } from '@pileus/core/strategy';
import type { OpenImage } from '../rados/index.ts';
import type { CephPool } from './ceph-pool.ts';
import type { Deadline } from './deadline.ts';
import { DriverError } from './driver-error.ts';
import { volumeName } from './names.ts';
import { Writers } from './writers.ts';

const BYTES_MAX = 8 * 1024 * 1024;

export function contentVerbs(pool: CephPool): NonNullable<StorageDriver['contents']> {
  const writers = new Writers(pool, (name, deadline) => refuseEncrypted(pool, name, deadline));
  return {
    async *changes(of, sinceId, call) {
      const deadline = pool.begin(call);
      await refuseEncrypted(pool, volumeName(of.volumeId), deadline);
      await using image = readable(pool, of);
      yield* extentsOf(image, sinceId, deadline);
    },

    async read(of, offsetBytes, lengthBytes, call) {
      const deadline = pool.begin(call);
      refuseTooMuch(lengthBytes);
      await using image = readable(pool, of);
      const { sizeBytes } = await image.stat(deadline.left);
      refuseBeyond(volumeName(of.volumeId), Number(sizeBytes), offsetBytes + lengthBytes);
      return await image.read(offsetBytes, lengthBytes, deadline.left);
    },

    async write(volumeId, offsetBytes, bytes, call) {
      const deadline = pool.begin(call);
      refuseTooMuch(bytes.length);
      const name = volumeName(volumeId);
      await writers.with(name, deadline, async (image) => {
        const { sizeBytes } = await image.stat(deadline.left);
        refuseBeyond(name, Number(sizeBytes), offsetBytes + bytes.length);
        await image.write(offsetBytes, bytes, deadline.left);
      });
    },
  };
}

export function refuseTooMuch(lengthBytes: number): void {
  if (lengthBytes > BYTES_MAX) throw new DriverError('invalid', `${lengthBytes} bytes at once; at most ${BYTES_MAX} are taken`);
}

export function refuseBeyond(name: string, sizeBytes: number, endBytes: number): void {
  if (endBytes > sizeBytes) throw new DriverError('invalid', `${name} has ${sizeBytes} bytes, and is asked for what is at ${endBytes}`);
}

/** What it has is ciphertext, behind a header. @throws DriverError unsupported */
async function refuseEncrypted(pool: CephPool, name: string, deadline: Deadline): Promise<void> {
  const stat = await pool.volume(name, deadline);
  if (stat !== undefined && stat.headerBytes > 0)
    throw new DriverError('unsupported', `${name} is encrypted, and is read by its machine alone`);
}

/** Without a watcher, so that it holds up nothing. */
export const readable = (pool: CephPool, { id, volumeId }: ContentRef): OpenImage =>
  pool.images.image(volumeName(volumeId)).open(id === undefined ? { readOnly: true } : { snapshot: id });

/** What is asked for in one call where each object may tell many extents. */
const WINDOW_BYTES = 4 * 1024 ** 3;

/**
 * Against zeroes by whole objects, from the object map alone. Against an earlier snapshot each object is asked: of object maps it cannot be told, for a revert in
 * between puts back those of its time, and what it changed is then marked as unchanged.
 */
export async function* extentsOf(
  image: OpenImage,
  sinceId: string | undefined,
  deadline: Deadline,
): AsyncGenerator<Extent, void, undefined> {
  const sizeBytes = Number((await image.stat(deadline.left)).sizeBytes);
  const how = sinceId === undefined ? { wholeObjects: true } : { wholeObjects: false, sinceSnapshot: sinceId };
  const windowBytes = sinceId === undefined ? sizeBytes : WINDOW_BYTES;
  for (let at = 0; at < sizeBytes; at += windowBytes) {
    const endBytes = Math.min(at + windowBytes, sizeBytes);
    for await (const extent of image.diff({ ...how, offsetBytes: at, lengthBytes: endBytes - at, ...deadline.left })) {
      const offsetBytes = Number(extent.offsetBytes);
      // The last object of an image may tell more than the image has.
      const lengthBytes = Math.min(Number(extent.lengthBytes), endBytes - offsetBytes);
      if (lengthBytes > 0) yield { offsetBytes, lengthBytes, hasData: extent.hasData };
    }
  }
}
