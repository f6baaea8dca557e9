import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

const FIRST = 16_000;
const COUNT = 14_000;

/**
 * A port that nobody listens on. It is below those that the kernel gives out by itself, so that it is still free when a daemon that was killed comes back; and for
 * as long as this process lives, no other that asks here is given it.
 */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  for (;;) {
    const port = FIRST + (randomBytes(2).readUInt16LE() % COUNT);
    const claim = await listening({ path: `\0pileus-port-${port}` });
    if (claim === undefined) continue;
    claim.unref();
    const server = await listening({ port, host: address });
    if (server === undefined) {
      claim.close();
      continue;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** Undefined where somebody else listens. */
function listening(place: { readonly path: string } | { readonly port: number; readonly host: string }): Promise<Server | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined));
    server.listen(place, () => resolve(server));
  });
}
