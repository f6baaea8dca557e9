import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
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

/** All files of a folder: what else lies there was generated once, and goes. */
export async function outputs(folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  for (const [name, text] of files) await output(`${folder}/${name}`, text);
  for (const name of await readdir(join(root, folder)).catch(() => []))
    if (files.has(name)) continue;
    else if (!process.argv.includes('--check')) await rm(join(root, folder, name));
    else {
      console.error(`${folder}/${name} has no source any more: run npm run generate`);
      process.exitCode = 1;
    }
}
