import { Type } from 'typebox';
import { contribution } from './hook.ts';
import { defineSetting } from './settings/definition.ts';
import type { Settings } from './settings/values.ts';

/** How long what has ended is kept. Everything is removed in small batches, some time after it may be. */
export interface Retention {
  /** Ended operations, with their journals, from their end. */
  readonly operationsMs: number;
  /** Deleted rows, from their deletion. Never less than `operationsMs`, and longer while anything still refers to them or needs them. */
  readonly deletedMs: number;
  /** The audit, from its oldest end. Absent: for ever. */
  readonly auditMs?: number;
}

const DAY_MS = 24 * 3600_000;

export const operationDays = defineSetting({
  name: 'retention.operationDays',
  description: 'How long ended operations are kept, with their journals, and deliveries that were given up (`dead`).',
  // A repeated request is answered from them for a day.
  schema: Type.Number({ minimum: 1 }),
  default: 30,
});
export const deletedDays = defineSetting({
  name: 'retention.deletedDays',
  description:
    'How long deleted resources can still be read. Never less than `retention.operationDays`, and longer while something refers to them or something real may turn up that only they explain.',
  schema: Type.Number({ minimum: 1 }),
  default: 30,
});
export const auditDays = defineSetting({
  name: 'retention.auditDays',
  description: 'How long the audit is kept; what is older goes, from the oldest end. 0: for ever.',
  schema: Type.Union([Type.Literal(0), Type.Number({ minimum: 1 })]),
  default: 0,
});
export const trashSeconds = defineSetting({
  name: 'trash.retentionSeconds',
  description:
    'How long deleted machines, volumes and images can be recovered. They keep their names, addresses, room and quota until they are expunged. 0: what is deleted is gone. Another time holds for what lies there already, too.',
  schema: Type.Integer({ minimum: 0 }),
  default: 0,
});
export const kernelSettings = [operationDays, deletedDays, auditDays, trashSeconds];

/**
 * Deleted rows are about to be removed for good: a module answers the ids of those that it still goes by, e.g. because something real may turn up that only
 * they explain. One that throws keeps all of them until the next time.
 */
export const rowsNeeded = contribution<{ readonly kind: string; readonly ids: readonly string[] }, readonly string[]>('rows.needed');

export function retentionNow(settings: Settings): Retention {
  const operationsMs = settings.global(operationDays) * DAY_MS;
  const audit = settings.global(auditDays);
  return {
    operationsMs,
    deletedMs: Math.max(settings.global(deletedDays) * DAY_MS, operationsMs),
    ...(audit === 0 ? {} : { auditMs: audit * DAY_MS }),
  };
}

export const trashMs = (settings: Settings): number => settings.global(trashSeconds) * 1000;
