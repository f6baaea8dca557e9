import type { JsonObject } from '../json.ts';
import type { AnyKind } from '../kind.ts';
import type { Statement } from '../store.ts';
import { type QuotaCounter, quotaKey } from './counters.ts';

type Amounts = readonly (readonly [counter: string, amount: number])[];

/** What one live row counts for, by the counters of its kind. What is there for the operator alone counts for nobody. */
export const usageOf = (kind: Pick<AnyKind, 'quota' | 'operatorsIf'>, row: JsonObject): Amounts =>
  kind.operatorsIf !== undefined && row[kind.operatorsIf] === true
    ? []
    : Object.entries((kind.quota ?? {}) as Record<string, 1 | string>).map(([counter, by]) => [
        counter,
        by === 1 ? 1 : Number(row[by] ?? 0),
      ]);

/** Whose counters a row is counted in first: those of its project, or of its account where it belongs to no project. */
export const ownerOf = (kind: AnyKind, row: JsonObject): Pick<QuotaCounter, 'scope' | 'id'> =>
  kind.scope === 'account' ? { scope: 'account', id: String(row.accountId) } : { scope: 'project', id: String(row.projectId) };

/** A change of these fields may change what the row counts for. */
export const touchesUsage = (kind: AnyKind, set: JsonObject): boolean =>
  set.deletedAt === true || Object.values((kind.quota ?? {}) as Record<string, 1 | string>).some((by) => by !== 1 && by in set);

const taking = (kind: AnyKind, row: JsonObject, amounts: Amounts): readonly Statement[] =>
  amounts.flatMap(([counter, by]): Statement[] =>
    by > 0 ? [{ op: 'adjust', counter: quotaKey({ ...ownerOf(kind, row), counter }), by }] : [],
  );

/**
 * Takes what a row will grow by, when the request is accepted: the row itself changes later, when nothing may refuse it any more. `quotaReleased` goes with
 * that change, which counts by itself, and with `unwound`.
 */
export function quotaGrowth(kind: AnyKind, row: object, set: object): readonly Statement[] {
  const before = new Map(usageOf(kind, row as JsonObject));
  const after = usageOf(kind, { ...(row as JsonObject), ...(set as JsonObject) });
  return taking(
    kind,
    row as JsonObject,
    after.map(([counter, amount]) => [counter, amount - (before.get(counter) ?? 0)]),
  );
}

/** Takes what a row will count for that is made later. */
export const quotaOfRow = (kind: AnyKind, row: object): readonly Statement[] =>
  taking(kind, row as JsonObject, usageOf(kind, row as JsonObject));

/** Gives back what was taken at acceptance. */
export const quotaReleased = (taken: readonly Statement[] = []): readonly Statement[] =>
  taken.map((statement) => (statement.op === 'adjust' ? { ...statement, by: -statement.by } : statement));
