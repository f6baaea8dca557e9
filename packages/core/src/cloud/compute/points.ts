import { gate, notice } from '../../kernel/index.ts';
import type { InstanceRow } from './context.ts';
import type { InstanceInput } from './instance-input.ts';

/** May refuse a new machine, e.g. by a policy on its type or image. */
export const instanceCreating = gate<{ readonly row: InstanceRow | undefined; readonly input: InstanceInput }>('instance.creating');
/** May refuse a start, e.g. during a maintenance window. */
export const instanceStarting = gate<{ readonly row: InstanceRow | undefined; readonly input: unknown }>('instance.starting');

/** A machine and where it is or was. */
export type MachineEvent = { readonly instanceId: string; readonly hostId: string };
/** A machine has been made, and runs unless it was asked not to. */
export const instanceCreated = notice<MachineEvent>('instance.created');
/** A machine that was stopped runs again. */
export const instanceStarted = notice<MachineEvent>('instance.started');
/** A machine was stopped, by request. */
export const instanceStopped = notice<MachineEvent>('instance.stopped');
/** A machine of a lost host was moved to another, and runs there if it ran and nothing kept it from starting. */
export const instanceEvacuated = notice<MachineEvent & { readonly fromHostId: string }>('instance.evacuated');
/** A machine has gone over to another host while it was on. */
export const instanceMigrated = notice<MachineEvent & { readonly fromHostId: string }>('instance.migrated');
/** A machine is gone from its host, with all that was its own. */
export const instanceDeleted = notice<MachineEvent>('instance.deleted');
