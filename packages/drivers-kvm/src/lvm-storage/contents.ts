import type { Call, ContentRef, Extent, StorageDriver } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import type { StorageVolume } from '../libvirt/index.ts';
import { BYTES_MAX, noSnapshots, refuse } from '../storage/content-bounds.ts';
import type { DirPool } from '../storage/pool.ts';
import { isZero } from '../storage/zeroes.ts';
import type { LvmVolumes } from './volumes.ts';

/** Told apart from zeroes in pieces of this size. */
const LOOK_BYTES = 2 ** 20;

interface Opened {
  readonly volume: StorageVolume;
  readonly sizeBytes: number;
}

/** The bytes of logical volumes. None is sparse: where there are zeroes is found by reading. */
export function contentVerbs(volumes: LvmVolumes, group: DirPool): NonNullable<StorageDriver['contents']> {
  const open = async ({ id, volumeId }: ContentRef, deadline: Deadline): Promise<Opened> => {
    if (id !== undefined) throw noSnapshots();
    return volumes.need(volumeId, deadline);
  };
  return {
    async *changes(of: ContentRef, sinceId: string | undefined, call: Call): AsyncGenerator<Extent, void, undefined> {
      if (sinceId !== undefined) throw noSnapshots();
      const deadline = new Deadline(call);
      const { volume, sizeBytes } = await open(of, deadline);
      for (let at = 0; at < sizeBytes; at += BYTES_MAX) {
        const bytes = await group.readPart(volume, at, Math.min(BYTES_MAX, sizeBytes - at), deadline);
        yield* extentsOf(bytes, at);
      }
    },

    async read(of, offsetBytes, lengthBytes, call) {
      const deadline = new Deadline(call);
      const { volume, sizeBytes } = await open(of, deadline);
      refuse({ sizeBytes }, offsetBytes, lengthBytes);
      return group.readPart(volume, offsetBytes, lengthBytes, deadline);
    },

    async write(volumeId, offsetBytes, bytes, call) {
      const deadline = new Deadline(call);
      const { volume, sizeBytes } = await open({ volumeId }, deadline);
      refuse({ sizeBytes }, offsetBytes, bytes.length);
      await group.writePart(volume, offsetBytes, bytes, deadline);
    },
  };
}

/** Neighbours of one kind are one stretch. */
export function* extentsOf(bytes: Buffer, offsetBytes: number): Generator<Extent, void, undefined> {
  let next: Extent | undefined;
  for (let at = 0; at < bytes.length; at += LOOK_BYTES) {
    const piece = bytes.subarray(at, at + LOOK_BYTES);
    const hasData = !isZero(piece);
    if (next?.hasData === hasData) next = { ...next, lengthBytes: next.lengthBytes + piece.length };
    else {
      if (next !== undefined) yield next;
      next = { offsetBytes: offsetBytes + at, lengthBytes: piece.length, hasData };
    }
  }
  if (next !== undefined) yield next;
}
