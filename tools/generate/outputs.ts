import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';

const root = normalize(join(import.meta.dirname, '../..'));

/** Writes a generated file, or with `--check` fails when the committed one differs. */
export async function output(path: string, text: string): Promise<void> {
  const file = join(root, path);
  if (!process.argv.includes('--check')) {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  } else if ((await readFile(file, 'utf8').catch(() => '')) !== text) {
    console.error(`${path} is not what its source says: run npm run generate`);
    process.exitCode = 1;
  }
}
