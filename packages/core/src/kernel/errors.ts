import type { JsonObject } from './json.ts';

/**
 * Every error a caller can meet: its HTTP status and what a client may do about it. Codes are never reused; a new one is added here and documented in
 * docs/reference/errors.md, which is generated from this table.
 */
export const ERROR_CODES = {
  invalid_input: {
    http: 400,
    retry: 'never',
    meaning: 'A field of the request is missing, malformed or out of range; `pointer` names it.',
  },
  unauthenticated: { http: 401, retry: 'never', meaning: 'No API key, or one that is unknown or revoked.' },
  permission_denied: {
    http: 403,
    retry: 'never',
    meaning: 'The key is valid, but not allowed to do this; `params.permission` names what it lacks.',
  },
  not_found: { http: 404, retry: 'never', meaning: 'No such resource, or none that this key may see.' },
  method_not_allowed: { http: 405, retry: 'never', meaning: 'The path exists, but not with this method.' },
  conflict: { http: 409, retry: 'after_state_change', meaning: 'The resource is not in a state that allows this.' },
  name_taken: {
    http: 409,
    retry: 'after_state_change',
    meaning: 'Another live resource has this name or other unique value; `params.field` names it.',
  },
  in_use: { http: 409, retry: 'after_state_change', meaning: 'Other resources depend on this one; `params.blockers` lists them.' },
  plan_changed: {
    http: 409,
    retry: 'after_state_change',
    meaning: 'The deletion would not do what was previewed; `params.differences` says what differs, `params.plan` is the plan of now.',
  },
  unsupported: { http: 409, retry: 'never', meaning: 'The host, pool or network cannot do this; nothing was changed.' },
  no_capacity: { http: 409, retry: 'after_state_change', meaning: 'No host, pool or subnet has room; `params.reasons` says why for each.' },
  quota_exceeded: { http: 409, retry: 'after_state_change', meaning: 'The project would go over its quota; `params.counter` names it.' },
  refused: { http: 409, retry: 'after_state_change', meaning: 'A policy refused this before anything was changed.' },
  gone: { http: 410, retry: 'never', meaning: 'The cursor is older than what is kept; list again and watch from there.' },
  precondition_failed: { http: 412, retry: 'after_state_change', meaning: 'The resource has changed since you read it (If-Match).' },
  too_large: { http: 413, retry: 'never', meaning: 'The body is larger than the limit in `params.limitBytes`.' },
  unsupported_media_type: { http: 415, retry: 'never', meaning: 'The body is not of the type this route takes.' },
  invalid_range: { http: 416, retry: 'never', meaning: 'The range asked for lies outside of the content.' },
  idempotency_mismatch: { http: 422, retry: 'never', meaning: 'This Idempotency-Key was used with another request.' },
  precondition_required: { http: 428, retry: 'never', meaning: 'This route wants an If-Match header.' },
  busy: { http: 429, retry: 'same_request', meaning: 'Too much is in flight; try again after Retry-After seconds.' },
  cancelled: { http: 409, retry: 'never', meaning: 'The operation was cancelled and has unwound.' },
  internal: { http: 500, retry: 'never', meaning: 'A fault on our side; quote the operation or request id.' },
  unavailable: { http: 503, retry: 'same_request', meaning: 'A backend or this server cannot answer now; try again.' },
  timeout: { http: 504, retry: 'same_request', meaning: 'A backend did not answer in time.' },
} as const satisfies Record<string, { http: number; retry: Retry; meaning: string }>;

export type Retry = 'never' | 'same_request' | 'after_state_change';
export type ErrorCode = keyof typeof ERROR_CODES;

const BRAND = Symbol.for('@pileus/core/CloudError');

export interface CloudErrorOptions {
  /** JSON pointer to the field at fault, e.g. `/nics/0/subnetId`. */
  readonly pointer?: string;
  readonly params?: JsonObject;
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
  }
}

/** True also for an error made by another copy of this package. */
export function isCloudError(error: unknown): error is CloudError {
  return typeof error === 'object' && error !== null && BRAND in error;
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

/** RFC 9457 problem details, with `code`, `retry` and typed `params` as extensions. */
export interface Problem extends ErrorRecord {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly retry: Retry;
}

export function toProblem(record: ErrorRecord): Problem {
  const entry = ERROR_CODES[record.code];
  return { ...record, type: `urn:pileus:error:${record.code}`, title: record.message, status: entry.http, retry: entry.retry };
}

/** The whole chain in one line, for the log. */
export function describeChain(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error, depth = 0; at !== undefined && depth < 8; depth += 1) {
    parts.push(at instanceof Error ? `${at.name}: ${at.message}` : String(at));
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts.join(' <- ');
}
