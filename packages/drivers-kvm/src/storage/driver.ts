import type { StorageDriver, StoredKind, StoredObject } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { classify } from '../faults.ts';
import type { HostLink } from '../host-links.ts';
import type { StorageVolume } from '../libvirt/index.ts';
import { contentVerbs, type DiskFiles } from './contents.ts';
import { imageVerbs, inspectImage, upload } from './images.ts';
import { lockedContentVerbs } from './locked-contents.ts';
import { presenceName, readName, seedName } from './names.ts';
import { DirPool } from './pool.ts';
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
    encryption: { ...encryptionVerbs(volumes), contents: lockedContentVerbs(files) },
    contents: contentVerbs(files),
    images: imageVerbs(pool),
    seeds: {
      async put(id, bytes, call) {
        const deadline = new Deadline(call);
        const name = seedName(id);
        const old = await pool.find(name, deadline);
        if (old !== undefined && (await pool.fileBytes(old, deadline)) !== bytes.length) await pool.delete(name, deadline);
        const content = { sizeBytes: bytes.length, open: () => only(bytes) };
        const seed = await upload(pool, { name, content }, deadline);
        return { type: 'file', path: seed.key, format: 'raw' };
      },
      delete: (id, call) => pool.delete(seedName(id), new Deadline(call)),
    },

    inspect: (kind, id, call) => inspect(pool, kind, id, new Deadline(call)),

    async list(call) {
      const deadline = new Deadline(call);
      const files = (await pool.list(deadline)).flatMap((volume) => readName(volume.name) ?? []);
      const things = files.flatMap(({ kind, id }) =>
        kind === 'image' ? [] : [{ kind: kind === 'imageMark' ? 'image' : kind, id } as const],
      );
      const stored = await Promise.all(things.map(({ kind, id }) => inspect(pool, kind, id, deadline)));
      return stored.filter((each) => each !== undefined);
    },

    classify,
    close: () => link.close(),
  };
}

async function inspect(pool: DirPool, kind: StoredKind, id: string, deadline: Deadline): Promise<StoredObject | undefined> {
  if (kind === 'image') return inspectImage(pool, id, deadline);
  const volume = await pool.find(presenceName(kind, id), deadline);
  const view = volume && (await pool.view(volume, deadline));
  return view && { kind, id, sizeBytes: view.capacityBytes };
}

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
