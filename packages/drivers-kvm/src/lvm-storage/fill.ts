import type { Deadline } from '../deadline.ts';
import type { StorageVolume } from '../libvirt/index.ts';
import { BYTES_MAX } from '../storage/content-bounds.ts';
import { type Disk, extentsOf, readFrom } from '../storage/contents.ts';
import type { DirPool } from '../storage/pool.ts';
import { isZero } from '../storage/zeroes.ts';

/** What the host clears in one go: it answers nobody while the last of it goes to the disk. */
const CLEARED_BYTES = 64 * 2 ** 20;

export interface Filling {
  readonly group: Pick<DirPool, 'zeroPart' | 'writePart'>;
  /** A block device with anything in it. */
  readonly volume: StorageVolume;
  readonly sizeBytes: number;
  readonly image: Disk<StorageVolume> | undefined;
}

/** Writes all of a volume: what the image has, and zeroes everywhere else, which the host makes by itself. */
export async function fill(filling: Filling, deadline: Deadline): Promise<void> {
  const { image, sizeBytes } = filling;
  let clearFromBytes = 0;
  const clearTo = async (endBytes: number) => {
    for (; clearFromBytes < endBytes; clearFromBytes = Math.min(clearFromBytes + CLEARED_BYTES, endBytes))
      await filling.group.zeroPart(filling.volume, clearFromBytes, Math.min(CLEARED_BYTES, endBytes - clearFromBytes), deadline);
  };
  if (image !== undefined)
    for await (const { offsetBytes, lengthBytes, hasData } of extentsOf(image, deadline)) {
      const endBytes = offsetBytes + lengthBytes;
      for (let at = offsetBytes; hasData && at < endBytes; at += BYTES_MAX) {
        const bytes = await readFrom(image, at, Math.min(BYTES_MAX, endBytes - at), deadline);
        if (isZero(bytes)) continue;
        await clearTo(at);
        await filling.group.writePart(filling.volume, at, bytes, deadline);
        clearFromBytes = at + bytes.length;
      }
    }
  await clearTo(sizeBytes);
}
