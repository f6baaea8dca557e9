import net from 'node:net';
import tls from 'node:tls';
import { AbortedError, ConnectionLostError } from './errors.ts';

/** A server on this machine, by the path of its socket. */
export interface UnixAddress {
  readonly kind: 'unix';
  readonly path: string;
}

export interface TcpAddress {
  readonly kind: 'tcp';
  readonly host: string;
  readonly port: number;
}

/** Both sides show certificates: the server's must be from `ca`. All are PEM. */
export interface TlsAddress {
  readonly kind: 'tls';
  readonly host: string;
  readonly port: number;
  readonly ca: string | Buffer;
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** What the server's certificate must name; default `host`. `false`: whatever is from `ca` will do, as certificates of ovs-pki name no host. */
  readonly servername?: string | false | undefined;
}

export type Address = UnixAddress | TcpAddress | TlsAddress;

/** As Open vSwitch writes it. */
export function describeAddress(address: Address): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  const host = net.isIPv6(address.host) ? `[${address.host}]` : address.host;
  return `${address.kind === 'tcp' ? 'tcp' : 'ssl'}:${host}:${address.port}`;
}

function openTls(address: TlsAddress): tls.TLSSocket {
  const { host, port, ca, cert, key, servername = host } = address;
  const name = servername === false || net.isIP(servername) !== 0 ? {} : { servername };
  const identity = servername === false ? { checkServerIdentity: () => undefined } : {};
  return tls.connect({ host, port, ca, cert, key, minVersion: 'TLSv1.2', ...name, ...identity });
}

function dial(address: Address): net.Socket {
  if (address.kind === 'unix') return net.connect({ path: address.path });
  if (address.kind === 'tcp') return net.connect({ host: address.host, port: address.port, noDelay: true });
  return openTls(address).setNoDelay(true);
}

/** Connects, paused: nothing is read until the caller asks. Over TLS 1.3 the server may refuse our certificate only after that. */
export function openTransport(address: Address, signal: AbortSignal): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = dial(address);
    const where = describeAddress(address);
    const failed = (message: string, cause?: unknown): void => {
      done();
      socket.destroy();
      reject(new ConnectionLostError(`${where}: ${message}`, 'not_sent', { cause }));
    };
    const onError = (error: Error): void => failed(error.message, error);
    const onClose = (): void => failed('the connection closed');
    const onAbort = (): void => {
      done();
      socket.destroy();
      reject(new AbortedError(`${where}: connecting was given up`, 'not_sent', { cause: signal.reason }));
    };
    const onReady = (): void => {
      done();
      socket.pause();
      resolve(socket);
    };
    const done = (): void => {
      socket.off('error', onError).off('close', onClose).off('connect', onReady).off('secureConnect', onReady);
      socket.on('error', () => {});
      signal.removeEventListener('abort', onAbort);
    };
    socket.on('error', onError).on('close', onClose);
    socket.on(address.kind === 'tls' ? 'secureConnect' : 'connect', onReady);
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
  });
}
