import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ApiRequest, Principal, RequestBody } from '@pileus/core/kernel';
import type { FastifyRequest } from 'fastify';

/** Of the other end of the connection. One of IPv4 is written as such, whatever the socket is of. */
export const addressOf = ({ socket }: IncomingMessage): string | undefined => socket.remoteAddress?.replace(/^::ffff:(?=[\d.]+$)/, '');

/** An HTTP request as the API takes it. The abort signal is made only when somebody wants it: most requests end before anybody could go away. */
export class HttpRequest implements ApiRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: ApiRequest['headers'];
  readonly body?: RequestBody;
  readonly principal: Principal | undefined;
  readonly requestId: string;
  readonly acceptsSocket: boolean;
  readonly #raw: IncomingMessage;
  readonly #response: Pick<ServerResponse, 'once' | 'closed' | 'writableFinished'>;
  #abort: AbortController | undefined;

  constructor(
    { raw, id }: FastifyRequest,
    given: {
      readonly principal: Principal | undefined;
      readonly body: RequestBody | undefined;
      readonly response: ServerResponse;
      readonly acceptsSocket: boolean;
    },
  ) {
    this.method = raw.method ?? '';
    this.url = raw.url ?? '';
    // Only Set-Cookie is ever a list, and no client sends it.
    this.headers = raw.headers as ApiRequest['headers'];
    if (given.body !== undefined) this.body = given.body;
    this.principal = given.principal;
    this.requestId = id;
    this.#raw = raw;
    this.acceptsSocket = given.acceptsSocket;
    this.#response = given.response;
  }

  get from(): string | undefined {
    return addressOf(this.#raw);
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      const abort = new AbortController();
      this.#abort = abort;
      if (this.#response.closed) abort.abort();
      // Once it is answered nobody is left to be told.
      else this.#response.once('close', () => this.#response.writableFinished || abort.abort());
    }
    return this.#abort.signal;
  }
}
