import type { JsonObject } from './json.ts';

/**
 * Every error a caller can meet: its HTTP status, its short name, and what a client may do about it. Codes are never reused; a new one is added here and documented in
 * docs/reference/errors.md, which is generated from this table.
 */
export const ERROR_CODES = {
  invalid_input: {
    http: 400,
    title: 'Invalid input',
    retry: 'never',
    meaning: 'A field of the request is missing, malformed or out of range; `pointer` names it.',
  },
  needs_index: {
    http: 400,
    title: 'Index needed',
    retry: 'never',
    meaning:
      'The query would look at too many rows one by one; `params.fields` names what has no index. Ask for something that has one, too, or for less.',
  },
  unauthenticated: { http: 401, title: 'Not authenticated', retry: 'never', meaning: 'No API key, or one that is unknown or revoked.' },
  permission_denied: {
    http: 403,
    title: 'Permission denied',
    retry: 'never',
    meaning: 'The key is valid, but not allowed to do this; `params.permission` names what it lacks.',
  },
  not_found: { http: 404, title: 'Not found', retry: 'never', meaning: 'No such resource, or none that this key may see.' },
  method_not_allowed: { http: 405, title: 'Method not allowed', retry: 'never', meaning: 'The path exists, but not with this method.' },
  conflict: { http: 409, title: 'Conflict', retry: 'after_state_change', meaning: 'The resource is not in a state that allows this.' },
  name_taken: {
    http: 409,
    title: 'Name taken',
    retry: 'after_state_change',
    meaning: 'Another live resource has this name or other unique value; `params.field` names it.',
  },
  in_use: {
    http: 409,
    title: 'In use',
    retry: 'after_state_change',
    meaning: 'Other resources depend on this one; `params.blockers` lists them.',
  },
  plan_changed: {
    http: 409,
    title: 'Plan changed',
    retry: 'after_state_change',
    meaning:
      'What would be done is no longer what was previewed or planned; `params.plan` is the plan of now, and of a deletion `params.differences` says what differs.',
  },
  unsupported: {
    http: 409,
    title: 'Not supported',
    retry: 'never',
    meaning: 'The host, pool or network cannot do this; nothing was changed.',
  },
  no_capacity: {
    http: 409,
    title: 'No capacity',
    retry: 'after_state_change',
    meaning: 'No host, pool or subnet has room; `params.reasons` says why for each.',
  },
  quota_exceeded: {
    http: 409,
    title: 'Quota exceeded',
    retry: 'after_state_change',
    meaning: 'The project would go over its quota; `params.counter` names it.',
  },
  refused: {
    http: 409,
    title: 'Refused by a policy',
    retry: 'after_state_change',
    meaning: 'A policy refused this before anything was changed.',
  },
  gone: {
    http: 410,
    title: 'Gone',
    retry: 'never',
    meaning: 'The cursor is older than what is kept, or of another history (the store was restored); list again and watch from there.',
  },
  precondition_failed: {
    http: 412,
    title: 'Changed meanwhile',
    retry: 'after_state_change',
    meaning: 'The resource has changed since you read it (If-Match).',
  },
  too_large: { http: 413, title: 'Too large', retry: 'never', meaning: 'The body is larger than the limit in `params.limitBytes`.' },
  unsupported_media_type: {
    http: 415,
    title: 'Unsupported media type',
    retry: 'never',
    meaning: 'The body is not of the type this route takes.',
  },
  invalid_range: { http: 416, title: 'Invalid range', retry: 'never', meaning: 'The range asked for lies outside of the content.' },
  idempotency_mismatch: {
    http: 422,
    title: 'Idempotency key used before',
    retry: 'never',
    meaning: 'This Idempotency-Key was used with another request.',
  },
  precondition_required: { http: 428, title: 'If-Match needed', retry: 'never', meaning: 'This route wants an If-Match header.' },
  busy: { http: 429, title: 'Busy', retry: 'same_request', meaning: 'Too much is in flight; try again after Retry-After seconds.' },
  cancelled: { http: 409, title: 'Cancelled', retry: 'never', meaning: 'The operation was cancelled and has unwound.' },
  internal: { http: 500, title: 'Internal fault', retry: 'never', meaning: 'A fault on our side; quote the operation or request id.' },
  unavailable: {
    http: 503,
    title: 'Unavailable',
    retry: 'same_request',
    meaning: 'A backend or this server cannot answer now; try again.',
  },
  timeout: { http: 504, title: 'Timed out', retry: 'same_request', meaning: 'A backend did not answer in time.' },
} as const satisfies Record<string, { http: number; title: string; retry: Retry; meaning: string }>;

export type Retry = 'never' | 'same_request' | 'after_state_change';
export type ErrorCode = keyof typeof ERROR_CODES;

const BRAND = Symbol.for('@pileus/core/CloudError');

export interface Unless {
  readonly permission: string;
  readonly params: JsonObject;
}

export interface CloudErrorOptions {
  /** JSON pointer to the field at fault, e.g. `/nics/0/subnetId`. */
  readonly pointer?: string;
  readonly params?: JsonObject;
  /** What is told in the place of `params` to who asks for a change and lacks this permission: it names what he does not see, or tells of its state. */
  readonly unless?: Unless;
  /** For the log only. */
  readonly detail?: string;
  readonly cause?: unknown;
}

/** `publicMessage` is what callers read; `message` adds the detail and, with `cause`, goes to the log only. */
export class CloudError extends Error {
  readonly code: ErrorCode;
  readonly publicMessage: string;
  readonly pointer: string | undefined;
  readonly params: JsonObject | undefined;
  readonly unless: Unless | undefined;
  readonly [BRAND] = true;

  constructor(code: ErrorCode, publicMessage: string, options: CloudErrorOptions = {}) {
    super(
      options.detail === undefined ? publicMessage : `${publicMessage}: ${options.detail}`,
      options.cause === undefined ? {} : { cause: options.cause },
    );
    this.name = 'CloudError';
    this.code = code;
    this.publicMessage = publicMessage;
    this.pointer = options.pointer;
    this.params = options.params;
    this.unless = options.unless;
  }
}

/** True also for an error made by another copy of this package. */
export function isCloudError(error: unknown): error is CloudError {
  return typeof error === 'object' && error !== null && BRAND in error;
}

/** As it may be told to who asks. */
export function toldTo<E>(who: { allows(permission: string): boolean }, error: E): E | CloudError {
  if (!isCloudError(error) || error.unless === undefined || who.allows(error.unless.permission)) return error;
  const { code, publicMessage, pointer, unless } = error;
  return new CloudError(code, publicMessage, { ...(pointer === undefined ? {} : { pointer }), params: unless.params, cause: error });
}

/** What is stored and sent of an error: the public half. An unforeseen error shows as `internal`, its text stays in the log. */
export interface ErrorRecord extends JsonObject {
  readonly code: ErrorCode;
  readonly message: string;
}

export function toErrorRecord(error: unknown): ErrorRecord {
  if (!isCloudError(error)) return { code: 'internal', message: 'An unexpected fault on our side.' };
  return {
    code: error.code,
    message: error.publicMessage,
    ...(error.pointer === undefined ? {} : { pointer: error.pointer }),
    ...(error.params === undefined ? {} : { params: error.params }),
  };
}

/** RFC 9457 problem details, with `code`, `retry`, `pointer` and typed `params` as extensions. */
export interface Problem extends JsonObject {
  readonly type: string;
  /** Of the code, always the same. */
  readonly title: string;
  readonly status: number;
  /** Of this occurrence: what a person reads. */
  readonly detail: string;
  readonly code: ErrorCode;
  readonly retry: Retry;
}

export function toProblem({ code, message, ...more }: ErrorRecord): Problem {
  const { title, http, retry } = ERROR_CODES[code];
  return { type: `urn:pileus:error:${code}`, title, status: http, detail: message, code, retry, ...more };
}

/** The whole chain in one line, for the log. */
export const describeChain = (error: unknown): string => chainOf(error).join(' <- ');

/** An error, what caused it, what caused that: at most eight. */
export function chainOf(error: unknown): readonly string[] {
  const parts: string[] = [];
  for (let at: unknown = error, depth = 0; at !== undefined && depth < 8; depth += 1) {
    parts.push(at instanceof Error ? `${at.name}: ${at.message}` : String(at));
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts;
}
