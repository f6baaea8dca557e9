/** What a transaction is made of: plain values that tables make and clients send. */
import { ProtocolError } from './errors.ts';

/** One operation of a transaction, with the type of its result. */
export interface Operation<R = unknown> {
  /** As it is sent (RFC 7047, 5.2). */
  readonly json: { readonly op: string; readonly [member: string]: unknown };
  readonly table: string | undefined;
  /** The uuid of the row it is about, when it names one. */
  readonly row: string | undefined;
  /** The columns that it writes. */
  readonly columns: readonly string[];
  /** Reads its result. @throws ProtocolError */
  read(result: unknown): R;
}

/** What each of some operations answers, in their order. */
export type Results<Operations extends readonly Operation[]> = {
  readonly [Index in keyof Operations]: Operations[Index] extends Operation<infer R> ? R : never;
};

const bare = (json: Operation['json']): Operation<void> => ({ json, table: undefined, row: undefined, columns: [], read: () => {} });

const lockForm = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** @throws RangeError when no lock can have that name */
export function checkLockName(lock: string): void {
  if (!lockForm.test(lock)) throw new RangeError(`'${lock}' is no name of a lock: letters, digits and _, no digit first`);
}

/** Fails the transaction with `lock_not_held` unless this connection holds the lock. */
export function assertLock(lock: string): Operation<void> {
  checkLockName(lock);
  return bare({ op: 'assert', lock });
}

/** A word for whoever reads the database's log. */
export const comment = (text: string): Operation<void> => bare({ op: 'comment', comment: text });

/** The answer comes only when the transaction is on disk. Clusters do so anyway. */
export const durably = (): Operation<void> => bare({ op: 'commit', durable: true });

/** Fails the transaction with `aborted`: what comes before it is tried and taken back. */
export const abort = (): Operation<void> => bare({ op: 'abort' });

/** The member of a result that must be there. @throws ProtocolError */
export function member(result: unknown, name: string): unknown {
  if (typeof result !== 'object' || result === null || !(name in result)) throw new ProtocolError(`a result without '${name}'`);
  return (result as Readonly<Record<string, unknown>>)[name];
}
