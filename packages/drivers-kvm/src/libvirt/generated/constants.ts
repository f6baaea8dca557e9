// Generated from protocol.idl by tools/generate/libvirt-protocol.ts. Do not edit.

export const ErrorCode = { ok: 0, internalError: 1, noSupport: 3, noConnect: 5, invalidDomain: 7, invalidArgument: 8, operationFailed: 9, osType: 16, xmlError: 27, domainExists: 28, operationDenied: 29, openFailed: 30, xmlDetail: 35, networkExists: 37, systemError: 38, rpc: 39, noDomain: 42, noNetwork: 43, authFailed: 45, invalidStoragePool: 46, invalidStorageVolume: 47, noStoragePool: 49, noStorageVolume: 50, operationInvalid: 55, noNetworkFilter: 62, noSecret: 66, configUnsupported: 67, operationTimeout: 68, noDomainSnapshot: 72, argumentUnsupported: 74, storagePoolBuilt: 76, operationAborted: 78, noDomainMetadata: 80, migrateUnsafe: 81, overflow: 82, blockCopyActive: 83, operationUnsupported: 84, agentUnresponsive: 86, resourceBusy: 87, accessDenied: 88, storageVolumeExists: 90, cpuIncompatible: 91, xmlInvalidSchema: 92, noServer: 95, agentUnsynced: 97, deviceMissing: 99, noCheckpoint: 103, noBackup: 104, checkpointInconsistent: 109, multipleDomains: 110 } as const;
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

export const DomainState = { nostate: 0, running: 1, blocked: 2, paused: 3, shutdown: 4, shutoff: 5, crashed: 6, pmSuspended: 7 } as const;
export type DomainState = (typeof DomainState)[keyof typeof DomainState];

export const ShutoffReason = { unknown: 0, shutdown: 1, destroyed: 2, crashed: 3, migrated: 4, saved: 5, failed: 6, fromSnapshot: 7, daemon: 8 } as const;
export type ShutoffReason = (typeof ShutoffReason)[keyof typeof ShutoffReason];

export const PausedReason = { unknown: 0, user: 1, migration: 2, save: 3, dump: 4, ioError: 5, watchdog: 6, fromSnapshot: 7, shuttingDown: 8, snapshot: 9, crashed: 10, startingUp: 11, postcopy: 12, postcopyFailed: 13 } as const;
export type PausedReason = (typeof PausedReason)[keyof typeof PausedReason];

export const LifecycleEvent = { defined: 0, undefined: 1, started: 2, suspended: 3, resumed: 4, stopped: 5, shutdown: 6, pmSuspended: 7, crashed: 8 } as const;
export type LifecycleEvent = (typeof LifecycleEvent)[keyof typeof LifecycleEvent];

export const StoppedDetail = { shutdown: 0, destroyed: 1, crashed: 2, migrated: 3, saved: 4, failed: 5, fromSnapshot: 6 } as const;
export type StoppedDetail = (typeof StoppedDetail)[keyof typeof StoppedDetail];

export const AgentState = { connected: 1, disconnected: 2 } as const;
export type AgentState = (typeof AgentState)[keyof typeof AgentState];

export const BlockJobType = { unknown: 0, pull: 1, copy: 2, commit: 3, activeCommit: 4, backup: 5 } as const;
export type BlockJobType = (typeof BlockJobType)[keyof typeof BlockJobType];

export const BlockJobStatus = { completed: 0, failed: 1, canceled: 2, ready: 3 } as const;
export type BlockJobStatus = (typeof BlockJobStatus)[keyof typeof BlockJobStatus];

export const JobType = { none: 0, bounded: 1, unbounded: 2, completed: 3, failed: 4, cancelled: 5 } as const;
export type JobType = (typeof JobType)[keyof typeof JobType];

export const PoolState = { inactive: 0, building: 1, running: 2, degraded: 3, inaccessible: 4 } as const;
export type PoolState = (typeof PoolState)[keyof typeof PoolState];

export const VolumeType = { file: 0, block: 1, dir: 2, network: 3, netdir: 4, ploop: 5 } as const;
export type VolumeType = (typeof VolumeType)[keyof typeof VolumeType];

export const MemoryStatTag = { swapIn: 0, swapOut: 1, majorFault: 2, minorFault: 3, unused: 4, available: 5, actualBalloon: 6, rss: 7, usable: 8, lastUpdate: 9, diskCaches: 10 } as const;
export type MemoryStatTag = (typeof MemoryStatTag)[keyof typeof MemoryStatTag];

export const MetadataType = { description: 0, title: 1, element: 2 } as const;
export type MetadataType = (typeof MetadataType)[keyof typeof MetadataType];

export const AddressSource = { lease: 0, agent: 1, arp: 2 } as const;
export type AddressSource = (typeof AddressSource)[keyof typeof AddressSource];

export const SecretUsage = { none: 0, volume: 1, ceph: 2, iscsi: 3, tls: 4, vtpm: 5 } as const;
export type SecretUsage = (typeof SecretUsage)[keyof typeof SecretUsage];

export const NetworkCommand = { modify: 1, delete: 2, addLast: 3, addFirst: 4 } as const;
export type NetworkCommand = (typeof NetworkCommand)[keyof typeof NetworkCommand];

export const NetworkSection = { bridge: 1, domain: 2, ip: 3, ipDhcpHost: 4, ipDhcpRange: 5, forward: 6, forwardInterface: 7, forwardPf: 8, portgroup: 9, dnsHost: 10, dnsTxt: 11, dnsSrv: 12 } as const;
export type NetworkSection = (typeof NetworkSection)[keyof typeof NetworkSection];

export const ListDomainsFlag = { active: 1, inactive: 2, persistent: 4, transient: 8, running: 16, paused: 32, shutoff: 64, other: 128, managedSave: 256 } as const;
export type ListDomainsFlag = (typeof ListDomainsFlag)[keyof typeof ListDomainsFlag];

export const ListActiveFlag = { inactive: 1, active: 2, persistent: 4, transient: 8 } as const;
export type ListActiveFlag = (typeof ListActiveFlag)[keyof typeof ListActiveFlag];

export const DomainXmlFlag = { secure: 1, inactive: 2, updateCpu: 4, migratable: 8 } as const;
export type DomainXmlFlag = (typeof DomainXmlFlag)[keyof typeof DomainXmlFlag];

export const DefineFlag = { validate: 1 } as const;
export type DefineFlag = (typeof DefineFlag)[keyof typeof DefineFlag];

export const AffectFlag = { current: 0, live: 1, config: 2 } as const;
export type AffectFlag = (typeof AffectFlag)[keyof typeof AffectFlag];

export const StartFlag = { paused: 1, autodestroy: 2, bypassCache: 4, forceBoot: 8, validate: 16, resetNvram: 32 } as const;
export type StartFlag = (typeof StartFlag)[keyof typeof StartFlag];

export const ShutdownFlag = { acpiPowerButton: 1, guestAgent: 2, initctl: 4, signal: 8, paravirt: 16 } as const;
export type ShutdownFlag = (typeof ShutdownFlag)[keyof typeof ShutdownFlag];

export const DestroyFlag = { graceful: 1, removeLogs: 2 } as const;
export type DestroyFlag = (typeof DestroyFlag)[keyof typeof DestroyFlag];

export const UndefineFlag = { managedSave: 1, snapshotsMetadata: 2, nvram: 4, keepNvram: 8, checkpointsMetadata: 16, tpm: 32, keepTpm: 64 } as const;
export type UndefineFlag = (typeof UndefineFlag)[keyof typeof UndefineFlag];

export const VcpuFlag = { live: 1, config: 2, maximum: 4, guest: 8, hotpluggable: 16 } as const;
export type VcpuFlag = (typeof VcpuFlag)[keyof typeof VcpuFlag];

export const MemoryFlag = { live: 1, config: 2, maximum: 4 } as const;
export type MemoryFlag = (typeof MemoryFlag)[keyof typeof MemoryFlag];

export const BlockResizeFlag = { bytes: 1 } as const;
export type BlockResizeFlag = (typeof BlockResizeFlag)[keyof typeof BlockResizeFlag];

export const SaveFlag = { bypassCache: 1, running: 2, paused: 4 } as const;
export type SaveFlag = (typeof SaveFlag)[keyof typeof SaveFlag];

export const ConsoleFlag = { force: 1, safe: 2 } as const;
export type ConsoleFlag = (typeof ConsoleFlag)[keyof typeof ConsoleFlag];

export const StatsGroup = { state: 1, cpuTotal: 2, balloon: 4, vcpu: 8, interface: 16, block: 32, perf: 64, iothread: 128, memory: 256, dirtyRate: 512, vm: 1024 } as const;
export type StatsGroup = (typeof StatsGroup)[keyof typeof StatsGroup];

export const StatsFlag = { active: 1, inactive: 2, persistent: 4, transient: 8, running: 16, paused: 32, shutoff: 64, other: 128, noWait: 536870912, backing: 1073741824 } as const;
export type StatsFlag = (typeof StatsFlag)[keyof typeof StatsFlag];

export const ParamsFlag = { stringOkay: 4 } as const;
export type ParamsFlag = (typeof ParamsFlag)[keyof typeof ParamsFlag];

export const JobStatsFlag = { completed: 1, keepCompleted: 2 } as const;
export type JobStatsFlag = (typeof JobStatsFlag)[keyof typeof JobStatsFlag];

export const MigrateFlag = { live: 1, peerToPeer: 2, tunnelled: 4, persistDestination: 8, undefineSource: 16, paused: 32, nonSharedDisk: 64, nonSharedIncremental: 128, changeProtection: 256, unsafe: 512, offline: 1024, compressed: 2048, abortOnError: 4096, autoConverge: 8192, postcopy: 32768, tls: 65536, parallel: 131072 } as const;
export type MigrateFlag = (typeof MigrateFlag)[keyof typeof MigrateFlag];

export const BlockJobAbortFlag = { async: 1, pivot: 2 } as const;
export type BlockJobAbortFlag = (typeof BlockJobAbortFlag)[keyof typeof BlockJobAbortFlag];

export const BlockCopyFlag = { shallow: 1, reuseExternal: 2, transientJob: 4, synchronousWrites: 8 } as const;
export type BlockCopyFlag = (typeof BlockCopyFlag)[keyof typeof BlockCopyFlag];

export const BlockCommitFlag = { shallow: 1, delete: 2, active: 4, relative: 8, bandwidthBytes: 16 } as const;
export type BlockCommitFlag = (typeof BlockCommitFlag)[keyof typeof BlockCommitFlag];

export const SnapshotCreateFlag = { redefine: 1, current: 2, noMetadata: 4, halt: 8, diskOnly: 16, reuseExternal: 32, quiesce: 64, atomic: 128, live: 256, validate: 512 } as const;
export type SnapshotCreateFlag = (typeof SnapshotCreateFlag)[keyof typeof SnapshotCreateFlag];

export const SnapshotDeleteFlag = { children: 1, metadataOnly: 2, childrenOnly: 4 } as const;
export type SnapshotDeleteFlag = (typeof SnapshotDeleteFlag)[keyof typeof SnapshotDeleteFlag];

export const CheckpointXmlFlag = { secure: 1, noDomain: 2, size: 4 } as const;
export type CheckpointXmlFlag = (typeof CheckpointXmlFlag)[keyof typeof CheckpointXmlFlag];

export const CheckpointDeleteFlag = { children: 1, metadataOnly: 2, childrenOnly: 4 } as const;
export type CheckpointDeleteFlag = (typeof CheckpointDeleteFlag)[keyof typeof CheckpointDeleteFlag];

export const BackupBeginFlag = { reuseExternal: 1 } as const;
export type BackupBeginFlag = (typeof BackupBeginFlag)[keyof typeof BackupBeginFlag];

export const JobOperation = { unknown: 0, start: 1, save: 2, restore: 3, migrationIn: 4, migrationOut: 5, snapshot: 6, snapshotRevert: 7, dump: 8, backup: 9 } as const;
export type JobOperation = (typeof JobOperation)[keyof typeof JobOperation];

export const PoolBuildFlag = { new: 0, repair: 1, resize: 2, noOverwrite: 4, overwrite: 8 } as const;
export type PoolBuildFlag = (typeof PoolBuildFlag)[keyof typeof PoolBuildFlag];

export const PoolCreateFlag = { withBuild: 1, withBuildOverwrite: 2, withBuildNoOverwrite: 4 } as const;
export type PoolCreateFlag = (typeof PoolCreateFlag)[keyof typeof PoolCreateFlag];

export const VolumeCreateFlag = { preallocateMetadata: 1, reflink: 2, validate: 4 } as const;
export type VolumeCreateFlag = (typeof VolumeCreateFlag)[keyof typeof VolumeCreateFlag];

export const VolumeUploadFlag = { sparse: 1 } as const;
export type VolumeUploadFlag = (typeof VolumeUploadFlag)[keyof typeof VolumeUploadFlag];

export const VolumeDeleteFlag = { zeroed: 1, withSnapshots: 2 } as const;
export type VolumeDeleteFlag = (typeof VolumeDeleteFlag)[keyof typeof VolumeDeleteFlag];

export const VolumeInfoFlag = { physical: 1 } as const;
export type VolumeInfoFlag = (typeof VolumeInfoFlag)[keyof typeof VolumeInfoFlag];

export const VolumeResizeFlag = { allocate: 1, delta: 2, shrink: 4 } as const;
export type VolumeResizeFlag = (typeof VolumeResizeFlag)[keyof typeof VolumeResizeFlag];
