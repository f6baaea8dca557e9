import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Server as NetServer, Socket } from 'node:net';
import type { ServedMachine } from '@pileus/core/agent';
import { Rates } from '@pileus/core/environment';
import type { Clock } from '@pileus/core/kernel';
import { peerOf } from '../machines.ts';
import { ec2Answer } from './ec2.ts';
import { openstackAnswer } from './openstack.ts';
import { TOKEN_SECONDS_MAX, Tokens } from './tokens.ts';

export interface MetadataOptions {
  /** Signs tokens. */
  readonly key: Uint8Array;
  readonly clock: Clock;
  /** Whose address it is on that network. */
  readonly machineAt: (networkId: string, address: string) => ServedMachine | undefined;
}

/** What a request is, whoever carried it. */
export interface MetadataRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly networkId: string;
  readonly from: string;
}

export interface MetadataAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly text?: string;
}

const TTL = 'x-aws-ec2-metadata-token-ttl-seconds';
const TOKEN = 'x-aws-ec2-metadata-token';
/** Of one machine. */
const RATE = { perSecond: 50, burst: 200 };
const CONNECTIONS_MAX = 256;
const SOCKET_IDLE_MS = 10_000;
const BODY_NONE = 0;
/** As tools call us; some leave the zone of the link in it. */
const OWN_HOST = /^(169\.254\.169\.254|\[fe80::a9fe:a9fe(%[\w.-]+)?\])(:80)?$/i;

/**
 * What machines may know of themselves, by the address that they ask from: nobody else can have it on their network. What only a proxy could have sent is
 * refused, as is what asks for another host, so that nobody is led to ask on behalf of others. The tree of EC2 wants a token, which is had by PUT; that of
 * OpenStack is read without, since the tools for it have none.
 */
export class MetadataService {
  readonly #options: MetadataOptions;
  readonly #tokens: Tokens;
  readonly #rates: Rates;

  constructor(options: MetadataOptions) {
    this.#options = options;
    this.#tokens = new Tokens(options.key, () => options.clock.nowMs());
    this.#rates = new Rates(RATE, options.clock);
  }

  answer(request: MetadataRequest): MetadataAnswer {
    const { networkId, from, headers, method, path } = request;
    const machine = this.#options.machineAt(networkId, from);
    if (machine === undefined) return { status: 404 };
    const allowance = this.#rates.take(machine.instanceId);
    if (!allowance.granted) return { status: 429, headers: { 'retry-after': String(allowance.retrySeconds) } };
    if (['x-forwarded-for', 'forwarded', 'via'].some((header) => headers[header] !== undefined)) return { status: 403 };
    if (headers.host !== undefined && !OWN_HOST.test(String(headers.host))) return { status: 403 };
    if (path === '/latest/api/token') return this.#token(machine, method, headers[TTL]);
    if (method !== 'GET' && method !== 'HEAD') return { status: 405, headers: { allow: 'GET, HEAD' } };
    if (path === '/openstack' || path.startsWith('/openstack/')) {
      const found = openstackAnswer(machine, path.slice('/openstack'.length));
      return found === undefined ? { status: 404 } : { status: 200, headers: { 'content-type': found.type }, text: found.text };
    }
    const token = headers[TOKEN];
    if (typeof token !== 'string' || !this.#tokens.isGood(machine.instanceId, token)) return { status: 401 };
    const found = ec2Answer(machine, path);
    return found === undefined ? { status: 404 } : { status: 200, headers: { 'content-type': 'text/plain' }, text: found };
  }

  #token(machine: ServedMachine, method: string, ttl: unknown): MetadataAnswer {
    if (method !== 'PUT') return { status: 405, headers: { allow: 'PUT' } };
    const seconds = /^\d{1,6}$/.test(String(ttl)) ? Number(ttl) : 0;
    if (seconds < 1 || seconds > TOKEN_SECONDS_MAX) return { status: 400 };
    return {
      status: 200,
      headers: { 'content-type': 'text/plain', [TTL]: String(seconds) },
      text: this.#tokens.issue(machine.instanceId, seconds),
    };
  }

  /** Serves a network on a socket of its own. */
  serve(networkId: string, socket: NetServer): Server {
    const server = createServer({ headersTimeout: SOCKET_IDLE_MS, requestTimeout: SOCKET_IDLE_MS, keepAliveTimeout: SOCKET_IDLE_MS });
    server.on('request', (request, response) => this.#respond(networkId, request, response));
    server.on('clientError', (_error, client) => client.destroy());
    let open = 0;
    socket.on('connection', (client: Socket) => {
      if (open >= CONNECTIONS_MAX) return client.destroy();
      open += 1;
      client.once('close', () => {
        open -= 1;
      });
      server.emit('connection', client);
    });
    return server;
  }

  #respond(networkId: string, request: IncomingMessage, response: ServerResponse): void {
    const { method = '', url = '', headers, socket } = request;
    // No request has a body that would matter.
    if (Number(headers['content-length'] ?? BODY_NONE) > BODY_NONE || headers['transfer-encoding'] !== undefined)
      response.shouldKeepAlive = false;
    const [path = ''] = url.split('?');
    const answer = this.answer({ method, path, headers, networkId, from: peerOf(socket) });
    const text = answer.text ?? '';
    response.writeHead(answer.status, { server: 'pileus', 'content-length': String(Buffer.byteLength(text)), ...answer.headers });
    response.end(method === 'HEAD' ? undefined : text);
  }
}
