import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, isIPv6, type Socket } from 'node:net';
import type { ProbeCommands } from './probe-commands.ts';

const stops = new Map<string, () => void>();

type Asked = ProbeCommands['serve']['ask'];

const keyOf = ({ protocol, port }: Pick<Asked, 'protocol' | 'port'>) => `${protocol} ${port}`;
/** IPv4 clients of a socket that takes both look like IPv6. */
const plain = (address: string | undefined) => (address ?? '').replace(/^::ffff:/, '');

export async function serve(name: string, asked: Asked): Promise<null> {
  const make = { tcp: serveTcp, udp: serveUdp, http: serveHttp }[asked.protocol];
  stops.set(keyOf(asked), await make(name, asked));
  return null;
}

export async function stopServing(asked: Pick<Asked, 'protocol' | 'port'>): Promise<null> {
  stops.get(keyOf(asked))?.();
  stops.delete(keyOf(asked));
  return null;
}

async function serveTcp(name: string, { port, address }: Asked): Promise<() => void> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    socket.write(`${name} ${plain(socket.remoteAddress)} ${socket.remotePort}\n`);
    socket.pipe(socket);
  });
  server.listen({ port, host: address ?? '::' });
  await once(server, 'listening');
  return () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
}

async function serveUdp(name: string, { port, address, isSilent = false }: Asked): Promise<() => void> {
  const family = address === undefined || isIPv6(address) ? 'udp6' : 'udp4';
  const socket = createSocket(family);
  // The line, and behind it what was sent, so that the sender can tell its datagrams apart.
  socket.on('message', (message, from) => {
    if (!isSilent) socket.send(`${name} ${plain(from.address)} ${from.port}\n${message}`, from.port, from.address);
  });
  socket.on('error', () => {});
  socket.bind(port, address ?? '::');
  await once(socket, 'listening');
  return () => socket.close();
}

async function serveHttp(name: string, { port, address }: Asked): Promise<() => void> {
  const server = createHttpServer(({ socket }, response) => {
    response.setHeader('connection', 'close');
    response.end(`${name} ${plain(socket.remoteAddress)} ${socket.remotePort}\n`);
  });
  server.listen({ port, host: address ?? '::' });
  await once(server, 'listening');
  return () => {
    server.close();
    server.closeAllConnections();
  };
}
