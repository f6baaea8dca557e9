import { spawn } from 'node:child_process';
import type { Socket as UdpSocket } from 'node:dgram';
import type { Server } from 'node:net';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { namespaceOf } from './place.ts';

export interface Wanted {
  readonly type: 'tcp' | 'udp';
  readonly address: string;
  readonly port: number;
}

const OPENER = fileURLToPath(new URL(`./opener${extname(import.meta.url)}`, import.meta.url));

/**
 * Sockets of another namespace. A socket stays in the namespace that it was made in, whoever holds it: a short-lived process there makes them and hands them
 * over, so that one process serves many networks, at the cost of their sockets.
 */
export async function socketsIn(networkId: string, wanted: readonly Wanted[]): Promise<readonly (Server | UdpSocket)[]> {
  const args = ['netns', 'exec', namespaceOf(networkId), process.execPath, ...process.execArgv, OPENER, JSON.stringify(wanted)];
  const child = spawn('ip', args, { stdio: ['pipe', 'inherit', 'inherit', 'ipc'] });
  const sockets: (Server | UdpSocket)[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  child.on('message', (message: { readonly error?: string }, handle) => {
    if (message.error !== undefined) reject(new Error(`sockets of network ${networkId}: ${message.error}`));
    else sockets.push(handle as Server | UdpSocket);
  });
  child.once('error', reject);
  child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`sockets of network ${networkId}: exit ${code}`))));
  try {
    await promise;
    if (sockets.length < wanted.length) throw new Error(`sockets of network ${networkId}: ${sockets.length} of ${wanted.length} came`);
    return sockets;
  } catch (error) {
    for (const socket of sockets) socket.close();
    throw error;
  }
}
