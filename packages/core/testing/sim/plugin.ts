import type { DriverPlugin } from '../../src/strategy/index.ts';
import type { HypervisorFeature } from '../conformance/hypervisor.ts';
import type { StorageFeature } from '../conformance/storage-stage.ts';
import { simulatedBackups } from './backup-store.ts';
import { simulatedHypervisor } from './hypervisor.ts';
import type { DriverEnvironment } from './link.ts';
import { simulatedNetwork, simulatedSharedNetwork } from './network.ts';
import { simulatedSharedStorage, simulatedStorage } from './storage.ts';
import type { SimWorld } from './world.ts';

export interface SimulatedOptions {
  readonly world: SimWorld;
  /** The incarnation that the drivers are part of: when it is killed, their calls never end. */
  readonly environment: DriverEnvironment;
  /** Optional features that hypervisors and pools shall not have. */
  readonly without?: readonly (HypervisorFeature | StorageFeature)[];
}

/** Drivers over a simulated world: hypervisor `simulated`, network and storage `simulated` (on each host) and `simulated-shared` (seen by all), backup store `simulated`. */
export function simulated({ world, environment, without = [] }: SimulatedOptions): DriverPlugin {
  const ground = { world, environment, without };
  return {
    id: 'simulated',
    version: '0.1.0',
    strategies: {
      hypervisor: [simulatedHypervisor(world, environment, without)],
      storage: [simulatedStorage(ground), simulatedSharedStorage(ground)],
      network: [simulatedNetwork(world, environment), simulatedSharedNetwork(world, environment)],
      backup: [simulatedBackups(world, environment)],
    },
  };
}
