import type { Attachment, HostEndpoint, StorageDriver, StoredKind, StoredObject } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import { classify } from '../faults.ts';
import type { HostLink } from '../host-links.ts';
import type { StorageVolume } from '../libvirt/index.ts';
import { findImage, imageVerbs, inspectImage, upload } from './images.ts';
import { presenceName, readName, seedName, volumeName } from './names.ts';
import { DirPool } from './pool.ts';
import { growInUse } from './volume-in-use.ts';

export interface DirStorageOptions {
  readonly poolId: string;
  /** The folder on the host. */
  readonly path: string;
  readonly hostId: string;
}

/** Volumes as qcow2 files in a folder of one host, managed through its libvirt. Takes over the link, and lets go of it with `close`. */
export function dirStorage(link: HostLink, options: DirStorageOptions): StorageDriver {
  const pool = new DirPool(link, `pileus-${options.poolId}`, options.path);
  return {
    ensurePool: (call) => pool.ensure(new Deadline(call)),
    releasePool: (call) => pool.release(new Deadline(call)),

    async capacity(call) {
      const { capacityBytes, availableBytes } = await pool.info(new Deadline(call));
      return { totalBytes: capacityBytes, freeBytes: availableBytes };
    },

    volumes: volumeVerbs(pool, link, options.hostId),
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

function volumeVerbs(pool: DirPool, link: HostLink, hostId: string): StorageDriver['volumes'] {
  const need = async (id: string, deadline: Deadline): Promise<StorageVolume> => {
    const volume = await pool.find(volumeName(id), deadline);
    if (volume === undefined) throw new DriverError('not_found', `the pool has no volume ${id}`);
    return volume;
  };
  const sizeOf = async (volume: StorageVolume, deadline: Deadline): Promise<number | undefined> =>
    (await pool.view(volume, deadline))?.capacityBytes;
  return {
    async create({ id, sizeBytes, imageId }, call) {
      const deadline = new Deadline(call);
      const known = await pool.find(volumeName(id), deadline);
      if (known === undefined) {
        const backing = imageId === undefined ? undefined : await findImage(pool, imageId, deadline);
        if (imageId !== undefined && backing === undefined) throw new DriverError('not_found', `the pool has no image ${imageId}`);
        if (backing !== undefined && backing.virtualSizeBytes > sizeBytes)
          throw new DriverError('invalid', `a volume of image ${imageId} has ${backing.virtualSizeBytes} bytes at least, not ${sizeBytes}`);
        const made = await pool.create({ name: volumeName(id), sizeBytes, format: 'qcow2', ...(backing && { backing }) }, deadline);
        if (made) return;
      }
      const present = await sizeOf(await need(id, deadline), deadline);
      if (present !== sizeBytes) throw new DriverError('conflict', `volume ${id} is there with ${present} bytes, not ${sizeBytes}`);
    },

    async resize(id, sizeBytes, call) {
      const deadline = new Deadline(call);
      const volume = await need(id, deadline);
      const present = (await sizeOf(volume, deadline)) ?? 0;
      if (sizeBytes === present) return;
      if (sizeBytes < present) throw new DriverError('invalid', `volume ${id} has ${present} bytes and cannot shrink to ${sizeBytes}`);
      if (await growInUse(link, volume.key, sizeBytes, deadline)) return;
      await pool.resize(volume, sizeBytes, deadline);
    },

    delete: (id, call) => pool.delete(volumeName(id), new Deadline(call)),

    async attach(id, host, call): Promise<Attachment> {
      onlyFrom(host);
      return { type: 'file', path: (await need(id, new Deadline(call))).key, format: 'qcow2' };
    },

    /** A file needs no preparation, so there is nothing to end. The host is asked all the same: success says that it can be reached. */
    async release(id, host, call) {
      onlyFrom(host);
      await pool.find(volumeName(id), new Deadline(call));
    },
  };

  function onlyFrom(host: HostEndpoint): void {
    if (host.hostId !== hostId)
      throw new DriverError('invalid', `the pool is a folder of host ${hostId}, which host ${host.hostId} does not see`);
  }
}

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
