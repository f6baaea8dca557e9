import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a folder that is ours alone, and those that lead to it, and answers its path. That is `mkdir` with `recursive`, which goes round for ever below what holds no folders and says of
 * them that they are not there, as `/proc` does.
 * @throws what the file system says
 */
export async function makeDirectory(path: string): Promise<string> {
  const missing: string[] = [];
  for (let at = path; !(await isThere(at)); at = dirname(at)) missing.unshift(at);
  for (const each of missing)
    await mkdir(each, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  // It is there: a file is refused by this.
  await mkdir(path, { recursive: true });
  return path;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    // Below a file nothing is there, which the file itself tells.
    if (['ENOENT', 'ENOTDIR'].includes(String((error as NodeJS.ErrnoException).code)) && dirname(path) !== path) return false;
    throw error;
  }
}
