import { constants } from 'node:fs';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { sep } from 'node:path';
import type { OpenFile } from '../cloud/index.ts';
import { CloudError } from '../kernel/index.ts';

const READ_BYTES = 256 * 1024;

/**
 * Reads a regular file below one of the directories. Where it really is, is asked before it is opened, because opening a device may do something, and after,
 * because links may have changed: what is read is then the very file that is there. Whoever may write in a directory decides what is in it, by hard links, too.
 */
export const openFile: OpenFile = async (path, { directories, signal }) => {
  try {
    await insideOnly(path, directories);
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    try {
      const [opened, there] = [await file.stat(), await insideOnly(path, directories)];
      if (opened.dev !== there.dev || opened.ino !== there.ino) throw refused(path);
    } catch (error) {
      await file.close();
      throw error;
    }
    return reading(file, signal);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new CloudError('not_found', `There is no file ${path}.`, { cause });
    if (code === 'EACCES' || code === 'EPERM' || code === 'ELOOP')
      throw new CloudError('refused', `The server may not read ${path}.`, { cause });
    throw cause;
  }
};

/** The file where it really is. @throws CloudError refused, and what the system says */
async function insideOnly(path: string, directories: readonly string[]) {
  const real = await realpath(path);
  const roots = await Promise.all(directories.map((directory) => realpath(directory).catch(() => undefined)));
  const facts = await stat(real);
  if (!facts.isFile() || !roots.some((root) => root !== undefined && real.startsWith(root.endsWith(sep) ? root : root + sep)))
    throw refused(path);
  return facts;
}

const refused = (path: string): CloudError =>
  new CloudError('refused', `${path} is no regular file below a directory that images may be imported from.`);

async function* reading(file: FileHandle, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  // The stream closes the file, also when nobody reads it to its end.
  yield* file.createReadStream({ highWaterMark: READ_BYTES, signal }) as AsyncIterable<Uint8Array>;
}
