import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Call, StorageDriver } from '@pileus/core/strategy';
import { buildGuestImage } from '../../../tools/guest/image.ts';
import { run } from '../../../tools/system/command.ts';
import { CACHE_DIR } from '../../../tools/system/ensure.ts';

/** Gives a pool the image that the tests' guests boot from. Answers the id that it has there. */
export async function putGuestImage(storage: StorageDriver, call: Call): Promise<string> {
  const id = randomUUID();
  const { path, format } = await buildGuestImage({ cacheDir: CACHE_DIR, log: () => {} });
  const bytes = await readFile(path);
  const { 'virtual-size': virtualSizeBytes } = JSON.parse(await run(['qemu-img', 'info', '--output=json', path]));
  const content = {
    sizeBytes: bytes.length,
    async *open() {
      yield bytes;
    },
  };
  await storage.images.put({ id, format, virtualSizeBytes, content }, call);
  return id;
}
