import type { StorageDriver } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { classify } from '../faults.ts';
import type { HostLink } from '../host-links.ts';
import type { StorageVolume } from '../libvirt/index.ts';
import { contentVerbs, type DiskFiles } from './contents.ts';
import { imageVerbs } from './images.ts';
import { lockedContentVerbs } from './locked-contents.ts';
import { markVerbs } from './marks.ts';
import { readName } from './names.ts';
import { othersVerbs } from './others.ts';
import { DirPool } from './pool.ts';
import { seedVerbs } from './seeds.ts';
import { inspectFile, listFiles } from './stored-files.ts';
import { isInUse } from './volume-in-use.ts';
import { DirVolumes, encryptionVerbs, volumeVerbs } from './volumes.ts';

export interface DirStorageOptions {
  readonly poolId: string;
  /** The folder on the host. */
  readonly path: string;
  readonly hostId: string;
}

/** Volumes as qcow2 files in a folder of one host, managed through its libvirt. Takes over the link, and lets go of it with `close`. */
export function dirStorage(link: HostLink, options: DirStorageOptions): StorageDriver {
  const pool = new DirPool(link, `pileus-${options.poolId}`, options.path);
  const volumes = new DirVolumes(pool, link, options.path);
  const files: DiskFiles<StorageVolume> = {
    volume: (id, deadline) => volumes.find(id, deadline),
    below: (path, deadline) => pool.findPath(path, deadline),
    readPart: (file, offsetBytes, lengthBytes, deadline) => pool.readPart(file, offsetBytes, lengthBytes, deadline),
    writePart: (file, offsetBytes, bytes, deadline) => pool.writePart(file, offsetBytes, bytes, deadline),
    fileBytes: (file, deadline) => pool.fileBytes(file, deadline),
  };
  return {
    ensurePool: (call) => pool.ensure(new Deadline(call)),
    releasePool: (call) => pool.release(new Deadline(call)),

    async capacity(call) {
      const { capacityBytes, availableBytes } = await pool.info(new Deadline(call));
      return { totalBytes: capacityBytes, freeBytes: availableBytes };
    },

    volumes: volumeVerbs(volumes, options.hostId),
    shareable: { create: (request, call) => volumes.createShareable(request, new Deadline(call)) },
    encryption: { ...encryptionVerbs(volumes), contents: lockedContentVerbs(files) },
    contents: contentVerbs(files),
    marks: markVerbs({
      ...files,
      isOurs: ({ name }) => readName(name) !== undefined,
      isInUse: ({ key }, deadline) => isInUse(link, key, deadline),
    }),
    others: othersVerbs(pool, volumes, link, files),
    images: imageVerbs(pool),
    seeds: seedVerbs(pool),

    inspect: (kind, id, call) => inspectFile(pool, kind, id, new Deadline(call)),

    async list(call) {
      const deadline = new Deadline(call);
      return listFiles(pool, await pool.list(deadline), deadline);
    },

    classify,
    close: () => link.close(),
  };
}
