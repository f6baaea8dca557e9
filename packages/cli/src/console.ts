import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { type Cloud, type ConsoleTicket, errorOf, openSocket } from '@pileus/sdk';
import type { Command } from 'commander';
import { createWebSocketStream, WebSocket } from 'ws';
import type { Session } from './session.ts';

const ESCAPE = 0x1d;

export function addConsole(program: Command, session: Session): void {
  program
    .command('console')
    .description('Attaches to the console of a running machine. Ctrl-] leaves it.')
    .argument('<instance>', 'name or id')
    .option('--serial', 'the serial console, in this terminal (default)')
    .option('--vnc', 'the screen: serves it on a local port for a VNC viewer')
    .option('--port <port>', 'local port for --vnc (default: one that is free)', Number)
    .action(async (instance: string, { vnc, port = 0 }: { readonly vnc?: boolean; readonly port?: number }) => {
      session.context = { ...session.context, command: 'pileus instances console' };
      const { cloud } = await session.server();
      await (vnc === true ? serveScreen(session, cloud, instance, port) : attachSerial(session, cloud, instance));
    });
}

async function attachSerial(session: Session, cloud: Cloud, instance: string): Promise<void> {
  const socket = opened(await cloud.instances.openConsole(instance, 'serial'));
  const { stdin } = process;
  const keyboard = (chunk: Buffer) => {
    const cut = stdin.isTTY === true ? chunk.indexOf(ESCAPE) : -1;
    if (cut !== 0) socket.send(cut < 0 ? chunk : chunk.subarray(0, cut));
    if (cut >= 0) socket.close();
  };
  const leave = () => socket.close();
  session.signal.addEventListener('abort', leave);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.on('open', () => {
        if (stdin.isTTY === true) {
          stdin.setRawMode(true);
          session.note(`Connected to ${instance}. Ctrl-] leaves.\r`);
        }
        stdin.on('data', keyboard);
        stdin.resume();
      });
      socket.on('message', (data: Buffer) => process.stdout.write(data));
      socket.on('close', () => resolve());
      socket.on('error', reject);
    });
  } finally {
    session.signal.removeEventListener('abort', leave);
    stdin.off('data', keyboard);
    if (stdin.isTTY === true) stdin.setRawMode(false);
    stdin.pause();
    stdin.unref?.();
  }
  if (stdin.isTTY === true) session.note('\r\nThe console is closed.');
}

/** A VNC viewer speaks TCP, the cloud speaks WebSocket: each connection to the port gets a ticket of its own. */
async function serveScreen(session: Session, cloud: Cloud, instance: string, port: number): Promise<void> {
  await cloud.instances.openConsole(instance, 'vnc');
  const viewers = new Set<Socket>();
  const server = createServer((viewer) => {
    viewers.add(viewer);
    viewer.on('close', () => viewers.delete(viewer));
    void relay(cloud, instance, viewer).catch((error: unknown) => {
      viewer.destroy();
      session.note(`The connection ended: ${error instanceof Error ? error.message : String(error)}`);
    });
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  session.note(`Point a VNC viewer at 127.0.0.1:${(server.address() as AddressInfo).port}. Ctrl-C ends it.`);
  await new Promise<void>((resolve) => {
    if (session.signal.aborted) resolve();
    session.signal.addEventListener('abort', () => resolve());
  });
  server.close();
  for (const viewer of viewers) viewer.destroy();
}

async function relay(cloud: Cloud, instance: string, viewer: Socket): Promise<void> {
  const stream = createWebSocketStream(opened(await cloud.instances.openConsole(instance, 'vnc')));
  await Promise.all([pipeline(viewer, stream), pipeline(stream, viewer)]);
}

/** A socket whose error, when the server refuses it, is what the server says: `ws` alone tells the status and leaves the body unread. */
function opened(ticket: ConsoleTicket): WebSocket {
  const socket = openSocket(ticket, WebSocket);
  socket.on('unexpected-response', (request, response) => {
    void text(response)
      .catch(() => '')
      .then((body) => {
        socket.emit('error', errorOf(response.statusCode ?? 502, {}, body));
        socket.emit('close');
        request.destroy();
      });
  });
  return socket;
}
