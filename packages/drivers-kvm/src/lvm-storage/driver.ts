import type { StorageDriver } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { classify } from '../faults.ts';
import type { HostLink } from '../host-links.ts';
import { imageVerbs } from '../storage/images.ts';
import { DirPool } from '../storage/pool.ts';
import { seedVerbs } from '../storage/seeds.ts';
import { inspectFile, listFiles } from '../storage/stored-files.ts';
import { contentVerbs } from './contents.ts';
import { GROUP } from './group-xml.ts';
import { LvmVolumes, volumeVerbs } from './volumes.ts';

export interface LvmStorageOptions {
  readonly poolId: string;
  /** The volume group on the host, which is there. */
  readonly group: string;
  /** The folder on the host with images, seeds and marks. */
  readonly path: string;
  readonly hostId: string;
}

/**
 * Volumes as logical volumes of a volume group of one host; images and seeds in a folder beside it. Both are managed through its libvirt. Takes over the link, and lets go
 * of it with `close`.
 */
export function lvmStorage(link: HostLink, options: LvmStorageOptions): StorageDriver {
  const folder = new DirPool(link, `pileus-${options.poolId}`, options.path);
  const group = new DirPool(link, `pileus-${options.poolId}-group`, options.group, GROUP);
  const volumes = new LvmVolumes(group, folder, options.group);
  return {
    async ensurePool(call) {
      const deadline = new Deadline(call);
      await group.ensure(deadline);
      await folder.ensure(deadline);
    },
    async releasePool(call) {
      const deadline = new Deadline(call);
      await group.release(deadline);
      await folder.release(deadline);
    },

    /** What images and seeds take is the folder's. */
    async capacity(call) {
      const { capacityBytes, availableBytes } = await group.info(new Deadline(call));
      return { totalBytes: capacityBytes, freeBytes: availableBytes };
    },

    volumes: volumeVerbs(volumes, options.hostId),
    contents: contentVerbs(volumes, group),
    images: imageVerbs(folder),
    seeds: seedVerbs(folder),

    inspect: (kind, id, call) =>
      kind === 'volume' ? volumes.inspect(id, new Deadline(call)) : inspectFile(folder, kind, id, new Deadline(call)),

    async list(call) {
      const deadline = new Deadline(call);
      const files = await folder.list(deadline);
      return [...(await listFiles(folder, files, deadline)), ...(await volumes.list(files, deadline))];
    },

    classify,
    close: () => link.close(),
  };
}
