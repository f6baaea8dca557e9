import { hash } from 'node:crypto';
import { canonical } from '../canonical.ts';
import type { ErrorRecord } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';
import type { Statement } from '../store.ts';

export const AUDIT_TABLE = 'audit';

/** `number` of a row that is no link of the chain yet. */
export const UNSEALED = 0;

/**
 * How a call ended. `interrupted`: the server stopped while it was under way, and nobody knows how far it came. `unknown`: its operation was removed before its
 * row was sealed, as with rows of before there was a chain. `denied`: its caller may not do that, or was not let in, and nothing was done.
 */
export type AuditResult = 'pending' | 'succeeded' | 'failed' | 'cancelled' | 'interrupted' | 'unknown' | 'denied';

/** What a call asked for: fields of the row that it changes by what they were, all others as they came, both without secrets. */
export interface Told {
  readonly request?: JsonObject;
  readonly changes?: Readonly<Record<string, { readonly from?: Json; readonly to?: Json }>>;
}

/** One call that changes something. That of an action has the id of its operation. */
export interface AuditCall extends Told {
  readonly id: string;
  /** When it was accepted, RFC 3339. */
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly projectId?: string;
  readonly accountId?: string;
  readonly resourceKind?: string;
  readonly resourceId?: string;
  /** The operation that asked for it in place of the actor. */
  readonly causeId?: string;
  /** Of calls that were denied: it stands for so many that were alike, the first at `at`, the last at `endedAt`. Absent: one. */
  readonly times?: number;
}

/** How it ended. */
export interface AuditEnd {
  /** Absent: the operation tells. */
  readonly result?: AuditResult;
  readonly endedAt?: string;
  readonly error?: ErrorRecord;
  /** Of bytes that were uploaded, lower-case hex. */
  readonly contentSha256?: string;
}

/** What makes it a link: its place, the hash of the link before it, and its own, of all that is in the row. */
export interface AuditLink {
  readonly number: number;
  readonly previous: string;
  readonly hash: string;
}

export type AuditRow = AuditCall & AuditEnd & { readonly number: number } & Partial<AuditLink>;

/** The end of a chain, or what is left of the links that were removed from its beginning. */
export interface ChainPlace {
  readonly number: number;
  readonly hash: string;
}

/** What the first link follows. */
export const GENESIS: ChainPlace = { number: 0, hash: '0'.repeat(64) };

/** SHA-256, lower-case hex, of the row's canonical JSON without its hash. */
export function linkHash({ hash: _own, ...row }: AuditRow): string {
  return hash('sha256', canonical(row));
}

/** The statement that tells of a call: exactly one for each. */
export const auditStatement = (call: AuditCall, end: AuditEnd = {}): Extract<Statement, { op: 'insert' }> => ({
  op: 'insert',
  table: AUDIT_TABLE,
  row: { ...(call as unknown as JsonObject), ...(end as JsonObject), number: UNSEALED },
});
