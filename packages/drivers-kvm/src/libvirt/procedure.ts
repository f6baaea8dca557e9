import type { XdrReader, XdrWriter } from './xdr.ts';

/** `read`: repeating it is harmless. `mutate`: it may change something, and must not be repeated blindly. */
export type Effect = 'read' | 'mutate';

/** How long a procedure may hold the connection it runs on: see `LibvirtHost`, which gives each lane connections of its own. */
export type Lane = 'control' | 'jobs' | 'solo' | 'stream';

/** One remote procedure: its number and the layouts of its arguments and answer. */
export interface Procedure<A, R> {
  readonly name: string;
  readonly program: number;
  readonly number: number;
  readonly effect: Effect;
  readonly lane: Lane;
  write(w: XdrWriter, args: A): void;
  read(r: XdrReader): R;
}

/**
 * Bounds of one call. The call rejects with
 * - `LibvirtError` when the server refused or failed it;
 * - `TimeoutError`, `AbortedError` or `ConnectionLostError` when no answer came: their `outcome` tells whether it may have landed;
 * - `ProtocolError` when the answer cannot be read; `RangeError` when the arguments do not fit the protocol (nothing was sent).
 */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** From the call to its answer, waiting for a free slot included. Default: the connection's `callTimeoutMs`. */
  readonly timeoutMs?: number | undefined;
}

export const remoteProgram = 0x20008086;
export const qemuProgram = 0x20008087;
export const keepaliveProgram = 0x6b656570;

/** Gives a table entry its type. */
export function define<A, R>(procedure: Procedure<A, R>): Procedure<A, R> {
  return procedure;
}
