import { hkdf } from 'node:crypto';
import { link, mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { type Random, StoreError } from '../kernel/index.ts';

const KEY_BYTES = 32;

/**
 * The key that seals secrets: 32 bytes, behind those before it where it has been replaced, in a file that only its owner can read, made at the first start, whole or not at all. Keep a copy of it apart from
 * backups of the store: without it sealed values are lost, and with both they are open.
 */
export async function loadSealKey(path: string, random: Random): Promise<Uint8Array> {
  const known = await readKey(path);
  if (known !== undefined) return known;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = await writeDraft(path, random.bytes(KEY_BYTES), random);
  // A link fails when another start was faster; its key counts.
  await link(draft, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await unlink(draft);
  await syncDirectory(path);
  return (await readKey(path)) ?? new Uint8Array();
}

/**
 * Puts another key behind those that there are, whole or not at all, and answers all of them. What is sealed from now on takes copies of the file with this key.
 * Those before it stay: they open what is not sealed anew yet, and backups of before. For who has the store open alone.
 */
export async function replaceSealKey(path: string, random: Random): Promise<Uint8Array> {
  const known = await loadSealKey(path, random);
  const keys = Buffer.concat([known, random.bytes(KEY_BYTES)]);
  await rename(await writeDraft(path, keys, random), path);
  await syncDirectory(path);
  return new Uint8Array(keys);
}

/** Beside the file, durable, for its owner alone. Answers where. */
async function writeDraft(path: string, bytes: Uint8Array, random: Random): Promise<string> {
  const draft = `${path}.${Buffer.from(random.bytes(8)).toString('hex')}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.write(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  return draft;
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(dirname(path), 'r');
  await directory.sync().finally(() => directory.close());
}

async function readKey(path: string): Promise<Uint8Array | undefined> {
  try {
    const key = await readFile(path);
    if (key.length === 0 || key.length % KEY_BYTES !== 0)
      throw new StoreError(`${path} is no sealing key: it has ${key.length} bytes and not ${KEY_BYTES}, or ${KEY_BYTES} for each key`);
    return new Uint8Array(key);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** One after the other, the newest last. */
export const keysOf = (bytes: Uint8Array): readonly Uint8Array[] =>
  Array.from({ length: bytes.length / KEY_BYTES }, (_, index) => bytes.subarray(index * KEY_BYTES, (index + 1) * KEY_BYTES));

/** The name that a sealing key gives a cloud whose store has none: the one of before where the store is lost and the key is not. It tells nothing of the key. */
export async function cloudIdOf(sealKey: Uint8Array): Promise<string> {
  const bytes = Buffer.from(await promisify(hkdf)('sha256', sealKey.subarray(0, KEY_BYTES), '', 'pileus cloud id', 16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
