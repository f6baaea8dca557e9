import { ErrorCode } from './generated/constants.ts';
import type { ErrorBody } from './generated/types.ts';

/** What is known of a call that got no answer: `not_sent` certainly changed nothing, `unknown` may have landed or may land yet. */
export type Outcome = 'unknown' | 'not_sent';

const codeNames = new Map<number, string>(Object.entries(ErrorCode).map(([name, code]) => [code, name]));

/** The server answered, and the answer is an error. `codeName` is a key of {@link ErrorCode}, or `code<number>`. */
export class LibvirtError extends Error {
  override readonly name = 'LibvirtError';
  readonly code: number;
  readonly codeName: string;
  /** The libvirt subsystem that failed (libvirt's `virErrorDomain`). */
  readonly domain: number;
  /** 1 warning, 2 error. */
  readonly level: number;
  readonly procedure: string;

  constructor(procedure: string, body: ErrorBody) {
    super(body.message ?? `${procedure} failed`);
    this.code = body.code;
    this.codeName = codeNames.get(body.code) ?? `code${body.code}`;
    this.domain = body.domain;
    this.level = body.level;
    this.procedure = procedure;
  }

  /** True when the server said that one of these went wrong, by name: `error.is('noDomain')`. */
  is(...names: readonly (keyof typeof ErrorCode)[]): boolean {
    return names.some((name) => ErrorCode[name] === this.code);
  }
}

/** The call got no answer; see `outcome`. Its three subclasses say why. */
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

/** The peer sent something that this client does not understand; where it breaks the framing, the connection ends. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}
