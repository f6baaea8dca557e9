import type { StorageDriver } from '@pileus/core/strategy';
import type { CephPool } from './ceph-pool.ts';
import type { Deadline } from './deadline.ts';
import { unlessAbsent } from './faults.ts';
import { fill, shown, takeApart } from './filling.ts';
import { seedName } from './names.ts';
import type { Purge } from './purge.ts';

export function seedVerbs(pool: CephPool, purge: Purge): StorageDriver['seeds'] {
  return {
    async put(id, bytes, call) {
      const deadline = pool.begin(call);
      const present = await contentOf(pool, id, deadline);
      if (present === undefined || Buffer.compare(present, bytes) !== 0) {
        if (present !== undefined) await takeApart(pool, purge, { kind: 'seed', id }, deadline);
        const make = async (part: string) => {
          await pool.images.create(part, { ...pool.newImage, sizeBytes: bytes.length }, deadline.left);
          await using image = pool.images.image(part).open();
          await image.write(0, bytes, deadline.left);
        };
        await fill(pool, purge, { kind: 'seed', id, hasBase: false, make }, deadline);
      }
      return pool.attachment(seedName(id));
    },

    delete: async (id, call) => takeApart(pool, purge, { kind: 'seed', id }, pool.begin(call)),
  };
}

async function contentOf(pool: CephPool, id: string, deadline: Deadline): Promise<Uint8Array | undefined> {
  const stat = await shown(pool, 'seed', id, deadline);
  if (stat === undefined) return undefined;
  await using image = pool.images.image(seedName(id)).open({ readOnly: true });
  return await unlessAbsent(() => image.read(0, Number(stat.sizeBytes), deadline.left));
}
