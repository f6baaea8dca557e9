import type { StorageDriver } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import type { ExportPlace } from '../nfs/index.ts';
import { contentVerbs, type DiskFiles } from '../storage/contents.ts';
import { markVerbs } from '../storage/marks.ts';
import { createShareable, imageVerbs, needBelow, seedVerbs, storedObject, viewDisk, volumeVerbs } from './disks.ts';
import { classifyNfs } from './faults.ts';
import { readName } from './names.ts';
import { type NamedFile, othersVerbs } from './others.ts';
import { inTurns, NfsPool } from './pool.ts';

/** Of the server itself, and of who tells where that is if it is elsewhere. */
const PORTS = [2049, 111];

/** Volumes as files of an NFS export that every host reaches: QEMU and this driver speak NFS by themselves, and nothing is mounted. */
export function nfsStorage(place: ExportPlace): StorageDriver {
  const pool = new NfsPool(place);
  const files: DiskFiles<NamedFile> = {
    volume: (id, deadline) => pool.find('volume', id, deadline),
    below: (url, deadline) => needBelow(pool, url, deadline),
    readPart: (file, offsetBytes, lengthBytes, deadline) => pool.read(file, offsetBytes, lengthBytes, deadline),
    writePart: (file, offsetBytes, bytes, deadline) => pool.write(file, [{ offsetBytes, bytes }], deadline),
    fileBytes: async (file, deadline) => (await pool.attributes(file, deadline)).sizeBytes,
  };
  // Libvirt copies disks of machines that are on into files of their host alone.
  const { written: _, ...contents } = contentVerbs(files);
  return {
    ensurePool: (call) => pool.ensure(new Deadline(call)),

    async capacity(call) {
      const { totalBytes, freeBytes } = await pool.space(new Deadline(call));
      const isMore = freeBytes > totalBytes;
      return { totalBytes, freeBytes: isMore ? totalBytes : freeBytes };
    },

    volumes: volumeVerbs(pool),
    shareable: { create: (request, call) => createShareable(pool, request, new Deadline(call)) },
    others: othersVerbs(pool, files),
    images: imageVerbs(pool),
    seeds: seedVerbs(pool),
    contents,
    // NFS does not tell who has a file open.
    marks: markVerbs({ ...files, isOurs: ({ name }) => readName(name) !== undefined, isInUse: async () => false }),

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

    endpoints: PORTS.map((port) => `${place.server.includes(':') ? `[${place.server}]` : place.server}:${port}`),
    classify: classifyNfs,
    close: async () => pool.close(),
  };
}
