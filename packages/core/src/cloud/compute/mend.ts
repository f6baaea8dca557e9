import {
  type AnyKind,
  alone,
  bytesText,
  type Condition,
  change,
  describeChain,
  following,
  isCloudError,
  Lane,
  timestamp,
} from '../../kernel/index.ts';
import type { Call, MachineObservation } from '../../strategy/index.ts';
import { given } from '../naming.ts';
import { hostLimits, nic } from '../network/contract.ts';
import { ClassLimits, disksOf, image, isoSpec, type MachineDisk, volume } from '../storage/contract.ts';
import { type Hypervisor, removalAllowed } from '../topology/contract.ts';
import { type ComputeServices, diskSpec, hostOf, type InstanceRow, type NicRow, nicSpec, prepareMachine } from './context.ts';
import { instance, isMade } from './instance.ts';
import { isoPool } from './instance-iso.ts';
import { resizeLive } from './instance-resize.ts';
import { lateLimits, mendLimits } from './mend-limits.ts';
import { opening } from './shared-disks.ts';

/** Short: a guest that does not let go is asked again at the next look. */
const CALL_TIMEOUT_MS = 10_000;
/** Operations on the machine wait so long at most. */
const HOLD_MS = 20_000;
const MENDED_AT_ONCE = 8;
/** Of what was refused so it is not known whether it will be done. */
const PASSING: ReadonlySet<string> = new Set(['unavailable', 'timeout', 'busy']);
const SIZE_DIFFERS = 'size_differs';
/** Backends round memory, to pages or a little more. */
const MEMORY_ROUNDED_BYTES = 2 ** 20;

/** The rows of what belongs to one machine. What is not `attached` is on its way in or out. */
interface Plugged {
  readonly disks: readonly MachineDisk[];
  readonly nics: readonly NicRow[];
  /** The NICs with the limits that are for the host to see to. */
  readonly limitedNics: readonly NicRow[];
}

type Gathered = { readonly [part in keyof Plugged]: Plugged[part][number][] };

const NOTHING_PLUGGED: Plugged = { disks: [], nics: [], limitedNics: [] };

/**
 * Makes machines have the disks, NICs, size and limits that their rows say. A call that was given up may land after its undo, and an old definition on a machine
 * that has been stopped since: what came late goes, what it took away comes back. `seen` is the first look; each machine that differs gets a second one.
 */
export async function mendMachines(
  services: ComputeServices,
  rows: readonly InstanceRow[],
  seen: ReadonlyMap<string, MachineObservation>,
  look: Call,
): Promise<void> {
  if (rows.length === 0) return;
  const { slices } = services;
  await slices.each(rows, (row) => forgetSize(services, row, seen.get(row.id)));
  const plugged = await pluggedInto(services, rows);
  await slices.each(rows, (row) => forgetPlugging(services, row, seen.get(row.id), plugged(row.id)));
  const hypervisors = new Map<string, Hypervisor>();
  for (const hostId of new Set(rows.map(hostOf))) hypervisors.set(hostId, await services.hosts.hypervisor(hostId));
  const differing: InstanceRow[] = [];
  await slices.each(rows, (row) => {
    const machine = seen.get(row.id);
    const hypervisor = hypervisors.get(hostOf(row));
    if (machine !== undefined && hypervisor !== undefined && !isRight(hypervisor, machine, row, plugged(row.id))) differing.push(row);
  });
  if (differing.length === 0 || !(await removalAllowed(services))) return;
  const lane = new Lane(MENDED_AT_ONCE);
  const mended = (row: InstanceRow) =>
    mendAlone(services, row, seen.get(row.id), look).catch((error: unknown) => {
      if (look.signal.aborted) return;
      services.environment.logger.warn({ instanceId: row.id, error: describeChain(error) }, 'a machine was not mended');
    });
  await Promise.all(differing.map((row) => lane.run(() => mended(row))));
}

async function pluggedInto(services: ComputeServices, rows: readonly InstanceRow[]): Promise<(instanceId: string) => Plugged> {
  const { reader, slices } = services;
  const ids = rows.map((row) => row.id);
  const sliced = { list: <K extends AnyKind>(kind: K, where: Condition) => slices.list(reader, kind, where) };
  const [volumes, nics] = await Promise.all([disksOf(sliced, ids), sliced.list(nic, { field: 'instanceId', op: 'in', value: ids })]);
  const byMachine = new Map(rows.map((row): [string, Gathered] => [row.id, { disks: [], nics: [], limitedNics: [] }]));
  const limits = new ClassLimits(reader);
  await slices.each(volumes, async (row) => {
    byMachine.get(row.instanceId ?? '')?.disks.push({ ...row, ...given({ limits: await limits.of(row) }) });
  });
  const hostIds = new Map(rows.map((row) => [row.id as string, row.hostId]));
  await slices.each(nics, async (row) => {
    const { limits: _, ...others } = row;
    const machine = byMachine.get(row.instanceId);
    machine?.nics.push(row);
    const { limits: own, isSure } = await hostLimits(services, row, hostIds.get(row.instanceId));
    // Nobody is to lift a bound because he has not been told yet who heeds it.
    if (isSure) machine?.limitedNics.push({ ...others, ...given({ limits: own }) });
  });
  return (id) => byMachine.get(id) ?? NOTHING_PLUGGED;
}

const beside = (ids: readonly string[], rows: readonly { readonly id: string }[]) => ids.filter((id) => !rows.some((row) => row.id === id));
const lacking = <T extends { readonly id: string; readonly state: string }>(
  rows: readonly T[],
  ids: readonly string[],
  seen: MachineObservation,
) => rows.filter((row) => row.state === 'attached' && (!ids.includes(row.id) || seen.halfPluggedIds?.includes(row.id) === true));

const isPlugged = (seen: MachineObservation, { disks, nics }: Plugged) =>
  [beside(seen.diskIds, disks), beside(seen.nicIds, nics), lacking(disks, seen.diskIds, seen), lacking(nics, seen.nicIds, seen)].every(
    ({ length }) => length === 0,
  );

const isSized = (seen: MachineObservation, row: InstanceRow) =>
  seen.vcpus === row.vcpus && Math.abs(seen.memoryBytes - row.memoryBytes) < MEMORY_ROUNDED_BYTES;

const limitsOf = (hypervisor: Hypervisor, seen: MachineObservation, row: InstanceRow, { disks, limitedNics }: Plugged) =>
  lateLimits(hypervisor, row, seen, { disks, nics: limitedNics });

const isLive = ({ power }: MachineObservation) => power === 'running' || power === 'paused';

const isDriveRight = (hypervisor: Hypervisor, seen: MachineObservation, row: InstanceRow) =>
  !hypervisor.offers('drive') || seen.isoId === row.isoImageId;

const isRight = (hypervisor: Hypervisor, seen: MachineObservation, row: InstanceRow, plugged: Plugged) =>
  isSized(seen, row) &&
  isDriveRight(hypervisor, seen, row) &&
  isPlugged(seen, plugged) &&
  limitsOf(hypervisor, seen, row, plugged) === undefined;

/** Not beside an operation on the machine or on any of its disks and NICs, and none begins before it has ended. */
async function mendAlone(services: ComputeServices, row: InstanceRow, seen: MachineObservation | undefined, look: Call): Promise<void> {
  const { disks, nics } = (await pluggedInto(services, [row]))(row.id);
  const keys = new Set<string>([row.id, ...[...disks, ...nics].map(({ id }) => id), ...(seen?.diskIds ?? []), ...(seen?.nicIds ?? [])]);
  const until = following(look.signal);
  const cancel = services.environment.timers.after(HOLD_MS, () => until.abort(new Error('the mending took too long')));
  const call: Call = { ...look, signal: until.signal, timeoutMs: CALL_TIMEOUT_MS };
  try {
    await alone(services, [...keys], () => mend(services, row.id, keys, call));
  } finally {
    cancel();
    until.release();
  }
}

/** What has come in since the keys were taken is for the next look. */
async function mend(services: ComputeServices, instanceId: string, keys: ReadonlySet<string>, call: Call): Promise<void> {
  const { reader, hosts, environment } = services;
  const row = await reader.find(instance, instanceId);
  if (row === undefined || !isMade(row)) return;
  const hypervisor = await hosts.hypervisor(hostOf(row));
  const seen = await hypervisor.inspect(row.id, call);
  const plugged = (await pluggedInto(services, [row]))(row.id);
  if (seen === undefined || isRight(hypervisor, seen, row, plugged)) return;
  const all = [...seen.diskIds, ...seen.nicIds, ...[...plugged.disks, ...plugged.nics].map(({ id }) => id)];
  if (!all.every((id) => keys.has(id))) return;
  const late = { disks: beside(seen.diskIds, plugged.disks), nics: beside(seen.nicIds, plugged.nics) };
  environment.logger.info({ instanceId: row.id, late }, 'a machine is not what its rows say; mended');
  if (isLive(seen)) await mendLive(services, hypervisor, row, seen, plugged, call);
  // One that is off is defined anew, which is also what the next start does.
  else if (await allKnown(services, late)) await hypervisor.define(await prepareMachine(services, row, call), call);
}

async function mendLive(
  services: ComputeServices,
  hypervisor: Hypervisor,
  row: InstanceRow,
  seen: MachineObservation,
  plugged: Plugged,
  call: Call,
): Promise<void> {
  const { disks, nics } = plugged;
  const refusal = isSized(seen, row)
    ? undefined
    : await resizeLive(hypervisor, row.id, seen, row, call).catch((error: unknown) => ({ error }));
  // First what is too much: it may be in the place of what is missing.
  for (const id of beside(seen.diskIds, disks)) if (await isKnown(services, volume, id)) await hypervisor.detachDisk(row.id, id, call);
  for (const id of beside(seen.nicIds, nics)) if (await isKnown(services, nic, id)) await hypervisor.detachNic(row.id, id, call);
  await plugIn(services, hypervisor, row, lacking(disks, seen.diskIds, seen), call);
  for (const port of lacking(nics, seen.nicIds, seen)) await hypervisor.attachNic(row.id, await nicSpec(services, port, row, call), call);
  if (!isDriveRight(hypervisor, seen, row)) await mendDrive(services, hypervisor, row, seen, call);
  // What has just been plugged in has its limits from its row.
  const late = limitsOf(hypervisor, seen, row, plugged);
  if (late !== undefined) await mendLimits(hypervisor, row.id, late, call);
  if (refusal === undefined) return;
  await showSize(services, row, seen);
  throw refusal.error;
}

/** A guest that has locked the tray is asked again at the next look. */
async function mendDrive(
  services: ComputeServices,
  hypervisor: Hypervisor,
  row: InstanceRow,
  { isoId = '' }: MachineObservation,
  call: Call,
) {
  const { isoImageId: imageId } = row;
  if (imageId !== undefined) {
    const poolId = await isoPool(services.reader, row);
    await hypervisor.insertIso(row.id, await isoSpec(services, { imageId, poolId, hostId: hostOf(row) }, call), call);
  } else if (await isKnown(services, image, isoId)) await hypervisor.ejectIso(row.id, false, call);
}

/**
 * What opens a disk, by a call that no operation waits for: a host that freezes over it may do so when it thaws, after a fence of the disk, which binds only who had it
 * open. So the row says before that it may: an evacuation is refused then.
 */
async function plugIn(
  services: ComputeServices,
  hypervisor: Hypervisor,
  row: InstanceRow,
  disks: readonly MachineDisk[],
  call: Call,
): Promise<void> {
  if (disks.length === 0) return;
  const { kernel, environment } = services;
  if (row.pluggingSince === undefined)
    await kernel().observe([change(instance, row.id, { pluggingSince: timestamp(environment.clock) }, { hostId: hostOf(row) })]);
  try {
    for (const disk of disks) {
      const spec = await diskSpec(services, disk, hostOf(row), disk.slot ?? 0, call);
      await opening(services, row.id, [disk], call, () => hypervisor.attachDisk(row.id, spec, call));
    }
  } catch (error) {
    // Without an answer it stays so, until a later look finds the machine whole.
    if (!isCloudError(error) || PASSING.has(error.code)) throw error;
    await kernel().observe([change(instance, row.id, { pluggingSince: null })]);
    throw error;
  }
  await kernel().observe([change(instance, row.id, { pluggingSince: null })]);
}

/** What was sent by an earlier look has come to its end where the machine has all of its disks. */
async function forgetPlugging({ kernel }: ComputeServices, row: InstanceRow, seen: MachineObservation | undefined, { disks }: Plugged) {
  if (row.pluggingSince === undefined || seen === undefined || kernel().holds(row.id)) return;
  if (!isLive(seen) || lacking(disks, seen.diskIds, seen).length === 0)
    await kernel().observe([change(instance, row.id, { pluggingSince: null }, { generation: row.generation })]);
}

/** A guest may not let go of a processor, or of memory: that is shown until it is mended, by a later look or by the next start. */
async function showSize({ kernel, environment }: ComputeServices, row: InstanceRow, seen: MachineObservation): Promise<void> {
  if (row.stateReason?.code === SIZE_DIFFERS) return;
  const size = ({ vcpus, memoryBytes }: Pick<InstanceRow, 'vcpus' | 'memoryBytes'>) =>
    `${vcpus} ${vcpus === 1 ? 'processor' : 'processors'} and ${bytesText(memoryBytes)}`;
  const message = `It has ${size(seen)} of memory in place of ${size(row)}, and does not take its size while it runs; its next start gives it that.`;
  const stateReason = { code: SIZE_DIFFERS, message, at: timestamp(environment.clock) };
  await kernel().observe([change(instance, row.id, { stateReason }, { generation: row.generation })]);
}

/** Not shown any longer where the machine has its size again. */
async function forgetSize({ kernel }: ComputeServices, row: InstanceRow, seen: MachineObservation | undefined): Promise<void> {
  if (row.stateReason?.code !== SIZE_DIFFERS || seen === undefined || !isSized(seen, row) || kernel().holds(row.id)) return;
  await kernel().observe([change(instance, row.id, { stateReason: null }, { generation: row.generation })]);
}

/** What no row and no tombstone explains is not ours to take away: the store may be yesterday's. */
const isKnown = async ({ reader }: ComputeServices, kind: typeof volume | typeof nic | typeof image, id: string): Promise<boolean> =>
  (await reader.find(kind, id)) !== undefined;

async function allKnown(services: ComputeServices, late: { readonly disks: readonly string[]; readonly nics: readonly string[] }) {
  for (const id of late.disks) if (!(await isKnown(services, volume, id))) return false;
  for (const id of late.nics) if (!(await isKnown(services, nic, id))) return false;
  return true;
}
