import type { Operation } from './operation.ts';

/** What a client may do about an error: nothing, send the same again, or send it again once something has changed. */
export type Retry = 'never' | 'same_request' | 'after_state_change';

/** The server's codes, with their retry answers. A test holds this table to the server's own. */
export const SERVER_CODES = {
  invalid_input: 'never',
  unauthenticated: 'never',
  permission_denied: 'never',
  needs_index: 'never',
  not_found: 'never',
  method_not_allowed: 'never',
  conflict: 'after_state_change',
  name_taken: 'after_state_change',
  in_use: 'after_state_change',
  unsupported: 'never',
  no_capacity: 'after_state_change',
  plan_changed: 'after_state_change',
  quota_exceeded: 'after_state_change',
  refused: 'after_state_change',
  gone: 'never',
  precondition_failed: 'after_state_change',
  too_large: 'never',
  unsupported_media_type: 'never',
  invalid_range: 'never',
  idempotency_mismatch: 'never',
  precondition_required: 'never',
  busy: 'same_request',
  cancelled: 'never',
  internal: 'never',
  unavailable: 'same_request',
  timeout: 'same_request',
} as const satisfies Record<string, Retry>;

/** What can go wrong on this side: no server answered, what answered was not a Pileus server, the caller's time was over, the caller gave up. */
export const CLIENT_CODES = {
  connection_failed: 'same_request',
  bad_response: 'same_request',
  wait_timeout: 'same_request',
  aborted: 'never',
} as const satisfies Record<string, Retry>;

/** A newer server may send codes that are not listed: give each `switch` a default. */
export type ErrorCode = keyof typeof SERVER_CODES | keyof typeof CLIENT_CODES;

const BRAND = Symbol.for('@pileus/sdk/PileusError');
const FAILED_BRAND = Symbol.for('@pileus/sdk/OperationFailed');

export interface PileusErrorOptions {
  readonly retry?: Retry;
  readonly status?: number;
  readonly pointer?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly requestId?: string;
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/** Every failure that this client reports. Test with `isPileusError`, which also knows errors of another copy of this package. */
export class PileusError extends Error {
  readonly code: ErrorCode;
  /** What to do about it. */
  readonly retry: Retry;
  /** HTTP status; absent when no server answered. */
  readonly status: number | undefined;
  /** JSON pointer to the field at fault, e.g. `/nics/0/subnetId`. */
  readonly pointer: string | undefined;
  /** Values that belong to the code, e.g. `{ counter: 'volumes' }` of `quota_exceeded`. */
  readonly params: Readonly<Record<string, unknown>>;
  /** Quote it when you ask for help. */
  readonly requestId: string | undefined;
  /** How long the server asks to wait before the same request is sent again. */
  readonly retryAfterMs: number | undefined;
  readonly [BRAND] = true;

  constructor(code: ErrorCode, message: string, options: PileusErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'PileusError';
    this.code = code;
    this.retry = options.retry ?? retryOf(code);
    this.status = options.status;
    this.pointer = options.pointer;
    this.params = options.params ?? {};
    this.requestId = options.requestId;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** An accepted operation ended without doing what was asked, and has unwound. `code` is the operation's own; `cancelled` when it was told to stop. */
export class OperationFailed extends PileusError {
  readonly operation: Operation;
  readonly [FAILED_BRAND] = true;

  constructor(operation: Operation) {
    const cancelled = operation.state === 'cancelled';
    const code = (operation.error?.code ?? (cancelled ? 'cancelled' : 'internal')) as ErrorCode;
    const message = operation.error?.message ?? (cancelled ? 'The operation was cancelled.' : 'The operation failed.');
    super(code, `${operation.action}: ${message}`, {
      requestId: operation.id,
      ...(operation.error?.pointer === undefined ? {} : { pointer: operation.error.pointer }),
      ...(operation.error?.params === undefined ? {} : { params: operation.error.params }),
    });
    this.name = 'OperationFailed';
    this.operation = operation;
  }
}

const branded = (error: unknown, brand: symbol): boolean => typeof error === 'object' && error !== null && brand in error;
export const isPileusError = (error: unknown): error is PileusError => branded(error, BRAND);
export const isOperationFailed = (error: unknown): error is OperationFailed => branded(error, FAILED_BRAND);

/** The retry answer of a code; an unknown code is never retried. */
export function retryOf(code: string): Retry {
  const table: Readonly<Record<string, Retry>> = { ...SERVER_CODES, ...CLIENT_CODES };
  return table[code] ?? 'never';
}

interface ProblemBody {
  readonly code?: unknown;
  readonly retry?: unknown;
  readonly title?: unknown;
  readonly detail?: unknown;
  readonly pointer?: unknown;
  readonly params?: unknown;
  readonly requestId?: unknown;
  readonly operationId?: unknown;
}

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
const RETRIES: readonly unknown[] = ['never', 'same_request', 'after_state_change'];

/** Reads an answer with status >= 400. What is not a problem document (a proxy's page) gets the code that its status means. */
export function errorOf(status: number, headers: Readonly<Record<string, string>>, body: string): PileusError {
  const problem = parseProblem(body);
  const code = (text(problem.code) ?? codeOfStatus(status)) as ErrorCode;
  const message = text(problem.detail) ?? text(problem.title) ?? `The server answered ${status}.`;
  const pointer = text(problem.pointer);
  const requestId = text(problem.requestId) ?? text(problem.operationId) ?? headers['x-request-id'];
  const retryAfterMs = retryAfter(headers['retry-after']);
  return new PileusError(code, message, {
    status,
    ...(RETRIES.includes(problem.retry) ? { retry: problem.retry as Retry } : {}),
    ...(pointer === undefined ? {} : { pointer }),
    ...(typeof problem.params === 'object' && problem.params !== null ? { params: problem.params as Record<string, unknown> } : {}),
    ...(requestId === undefined ? {} : { requestId }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

function parseProblem(body: string): ProblemBody {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

const STATUS_CODES: Readonly<Record<number, ErrorCode>> = {
  401: 'unauthenticated',
  403: 'permission_denied',
  404: 'not_found',
  405: 'method_not_allowed',
  408: 'timeout',
  409: 'conflict',
  410: 'gone',
  412: 'precondition_failed',
  413: 'too_large',
  415: 'unsupported_media_type',
  429: 'busy',
  502: 'unavailable',
  503: 'unavailable',
  504: 'timeout',
};
const codeOfStatus = (status: number): ErrorCode => STATUS_CODES[status] ?? (status >= 500 ? 'internal' : 'invalid_input');

/** Milliseconds of a Retry-After header: seconds, or a date. */
export function retryAfter(value: string | undefined): number | undefined {
  if (value === undefined || value.trim() === '') return undefined;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}
