// Builds the guest images and prints where they are: sh tools/node.sh tools/guest/main.ts
import { CACHE_DIR, ensureSystem } from '../system/ensure.ts';
import { buildGuestImage, haltImage } from './image.ts';

const system = await ensureSystem({ log: console.error });
if (!system.ok) throw new Error(system.reason);
console.log(
  JSON.stringify({
    guest: await buildGuestImage({ cacheDir: CACHE_DIR, log: console.error }),
    halt: await haltImage({ cacheDir: CACHE_DIR }),
  }),
);
