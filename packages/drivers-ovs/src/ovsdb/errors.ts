/** What is known of a call that got no answer: `not_sent` certainly changed nothing, `unknown` may have landed or may land yet. */
export type Outcome = 'unknown' | 'not_sent';

/** The call got no answer that tells whether it took effect; see `outcome`. Its subclasses say why. */
export abstract class UnansweredError extends Error {
  readonly outcome: Outcome;

  constructor(message: string, outcome: Outcome, options?: ErrorOptions) {
    super(`${message} (${outcome === 'unknown' ? 'it may still take effect' : 'it was not sent'})`, options);
    this.outcome = outcome;
  }
}

/** The connection ended, or there was none. */
export class ConnectionLostError extends UnansweredError {
  override readonly name = 'ConnectionLostError';
}

/** The deadline of the call passed. */
export class TimeoutError extends UnansweredError {
  override readonly name = 'TimeoutError';
}

/** The caller's signal fired; `cause` is its reason. */
export class AbortedError extends UnansweredError {
  override readonly name = 'AbortedError';
}

/** As many calls wait as may wait; outcome `not_sent`. */
export class BusyError extends UnansweredError {
  override readonly name = 'BusyError';
}

/** The server answered that it does not know: its cluster failed it, or it has stopped to follow the transaction; outcome `unknown`. */
export class ClusterError extends UnansweredError {
  override readonly name = 'ClusterError';
}

/** The peer sent something that this client does not understand; the connection ends. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** The database there is not the one that is described here; `differences` names tables and columns. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError';
  readonly differences: readonly string[];

  constructor(database: string, differences: readonly string[]) {
    super(`${database}: ${differences.join('; ')}`);
    this.differences = differences;
  }
}

/** Where in a transaction something is wrong; what is not known is undefined. */
export interface Place {
  readonly table: string | undefined;
  readonly column: string | undefined;
  /** The row's uuid. */
  readonly row: string | undefined;
}

/** A value that the column cannot hold. Nothing was sent. */
export class InvalidValueError extends RangeError implements Place {
  override readonly name = 'InvalidValueError';
  readonly table: string;
  readonly column: string;
  readonly row: string | undefined;

  constructor(table: string, column: string, row: string | undefined, why: string) {
    super(`${table}.${column}: ${why}`);
    this.table = table;
    this.column = column;
    this.row = row;
  }
}

/** The server's own words for what can go wrong, and ours. */
const codes = {
  'constraint violation': 'constraint_violation',
  'referential integrity violation': 'broken_reference',
  'duplicate uuid': 'duplicate_uuid',
  'timed out': 'wait_failed',
  'not owner': 'lock_not_held',
  aborted: 'aborted',
  'domain error': 'domain_error',
  'range error': 'range_error',
  'unknown column': 'unknown_column',
  'unknown table': 'unknown_table',
  'unknown database': 'unknown_database',
  'syntax error': 'syntax_error',
  'permission error': 'permission_denied',
  'not allowed': 'not_allowed',
  'resources exhausted': 'resources_exhausted',
  'I/O error': 'io_error',
} as const;

export type OvsdbErrorCode = (typeof codes)[keyof typeof codes] | 'other';

/** An error as the server words it. */
export interface ErrorBody {
  readonly error: string;
  readonly details: string | undefined;
}

/** The server answered with an error, and nothing was changed. */
export class OvsdbError extends Error implements Place {
  override readonly name = 'OvsdbError';
  readonly code: OvsdbErrorCode;
  /** The server's own word for `code`. */
  readonly error: string;
  readonly details: string | undefined;
  /** Index of the operation that failed; undefined when all of them went well and the commit did not. */
  readonly operation: number | undefined;
  readonly table: string | undefined;
  readonly column: string | undefined;
  readonly row: string | undefined;

  constructor(what: string, body: ErrorBody, place: Partial<Place> & { readonly operation?: number | undefined } = {}) {
    super(`${what}: ${body.error}${body.details === undefined ? '' : `: ${body.details}`}`);
    this.code = body.error in codes ? codes[body.error as keyof typeof codes] : 'other';
    this.error = body.error;
    this.details = body.details;
    this.operation = place.operation;
    this.table = place.table;
    this.column = place.column;
    this.row = place.row;
  }
}

/** Reads what stands in the place of an error in an answer. */
export function readErrorBody(value: unknown): ErrorBody {
  if (typeof value === 'string') return { error: value, details: undefined };
  if (typeof value !== 'object' || value === null || !('error' in value) || typeof value.error !== 'string')
    throw new ProtocolError('an error without words');
  const details = 'details' in value && typeof value.details === 'string' ? value.details : undefined;
  return { error: value.error, details };
}
