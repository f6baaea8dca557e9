import { newKey } from './client.ts';
import { PileusError } from './errors.ts';
import { chunks, type ReplayableBody, type StreamBody, type Transport, type TransportRequest } from './transport.ts';

/** A request as a cloud in the same process takes it. */
export interface EmbeddedRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body?: { json(): Promise<unknown>; bytes(): AsyncIterable<Uint8Array> };
  readonly requestId: string;
  readonly signal: AbortSignal;
  readonly acceptsSocket: boolean;
}
export interface EmbeddedResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | AsyncIterable<string | Uint8Array>;
}

/** A cloud that runs in this process: what `createCloud` of `@pileus/core` answers, or anything with the same method. */
export interface Embedded {
  handle(request: EmbeddedRequest): Promise<EmbeddedResponse>;
}

/** Requests by function call: the same client, with no server between. */
export function embeddedTransport(cloud: Embedded): Transport {
  return {
    async request(request) {
      const response = await cloud.handle(embeddedRequest(request));
      return {
        status: response.status,
        headers: Object.fromEntries(Object.entries(response.headers).map(([name, value]) => [name.toLowerCase(), value])),
        text: () => textOf(response.body),
        stream: () => bytesOf(response.body),
      };
    },
  };
}

function embeddedRequest({ method, path, headers, body, signal }: TransportRequest): EmbeddedRequest {
  return {
    method,
    url: path,
    headers,
    requestId: newKey(),
    signal: signal ?? new AbortController().signal,
    acceptsSocket: false,
    ...(body === undefined ? {} : { body: { json: async () => parse(await textOf(await source(body))), bytes: () => lazily(body) } }),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new PileusError('invalid_input', 'The body is not JSON.', { cause });
  }
}

const source = (body: ReplayableBody | StreamBody) =>
  body instanceof Blob ? chunks(body.stream()) : body instanceof ReadableStream ? chunks(body) : body;

async function* lazily(body: ReplayableBody | StreamBody): AsyncGenerator<Uint8Array> {
  yield* bytesOf(source(body));
}

async function textOf(body: EmbeddedResponse['body']): Promise<string> {
  if (typeof body === 'string') return body;
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of bytesOf(body)) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

async function* bytesOf(body: EmbeddedResponse['body']): AsyncGenerator<Uint8Array> {
  if (body instanceof Uint8Array) yield body;
  else if (typeof body === 'string') yield new TextEncoder().encode(body);
  else for await (const chunk of body) yield typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk;
}
