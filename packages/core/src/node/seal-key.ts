import { hkdf } from 'node:crypto';
import { link, mkdir, open, readFile, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import type { Random } from '../kernel/index.ts';

const KEY_BYTES = 32;

/**
 * The key that seals secrets: 32 bytes in a file that only its owner can read, made at the first start, whole or not at all. Keep a copy of it apart from
 * backups of the store: without it sealed values are lost, and with both they are open.
 */
export async function loadSealKey(path: string, random: Random): Promise<Uint8Array> {
  const known = await readKey(path);
  if (known !== undefined) return known;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const suffix = Buffer.from(random.bytes(8)).toString('hex');
  const draft = `${path}.${suffix}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.write(random.bytes(KEY_BYTES));
    await file.sync();
  } finally {
    await file.close();
  }
  // A link fails when another start was faster; its key counts.
  await link(draft, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await unlink(draft);
  const directory = await open(dirname(path), 'r');
  await directory.sync().finally(() => directory.close());
  return (await readKey(path)) ?? new Uint8Array();
}

async function readKey(path: string): Promise<Uint8Array | undefined> {
  try {
    const key = await readFile(path);
    if (key.length !== KEY_BYTES) throw new Error(`${path} is no sealing key: it has ${key.length} bytes and not ${KEY_BYTES}`);
    return new Uint8Array(key);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The name of a cloud, constant as long as its sealing key is, also across restores of its store. It tells nothing of the key. */
export async function cloudIdOf(sealKey: Uint8Array): Promise<string> {
  const bytes = Buffer.from(await promisify(hkdf)('sha256', sealKey, '', 'pileus cloud id', 16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
