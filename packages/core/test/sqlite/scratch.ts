import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Scratch {
  readonly path: (name: string) => string;
  /** A path where nothing is, each time another. */
  readonly unused: () => string;
  readonly remove: () => Promise<void>;
}

/** A folder of one test's own. `inMemory`: flushes cost nothing there, which is right where what was written is not to outlive the machine. */
export async function scratch({ inMemory = false }: { readonly inMemory?: boolean } = {}): Promise<Scratch> {
  const folder = await mkdtemp(join(inMemory ? await memoryFolder() : tmpdir(), 'pileus-store-'));
  let files = 0;
  const unused = () => {
    files += 1;
    return join(folder, `unused-${files}`);
  };
  return { path: (name) => join(folder, name), unused, remove: () => rm(folder, { recursive: true, force: true }) };
}

const memoryFolder = (): Promise<string> =>
  access('/dev/shm').then(
    () => '/dev/shm',
    () => tmpdir(),
  );
