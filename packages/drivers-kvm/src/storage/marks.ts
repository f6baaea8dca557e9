import type { StorageDriver } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import { type DiskFiles, openFile } from './contents.ts';
import { QCOW2_HEADER_BYTES } from './qcow2.ts';
import { MARK_AT, markOf, NO_MARK, wordOf } from './qcow2-mark.ts';

interface MarkedFiles<File extends { readonly name: string }> extends DiskFiles<File> {
  /** Whether nobody writes to it but for its volume. */
  isOurs(file: File): boolean;
  /** Whether a machine can be seen to have it open. */
  isInUse(file: File, deadline: Deadline): Promise<boolean>;
}

/**
 * A word in the header of a qcow2 file, in the bits that every program that opens the file to write clears first where it does not know them: QEMU does so before it
 * writes anything else, and brings that to the disk with the first flush of its guest. A file that was copied has the word with what was in it then.
 */
export function markVerbs<File extends { readonly name: string }>(files: MarkedFiles<File>): NonNullable<StorageDriver['marks']> {
  const need = async (id: string, deadline: Deadline): Promise<File> => {
    const file = await files.volume(id, deadline);
    if (file === undefined) throw new DriverError('not_found', `the pool has no volume ${id}`);
    return file;
  };
  const header = async (file: File, deadline: Deadline) => markOf(await files.readPart(file, 0, QCOW2_HEADER_BYTES, deadline));
  return {
    async get(id, call) {
      const deadline = new Deadline(call);
      const file = await need(id, deadline);
      return file.name.endsWith('.raw') ? undefined : (await header(file, deadline))?.word;
    },

    async set(id, word, call) {
      const deadline = new Deadline(call);
      const file = await need(id, deadline);
      if (file.name.endsWith('.raw') || (await header(file, deadline)) === undefined) return false;
      const disk = await openFile(files, file, undefined, deadline);
      if (!disk.files.every((each) => files.isOurs(each))) return false;
      if (await files.isInUse(file, deadline)) throw new DriverError('conflict', `a machine has volume ${id} open`);
      const before = (await header(file, deadline)) ?? NO_MARK;
      await files.writePart(file, MARK_AT, wordOf(word, before), deadline);
      return true;
    },
  };
}
