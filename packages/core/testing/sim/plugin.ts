import type { DriverPlugin } from '../../src/strategy/index.ts';
import type { HypervisorFeature } from '../conformance/hypervisor.ts';
import { simulatedHypervisor } from './hypervisor.ts';
import type { DriverEnvironment } from './link.ts';
import { simulatedNetwork } from './network.ts';
import { simulatedSharedStorage, simulatedStorage } from './storage.ts';
import type { SimWorld } from './world.ts';

export interface SimulatedOptions {
  readonly world: SimWorld;
  /** The incarnation that the drivers are part of: when it is killed, their calls never end. */
  readonly environment: DriverEnvironment;
  /** Optional features of the hypervisor that it shall not have. */
  readonly without?: readonly HypervisorFeature[];
}

/** Drivers over a simulated world: hypervisor and network `simulated`, storage `simulated` (on each host) and `simulated-shared` (seen by all). */
export function simulated({ world, environment, without = [] }: SimulatedOptions): DriverPlugin {
  return {
    id: 'simulated',
    version: '0.1.0',
    strategies: {
      hypervisor: [simulatedHypervisor(world, environment, without)],
      storage: [simulatedStorage(world, environment), simulatedSharedStorage(world, environment)],
      network: [simulatedNetwork(world, environment)],
    },
  };
}
