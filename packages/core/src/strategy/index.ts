export type { ByteStream, Call, Content, Fault } from './call.ts';
export type {
  DiskBus,
  DiskLimits,
  DiskSpec,
  Firmware,
  GuestOs,
  HostEndpoint,
  HostInventory,
  HypervisorDriver,
  HypervisorFactory,
  MachineObservation,
  MachineSpec,
  NicLimits,
  NicSpec,
  PowerState,
} from './hypervisor.ts';
export type { NetworkDriver, NetworkFactory, NetworkObservation, NetworkSpec, Plug, PortSpec, SubnetSpec } from './network.ts';
export type { DriverPlugin, Strategies } from './plugin.ts';
export type {
  Attachment,
  DiskFormat,
  PoolCapacity,
  PoolEndpoint,
  Scope,
  StorageDriver,
  StorageFactory,
  StoredKind,
  StoredObject,
} from './storage.ts';
