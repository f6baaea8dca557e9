import { type TObject, Type } from 'typebox';
import { type Endpoint, lookUp, type RowOf, readPermission, timestampOf } from '../../kernel/index.ts';
import type { CloudServices } from '../services.ts';
import { pool, poolOutages } from './pool.ts';
import { poolTarget } from './settings.ts';

type PoolRow = RowOf<typeof pool>;
export type Outage = NonNullable<PoolRow['outages']>[number];

export const WINDOW_DAYS = 30;
export const DAY_MS = 24 * 3600_000;
const WINDOW_MS = WINDOW_DAYS * DAY_MS;
/** Beyond that the two oldest count as one, as long as both. */
const OUTAGES_MAX = 100;
const REASON_MAX = 256;

/** What a look has found: why something cannot be had, or that it can. */
export interface Probed {
  readonly nowMs: number;
  /** When it was seen first. */
  readonly sinceMs?: number;
  readonly reason: string | undefined;
}

/** Outages after a look, without those that are older than the days. */
export function advanced(outages: readonly Outage[], { nowMs, sinceMs = nowMs, reason }: Probed) {
  const kept = outages.filter(({ to }) => to === undefined || Date.parse(to) > nowMs - WINDOW_MS);
  const last = kept.at(-1);
  const isOut = last !== undefined && last.to === undefined;
  if (reason === undefined && isOut) kept.splice(-1, 1, { ...last, to: timestampOf(Math.max(nowMs, Date.parse(last.from))) });
  if (reason !== undefined && !isOut) kept.push({ from: timestampOf(sinceMs), reason: reason.slice(0, REASON_MAX) });
  const now = packed(kept);
  const isSame = now.length === outages.length && now.at(-1)?.to === outages.at(-1)?.to && now.at(-1)?.from === outages.at(-1)?.from;
  return { now, isSame };
}

/** What changes of a pool's outages; undefined where nothing does, as at nearly every look. */
export function outagesAfter(
  { outages = [], isBelowTarget }: Pick<PoolRow, 'outages' | 'isBelowTarget'>,
  {
    target,
    ...probed
  }: Probed & {
    /** Share of the time in which it is to be had. */
    readonly target: number;
  },
): { readonly outages: Outage[] | null; readonly isBelowTarget: true | null } | undefined {
  const { now, isSame } = advanced(outages, probed);
  const isBelow = lostMs(now, probed.nowMs) > allowedMs(target);
  if (isSame && isBelow === (isBelowTarget === true)) return undefined;
  return { outages: now.length === 0 ? null : now, isBelowTarget: isBelow ? true : null };
}

function packed(outages: Outage[]): Outage[] {
  const [first, second, ...later] = outages;
  if (outages.length <= OUTAGES_MAX || first?.to === undefined || second?.to === undefined) return outages;
  const longMs = Date.parse(first.to) - Date.parse(first.from) + Date.parse(second.to) - Date.parse(second.from);
  return [{ ...second, from: timestampOf(Date.parse(second.to) - longMs) }, ...later];
}

/** How much of the window before now the pool could not be had. */
function lostMs(outages: readonly Outage[], nowMs: number, windowMs = WINDOW_MS): number {
  const ms = outages.map(({ from, to }) => (to === undefined ? nowMs : Date.parse(to)) - Math.max(Date.parse(from), nowMs - windowMs));
  return ms.reduce((sum, each) => sum + Math.max(0, each), 0);
}

export const allowedMs = (target: number, windowMs = WINDOW_MS): number => (1 - target) * windowMs;
export const seconds = (ms: number): number => Math.round(ms / 100) / 10;

/** What is asked for here is known: nothing is looked at. */
export const poolAvailability = ({
  reader,
  environment,
  settings,
}: Pick<CloudServices, 'reader' | 'environment' | 'settings'>): Endpoint => ({
  type: 'value',
  method: 'GET',
  path: '/pools/{id}/availability',
  summary: `How much of the last ${WINDOW_DAYS} days a pool could be had, by the looks at it, and what is left of the time in which it may not.`,
  permission: readPermission(pool),
  scope: 'cloud',
  answer: Type.Object({
    since: Type.String({ format: 'date-time', description: 'Since when that is known: the beginning of the days, or of the pool.' }),
    availableShare: Type.Number({ minimum: 0, maximum: 1, description: 'Of the time since then.' }),
    target: Type.Number({
      minimum: 0,
      maximum: 1,
      description: `What it is to be over ${WINDOW_DAYS} days, by the setting pools.availabilityTarget.`,
    }),
    outageSeconds: Type.Number({ minimum: 0 }),
    budgetLeftSeconds: Type.Number({ minimum: 0, description: 'For so long it may yet be away within these days.' }),
    outages: poolOutages,
  }) as TObject,
  handle: async ({ principal, params }) => {
    const row = (await lookUp(reader, pool, params.id ?? '', principal)).row as PoolRow;
    const nowMs = environment.clock.nowMs();
    const sinceMs = Math.min(nowMs, Math.max(nowMs - WINDOW_MS, Date.parse(row.createdAt)));
    const target = settings.global(poolTarget);
    const outages = (row.outages ?? []).filter(({ to }) => to === undefined || Date.parse(to) > nowMs - WINDOW_MS);
    const ms = lostMs(outages, nowMs, nowMs - sinceMs);
    return {
      since: timestampOf(sinceMs),
      availableShare: nowMs === sinceMs ? 1 : Math.max(0, 1 - ms / (nowMs - sinceMs)),
      target,
      outageSeconds: seconds(ms),
      budgetLeftSeconds: seconds(Math.max(0, allowedMs(target) - ms)),
      outages,
    };
  },
});
