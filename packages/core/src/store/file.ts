import { access, chmod, link, mkdtemp, open, readdir, rm, stat, utimes } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { StoreError } from '../kernel/store-error.ts';

/** What a file is while it is made: in a directory beside its place, of the one call's own. */
const PARTIAL = '.pileus-partial-';

/** What is being made is not left untouched for so long; what is, its maker was killed. */
const LEFT_MS = 3600_000;

export interface NewFile {
  readonly path: string;
  /** RFC 3339. The time that the file bears; by default when it was made. */
  readonly at?: string | undefined;
}

/**
 * The file appears under its name only when it is whole and on disk, and never in place of another. Of several that are made for one name side by side, the
 * first that is whole gets it.
 */
export async function makeFile({ path, at }: NewFile, make: (partial: string) => Promise<void>): Promise<void> {
  await refuseExisting(path);
  const own = await mkdtemp(`${path}${PARTIAL}`);
  try {
    await removeLeft(dirname(path), own);
    const partial = join(own, basename(path));
    await make(partial);
    await chmod(partial, 0o600);
    if (at !== undefined) await utimes(partial, new Date(at), new Date(at));
    await flush(partial);
    await publish(partial, path);
  } finally {
    await rm(own, { recursive: true, force: true });
  }
  await flush(dirname(path));
}

/** Removes what killed processes have left. Ages are told by the file system's own clock. */
async function removeLeft(directory: string, own: string): Promise<void> {
  const nowMs = await touchedMs(own);
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    if (name.includes(PARTIAL) && nowMs - (await touchedMs(path)) > LEFT_MS) await rm(path, { recursive: true, force: true });
  }
}

/** When anything in a directory was last written. One that is gone meanwhile is not old. */
async function touchedMs(directory: string): Promise<number> {
  try {
    const paths = [directory, ...(await readdir(directory)).map((name) => join(directory, name))];
    return Math.max(...(await Promise.all(paths.map(async (path) => (await stat(path)).mtimeMs))));
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

async function refuseExisting(path: string): Promise<void> {
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  if (exists) throw new StoreError(`${path} exists already; name a new file`);
}

/** A link fails where a rename would replace a file that came to be meanwhile. */
async function publish(partial: string, path: string): Promise<void> {
  try {
    await link(partial, path);
  } catch (error) {
    await refuseExisting(path);
    throw error;
  }
}

async function flush(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
