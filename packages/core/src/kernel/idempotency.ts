import { hash } from 'node:crypto';
import { canonical } from './canonical.ts';
import { type Environment, timestamp } from './environment.ts';
import { CloudError } from './errors.ts';
import type { SubmitRequest } from './kernel.ts';
import type { CommitResult, Statement, Store } from './store.ts';

/** How long a request is known by its key. */
export const KEPT_MS = 24 * 3600 * 1000;

/** One request as it can be recognised again. */
export interface IdempotencyKey {
  readonly scope: string;
  readonly requestKey: string;
  readonly digest: string;
  /** Where it is to be done, of a request that does not name what it is done to. */
  readonly projectId?: string;
}

/** What is kept of a request: of one that was accepted its operation, of any other its answer. */
export interface KeptRequest {
  readonly digest: string;
  readonly projectId?: string;
  readonly acceptedAt: string;
  readonly expiresAt: string;
  readonly operationId?: string;
  /** Of the first try of what is no action. */
  readonly callId?: string;
  /** Absent until it is known, and where it is a one-time secret. */
  readonly answer?: string;
  /** Of what an upload brought. */
  readonly contentSha256?: string;
}

/** The body itself is never kept: it may hold secrets. A digest of a small text costs 2 µs here, and 30 when sent to a thread. */
export const digestOf = (request: unknown): string => hash('sha256', canonical(request), 'base64');

export function idempotencyOf({
  idempotencyKey,
  principal,
  action,
  resourceId,
  input,
  ifGeneration,
  callbackUrl,
}: SubmitRequest): IdempotencyKey | undefined {
  if (idempotencyKey === undefined) return undefined;
  const digest = digestOf([
    action,
    resourceId ?? null,
    input ?? null,
    ifGeneration ?? null,
    ...(callbackUrl === undefined ? [] : [callbackUrl]),
  ]);
  const where = resourceId === undefined ? { projectId: principal.projectId } : {};
  return { scope: principal.actor, requestKey: idempotencyKey, digest, ...where };
}

export const keyOfRow = ({ scope, requestKey }: Pick<IdempotencyKey, 'scope' | 'requestKey'>): string => `${scope}/${requestKey}`;

export function idempotencyRow(
  key: IdempotencyKey,
  kept: Pick<KeptRequest, 'acceptedAt'> & Partial<KeptRequest>,
  environment: Environment,
): Extract<Statement, { op: 'insert' }> {
  const expiresAt = new Date(environment.clock.nowMs() + KEPT_MS).toISOString();
  return { op: 'insert', table: 'idempotency', row: { ...key, ...kept, expiresAt } };
}

export const idempotencyMismatch = (): CloudError =>
  new CloudError('idempotency_mismatch', 'This Idempotency-Key was used with another request.');

/** The earlier request with this key; one that has expired is removed. @throws CloudError idempotency_mismatch when it was another request */
export async function earlierRequest(
  key: IdempotencyKey,
  ports: {
    readonly store: Store;
    readonly environment: Environment;
    readonly commit: (statements: readonly Statement[]) => Promise<CommitResult>;
  },
): Promise<KeptRequest | undefined> {
  const at = { table: 'idempotency', key: keyOfRow(key) };
  const text = await ports.store.read(at.table, at.key);
  if (text === undefined) return undefined;
  const kept = JSON.parse(text) as KeptRequest;
  if (kept.expiresAt < timestamp(ports.environment.clock)) {
    const removed = await ports.commit([
      { op: 'expect', ...at, expect: { expiresAt: kept.expiresAt } },
      { op: 'remove', ...at },
    ]);
    // Another try of the same request has taken the key anew meanwhile, or is about to.
    return removed.ok ? undefined : earlierRequest(key, ports);
  }
  const isElsewhere = kept.projectId !== undefined && kept.projectId !== key.projectId;
  if (kept.digest !== key.digest || isElsewhere) throw idempotencyMismatch();
  return kept;
}
