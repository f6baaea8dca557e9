import type { StorageDriver } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import type { Handle } from '../nfs/index.ts';
import { type DiskFiles, openFile, readFrom } from '../storage/contents.ts';
import {
  cannotBe,
  type FoundDisk,
  foundDisk,
  HEAD_BYTES_MAX,
  mayBeDisk,
  noDisk,
  OTHERS_PAGE,
  refuseUnfit,
} from '../storage/others-disk.ts';
import { inTurns, type NfsPool, type OthersFile } from './pool.ts';

/** Enough of a file to read and write it. */
export interface NamedFile {
  readonly name: string;
  readonly handle: Handle;
}

/**
 * Files of the export that have no name of ours. One that is adopted is renamed, which is one instant on the server; what it is, its first bytes say. NFS tells
 * nobody who has a file open, nor do clients like QEMU's lock any: that nobody has, whoever adopts it sees to.
 */
export function othersVerbs(pool: NfsPool, files: DiskFiles<NamedFile>): NonNullable<StorageDriver['others']> {
  const diskIn = (file: OthersFile, deadline: Deadline): Promise<FoundDisk | undefined> =>
    foundDisk((at, length) => pool.read(file, at, length, deadline), file.attributes.sizeBytes);
  const need = async (name: string, deadline: Deadline) => {
    const file = mayBeDisk(name, 1) ? await pool.other(name, deadline) : undefined;
    const disk = file?.attributes.isFile === true ? await diskIn(file, deadline) : undefined;
    if (file === undefined || disk === undefined) throw noDisk(name);
    return { ...disk, file };
  };

  return {
    async list({ after = '' }, call) {
      const deadline = new Deadline(call);
      const all = (await pool.others(deadline))
        .filter(({ name, attributes }) => name > after && mayBeDisk(name, attributes.sizeBytes))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
      const page = all.slice(0, OTHERS_PAGE);
      const disks = await inTurns(page, async (file) => {
        const disk = await diskIn(file, deadline);
        return disk === undefined ? [] : [{ name: file.name, sizeBytes: disk.sizeBytes }];
      });
      const last = page.at(-1)?.name;
      return { disks: disks.flat(), ...(all.length > OTHERS_PAGE && last !== undefined ? { next: last } : {}) };
    },

    async look(name, headBytes, call) {
      const deadline = new Deadline(call);
      const found = await need(name, deadline);
      refuseUnfit(name, found);
      const disk = await openFile(files, found.file, found.format, deadline);
      const lengthBytes = Math.min(headBytes, HEAD_BYTES_MAX, found.sizeBytes);
      return { sizeBytes: found.sizeBytes, head: await readFrom(disk, 0, lengthBytes, deadline) };
    },

    async adopt(name, id, call) {
      const deadline = new Deadline(call);
      const known = await pool.find('volume', id, deadline);
      if (known !== undefined && (!mayBeDisk(name, 1) || (await pool.other(name, deadline)) === undefined)) return;
      const found = await need(name, deadline);
      if (known !== undefined) throw new DriverError('conflict', `volume ${id} is there, and so is ${name}`);
      refuseUnfit(name, found);
      if (found.file.attributes.names > 1)
        throw cannotBe(name, 'It has a second name (a hard link), under which others would write to it: remove that first.');
      if (!(await pool.mayWrite(found.file, deadline)))
        throw cannotBe(name, 'The user of the pool may not read it and write to it on the filer: change its owner or its mode.');
      await pool.take(name, { kind: 'volume', id, format: found.format }, deadline);
      // An earlier try may have come in between.
      await pool.need('volume', id, deadline);
    },

    async giveBack(name, id, call) {
      const deadline = new Deadline(call);
      const volume = await pool.find('volume', id, deadline);
      if (volume !== undefined) await pool.giveBack(volume, name, deadline);
    },
  };
}
