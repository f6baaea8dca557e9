import { both, equals, type RowOf } from '../../kernel/index.ts';
import type { CloudServices } from '../services.ts';
import { backup } from './backup.ts';
import type { backupPlan } from './backup-plan.ts';
import { backupSet } from './sets/backup-set.ts';

type PlanRow = RowOf<typeof backupPlan>;
type BackupRow = RowOf<typeof backup>;

/** Each with a backup of every disk of its machine. */
const SETS_PER_TURN = 8;

const DAY_MS = 24 * 3600_000;

/** What a plan has made, and keeps or removes as a whole: a backup, or a set of them. */
export interface Kept {
  readonly kind: 'backup' | 'backupSet';
  readonly id: string;
  /** The volume, or the machine. */
  readonly of: string;
  readonly takenAt: string;
  /** Of a set: as bad as the worst in it, and sound when all are. */
  readonly condition?: 'sound' | 'damaged';
  readonly backups: readonly BackupRow[];
}

export async function keptBy({ reader, slices }: Pick<CloudServices, 'reader' | 'slices'>, plan: PlanRow): Promise<readonly Kept[]> {
  const isItsOwn = both(equals('planId', plan.id), equals('state', 'available'));
  if (plan.atOneInstant !== true) return (await slices.list(reader, backup, isItsOwn)).map((row) => ofBackup(row));
  const kept: Kept[] = [];
  await slices.each(
    await slices.list(reader, backupSet, isItsOwn),
    async ({ id, instanceId, instanceName, takenAt = '' }) => {
      const backups = await reader.list(backup, equals('setId', id));
      kept.push({ kind: 'backupSet', id, of: instanceId ?? instanceName, takenAt, ...worst(backups), backups });
    },
    SETS_PER_TURN,
  );
  return kept;
}

function ofBackup(row: BackupRow): Kept {
  const { id, volumeId, volumeName, takenAt = '' } = row;
  return { kind: 'backup', id, of: volumeId ?? volumeName, takenAt, ...worst([row]), backups: [row] };
}

function worst(rows: readonly BackupRow[]): Pick<Kept, 'condition'> {
  if (rows.some(({ condition }) => condition === 'damaged')) return { condition: 'damaged' };
  return rows.length > 0 && rows.every(({ condition }) => condition === 'sound') ? { condition: 'sound' } : {};
}

/** Never the last one that is left: a volume that is not backed up any more would lose what it has. Nor the last one that was found sound, while no newer one was. */
export function beyondRetention<T extends Partial<Pick<Kept, 'takenAt' | 'condition'>>>(
  { keepCount, keepDays }: Pick<PlanRow, 'keepCount' | 'keepDays'>,
  newestFirst: readonly T[],
  nowMs: number,
): readonly T[] {
  const proven = newestFirst.findIndex(({ condition }) => condition === 'sound');
  return newestFirst.filter(({ takenAt = '' }, index) => {
    if (index === 0 || index === proven) return false;
    const isTooMany = keepCount !== undefined && index >= keepCount;
    return isTooMany || (keepDays !== undefined && nowMs - Date.parse(takenAt) > keepDays * DAY_MS);
  });
}
