import { createWriteStream } from 'node:fs';
import { realpath, rename, rm, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { Environment } from './directories.ts';
import { UsageError } from './exit.ts';
import { loadProfiles } from './profiles.ts';

/** How to reach the clouds of profiles. @throws UsageError */
export async function mirrorsOf(
  env: Environment,
  names: readonly string[],
): Promise<readonly { readonly url: string; readonly apiKey?: string }[]> {
  if (names.length === 0) return [];
  const { profiles } = await loadProfiles(env);
  return names.map((name) => {
    const profile = profiles[name];
    if (profile === undefined)
      throw new UsageError(`There is no profile ${name}.`, `There are: ${Object.keys(profiles).join(', ') || 'none'}.`);
    return { url: profile.url, ...(profile.key === undefined ? {} : { apiKey: profile.key }) };
  });
}

/** Writes the content to the file as a whole or not at all: what is there stays until all of it has come. */
export async function writeWhole(content: AsyncIterable<Uint8Array>, path: string): Promise<void> {
  const target = await realpath(path).catch(() => path);
  const there = await stat(target).catch(() => undefined);
  // A pipe or a device has nothing to lose, and must not be replaced by a file.
  if (there?.isFile() === false) return await pipeline(content, createWriteStream(target));
  const partial = `${target}.${process.pid}.partial`;
  try {
    await pipeline(content, createWriteStream(partial, { flags: 'wx', flush: true, ...(there === undefined ? {} : { mode: there.mode }) }));
    await rename(partial, target);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
