import { announce, type Id, type RowOf, type Statement } from '../../kernel/index.ts';
import type { PoolFacts } from '../../strategy/index.ts';
import { poolDegraded, poolNearlyFull, poolRecovered } from './points.ts';
import type { pool } from './pool.ts';
import type { CountedCapacity } from './pool-capacity.ts';

type PoolRow = RowOf<typeof pool>;

/** What a pool's row shows of how well it keeps things. */
export type ShownFacts = Pick<
  PoolRow,
  'replicas' | 'replicasMin' | 'failureDomain' | 'deviceClass' | 'encrypts' | 'health' | 'healthReason' | 'isNearlyFull' | 'shortfall'
>;
type Changes = { readonly [F in keyof ShownFacts]?: ShownFacts[F] | null };

const FIELDS = [
  'replicas',
  'replicasMin',
  'failureDomain',
  'deviceClass',
  'encrypts',
  'health',
  'healthReason',
  'isNearlyFull',
  'shortfall',
] as const;

/** What a driver tells of a pool; of those that tell nothing, whether more than this share of it is used. Absent is what nobody can tell. */
export function factsOf(
  told: PoolFacts | undefined,
  { usedShare }: Pick<CountedCapacity, 'usedShare'>,
  nearlyFullShare: number,
): Partial<PoolFacts> | undefined {
  return told ?? (usedShare > nearlyFullShare ? { isNearlyFull: true } : undefined);
}

/** The facts as the row shows them; null for what is not told, or not told any more. */
export function shown(
  facts: Partial<PoolFacts> | undefined,
  encrypts: boolean | null = null,
  shortfall: string | null = null,
): Required<Changes> {
  const {
    reason,
    replicas = null,
    replicasMin = null,
    failureDomain = null,
    deviceClass = null,
    health = null,
    isNearlyFull = null,
  } = facts ?? {};
  return {
    replicas,
    replicasMin,
    failureDomain,
    deviceClass,
    encrypts,
    health,
    isNearlyFull,
    healthReason: reason?.slice(0, 1024) ?? null,
    shortfall,
  };
}

/** The same without what is not told: of a row that shows nothing yet. */
export const told = (facts: Partial<PoolFacts> | undefined, encrypts: boolean): Changes =>
  Object.fromEntries(Object.entries(shown(facts, encrypts)).filter(([, value]) => value !== null));

export const differs = (row: PoolRow, changes: Changes): boolean =>
  FIELDS.some((field) => field in changes && (row[field] ?? null) !== (changes[field] ?? null));

const isTroubled = ({ health, shortfall }: Changes): boolean =>
  health === 'degraded' || health === 'unavailable' || (shortfall ?? null) !== null;

/** The alarms that a change of facts is, for the transaction that shows it. `away`: why it cannot be looked at any more; its facts are the last ones then. */
export function alarms(row: PoolRow, now: Changes, mint: () => string, away?: string): readonly Statement[] {
  const was = { troubled: isTroubled(row) || row.status === 'disconnected', full: row.isNearlyFull === true };
  const is = { troubled: isTroubled(now) || away !== undefined, full: now.isNearlyFull === true };
  const health = {
    was: row.status === 'disconnected' ? 'unavailable' : row.health,
    is: away === undefined ? now.health : 'unavailable',
  } as const;
  const reason = away ?? now.healthReason ?? now.shortfall ?? '';
  const subject = { poolId: row.id as Id<'pool'>, health: health.is ?? 'healthy', reason };
  const isWorse = !was.troubled || (health.is ?? undefined) !== health.was;
  return [
    ...(is.troubled && isWorse ? [announce(poolDegraded, mint(), subject)] : []),
    ...(is.full && !was.full ? [announce(poolNearlyFull, mint(), subject)] : []),
    ...((was.troubled || was.full) && !is.troubled && !is.full ? [announce(poolRecovered, mint(), subject)] : []),
  ];
}

/** Why nothing new is placed in a pool; undefined where it is. What is there already stays in use. */
export function notTaking({ state, status, health, healthReason, isNearlyFull, shortfall }: PoolRow): string | undefined {
  const because = (what: string) => (healthReason === undefined ? what : `${what}: ${healthReason}`);
  if (state !== 'available') return `is ${state}`;
  if (status !== 'connected') return `is ${status}`;
  if (health !== undefined && health !== 'healthy') return because(`is ${health}`);
  if (isNearlyFull === true) return because('is nearly full');
  return shortfall;
}
