import type { Call, DiskLimits, MachineObservation, NicLimits } from '../../strategy/index.ts';
import type { Hypervisor } from '../topology/contract.ts';
import type { InstanceRow, NicRow, VolumeRow } from './context.ts';
import { SHARES_DEFAULT } from './instance-resize.ts';
import { against } from './limits.ts';

/** Backends round, to KiB a second or less. */
const ROUNDED = 1024;

type Limits = Readonly<Record<string, number>>;

const isLike = (some: object, others: object): boolean => {
  const [one, other] = [some as Limits, others as Limits];
  return Object.keys({ ...one, ...other }).every((key) => {
    const [mine, theirs] = [one[key] ?? 0, other[key] ?? 0];
    // A limit that is there is never taken for one that is not.
    return mine === 0 || theirs === 0 ? mine === theirs : Math.abs(mine - theirs) < (key.endsWith('BytesPerSecond') ? ROUNDED : 1);
  });
};

/** What has to be set on a machine that is on, so that it is limited as its rows say. */
export interface LateLimits {
  readonly cpuShares?: number;
  readonly disks: readonly (readonly [volumeId: string, limits: DiskLimits])[];
  readonly nics: readonly (readonly [nicId: string, limits: NicLimits])[];
}

/** Undefined where it is as it should be, or the host cannot change it. A machine that is off gets its limits when it starts. */
export function lateLimits(
  hypervisor: Hypervisor,
  row: InstanceRow,
  seen: MachineObservation,
  { disks, nics }: { readonly disks: readonly VolumeRow[]; readonly nics: readonly NicRow[] },
): LateLimits | undefined {
  if (seen.power !== 'running' && seen.power !== 'paused') return undefined;
  const { cpuShares, disks: onDisks = {}, nics: onNics = {} } = seen.limits ?? {};
  const differing = <L extends object>(
    rows: readonly { readonly id: string; readonly state: string; readonly limits?: L }[],
    there: readonly string[],
    now: Readonly<Record<string, L>>,
  ) =>
    rows
      .filter(({ id, state, limits = {} }) => state === 'attached' && there.includes(id) && !isLike(limits, now[id] ?? {}))
      .map(({ id, limits }) => [id, against((limits ?? {}) as L, (now[id] ?? {}) as L)] as const);
  const shares = row.cpuShares ?? SHARES_DEFAULT;
  const late = {
    ...(hypervisor.offers('cpuShares') && shares !== (cpuShares ?? SHARES_DEFAULT) ? { cpuShares: shares } : {}),
    disks: hypervisor.offers('diskLimits') ? differing<DiskLimits>(disks, seen.diskIds, onDisks) : [],
    nics: hypervisor.offers('nicLimits') ? differing<NicLimits>(nics, seen.nicIds, onNics) : [],
  };
  return late.cpuShares === undefined && late.disks.length === 0 && late.nics.length === 0 ? undefined : late;
}

export async function mendLimits(hypervisor: Hypervisor, instanceId: string, late: LateLimits, call: Call): Promise<void> {
  if (late.cpuShares !== undefined) await hypervisor.setCpuShares(instanceId, late.cpuShares, call);
  for (const [volumeId, limits] of late.disks) await hypervisor.setDiskLimits(instanceId, volumeId, limits, call);
  for (const [nicId, limits] of late.nics) await hypervisor.setNicLimits(instanceId, nicId, limits, call);
}
