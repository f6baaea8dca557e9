/** Makes sockets where it runs, hands them to whoever has started it, and ends. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import type { Wanted } from './sockets.ts';

const handOver = (message: object, handle?: Server | Socket): Promise<void> =>
  new Promise((resolve, reject) => {
    process.send?.(message, handle, {}, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });

// Whoever is killed while a socket is on its way never says that it has come, and a channel that waits for that does not tell its own end: another pipe does.
process.stdin.once('close', () => process.exit(1)).resume();
try {
  for (const { type, address, port } of JSON.parse(process.argv[2] ?? '[]') as readonly Wanted[]) {
    if (type === 'tcp') {
      const server = createServer().listen({ host: address, port, backlog: 128 });
      await once(server, 'listening');
      await handOver({}, server);
    } else {
      const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4').bind(port, address);
      await once(socket, 'listening');
      await handOver({}, socket);
    }
  }
  process.disconnect?.();
  process.exit(0);
} catch (error) {
  await handOver({ error: error instanceof Error ? error.message : String(error) });
  process.exit(1);
}
