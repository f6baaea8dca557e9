import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Readable } from 'node:stream';
import cors from '@fastify/cors';
import websocket from '@fastify/websocket';
import {
  type Api,
  type ApiResponse,
  CloudError,
  type Environment,
  isStreamed,
  lacks,
  problemResponse,
  unauthenticated,
} from '@pileus/core/kernel';
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest, type RouteHandler } from 'fastify';
import { type Authenticator, type Proof, telling } from '../auth/authenticator.ts';
import type { Admission, Admitted, Asker, Holding } from '../limits/admission.ts';
import { bodyOf } from './body.ts';
import type { Health } from './health.ts';
import type { Metrics } from './metrics.ts';
import { addressOf, HttpRequest } from './request.ts';
import { joinSocket } from './sockets.ts';
import { RequestSpan } from './spans.ts';

export interface HttpServerOptions {
  readonly api: Api;
  readonly authenticator: Authenticator;
  readonly environment: Environment;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly mintRequestId: () => string;
  readonly admission: Admission;
  readonly limits: { readonly bodyBytes: number; readonly bodySeconds: number };
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Of web pages that may call from browsers. */
  readonly origins: readonly string[];
}

/** An import of it would load a client for `fetch`, which stays in memory. */
const { maxHeaderSize, STATUS_CODES } = process.getBuiltinModule('node:http');

const METHODS = ['HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];
/** What pages of allowed origins may send and read. Keys are sent by hand, never by the browser itself: no credentials. */
const CROSS_ORIGIN = {
  methods: ['GET', ...METHODS],
  allowedHeaders: [
    ...[
      'Authorization',
      'Content-Range',
      'Content-Type',
      'Idempotency-Key',
      'If-Match',
      'If-None-Match',
      'If-Range',
      'Last-Event-ID',
      'Prefer',
      'Range',
      'Repr-Digest',
      'X-Pileus-Project',
      'X-Callback-Url',
    ],
    ...['traceparent', 'tracestate'],
  ],
  exposedHeaders: [
    'Accept-Ranges',
    'Allow',
    'Content-Range',
    'ETag',
    'Location',
    'Preference-Applied',
    'RateLimit',
    'RateLimit-Policy',
    'Repr-Digest',
    'Retry-After',
    'WWW-Authenticate',
    'X-Request-Id',
  ],
  maxAge: 600,
  strictPreflight: false,
};
/** For the whole head of a request: a client that trickles it in holds nothing but a socket. */
const HEADERS_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_MS = 75_000;
const SWEEP_MS = 50;
const REQUEST = 'request';
const SOCKET_MESSAGE_BYTES_MAX = 1024 * 1024;

const compilesNothing = () => () => {
  throw new Error('schemas are checked by the API, not by fastify');
};
/** Keeps fastify from loading the compilers of schemas that its routes do not have: 3 MiB. */
const NO_SCHEMAS = { compilersFactory: { buildValidator: compilesNothing, buildSerializer: compilesNothing } };

/**
 * The API over HTTP. fastify carries it: connections, parsing, sockets; paths and answers are the API's. Bodies are read when the API asks for them, so a
 * request that is refused for its path, its key or its permission is refused before its body.
 */
export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #app: FastifyInstance;
  readonly #stop = new AbortController();
  /** Connections on which nothing was asked yet. */
  readonly #unused = new Set<Socket>();

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#app = fastify({
      genReqId: options.mintRequestId,
      requestIdHeader: false,
      requestTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      forceCloseConnections: 'idle',
      // A request that comes on a connection while it is closed is answered like any other.
      return503OnClosing: false,
      exposeHeadRoutes: false,
      schemaController: NO_SCHEMAS,
      // What fastify cannot read of a request that is HTTP, such as its path, goes by no error handler.
      frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => this.#carried(error, request, reply),
      clientErrorHandler: (error: NodeJS.ErrnoException, socket: Socket) => this.#refuse(error, socket),
      http: { headersTimeout: HEADERS_TIMEOUT_MS },
      ...(options.tls === undefined ? {} : { https: options.tls }),
    } as object) as FastifyInstance;
  }

  /** E.g. `http://127.0.0.1:7420`. */
  get address(): string {
    const { address, port, family } = this.#app.server.address() as AddressInfo;
    return `${this.#options.tls === undefined ? 'http' : 'https'}://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  async listen(host: string, port: number): Promise<void> {
    const app = this.#app;
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    app.setErrorHandler((error: FastifyError, request, reply) => this.#carried(error, request, reply));
    app.setNotFoundHandler((request, reply) => this.#serve(request, reply));
    if (this.#options.origins.length > 0) await app.register(cors, { ...CROSS_ORIGIN, origin: [...this.#options.origins] });
    await app.register(websocket, { options: { maxPayload: SOCKET_MESSAGE_BYTES_MAX, perMessageDeflate: false } });
    app.route({ method: METHODS, url: '/v1/*', handler: (request, reply) => this.#serve(request, reply) });
    app.route({
      method: 'GET',
      url: '/v1/*',
      preValidation: (request, reply, done) => {
        if (!request.ws) return done();
        this.#upgrade(request, reply).then((granted) => granted && done(), done);
      },
      handler: (request, reply) => this.#serve(request, reply),
      wsHandler: (socket, request) => {
        const stream = sockets.get(request);
        sockets.delete(request);
        if (stream === undefined) socket.close();
        else void joinSocket(socket, stream, this.#stop.signal);
      },
    });
    this.#routeOperational();
    this.#trackUnused();
    await app.listen({ host, port });
  }

  #trackUnused(): void {
    const { server } = this.#app;
    server.on(this.#options.tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
      this.#unused.add(socket);
      socket.once('close', () => this.#unused.delete(socket));
    });
    for (const event of ['request', 'upgrade']) server.prependListener(event, ({ socket }: IncomingMessage) => this.#unused.delete(socket));
  }

  /** Takes no new connections, answers what is in work, ends streams and sockets; after the time what is left is cut. */
  async close(timeoutMs: number): Promise<void> {
    this.#stop.abort();
    const { timers } = this.#options.environment;
    const cancelCut = timers.after(timeoutMs, () => this.#app.server.closeAllConnections());
    let cancelSweep = () => {};
    // Connections whose request ends after the server began to close would be kept alive, and those that never had one do not count as idle.
    const sweep = () => {
      this.#app.server.closeIdleConnections();
      for (const socket of this.#unused) socket.destroy();
      cancelSweep = timers.after(SWEEP_MS, sweep);
    };
    sweep();
    await this.#app.close();
    cancelSweep();
    cancelCut();
  }

  #routeOperational(): void {
    const { health, metrics } = this.#options;
    const get = (url: string, handler: RouteHandler) => this.#app.route({ method: ['GET', 'HEAD'], url, handler });
    get('/health/live', async () => ({ status: 'live' }));
    get('/health/ready', async (_request, reply) => {
      const problem = await health.problem();
      return reply
        .code(problem === undefined ? 200 : 503)
        .send(problem === undefined ? { status: 'ready' } : { status: 'not ready', problem });
    });
    get('/metrics', async (request, reply) => {
      try {
        const principal = (await this.#proof(request))?.principal;
        if (principal === undefined) throw unauthenticated();
        if (!principal.allows('metrics.read')) throw lacks('metrics.read', principal);
      } catch (error) {
        return this.#send(request, reply, this.#problem(error, request), undefined);
      }
      return reply.type(metrics.contentType).send(await metrics.text());
    });
  }

  #proof({ raw }: FastifyRequest): Proof | undefined | Promise<Proof | undefined> {
    const { method = '', url = '', headers, socket } = raw;
    const project = headers['x-pileus-project'] as string | undefined;
    const presented = { authorization: headers.authorization, method, url, project, connection: socket };
    const { authenticator, api } = this.#options;
    return telling(
      () => authenticator.authenticate(presented),
      (error) => api.refused(error, { from: addressOf(raw) }),
    );
  }

  async #serve(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { environment, metrics } = this.#options;
    const startedMs = environment.clock.monotonicMs();
    environment.marks?.begin(REQUEST, request.method, request.id);
    const span = this.#span(request);
    const holding = takesLong(request.raw) ? 'streams' : 'requests';
    const { response, leave } = await span.within(() => this.#ask(request, reply.raw, { holding, acceptsSocket: false }));
    const seconds = (environment.clock.monotonicMs() - startedMs) / 1000;
    metrics.request(response.route, request.method, response.status, seconds);
    environment.marks?.end(REQUEST, `${request.method} ${response.route}`, request.id);
    this.#log(request, response, seconds);
    span.answered(response, this.#options.api.route(response), reply.raw);
    return this.#send(request, reply, response, leave);
  }

  #span({ raw, id }: FastifyRequest): RequestSpan {
    return new RequestSpan(raw, id, this.#options.tls === undefined ? 'http' : 'https');
  }

  /** Finds out who asks, and serves him when it is his turn. A stream keeps a place until it ends: `leave` is how. */
  async #ask(request: FastifyRequest, response: ServerResponse, how: How): Promise<Asked> {
    const { admission } = this.#options;
    let headers: Admitted['headers'];
    let leave: (() => void) | undefined;
    try {
      const found = this.#proof(request);
      const proof = found instanceof Promise ? await found : found;
      const principal = proof?.principal;
      const asker: Asker = { principal, from: addressOf(request.raw) };
      const counted = admission.count(principal);
      headers = counted.headers;
      if (counted.refusal !== undefined) {
        if (counted.delayMs !== undefined) await this.#pause(counted.delayMs);
        throw counted.refusal;
      }
      leave = admission.enter(asker, how.holding);
      const served = await admission.inTurn(asker, how.holding, () => this.#handle(request, response, proof, how.acceptsSocket));
      const answer = withHeaders(served, headers);
      if (answer.socket !== undefined || (how.holding === 'streams' && isStreamed(answer.body))) return { response: answer, leave };
      leave();
      if (!isStreamed(answer.body)) return { response: answer };
      try {
        return { response: answer, leave: admission.enter(asker, 'streams') };
      } catch (error) {
        // What was granted is let go of: nobody will read it.
        void answer.body[Symbol.asyncIterator]().return?.();
        throw error;
      }
    } catch (error) {
      leave?.();
      return { response: withHeaders(this.#problem(error, request), headers) };
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#options.environment.timers.after(ms, resolve));
  }

  async #handle(request: FastifyRequest, response: ServerResponse, proof: Proof | undefined, acceptsSocket: boolean): Promise<ApiResponse> {
    const { api, environment, limits } = this.#options;
    const bounds = { bytesMax: limits.bodyBytes, timeoutMs: limits.bodySeconds * 1000 };
    const body = bodyOf(request.raw, bounds, environment.timers, proof?.bodySha256);
    const principal = proof?.principal;
    const answer = await api.handle(new HttpRequest(request, { principal, body, response, acceptsSocket }));
    if (body !== undefined && !request.raw.complete && !request.raw.destroyed) this.#boundRest(request.raw);
    return answer;
  }

  /** The rest of a body that nobody wants is read and dropped, so that the client gets to read the answer: but not for ever. */
  #boundRest(raw: IncomingMessage): void {
    const { environment, limits } = this.#options;
    const cancel = environment.timers.after(limits.bodySeconds * 1000, () => raw.socket.destroy());
    raw.once('close', cancel);
  }

  #carried(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
    this.#send(request, reply, this.#problem(carrierError(error), request), undefined);
  }

  /** What cannot be read as HTTP has no request to answer; the connection ends with the answer. */
  #refuse(error: NodeJS.ErrnoException, socket: Socket): void {
    if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) return void socket.destroy();
    const id = this.#options.mintRequestId();
    const { status, headers, body } = this.#problem(unreadable(error), { id });
    const head = Object.entries({ ...headers, 'content-length': Buffer.byteLength(String(body)), connection: 'close' });
    socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`);
  }

  #problem(error: unknown, { id }: Pick<FastifyRequest, 'id'>): ApiResponse {
    return problemResponse(error, id, 'unknown', this.#options.environment.logger);
  }

  #send(request: FastifyRequest, reply: FastifyReply, response: ApiResponse, ended: (() => void) | undefined): FastifyReply {
    reply.code(response.status).headers(response.headers).header('x-request-id', request.id);
    if (!isStreamed(response.body)) return reply.send(response.body);
    const stream = Readable.from(response.body, { objectMode: false });
    if (ended !== undefined) stream.once('close', ended);
    return reply.send(stream);
  }

  /**
   * Refuses before the switch of protocols, as plain HTTP; or keeps the stream for the socket. The place is taken before anything is asked, so that many at
   * once are no more than there may be, and left with the connection: a client may go before there is a socket.
   */
  async #upgrade(request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
    const span = this.#span(request);
    const { response, leave } = await span.within(() => this.#ask(request, reply.raw, { holding: 'streams', acceptsSocket: true }));
    this.#options.metrics.request(response.route, 'GET', response.status, 0);
    this.#log(request, response, 0);
    span.answered(response, this.#options.api.route(response), reply.raw);
    const { socket: stream } = response;
    if (stream === undefined) {
      this.#send(request, reply, response, leave);
      return false;
    }
    const end = () => {
      if (sockets.delete(request)) void stream.readable.cancel().catch(() => undefined);
      leave?.();
    };
    sockets.set(request, stream);
    if (request.raw.socket.destroyed) end();
    else request.raw.socket.once('close', end);
    return true;
  }

  #log(request: FastifyRequest, { route, status }: ApiResponse, seconds: number): void {
    const { logger } = this.#options.environment;
    const fields = { requestId: request.id, route, method: request.method, status, ms: Math.round(seconds * 1000) };
    if (status >= 500) logger.warn(fields, 'request failed');
    else if (request.method === 'GET' || request.method === 'HEAD') logger.debug(fields, 'request');
    else logger.info(fields, 'request');
  }
}

interface How {
  /** What its place is among. */
  readonly holding: Holding;
  readonly acceptsSocket: boolean;
}

interface Asked {
  readonly response: ApiResponse;
  /** Of what goes on after the head of its answer. */
  readonly leave?: () => void;
}

const withHeaders = (response: ApiResponse, headers: Admitted['headers']): ApiResponse =>
  headers === undefined ? response : { ...response, headers: { ...headers, ...response.headers } };

/** Streams that were granted and wait for the switch of protocols. */
const sockets = new WeakMap<FastifyRequest, NonNullable<ApiResponse['socket']>>();

/** Uploads, and what asks to be kept waiting: those are held as long as streams are, and must not keep the others out. */
const takesLong = ({ method, url = '', headers }: IncomingMessage): boolean =>
  method === 'PUT' || /[?&]waitSeconds=/.test(url) || /wait=/.test(String(headers.prefer ?? ''));

/** fastify's own refusals: a head that cannot be read, a media type that is none. */
function carrierError(error: FastifyError): Error {
  if (error.statusCode === 415) return new CloudError('unsupported_media_type', 'The Content-Type cannot be read.', { cause: error });
  if (error.code === 'FST_ERR_BAD_URL') return new CloudError('invalid_input', 'The path of the URL cannot be decoded.', { cause: error });
  if (error.statusCode !== undefined && error.statusCode < 500)
    return new CloudError('invalid_input', 'The request is malformed.', { cause: error });
  return error;
}

function unreadable({ code }: NodeJS.ErrnoException): CloudError {
  if (code === 'HPE_HEADER_OVERFLOW')
    return new CloudError('invalid_input', `The URL and the headers of a request are less than ${maxHeaderSize} bytes.`);
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new CloudError('invalid_input', 'The head of the request did not arrive in time.');
  return new CloudError('invalid_input', 'This is not readable as HTTP.');
}
