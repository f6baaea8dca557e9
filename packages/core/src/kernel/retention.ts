import { contribution } from './hook.ts';
import { KEPT_MS } from './idempotency.ts';

/** How long what has ended is kept. Everything is removed in small batches, some time after it may be. */
export interface Retention {
  /** Ended operations, with their journals, from their end. At least a day: a repeated request is answered from them. */
  readonly operationsMs: number;
  /** Deleted rows, from their deletion. Never less than `operationsMs`, and longer while anything still refers to them or needs them. */
  readonly deletedMs: number;
  /** What was deleted and can be recovered, from its deletion. 0: nothing goes into the trash. */
  readonly trashMs: number;
  /** The audit, from its oldest end. Absent: for ever. */
  readonly auditMs?: number | undefined;
}

const DAY_MS = 24 * 3600_000;
const DEFAULT_RETENTION: Retention = { operationsMs: 30 * DAY_MS, deletedMs: 30 * DAY_MS, trashMs: 0 };

/**
 * Deleted rows are about to be removed for good: a module answers the ids of those that it still goes by, e.g. because something real may turn up that only
 * they explain. One that throws keeps all of them until the next time.
 */
export const rowsNeeded = contribution<{ readonly kind: string; readonly ids: readonly string[] }, readonly string[]>('rows.needed');

/** @throws Error when what a repeated request is answered from would be gone too soon */
export function retentionOf(given: Partial<Retention> = {}): Retention {
  const { operationsMs, deletedMs, trashMs, auditMs } = { ...DEFAULT_RETENTION, ...given };
  if (operationsMs < KEPT_MS) throw new Error(`ended operations are kept for at least ${KEPT_MS} ms, as long as idempotency keys`);
  return { operationsMs, deletedMs: Math.max(deletedMs, operationsMs), trashMs, auditMs };
}
