import { onContribution, type RowBase, updateAction } from '../../kernel/index.ts';
import type { Module } from '../services.ts';
import { storedOwner } from '../storage/contract.ts';
import { hostLook } from '../topology/contract.ts';
import { Consoles, consoleEndpoints } from './consoles.ts';
import type { ComputeServices } from './context.ts';
import { drainAction } from './host-drain.ts';
import { instance } from './instance.ts';
import { createInstance } from './instance-create.ts';
import { instanceDeletion } from './instance-delete.ts';
import { evacuateAction } from './instance-evacuate.ts';
import { isoActions } from './instance-iso.ts';
import { migrateAction } from './instance-migrate.ts';
import { nicActions } from './instance-nics.ts';
import { powerActions } from './instance-power.ts';
import { cpuSharesAction, resizeAction } from './instance-resize.ts';
import { MACHINE_GO_ON, payGoingOn, snapshotAction } from './instance-snapshot.ts';
import { instanceType } from './instance-type.ts';
import { createInstanceType, instanceTypeDeletion, reviseInstanceType } from './instance-type-verbs.ts';
import { instanceUsage } from './instance-usage.ts';
import { volumeActions } from './instance-volumes.ts';
import { limitActions } from './limits.ts';
import { MACHINE_REMOVE, payMachineRemoval, payVolumeRelease, VOLUME_RELEASE } from './machine-cleanup.ts';
import { observeHost, observeMachine } from './observe.ts';
import * as points from './points.ts';
import { shutdownSeconds } from './settings.ts';
import { adoptAction } from './stray-adopt.ts';
import { WaitingMachines } from './waiting-machines.ts';

export { instance } from './instance.ts';
export { instanceType } from './instance-type.ts';
export * from './points.ts';

/** Machines: their sizes, their lives, their consoles. */
export const compute: Module = (cloud) => {
  const consoles = new Consoles(cloud);
  const services: ComputeServices = { ...cloud, consoles };
  return {
    id: 'compute',
    version: '0.1.0',
    requires: ['topology', 'storage', 'network', 'placement'],
    kinds: [instanceType, instance],
    actions: [
      createInstanceType,
      reviseInstanceType,
      createInstance(services),
      updateAction(instance, ['description']),
      ...powerActions(services),
      evacuateAction(services),
      migrateAction(services),
      drainAction(services),
      ...volumeActions(services),
      ...isoActions(services),
      snapshotAction(services),
      ...nicActions(services),
      resizeAction(services),
      cpuSharesAction(services),
      ...limitActions(services),
      adoptAction(services),
    ],
    deletions: [instanceTypeDeletion, instanceDeletion(() => services)],
    settings: [shutdownSeconds],
    settingLevels: [{ kind: instance.name, parent: 'hostId' }],
    endpoints: [...consoleEndpoints(consoles), instanceUsage(services)],
    points: Object.values(points),
    debts: [
      {
        task: MACHINE_REMOVE,
        pay: (target, place, call) => payMachineRemoval(services, String(target.instanceId), place, call),
      },
      { task: MACHINE_GO_ON, pay: (target, place, call) => payGoingOn(services, String(target.instanceId), place, call) },
      { task: VOLUME_RELEASE, pay: (target, place, call) => payVolumeRelease(services, target as never, place, call) },
    ],
    start: async () => {
      const machines = new WaitingMachines(services);
      machines.start();
      return () => machines.stop();
    },
    hooks: [
      onContribution(hostLook, ({ hostId, machineId, signal }) =>
        machineId === undefined ? observeHost(services, hostId, signal) : observeMachine(services, hostId, machineId, signal),
      ),
      // A seed has the id of its machine.
      onContribution(storedOwner, async ({ kind, ids }, { reader }) => {
        const rows = kind === 'seed' ? await services.slices.named(reader, instance, ids) : new Map<string, RowBase>();
        return new Map([...rows].map(([id, { deletedAt }]) => [id, deletedAt === undefined ? 'kept' : 'left'] as const));
      }),
    ],
  };
};
