import type { ByteStream } from '../../strategy/index.ts';
import type { Principal } from '../access.ts';
import { CloudError } from '../errors.ts';

/** A request's body, read at most once and only when its route wants it. */
export interface RequestBody {
  /** The parsed body, or undefined when there is none. @throws CloudError `invalid_input`, `too_large`, `unsupported_media_type` */
  json(): Promise<unknown>;
  bytes(): AsyncIterable<Uint8Array>;
}

export interface ApiRequest {
  readonly method: string;
  /** Path and query, e.g. `/v1/instances?limit=20`. */
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body?: RequestBody;
  /** Undefined = nobody has proven who they are; only endpoints of permission `none` answer then. */
  readonly principal: Principal | undefined;
  readonly requestId: string;
  /** Address of who asks; absent within the process. */
  readonly from?: string | undefined;
  /** Aborts when the caller has gone away. */
  readonly signal: AbortSignal;
  /** Whether the transport can carry bytes both ways, as socket endpoints need. */
  readonly acceptsSocket: boolean;
}

export interface ApiResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** A stream is read as fast as the caller takes it, and ends when `ApiRequest.signal` aborts. */
  readonly body: string | Uint8Array | AsyncIterable<string | Uint8Array>;
  /** With status 101: the bytes both ways. */
  readonly socket?: ByteStream;
  /** The operationId of the route in the document, for logs and metrics. */
  readonly route: string;
  /** The operation that was accepted. */
  readonly operationId?: string;
}

export const isStreamed = (body: ApiResponse['body']): body is AsyncIterable<string | Uint8Array> =>
  typeof body === 'object' && Symbol.asyncIterator in body;

/** The same without its body: HEAD. What would be streamed is let go of. */
export function headOf(response: ApiResponse): ApiResponse {
  const { body, headers } = response;
  if (isStreamed(body)) void body[Symbol.asyncIterator]().return?.();
  const length = isStreamed(body) || response.status === 304 ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  // What is text stays text: the carrier may add to its type.
  return { ...response, headers: { ...length, ...headers }, body: typeof body === 'string' ? '' : new Uint8Array() };
}

/** A body for requests that are made in process. */
export const jsonBody = (value: unknown): RequestBody => ({
  json: async () => value,
  bytes() {
    throw new CloudError('unsupported_media_type', 'This route takes bytes, not a JSON value.');
  },
});

/** The bytes of an upload that is made in process. */
export const bytesBody = (bytes: AsyncIterable<Uint8Array>): RequestBody => ({
  json() {
    throw new CloudError('unsupported_media_type', 'This route takes a JSON value, not bytes.');
  },
  bytes: () => bytes,
});

/** An action or an endpoint without required fields may come without a body. */
export async function bodyOf({ body }: ApiRequest): Promise<unknown> {
  const value = await body?.json();
  return value === undefined ? {} : value;
}

/** @throws CloudError invalid_input */
export function keyOf({ headers }: ApiRequest): string | undefined {
  const key = headers['idempotency-key'];
  if (key === undefined || /^[\x20-\x7e]{1,128}$/.test(key)) return key;
  throw badHeader('Idempotency-Key', 'has 1 to 128 printable ASCII characters');
}

export const badHeader = (header: string, says: string): CloudError =>
  new CloudError('invalid_input', `The header ${header} ${says}.`, { params: { header } });
