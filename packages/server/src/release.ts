import { readFile } from 'node:fs/promises';

/** The version of this package: its manifest is beside the sources, or one level further up beside what is built of them. */
export async function releaseOf(): Promise<string> {
  for (const path of ['../package.json', '../../package.json']) {
    const text = await readFile(new URL(path, import.meta.url), 'utf8').catch(() => undefined);
    if (text !== undefined) return (JSON.parse(text) as { readonly version: string }).version;
  }
  return 'unknown';
}
