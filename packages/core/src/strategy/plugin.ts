import type { BackupStoreFactory } from './backup-store.ts';
import type { HypervisorFactory } from './hypervisor.ts';
import type { NetworkFactory } from './network.ts';
import type { StorageFactory } from './storage.ts';

/** The strategies the cloud knows how to use, by contract. Two factories of one contract with the same name are a start-up error. */
export interface Strategies {
  readonly hypervisor?: readonly HypervisorFactory[];
  readonly storage?: readonly StorageFactory[];
  readonly network?: readonly NetworkFactory[];
  readonly backup?: readonly BackupStoreFactory[];
}

/** What a driver package exports: a value. The kernel's `Plugin` is a superset, so a driver needs to know this type only. */
export interface DriverPlugin {
  readonly id: string;
  /** Semantic version of the plugin. */
  readonly version: string;
  readonly strategies: Strategies;
}
