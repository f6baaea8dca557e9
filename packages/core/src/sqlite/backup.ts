import { access, link, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StoreError } from '../kernel/store-error.ts';
import type { ReaderMethods } from './reader-thread.ts';
import { Thread } from './thread.ts';

/** Copies the store at `from`, which may be in use, into the new file `to`; `finish` may change the copy before it gets its name. */
export async function copyStore(from: string, to: string, finish: (partial: string) => Promise<void> = async () => {}): Promise<void> {
  await makeFile(to, async (partial) => {
    const thread = new Thread<ReaderMethods>('reader-thread');
    try {
      await thread.call('open', from, []);
      await thread.call('vacuumInto', partial);
    } finally {
      await thread.terminate();
    }
    await finish(partial);
  });
}

/** The file appears under its name only when it is whole and on disk, and never in place of another. */
export async function makeFile(path: string, make: (partial: string) => Promise<void>): Promise<void> {
  await refuseExisting(path);
  const partial = `${path}.partial`;
  await rm(partial, { force: true });
  try {
    await make(partial);
    await flush(partial);
    await publish(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
  await flush(dirname(path));
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
