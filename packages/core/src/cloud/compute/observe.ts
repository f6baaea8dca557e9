import { alone, equals, type Id, revert, type StateOf } from '../../kernel/index.ts';
import type { Call, MachineObservation, PowerState } from '../../strategy/index.ts';
import { type Found, recordStrays, removalAllowed } from '../topology/contract.ts';
import { type ComputeServices, hostOf, type InstanceRow } from './context.ts';
import { instance } from './instance.ts';
import { NOT_STARTED } from './instance-evacuate.ts';
import { mendMachines } from './mend.ts';
import { thawForgotten } from './thaw-forgotten.ts';

type State = StateOf<typeof instance>;

const LOOK_TIMEOUT_MS = 15_000;

/** States in which what is seen on the host decides; the others belong to an operation. */
const OBSERVED: readonly State[] = ['running', 'suspended', 'stopped', 'crashed', 'missing'];

export const STATE_OF = { running: 'running', paused: 'suspended', stopped: 'stopped', crashed: 'crashed' } as const satisfies Record<
  PowerState,
  State
>;

/** The reason of a machine that stands still and was not suspended by its user. */
export const FOUND_PAUSED = 'found_paused';

const REASON: Record<PowerState | 'absent', { readonly code: string; readonly message: string }> = {
  running: { code: 'found_running', message: 'It was found running without having been started here.' },
  paused: { code: FOUND_PAUSED, message: 'It was found paused without having been suspended here.' },
  stopped: { code: 'powered_off', message: 'The guest powered off, or the machine was stopped behind our back.' },
  crashed: { code: 'crashed', message: 'The guest or its hypervisor process died.' },
  absent: {
    code: 'absent',
    message: 'Its host answers and does not know it: it was removed behind our back. Start it to make it anew on its disks.',
  },
};

/**
 * Compares the machines of a host with their rows, in both directions. Level-triggered: no event is an input. A row's generation is read before the look;
 * the finding is written only if it is unchanged then and no operation holds the row. "Gone" takes two looks.
 */
export async function observeHost(services: ComputeServices, hostId: string, signal: AbortSignal): Promise<void> {
  const { reader, slices } = services;
  const rows = await slices.list(reader, instance, equals('hostId', hostId));
  const call: Call = { requestId: `look-${hostId}`, signal, timeoutMs: LOOK_TIMEOUT_MS };
  const seen = new Map((await (await services.hosts.hypervisor(hostId)).list(call)).map((machine) => [machine.id, machine]));
  await slices.each(rows, (row) => observeRow(services, row, seen.get(row.id), call));
  const known = new Set(rows.map((row) => row.id as string));
  const strays: Found[] = [];
  const unknown = [...seen.values()].filter(({ id, owner }) => owner === services.cloudId && !known.has(id));
  const others = await slices.named(
    reader,
    instance,
    unknown.map(({ id }) => id),
  );
  await slices.each(unknown, async (machine) => {
    strays.push(...(await unexplained(services, { machine, row: others.get(machine.id), hostId }, call)));
  });
  await recordStrays(services, { hostId: hostId as Id<'host'>, objectKind: 'machine', place: hostId }, strays);
  const observed = rows.filter((row) => OBSERVED.includes(row.state));
  await thawForgotten(services, observed, seen, call);
  await mendMachines(services, observed, seen, call);
}

/** After a hint about one machine. */
export async function observeMachine(services: ComputeServices, hostId: string, machineId: string, signal: AbortSignal): Promise<void> {
  const row = await services.reader.find(instance, machineId);
  if (row === undefined || row.deletedAt !== undefined || row.hostId !== hostId) return;
  const call: Call = { requestId: `look-${machineId}`, signal, timeoutMs: LOOK_TIMEOUT_MS };
  await observeRow(services, row, await (await services.hosts.hypervisor(hostId)).inspect(machineId, call), call);
}

async function observeRow(services: ComputeServices, row: InstanceRow, seen: MachineObservation | undefined, call: Call): Promise<void> {
  const busy = () => services.kernel().holds(row.id);
  if (row.state === 'trashed' && seen !== undefined && !busy() && (await removalAllowed(services)))
    // The late arrival of a call that was given up.
    await (await services.hosts.hypervisor(hostOf(row))).remove(row.id, call);
  if (busy() || !OBSERVED.includes(row.state)) return;
  const state = seen === undefined ? 'missing' : STATE_OF[seen.power];
  if (state === row.state) return;
  // It never came to be here: its start makes it.
  if (seen === undefined && row.stateReason?.code === NOT_STARTED) return;
  if (seen === undefined && (await (await services.hosts.hypervisor(hostOf(row))).inspect(row.id, call)) !== undefined) return;
  if (busy()) return;
  const at = new Date(services.environment.clock.nowMs()).toISOString();
  const stateReason = { ...REASON[seen?.power ?? 'absent'], at };
  // A guard that fails means that something changed since the look: the next look decides.
  const written = await services.kernel().observe([
    revert(instance, row.id, {
      from: row.state,
      to: state,
      set: { stateReason, observedGeneration: row.generation + 1 },
      expect: { generation: row.generation },
    }),
  ]);
  if (written.ok && state !== 'running' && state !== 'suspended') services.consoles.revoke({ instanceId: row.id });
}

interface Unknown {
  readonly machine: MachineObservation;
  /** Of the same id: a deleted one, or that of a machine which is elsewhere. */
  readonly row: InstanceRow | undefined;
  readonly hostId: string;
}

/** A machine with our mark that no row on this host explains: removed if a tombstone does, else a stray. */
async function unexplained(services: ComputeServices, { machine, row, hostId }: Unknown, call: Call): Promise<readonly Found[]> {
  if (services.kernel().holds(machine.id) || machine.incoming === true) return [];
  if (row !== undefined && row.deletedAt === undefined && row.hostId === hostId) return [];
  const givenUp =
    row?.deletedAt !== undefined ||
    row?.formerHostIds?.includes(hostId) === true ||
    (row?.migratedFromHostIds?.includes(hostId) === true && (await isLeftOver(services, row, machine, call)));
  if (givenUp && (await removalAllowed(services))) {
    // The late arrival of a call that was given up: the deleted row is its tombstone, or the row says that this host was given up.
    await alone(services, [machine.id], async () => {
      // It may have been moved back here since it was listed.
      if ((await services.reader.find(instance, machine.id))?.hostId === hostId && row?.deletedAt === undefined) return;
      await (await services.hosts.hypervisor(hostId)).remove(machine.id, call);
    });
    return [];
  }
  return [{ objectId: machine.id, objectName: machine.name, details: details(machine, row) }];
}

const OFF: ReadonlySet<string> = new Set<MachineObservation['power']>(['stopped', 'crashed']);

/**
 * What was defined late on a host that it was migrated from. One that is on is never taken for that, nor one whose own host does not show it now: the row may be of a
 * store that was restored, and older than the machine.
 */
async function isLeftOver({ hosts }: ComputeServices, row: InstanceRow, { id, power }: MachineObservation, call: Call): Promise<boolean> {
  if (!OFF.has(power) || !(await hosts.reachable(hostOf(row)))) return false;
  return (await (await hosts.hypervisor(hostOf(row))).inspect(id, call)) !== undefined;
}

/** What a quarantined machine shows, and what its adoption goes by. */
export interface StrayMachine
  extends Pick<MachineObservation, 'power' | 'vcpus' | 'memoryBytes' | 'diskIds' | 'nicIds' | 'isoId' | 'record'> {
  /** Of a machine whose row is there all the same: where that says it is. */
  readonly rowHostId?: string;
}

const details = ({ power, vcpus, memoryBytes, diskIds, nicIds, isoId, record }: MachineObservation, row: InstanceRow | undefined) => ({
  ...({ power, vcpus, memoryBytes, diskIds, nicIds } satisfies StrayMachine),
  ...(isoId === undefined ? {} : { isoId }),
  ...(record === undefined ? {} : { record }),
  ...(row === undefined ? {} : { rowHostId: row.hostId }),
});
