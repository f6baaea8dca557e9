import type { TObject, TSchema } from 'typebox';
import type { ByteStream, Content } from '../strategy/index.ts';
import type { Principal } from './action.ts';

/** What an endpoint is given: already authenticated, allowed and validated. */
export interface EndpointRequest {
  readonly principal: Principal;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: unknown;
  /** For `upload`: the bytes, once. */
  readonly bytes?: AsyncIterable<Uint8Array>;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

interface EndpointBase {
  /** Below `/v1`, with `{name}` for parameters, e.g. `/instances/{id}/console`. */
  readonly path: string;
  readonly summary: string;
  readonly permission: string | 'none';
  readonly query?: TObject;
}

/**
 * What is neither a list, a read nor an action: a computed value, an upload, a stream both ways. Transport-neutral: the same one is served over HTTP and in
 * process. What changes resources stays an action.
 */
export type Endpoint =
  | (EndpointBase & {
      readonly type: 'value';
      readonly method: 'GET' | 'POST';
      readonly body?: TObject;
      readonly answer: TSchema;
      readonly handle: (request: EndpointRequest) => Promise<unknown>;
    })
  | (EndpointBase & {
      readonly type: 'upload';
      readonly method: 'PUT';
      readonly answer: TSchema;
      readonly handle: (request: EndpointRequest) => Promise<unknown>;
    })
  | (EndpointBase & {
      readonly type: 'download';
      readonly method: 'GET';
      readonly handle: (request: EndpointRequest) => Promise<Content & { readonly mediaType: string }>;
    })
  | (EndpointBase & {
      readonly type: 'socket';
      readonly method: 'GET';
      readonly handle: (request: EndpointRequest) => Promise<ByteStream>;
    });
