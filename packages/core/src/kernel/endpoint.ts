import type { TObject, TSchema } from 'typebox';
import type { ByteStream, Content } from '../strategy/index.ts';
import type { Principal } from './access.ts';
import type { JsonObject } from './json.ts';
import type { Scope } from './kind.ts';
import type { Statement } from './store.ts';

/** What an endpoint is given: already authenticated, allowed and validated. */
export interface EndpointRequest {
  readonly principal: Principal;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** His address; undefined within the process. */
  readonly from?: string | undefined;
}

/** For the audit: what it is done to, where the path does not say it, and who it was, where that is found out only now. */
export interface BegunBy {
  readonly resourceId?: string;
  readonly actor?: string;
  readonly accountId?: string;
}

interface Changes {
  /** What the audit calls it, e.g. `store.backup`. */
  readonly action: string;
  /** Why it takes no dry run, for those who would ask for one. Without it, it does: it is played up to `begin`. */
  readonly noDryRun?: string;
}

/** What one that changes something is given beside. Its answer is kept for repeats with the same Idempotency-Key. */
export interface ChangeRequest extends EndpointRequest {
  /** When its first try began, RFC 3339. A repeat has the same, also after a restart. */
  readonly at: string;
  /** An earlier try of this request began, and nobody knows how far it came: what is done already is not done twice. */
  readonly again: boolean;
  /** Nothing will come of it, it is a dry run: `begin` ends it. No secret need be made for it, and nothing is remembered of it. */
  readonly rehearses: boolean;
  /**
   * Called once, when everything is checked and before anything is changed: commits the audit row, with `facts`, the Idempotency-Key and the endpoint's own
   * statements in one transaction. What throws before it leaves no trace. Of a dry run `facts` are the notes.
   */
  readonly begin: (statements?: readonly Statement[], facts?: JsonObject, by?: BegunBy) => Promise<void>;
}

export interface UploadRequest extends ChangeRequest {
  /** Once. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** `sha256`, lower-case hex, is of the bytes that came: it tells a repeat from another upload. */
export interface Uploaded {
  readonly answer: unknown;
  readonly sha256: string;
}

interface EndpointBase {
  /** Below `/v1`, with `{name}` for parameters, e.g. `/instances/{id}/console`. */
  readonly path: string;
  readonly summary: string;
  readonly permission: string | 'none';
  /** At which level a role grants the permission, where it is not one of a kind. Default: `cloud`. */
  readonly scope?: Scope;
  readonly query?: TObject;
  /** Between parts of the cloud: no caller is told of it, and the document does not name it. */
  readonly internal?: true;
}

export interface Downloaded extends Content {
  readonly mediaType: string;
  /** Changes with the content, e.g. its digest: by it a download that broke off knows that it may go on. */
  readonly tag?: string;
  /** Of the whole, in hexadecimal: who reads it can check what came. */
  readonly sha256?: string;
}

/**
 * What is neither a list, a read nor an action: a computed value, a change of something that is no resource, an upload, a stream both ways. Transport-neutral:
 * the same one is served over HTTP and in process. What changes resources stays an action.
 */
export type Endpoint =
  | (EndpointBase & {
      readonly type: 'value';
      readonly method: 'GET' | 'POST';
      readonly body?: TObject;
      readonly answer: TSchema;
      readonly handle: (request: EndpointRequest) => Promise<unknown>;
    })
  | (EndpointBase &
      Changes & {
        readonly type: 'change';
        readonly method: 'POST';
        readonly body?: TObject;
        readonly answer: TSchema;
        /** The answer is a one-time secret: it is kept nowhere, and a repeat gets another. */
        readonly isOneTime?: true;
        /** Fields of the body that are secrets: nothing that is kept of the request tells anything of them. */
        readonly secrets?: readonly string[];
        readonly handle: (request: ChangeRequest) => Promise<unknown>;
      })
  | (EndpointBase &
      Changes & {
        readonly type: 'upload';
        readonly method: 'PUT';
        /** What it would do is known when all bytes have come. */
        readonly noDryRun: string;
        readonly answer: TSchema;
        /** It goes on with what broke off as `Content-Range` says. Others refuse that header: what they got would be taken for the whole. */
        readonly isResumable?: true;
        readonly handle: (request: UploadRequest) => Promise<Uploaded>;
      })
  | (EndpointBase & {
      readonly type: 'download';
      readonly method: 'GET';
      readonly handle: (request: EndpointRequest) => Promise<Downloaded>;
    })
  | (EndpointBase & {
      readonly type: 'socket';
      readonly method: 'GET';
      readonly handle: (request: EndpointRequest) => Promise<ByteStream>;
    });
