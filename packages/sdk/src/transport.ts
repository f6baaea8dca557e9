import { PileusError } from './errors.ts';

/** A body that can be sent again. */
export type ReplayableBody = string | Uint8Array | Blob;
/** A body that is read once; a request with it is not sent again. */
export type StreamBody = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

export interface TransportRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With query, starting with `/v1/` or `/health/`. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: ReplayableBody | StreamBody;
  readonly signal?: AbortSignal;
}

/** Exactly one of `text` and `stream` is read. */
export interface TransportResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  text(): Promise<string>;
  stream(): AsyncIterable<Uint8Array>;
}

/** How requests reach a server: over `fetch`, over axios, or in process. It sends once; retries are the client's. Rejects when no answer came. */
export interface Transport {
  request(request: TransportRequest): Promise<TransportResponse>;
  /** Where it leads, e.g. `https://cloud.example`; absent in process. Consoles need it. */
  readonly url?: string;
}

export interface FetchTransportOptions {
  readonly url: string;
  /** Another `fetch`, e.g. one that goes through a proxy. */
  readonly fetch?: typeof globalThis.fetch;
}

/** Requests over `fetch`, in Node and in browsers. */
export function fetchTransport({ url, fetch = globalThis.fetch }: FetchTransportOptions): Transport {
  const base = baseUrl(url);
  return {
    url: base,
    async request({ method, path, headers, body, signal }) {
      const payload = body === undefined ? undefined : await fetchBody(body);
      const init: RequestInit & { duplex?: 'half' } = {
        method,
        headers,
        redirect: 'error',
        ...(payload === undefined ? {} : { body: payload }),
        ...(payload instanceof ReadableStream ? { duplex: 'half' as const } : {}),
        ...(signal === undefined ? {} : { signal }),
      };
      const response = await fetch(base + path, init);
      return {
        status: response.status,
        headers: Object.fromEntries(response.headers),
        text: () => response.text(),
        stream: () => chunks(response.body),
      };
    },
  };
}

/** @throws PileusError invalid_input for what is not an http(s) URL, or has the version in it, which each request names. */
export function baseUrl(url: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch (cause) {
    throw new PileusError('invalid_input', `Not a URL: ${JSON.stringify(url)}. Give it like http://127.0.0.1:7420.`, { cause });
  }
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')
    throw new PileusError('invalid_input', `The URL ${url} must begin with http:// or https://.`);
  const base = `${parsed.origin}${parsed.pathname}`.replace(/\/+$/, '');
  if (base.endsWith('/v1')) throw new PileusError('invalid_input', `The URL ${url} must end before /v1: give it as ${base.slice(0, -3)}.`);
  return base;
}

export const isReplayable = (body: ReplayableBody | StreamBody): body is ReplayableBody =>
  typeof body === 'string' || body instanceof Uint8Array || body instanceof Blob;

async function fetchBody(body: ReplayableBody | StreamBody): Promise<NonNullable<RequestInit['body']>> {
  if (typeof body === 'string' || body instanceof Blob || body instanceof ReadableStream) return body;
  if (body instanceof Uint8Array) return new Blob([body as Uint8Array<ArrayBuffer>]);
  const stream = readable(body);
  // Browsers that cannot stream a request body get the whole of it: slower, but the same answer.
  return streamsRequests() ? stream : await new Response(stream).blob();
}

function readable(source: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await iterator.next();
      if (next.done === true) controller.close();
      else controller.enqueue(next.value);
    },
    async cancel() {
      await iterator.return?.();
    },
  });
}

function streamsRequests(): boolean {
  let asked = false;
  const init: RequestInit & { duplex: 'half' } = {
    method: 'POST',
    body: new ReadableStream<Uint8Array>(),
    get duplex(): 'half' {
      asked = true;
      return 'half';
    },
  };
  return asked && !new Request('http://localhost/', init).headers.has('content-type');
}

/** The chunks of a stream. Leaving the loop cancels it. */
export async function* chunks(stream: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
  if (stream === null) return;
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // On a stream that has already failed, cancel rejects with the failure that the reader has just seen.
    await reader.cancel().catch(() => undefined);
  }
}
