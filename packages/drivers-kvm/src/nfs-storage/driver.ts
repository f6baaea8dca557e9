import type { StorageDriver } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import type { ExportPlace } from '../nfs/index.ts';
import { contentVerbs } from '../storage/contents.ts';
import { imageVerbs, needBelow, seedVerbs, storedObject, viewDisk, volumeVerbs } from './disks.ts';
import { classifyNfs } from './faults.ts';
import { inTurns, NfsPool } from './pool.ts';

/** Volumes as files of an NFS export that every host reaches: QEMU and this driver speak NFS by themselves, and nothing is mounted. */
export function nfsStorage(place: ExportPlace): StorageDriver {
  const pool = new NfsPool(place);
  return {
    ensurePool: (call) => pool.ensure(new Deadline(call)),

    async capacity(call) {
      const { totalBytes, freeBytes } = await pool.space(new Deadline(call));
      return { totalBytes, freeBytes: Math.min(freeBytes, totalBytes) };
    },

    volumes: volumeVerbs(pool),
    images: imageVerbs(pool),
    seeds: seedVerbs(pool),
    contents: contentVerbs({
      volume: (id, deadline) => pool.find('volume', id, deadline),
      below: (url, deadline) => needBelow(pool, url, deadline),
      readPart: (file, offsetBytes, lengthBytes, deadline) => pool.read(file, offsetBytes, lengthBytes, deadline),
      writePart: (file, offsetBytes, bytes, deadline) => pool.write(file, [{ offsetBytes, bytes }], deadline),
      fileBytes: async (file, deadline) => (await pool.attributes(file, deadline)).sizeBytes,
    }),

    async inspect(kind, id, call) {
      const deadline = new Deadline(call);
      const file = await pool.find(kind, id, deadline);
      return file && storedObject(pool, file, deadline);
    },

    async list(call) {
      const deadline = new Deadline(call);
      return inTurns(await pool.list(deadline), async (file) => {
        const { kind, id, format, sizeBytes } = file;
        return kind === 'volume' && format === 'qcow2'
          ? { kind, id, sizeBytes: (await viewDisk(pool, file, deadline)).sizeBytes }
          : { kind, id, sizeBytes };
      });
    },

    classify: classifyNfs,
    close: async () => pool.close(),
  };
}
