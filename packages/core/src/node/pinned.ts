import { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import type { Duplex } from 'node:stream';
import { connect, type TLSSocket } from 'node:tls';
import { request as plainRequest } from './plain-http.ts';

/** Who one is: a certificate and its key, in PEM. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

/** SHA-256 of a certificate, in lower-case hex. A pin holds whatever the certificate says of names and dates: who has the key is who is meant. */
export const fingerprintOf = (cert: string): string => normalFingerprint(new X509Certificate(cert).fingerprint256);

/** As OpenSSL shows it, with colons, is the same. */
export const normalFingerprint = (text: string): string => text.replaceAll(':', '').toLowerCase();

/** Whose certificate the other side has shown, and proved to have the key of. */
export function peerFingerprint(socket: TLSSocket): string | undefined {
  const certificate = socket.getPeerX509Certificate();
  return certificate === undefined ? undefined : normalFingerprint(certificate.fingerprint256);
}

/** Somebody else answers. Nothing was sent to him. */
export class WrongIdentity extends Error {
  readonly code = 'WRONG_IDENTITY';
  constructor(fingerprint: string | undefined) {
    super(`who answers has the certificate ${fingerprint ?? '(none)'}, which is not the one expected`);
    this.name = 'WrongIdentity';
  }
}

/** Connections to those alone whose certificates are known, with our own shown to them. */
export class PinnedConnections extends Agent {
  readonly #identity: Identity;
  readonly #pins: ReadonlySet<string>;

  constructor(identity: Identity, pins: readonly string[]) {
    super({ keepAlive: true, maxSockets: 32, maxFreeSockets: 4, timeout: 60_000, maxCachedSessions: 0 });
    this.#identity = identity;
    this.#pins = new Set(pins.map(normalFingerprint));
  }

  override createConnection(
    options: { readonly host?: string; readonly port?: number | string | null },
    connected: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    const { host = '', port } = options;
    const socket = connect({ host, port: Number(port), ...this.#identity, rejectUnauthorized: false, minVersion: 'TLSv1.3' });
    const fail = (error: Error) => connected(error, socket);
    socket.once('error', fail);
    socket.once('secureConnect', () => {
      socket.removeListener('error', fail);
      const fingerprint = peerFingerprint(socket);
      if (fingerprint !== undefined && this.#pins.has(fingerprint)) return connected(null, socket);
      socket.destroy();
      fail(new WrongIdentity(fingerprint));
    });
  }
}

export interface Exchange {
  readonly url: string;
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly signal: AbortSignal;
}

const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

/** One request, over pinned connections where the URL is one of HTTPS, and the whole answer. */
export function exchange(
  connections: PinnedConnections,
  { url, method, headers, body, signal }: Exchange,
): Promise<{ status: number; text: string }> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const sent = text === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) };
  return new Promise((resolve, reject) => {
    const answered = (response: IncomingMessage) => {
      readAll(response).then((answer) => resolve({ status: response.statusCode ?? 0, text: answer }), reject);
    };
    const options = { method, signal, headers: { ...headers, ...sent } };
    const asked = url.startsWith('https:')
      ? request(url, { ...options, agent: connections }, answered)
      : plainRequest(url, options, answered);
    asked.on('error', reject).end(text);
  });
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`the answer has more than ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
