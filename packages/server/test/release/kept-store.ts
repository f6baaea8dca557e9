import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { gunzipSync, gzipSync } from 'node:zlib';

const STORES = new URL('stores/', import.meta.url);
const DATABASE = 'pileus.db';
/** Nobody else needs what a killed server leaves beside its data. */
const LEFT = /^pileus\.db[-.]/;

/** The releases of which a store is kept. */
export const keptStores = (): readonly string[] =>
  readdirSync(STORES)
    .map((file) => file.replace('.json.gz', ''))
    .sort();

/** Keeps what a server leaves that runs in a process of its own, by this program, and kills itself. */
export async function keep(name: string, program: string): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'pileus-keep-'));
  try {
    await once(spawn(process.execPath, [...process.execArgv, program, name, directory], { stdio: 'inherit' }), 'exit');
    const database = new DatabaseSync(join(directory, DATABASE));
    for (const sql of ['pragma wal_checkpoint(truncate)', 'vacuum', 'pragma wal_checkpoint(truncate)']) database.exec(sql);
    database.close();
    const all = await readdir(directory, { recursive: true, withFileTypes: true });
    const files = all.filter((entry) => entry.isFile() && !LEFT.test(entry.name)).map(({ parentPath, name }) => join(parentPath, name));
    const contents = files.map(async (file) => [file.slice(directory.length + 1), (await readFile(file)).toString('base64')] as const);
    await writeFile(new URL(`${name}.json.gz`, STORES), gzipSync(JSON.stringify(Object.fromEntries(await Promise.all(contents)))));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Lays a kept store out in a directory. Answers the key of its root. */
export async function layOut(name: string, directory: string): Promise<string> {
  const files = JSON.parse(gunzipSync(await readFile(new URL(`${name}.json.gz`, STORES))).toString()) as Readonly<Record<string, string>>;
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), Buffer.from(content, 'base64'), { mode: 0o600 });
  }
  return await readFile(join(directory, 'key'), 'utf8');
}
