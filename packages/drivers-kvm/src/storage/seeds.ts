import type { StorageDriver } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { upload } from './images.ts';
import { seedName } from './names.ts';
import type { DirPool } from './pool.ts';

export function seedVerbs(pool: DirPool): StorageDriver['seeds'] {
  return {
    async put(id, bytes, call) {
      const deadline = new Deadline(call);
      const name = seedName(id);
      const old = await pool.find(name, deadline);
      if (old !== undefined && (await pool.fileBytes(old, deadline)) !== bytes.length) await pool.delete(name, deadline);
      const content = { sizeBytes: bytes.length, open: () => only(bytes) };
      const seed = await upload(pool, { name, content }, deadline);
      return { type: 'file', path: seed.key, format: 'raw' };
    },
    delete: (id, call) => pool.delete(seedName(id), new Deadline(call)),
  };
}

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
