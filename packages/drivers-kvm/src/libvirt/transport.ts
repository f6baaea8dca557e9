import net from 'node:net';
import tls from 'node:tls';
import { AbortedError, ConnectionLostError } from './errors.ts';

/** A local daemon, by the path of its socket; the usual one is `/run/libvirt/libvirt-sock`. */
export interface UnixAddress {
  readonly kind: 'unix';
  readonly path: string;
}

/** A remote daemon. Both sides show certificates: the server's must be from `ca` and name `servername` (default `host`). All are PEM. */
export interface TlsAddress {
  readonly kind: 'tls';
  readonly host: string;
  /** Default 16514. */
  readonly port?: number | undefined;
  readonly ca: string | Buffer;
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  readonly servername?: string | undefined;
}

export type Address = UnixAddress | TlsAddress;

export function describeAddress(address: Address): string {
  return address.kind === 'unix' ? address.path : `${address.host}:${address.port ?? 16514}`;
}

function openTls(address: TlsAddress): tls.TLSSocket {
  const { host, port = 16514, ca, cert, key, servername = host } = address;
  // Names only: SNI cannot carry an address, and the identity check then uses `host`.
  const name = net.isIP(servername) === 0 ? { servername } : {};
  return tls.connect({ host, port, ca, cert, key, minVersion: 'TLSv1.2', ...name });
}

/**
 * Connects, paused: nothing is read until the caller asks. Over TLS the server sends one byte, 1, once it has accepted our certificate;
 * before that the handshake alone proves nothing, because under TLS 1.3 it ends before the server has looked.
 */
export function openTransport(address: Address, signal: AbortSignal): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = address.kind === 'unix' ? net.connect({ path: address.path }) : openTls(address);
    const failed = (message: string, cause?: unknown): void => {
      done();
      socket.destroy();
      reject(new ConnectionLostError(`libvirt at ${describeAddress(address)}: ${message}`, 'not_sent', { cause }));
    };
    const onError = (error: Error): void => failed(error.message, error);
    const onClose = (): void => failed(address.kind === 'tls' ? 'the server refused our certificate' : 'the connection closed');
    const onAbort = (): void => {
      done();
      socket.destroy();
      reject(new AbortedError(`libvirt at ${describeAddress(address)}: connecting was given up`, 'not_sent', { cause: signal.reason }));
    };
    const onReady = (): void => {
      done();
      socket.pause();
      resolve(socket);
    };
    const onFirstByte = (chunk: Buffer): void => {
      if (chunk[0] === 1) onReady();
      else failed('the server refused our certificate');
    };
    const done = (): void => {
      socket.off('error', onError).off('close', onClose).off('data', onFirstByte).off('connect', onReady);
      socket.on('error', () => {});
      signal.removeEventListener('abort', onAbort);
    };
    socket.on('error', onError).on('close', onClose);
    signal.addEventListener('abort', onAbort);
    if (address.kind === 'unix') socket.on('connect', onReady);
    else socket.setNoDelay(true).on('data', onFirstByte);
    if (signal.aborted) onAbort();
  });
}
