import { Api, type ApiRequest, type ApiResponse, jsonBody, type Store } from '@pileus/core/kernel';
import { nodeEnvironment } from '@pileus/core/node';
import type { SimCloud } from '@pileus/core/testing';
import { Health } from '../src/http/health.ts';
import { Metrics } from '../src/http/metrics.ts';
import { HttpServer } from '../src/http/server.ts';
import { Admission } from '../src/limits/admission.ts';

/** A request as a client sends it. */
export interface Sent {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Got {
  readonly status: number;
  readonly location: string | null;
  readonly text: string;
}

interface Waiting {
  readonly request: ApiRequest;
  readonly answered: PromiseWithResolvers<ApiResponse>;
}

/**
 * The server's HTTP, on a port of its own, before clouds in virtual time. What is sent at once is asked of the cloud once all of it has come: no virtual time
 * passes while real bytes are under way, so that the same requests make the same history every time.
 */
export class VirtualServer {
  readonly #http: HttpServer;
  readonly #waiting: Waiting[] = [];
  #arrived: { readonly count: number; readonly all: () => void } | undefined;
  #cloud: { readonly sim: SimCloud; readonly api: Api } | undefined;

  private constructor() {
    const environment = nodeEnvironment();
    this.#http = new HttpServer({
      api: { handle: (request: ApiRequest) => this.#take(request), route: () => undefined } as unknown as Api,
      authenticator: { authenticate: () => this.#cloud && { principal: this.#cloud.sim.principal } },
      environment,
      health: new Health({} as Store, environment),
      metrics: new Metrics(),
      mintRequestId: () => 'request',
      admission: new Admission({ clock: environment.clock, nextTurn: (run) => setImmediate(run), limits: { requests: 100, streams: 100 } }),
      limits: { bodyBytes: 1 << 20, bodySeconds: 60 },
      origins: [],
    });
  }

  static async open(): Promise<VirtualServer> {
    const server = new VirtualServer();
    await server.#http.listen('127.0.0.1', 0);
    return server;
  }

  close(): Promise<void> {
    return this.#http.close(1000);
  }

  /** Serves this cloud from now on. */
  async serve(sim: SimCloud): Promise<void> {
    const api = new Api(sim.kernel);
    this.#cloud = { sim, api };
    await sim.environment.complete(api.start());
  }

  /** The same request so many times at once. */
  async send(times: number, { method, path, body, headers = {} }: Sent): Promise<readonly Got[]> {
    if (this.#cloud === undefined) throw new Error('no cloud is served');
    const { sim, api } = this.#cloud;
    const all = Promise.withResolvers<void>();
    this.#arrived = { count: times, all: all.resolve };
    const answers = Promise.all(
      Array.from({ length: times }, async (): Promise<Got> => {
        const response = await fetch(this.#http.address + path, {
          method,
          headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        return { status: response.status, location: response.headers.get('location'), text: await response.text() };
      }),
    );
    // What is refused on the way never comes.
    await Promise.race([all.promise, answers]);
    const asked = this.#waiting.splice(0);
    const answered = await sim.environment.complete(Promise.all(asked.map(({ request }) => api.handle(request))));
    for (const [index, answer] of answered.entries()) asked[index]?.answered.resolve(answer);
    return answers;
  }

  /** With its whole body: reading it later would take real time. */
  async #take(request: ApiRequest): Promise<ApiResponse> {
    const { method, url, headers, principal, requestId } = request;
    const body = headers['content-type'] === undefined ? undefined : jsonBody(await request.body?.json());
    const { signal } = new AbortController();
    const answered = Promise.withResolvers<ApiResponse>();
    const taken = { method, url, headers, principal, requestId, acceptsSocket: false, signal, ...(body === undefined ? {} : { body }) };
    this.#waiting.push({ request: taken, answered });
    if (this.#waiting.length === this.#arrived?.count) this.#arrived.all();
    return answered.promise;
  }
}
