// Generated from protocol.idl by tools/generate/libvirt-protocol.ts. Do not edit.

import type { CallOptions, Procedure } from '../procedure.ts';
import type { TypedParam, TypedParams } from '../typed-params.ts';

export type NoArguments = Readonly<Record<never, never>>;

export interface Domain {
  readonly name: string;
  readonly uuid: string;
  readonly id: number;
}

export interface Network {
  readonly name: string;
  readonly uuid: string;
}

export interface StoragePool {
  readonly name: string;
  readonly uuid: string;
}

export interface StorageVolume {
  readonly pool: string;
  readonly name: string;
  readonly key: string;
}

export interface Secret {
  readonly uuid: string;
  readonly usageType: number;
  readonly usageId: string;
}

export interface NetworkFilter {
  readonly name: string;
  readonly uuid: string;
}

export interface Snapshot {
  readonly name: string;
  readonly domain: Domain;
}

export interface Checkpoint {
  readonly name: string;
  readonly domain: Domain;
}

export interface ErrorBody {
  readonly code: number;
  readonly domain: number;
  readonly message: string | undefined;
  readonly level: number;
  readonly dom: Domain | undefined;
  readonly str1: string | undefined;
  readonly str2: string | undefined;
  readonly str3: string | undefined;
  readonly int1: number;
  readonly int2: number;
  readonly net: Network | undefined;
}

export interface NodeStat {
  readonly field: string;
  readonly value: number;
}

export interface MemoryStat {
  readonly tag: number;
  readonly value: number;
}

export interface DomainStats {
  readonly domain: Domain;
  readonly params: TypedParams;
}

export interface IpAddress {
  readonly type: number;
  readonly address: string;
  readonly prefix: number;
}

export interface DomainInterface {
  readonly name: string;
  readonly hardwareAddress: string | undefined;
  readonly addresses: readonly IpAddress[];
}

export interface DhcpLease {
  readonly interfaceName: string;
  readonly expiresAtS: number;
  readonly type: number;
  readonly mac: string | undefined;
  readonly iaid: string | undefined;
  readonly address: string;
  readonly prefix: number;
  readonly hostname: string | undefined;
  readonly clientId: string | undefined;
}

export interface FileSystem {
  readonly mountpoint: string;
  readonly name: string;
  readonly type: string;
  readonly deviceAliases: readonly string[];
}

export interface GraphicsAddress {
  readonly family: number;
  readonly node: string;
  readonly service: string;
}

export interface GraphicsIdentity {
  readonly type: string;
  readonly name: string;
}

export interface ConnectSupportsFeatureArguments {
  readonly feature: number;
}

export interface ConnectOpenArguments {
  readonly name?: string | undefined;
  readonly flags?: number | undefined;
}

export interface ConnectGetMaxVcpusArguments {
  readonly type?: string | undefined;
}

export interface ConnectGetSysinfoArguments {
  readonly flags?: number | undefined;
}

export interface ConnectGetDomainCapabilitiesArguments {
  readonly emulator?: string | undefined;
  readonly arch?: string | undefined;
  readonly machine?: string | undefined;
  readonly virtType?: string | undefined;
  readonly flags?: number | undefined;
}

export interface ConnectGetCpuModelNamesArguments {
  readonly arch: string;
  readonly flags?: number | undefined;
}

export interface NodeGetInfoResult {
  readonly model: string;
  readonly memoryKib: number;
  readonly cpus: number;
  readonly mhz: number;
  readonly nodes: number;
  readonly sockets: number;
  readonly cores: number;
  readonly threads: number;
}

export interface NodeGetMemoryStatsArguments {
  readonly statsMax: number;
  readonly cell: number;
  readonly flags?: number | undefined;
}

export interface NodeGetMemoryStatsResult {
  readonly stats: readonly NodeStat[];
  readonly count: number;
}

export interface NodeGetCpuStatsArguments {
  readonly cpu: number;
  readonly statsMax: number;
  readonly flags?: number | undefined;
}

export interface NodeGetCpuStatsResult {
  readonly stats: readonly NodeStat[];
  readonly count: number;
}

export interface ConnectListAllDomainsArguments {
  readonly flags?: number | undefined;
}

export interface ConnectGetAllDomainStatsArguments {
  readonly domains: readonly Domain[];
  readonly stats: number;
  readonly flags?: number | undefined;
}

export interface DomainLookupByUuidArguments {
  readonly uuid: string;
}

export interface DomainLookupByNameArguments {
  readonly name: string;
}

export interface DomainLookupByIdArguments {
  readonly id: number;
}

export interface DomainDefineXmlFlagsArguments {
  readonly xml: string;
  readonly flags?: number | undefined;
}

export interface DomainCreateWithFlagsArguments {
  readonly domain: Domain;
  readonly flags?: number | undefined;
}

export interface DomainCreateXmlArguments {
  readonly xml: string;
  readonly flags?: number | undefined;
}

export interface DomainShutdownFlagsArguments {
  readonly domain: Domain;
  readonly flags?: number | undefined;
}

export interface DomainDestroyFlagsArguments {
  readonly domain: Domain;
  readonly flags?: number | undefined;
}

export interface DomainUndefineFlagsArguments {
  readonly domain: Domain;
  readonly flags?: number | undefined;
}

export interface DomainSuspendArguments {
  readonly domain: Domain;
}

export interface DomainResumeArguments {
  readonly domain: Domain;
}

export interface DomainRebootArguments {
  readonly domain: Domain;
  readonly flags?: number | undefined;
}

export interface DomainResetArguments {
  readonly domain: Domain;
  readonly flags?: number | undefined;
}

export interface DomainGetInfoArguments {
  readonly domain: Domain;
}

export interface DomainGetInfoResult {
  readonly state: number;
  readonly maxMemoryKib: number;
  readonly memoryKib: number;
  readonly vcpus: number;
  readonly cpuTimeNs: bigint;
}

export interface DomainGetStateArguments {
  readonly domain: Domain;
  readonly flags?: number | undefined;
}

export interface DomainGetStateResult {
  readonly state: number;
  readonly reason: number;
}

export interface DomainGetControlInfoArguments {
  readonly domain: Domain;
  readonly flags?: number | undefined;
}

export interface DomainGetControlInfoResult {
  readonly state: number;
  readonly details: number;
  readonly stateTimeMs: number;
}

export interface DomainGetXmlDescArguments {
  readonly domain: Domain;
  readonly flags?: number | undefined;
}

export interface DomainIsActiveArguments {
  readonly domain: Domain;
}

export interface DomainIsPersistentArguments {
  readonly domain: Domain;
}

export interface DomainSetAutostartArguments {
  readonly domain: Domain;
  readonly autostart: boolean;
}

export interface DomainGetAutostartArguments {
  readonly domain: Domain;
}

export interface DomainRenameArguments {
  readonly domain: Domain;
  readonly newName?: string | undefined;
  readonly flags?: number | undefined;
}

export interface DomainSetMetadataArguments {
  readonly domain: Domain;
  readonly type: number;
  readonly metadata?: string | undefined;
  readonly key?: string | undefined;
  readonly uri?: string | undefined;
  readonly flags?: number | undefined;
}

export interface DomainGetMetadataArguments {
  readonly domain: Domain;
  readonly type: number;
  readonly uri?: string | undefined;
  readonly flags?: number | undefined;
}

export interface DomainAttachDeviceFlagsArguments {
  readonly domain: Domain;
  readonly xml: string;
  readonly flags?: number | undefined;
}

export interface DomainDetachDeviceFlagsArguments {
  readonly domain: Domain;
  readonly xml: string;
  readonly flags?: number | undefined;
}

export interface DomainDetachDeviceAliasArguments {
  readonly domain: Domain;
  readonly alias: string;
  readonly flags?: number | undefined;
}

export interface DomainUpdateDeviceFlagsArguments {
  readonly domain: Domain;
  readonly xml: string;
  readonly flags?: number | undefined;
}

export interface DomainSetVcpusFlagsArguments {
  readonly domain: Domain;
  readonly vcpus: number;
  readonly flags?: number | undefined;
}

export interface DomainGetVcpusFlagsArguments {
  readonly domain: Domain;
  readonly flags?: number | undefined;
}

export interface DomainSetMemoryFlagsArguments {
  readonly domain: Domain;
  readonly memoryKib: number;
  readonly flags?: number | undefined;
}

export interface DomainGetMaxMemoryArguments {
  readonly domain: Domain;
}

export interface DomainSetMemoryStatsPeriodArguments {
  readonly domain: Domain;
  readonly periodS: number;
  readonly flags?: number | undefined;
}

export interface DomainSetLifecycleActionArguments {
  readonly domain: Domain;
  readonly type: number;
  readonly action: number;
  readonly flags?: number | undefined;
}

export interface DomainGetSchedulerTypeArguments {
  readonly domain: Domain;
}

export interface DomainGetSchedulerTypeResult {
  readonly type: string;
  readonly paramCount: number;
}

export interface DomainGetSchedulerParametersFlagsArguments {
  readonly domain: Domain;
  readonly flags?: number | undefined;
}

export interface DomainSetSchedulerParametersFlagsArguments {
  readonly domain: Domain;
  readonly params: readonly TypedParam[];
  readonly flags?: number | undefined;
}

export interface DomainSetBlockIoTuneArguments {
  readonly domain: Domain;
  readonly disk: string;
  readonly params: readonly TypedParam[];
  readonly flags?: number | undefined;
}

export interface DomainGetBlockIoTuneArguments {
  readonly domain: Domain;
  readonly disk?: string | undefined;
  readonly flags?: number | undefined;
}

export interface DomainSetInterfaceParametersArguments {
  readonly domain: Domain;
  readonly device: string;
  readonly params: readonly TypedParam[];
  readonly flags?: number | undefined;
}

export interface DomainGetInterfaceParametersArguments {
  readonly domain: Domain;
  readonly device: string;
  readonly flags?: number | undefined;
}

export interface DomainBlockStatsArguments {
  readonly domain: Domain;
  readonly disk: string;
}

export interface DomainBlockStatsResult {
  readonly readRequests: number;
  readonly readBytes: number;
  readonly writeRequests: number;
  readonly writeBytes: number;
  readonly errors: number;
}

export interface DomainInterfaceStatsArguments {
  readonly domain: Domain;
  readonly device: string;
}

export interface DomainInterfaceStatsResult {
  readonly rxBytes: number;
  readonly rxPackets: number;
  readonly rxErrors: number;
  readonly rxDrops: number;
  readonly txBytes: number;
  readonly txPackets: number;
  readonly txErrors: number;
  readonly txDrops: number;
}

export interface DomainMemoryStatsArguments {
  readonly domain: Domain;
  readonly flags?: number | undefined;
}

export interface DomainGetBlockInfoArguments {
  readonly domain: Domain;
  readonly disk: string;
  readonly flags?: number | undefined;
}

export interface DomainGetBlockInfoResult {
  readonly allocationBytes: number;
  readonly capacityBytes: number;
  readonly physicalBytes: number;
}

export interface DomainBlockResizeArguments {
  readonly domain: Domain;
  readonly disk: string;
  readonly size: number;
  readonly flags?: number | undefined;
}

export interface DomainInterfaceAddressesArguments {
  readonly domain: Domain;
  readonly source: number;
  readonly flags?: number | undefined;
}

export interface DomainSendKeyArguments {
  readonly domain: Domain;
  readonly codeset: number;
  readonly holdMs: number;
  readonly keycodes: readonly number[];
  readonly flags?: number | undefined;
}

export interface DomainScreenshotArguments {
  readonly domain: Domain;
  readonly screen: number;
  readonly flags?: number | undefined;
}

export interface DomainOpenConsoleArguments {
  readonly domain: Domain;
  readonly device?: string | undefined;
  readonly flags?: number | undefined;
}

export interface DomainManagedSaveArguments {
  readonly domain: Domain;
  readonly flags?: number | undefined;
}

export interface DomainHasManagedSaveImageArguments {
  readonly domain: Domain;
  readonly flags?: number | undefined;
}

export interface DomainManagedSaveRemoveArguments {
  readonly domain: Domain;
  readonly flags?: number | undefined;
}

export interface DomainAbortJobArguments {
  readonly domain: Domain;
}

export interface DomainGetJobInfoArguments {
  readonly domain: Domain;
}

export interface DomainGetJobInfoResult {
  readonly type: number;
  readonly elapsedMs: number;
  readonly remainingMs: number;
  readonly dataTotalBytes: number;
  readonly dataProcessedBytes: number;
  readonly dataRemainingBytes: number;
  readonly memoryTotalBytes: number;
  readonly memoryProcessedBytes: number;
  readonly memoryRemainingBytes: number;
  readonly fileTotalBytes: number;
  readonly fileProcessedBytes: number;
  readonly fileRemainingBytes: number;
}

export interface DomainGetJobStatsArguments {
  readonly domain: Domain;
  readonly flags?: number | undefined;
}

export interface DomainGetJobStatsResult {
  readonly type: number;
  readonly params: TypedParams;
}

export interface DomainMigrateBegin3ParamsArguments {
  readonly domain: Domain;
  readonly params: readonly TypedParam[];
  readonly flags?: number | undefined;
}

export interface DomainMigrateBegin3ParamsResult {
  readonly cookie: Uint8Array;
  readonly xml: string;
}

export interface DomainMigratePrepare3ParamsArguments {
  readonly params: readonly TypedParam[];
  readonly cookie: Uint8Array;
  readonly flags?: number | undefined;
}

export interface DomainMigratePrepare3ParamsResult {
  readonly cookie: Uint8Array;
  readonly uri: string | undefined;
}

export interface DomainMigratePerform3ParamsArguments {
  readonly domain: Domain;
  readonly connectionUri?: string | undefined;
  readonly params: readonly TypedParam[];
  readonly cookie: Uint8Array;
  readonly flags?: number | undefined;
}

export interface DomainMigrateFinish3ParamsArguments {
  readonly params: readonly TypedParam[];
  readonly cookie: Uint8Array;
  readonly flags?: number | undefined;
  readonly cancelled: boolean;
}

export interface DomainMigrateFinish3ParamsResult {
  readonly domain: Domain;
  readonly cookie: Uint8Array;
}

export interface DomainMigrateConfirm3ParamsArguments {
  readonly domain: Domain;
  readonly params: readonly TypedParam[];
  readonly cookie: Uint8Array;
  readonly flags?: number | undefined;
  readonly cancelled: boolean;
}

export interface DomainMigrateSetMaxDowntimeArguments {
  readonly domain: Domain;
  readonly downtimeMs: number;
  readonly flags?: number | undefined;
}

export interface DomainBlockJobAbortArguments {
  readonly domain: Domain;
  readonly disk: string;
  readonly flags?: number | undefined;
}

export interface DomainGetBlockJobInfoArguments {
  readonly domain: Domain;
  readonly disk: string;
  readonly flags?: number | undefined;
}

export interface DomainGetBlockJobInfoResult {
  readonly found: boolean;
  readonly type: number;
  readonly bandwidth: number;
  readonly current: number;
  readonly end: number;
}

export interface DomainBlockCopyArguments {
  readonly domain: Domain;
  readonly disk: string;
  readonly destinationXml: string;
  readonly params: readonly TypedParam[];
  readonly flags?: number | undefined;
}

export interface DomainBlockCommitArguments {
  readonly domain: Domain;
  readonly disk: string;
  readonly base?: string | undefined;
  readonly top?: string | undefined;
  readonly bandwidth: number;
  readonly flags?: number | undefined;
}

export interface DomainBlockPullArguments {
  readonly domain: Domain;
  readonly disk: string;
  readonly bandwidth: number;
  readonly flags?: number | undefined;
}

export interface DomainSnapshotCreateXmlArguments {
  readonly domain: Domain;
  readonly xml: string;
  readonly flags?: number | undefined;
}

export interface DomainListAllSnapshotsArguments {
  readonly domain: Domain;
  readonly flags?: number | undefined;
}

export interface DomainSnapshotLookupByNameArguments {
  readonly domain: Domain;
  readonly name: string;
  readonly flags?: number | undefined;
}

export interface DomainSnapshotGetXmlDescArguments {
  readonly snapshot: Snapshot;
  readonly flags?: number | undefined;
}

export interface DomainSnapshotDeleteArguments {
  readonly snapshot: Snapshot;
  readonly flags?: number | undefined;
}

export interface DomainRevertToSnapshotArguments {
  readonly snapshot: Snapshot;
  readonly flags?: number | undefined;
}

export interface DomainListAllCheckpointsArguments {
  readonly domain: Domain;
  readonly flags?: number | undefined;
}

export interface DomainCheckpointGetXmlDescArguments {
  readonly checkpoint: Checkpoint;
  readonly flags?: number | undefined;
}

export interface DomainCheckpointDeleteArguments {
  readonly checkpoint: Checkpoint;
  readonly flags?: number | undefined;
}

export interface DomainBackupBeginArguments {
  readonly domain: Domain;
  readonly backupXml: string;
  readonly checkpointXml?: string | undefined;
  readonly flags?: number | undefined;
}

export interface DomainBackupGetXmlDescArguments {
  readonly domain: Domain;
  readonly flags?: number | undefined;
}

export interface DomainFsFreezeArguments {
  readonly domain: Domain;
  readonly mountpoints: readonly string[];
  readonly flags?: number | undefined;
}

export interface DomainFsThawArguments {
  readonly domain: Domain;
  readonly mountpoints: readonly string[];
  readonly flags?: number | undefined;
}

export interface DomainFsTrimArguments {
  readonly domain: Domain;
  readonly mountpoint?: string | undefined;
  readonly minimumBytes: number;
  readonly flags?: number | undefined;
}

export interface DomainGetFsInfoArguments {
  readonly domain: Domain;
  readonly flags?: number | undefined;
}

export interface DomainGetGuestInfoArguments {
  readonly domain: Domain;
  readonly types: number;
  readonly flags?: number | undefined;
}

export interface DomainSetUserPasswordArguments {
  readonly domain: Domain;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly flags?: number | undefined;
}

export interface DomainGetTimeArguments {
  readonly domain: Domain;
  readonly flags?: number | undefined;
}

export interface DomainGetTimeResult {
  readonly seconds: number;
  readonly nanoseconds: number;
}

export interface DomainSetTimeArguments {
  readonly domain: Domain;
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly flags?: number | undefined;
}

export interface QemuAgentCommandArguments {
  readonly domain: Domain;
  readonly command: string;
  readonly timeoutS: number;
  readonly flags?: number | undefined;
}

export interface QemuMonitorCommandArguments {
  readonly domain: Domain;
  readonly command: string;
  readonly flags?: number | undefined;
}

export interface ConnectListAllStoragePoolsArguments {
  readonly flags?: number | undefined;
}

export interface StoragePoolLookupByUuidArguments {
  readonly uuid: string;
}

export interface StoragePoolLookupByNameArguments {
  readonly name: string;
}

export interface StoragePoolLookupByVolumeArguments {
  readonly volume: StorageVolume;
}

export interface StoragePoolLookupByTargetPathArguments {
  readonly path: string;
}

export interface StoragePoolDefineXmlArguments {
  readonly xml: string;
  readonly flags?: number | undefined;
}

export interface StoragePoolBuildArguments {
  readonly pool: StoragePool;
  readonly flags?: number | undefined;
}

export interface StoragePoolCreateArguments {
  readonly pool: StoragePool;
  readonly flags?: number | undefined;
}

export interface StoragePoolDestroyArguments {
  readonly pool: StoragePool;
}

export interface StoragePoolDeleteArguments {
  readonly pool: StoragePool;
  readonly flags?: number | undefined;
}

export interface StoragePoolUndefineArguments {
  readonly pool: StoragePool;
}

export interface StoragePoolRefreshArguments {
  readonly pool: StoragePool;
  readonly flags?: number | undefined;
}

export interface StoragePoolGetInfoArguments {
  readonly pool: StoragePool;
}

export interface StoragePoolGetInfoResult {
  readonly state: number;
  readonly capacityBytes: number;
  readonly allocationBytes: number;
  readonly availableBytes: number;
}

export interface StoragePoolGetXmlDescArguments {
  readonly pool: StoragePool;
  readonly flags?: number | undefined;
}

export interface StoragePoolSetAutostartArguments {
  readonly pool: StoragePool;
  readonly autostart: boolean;
}

export interface StoragePoolGetAutostartArguments {
  readonly pool: StoragePool;
}

export interface StoragePoolIsActiveArguments {
  readonly pool: StoragePool;
}

export interface StoragePoolIsPersistentArguments {
  readonly pool: StoragePool;
}

export interface StoragePoolListAllVolumesArguments {
  readonly pool: StoragePool;
  readonly flags?: number | undefined;
}

export interface StorageVolLookupByNameArguments {
  readonly pool: StoragePool;
  readonly name: string;
}

export interface StorageVolLookupByKeyArguments {
  readonly key: string;
}

export interface StorageVolLookupByPathArguments {
  readonly path: string;
}

export interface StorageVolCreateXmlArguments {
  readonly pool: StoragePool;
  readonly xml: string;
  readonly flags?: number | undefined;
}

export interface StorageVolCreateXmlFromArguments {
  readonly pool: StoragePool;
  readonly xml: string;
  readonly source: StorageVolume;
  readonly flags?: number | undefined;
}

export interface StorageVolDeleteArguments {
  readonly volume: StorageVolume;
  readonly flags?: number | undefined;
}

export interface StorageVolWipeArguments {
  readonly volume: StorageVolume;
  readonly flags?: number | undefined;
}

export interface StorageVolWipePatternArguments {
  readonly volume: StorageVolume;
  readonly algorithm: number;
  readonly flags?: number | undefined;
}

export interface StorageVolGetInfoArguments {
  readonly volume: StorageVolume;
}

export interface StorageVolGetInfoResult {
  readonly type: number;
  readonly capacityBytes: number;
  readonly allocationBytes: number;
}

export interface StorageVolGetInfoFlagsArguments {
  readonly volume: StorageVolume;
  readonly flags?: number | undefined;
}

export interface StorageVolGetInfoFlagsResult {
  readonly type: number;
  readonly capacityBytes: number;
  readonly allocationBytes: number;
}

export interface StorageVolGetXmlDescArguments {
  readonly volume: StorageVolume;
  readonly flags?: number | undefined;
}

export interface StorageVolGetPathArguments {
  readonly volume: StorageVolume;
}

export interface StorageVolResizeArguments {
  readonly volume: StorageVolume;
  readonly capacityBytes: number;
  readonly flags?: number | undefined;
}

export interface StorageVolUploadArguments {
  readonly volume: StorageVolume;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly flags?: number | undefined;
}

export interface StorageVolDownloadArguments {
  readonly volume: StorageVolume;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly flags?: number | undefined;
}

export interface ConnectListAllNetworksArguments {
  readonly flags?: number | undefined;
}

export interface NetworkLookupByUuidArguments {
  readonly uuid: string;
}

export interface NetworkLookupByNameArguments {
  readonly name: string;
}

export interface NetworkDefineXmlArguments {
  readonly xml: string;
}

export interface NetworkDefineXmlFlagsArguments {
  readonly xml: string;
  readonly flags?: number | undefined;
}

export interface NetworkCreateArguments {
  readonly network: Network;
}

export interface NetworkDestroyArguments {
  readonly network: Network;
}

export interface NetworkUndefineArguments {
  readonly network: Network;
}

export interface NetworkUpdateArguments {
  readonly network: Network;
  readonly command: number;
  readonly section: number;
  readonly parentIndex: number;
  readonly xml: string;
  readonly flags?: number | undefined;
}

export interface NetworkGetXmlDescArguments {
  readonly network: Network;
  readonly flags?: number | undefined;
}

export interface NetworkGetBridgeNameArguments {
  readonly network: Network;
}

export interface NetworkSetAutostartArguments {
  readonly network: Network;
  readonly autostart: boolean;
}

export interface NetworkGetAutostartArguments {
  readonly network: Network;
}

export interface NetworkIsActiveArguments {
  readonly network: Network;
}

export interface NetworkIsPersistentArguments {
  readonly network: Network;
}

export interface NetworkGetDhcpLeasesArguments {
  readonly network: Network;
  readonly mac?: string | undefined;
  readonly flags?: number | undefined;
}

export interface ConnectListAllNetworkFiltersArguments {
  readonly flags?: number | undefined;
}

export interface NetworkFilterLookupByNameArguments {
  readonly name: string;
}

export interface NetworkFilterDefineXmlArguments {
  readonly xml: string;
}

export interface NetworkFilterUndefineArguments {
  readonly filter: NetworkFilter;
}

export interface NetworkFilterGetXmlDescArguments {
  readonly filter: NetworkFilter;
  readonly flags?: number | undefined;
}

export interface ConnectListAllSecretsArguments {
  readonly flags?: number | undefined;
}

export interface SecretLookupByUuidArguments {
  readonly uuid: string;
}

export interface SecretLookupByUsageArguments {
  readonly usageType: number;
  readonly usageId: string;
}

export interface SecretDefineXmlArguments {
  readonly xml: string;
  readonly flags?: number | undefined;
}

export interface SecretGetXmlDescArguments {
  readonly secret: Secret;
  readonly flags?: number | undefined;
}

export interface SecretSetValueArguments {
  readonly secret: Secret;
  readonly value: Uint8Array;
  readonly flags?: number | undefined;
}

export interface SecretUndefineArguments {
  readonly secret: Secret;
}

export interface ConnectDomainEventCallbackRegisterAnyArguments {
  readonly eventId: number;
  readonly domain?: Domain | undefined;
}

export interface ConnectDomainEventCallbackDeregisterAnyArguments {
  readonly callbackId: number;
}

export interface LifecycleDomainEvent {
  readonly kind: 'lifecycle';
  readonly domain: Domain;
  readonly event: number;
  readonly detail: number;
}

export interface RebootDomainEvent {
  readonly kind: 'reboot';
  readonly domain: Domain;
}

export interface RtcChangeDomainEvent {
  readonly kind: 'rtcChange';
  readonly domain: Domain;
  readonly offsetS: number;
}

export interface WatchdogDomainEvent {
  readonly kind: 'watchdog';
  readonly domain: Domain;
  readonly action: number;
}

export interface GraphicsDomainEvent {
  readonly kind: 'graphics';
  readonly domain: Domain;
  readonly phase: number;
  readonly local: GraphicsAddress;
  readonly remote: GraphicsAddress;
  readonly authScheme: string;
  readonly subject: readonly GraphicsIdentity[];
}

export interface IoErrorDomainEvent {
  readonly kind: 'ioError';
  readonly domain: Domain;
  readonly sourcePath: string;
  readonly deviceAlias: string;
  readonly action: number;
  readonly reason: string;
}

export interface ControlErrorDomainEvent {
  readonly kind: 'controlError';
  readonly domain: Domain;
}

export interface DiskChangeDomainEvent {
  readonly kind: 'diskChange';
  readonly domain: Domain;
  readonly oldSource: string | undefined;
  readonly newSource: string | undefined;
  readonly deviceAlias: string;
  readonly reason: number;
}

export interface TrayChangeDomainEvent {
  readonly kind: 'trayChange';
  readonly domain: Domain;
  readonly deviceAlias: string;
  readonly reason: number;
}

export interface BalloonChangeDomainEvent {
  readonly kind: 'balloonChange';
  readonly domain: Domain;
  readonly actualKib: number;
}

export interface DeviceRemovedDomainEvent {
  readonly kind: 'deviceRemoved';
  readonly domain: Domain;
  readonly deviceAlias: string;
}

export interface BlockJobDomainEvent {
  readonly kind: 'blockJob';
  readonly domain: Domain;
  readonly disk: string;
  readonly type: number;
  readonly status: number;
}

export interface TunableDomainEvent {
  readonly kind: 'tunable';
  readonly domain: Domain;
  readonly params: TypedParams;
}

export interface AgentLifecycleDomainEvent {
  readonly kind: 'agentLifecycle';
  readonly domain: Domain;
  readonly state: number;
  readonly reason: number;
}

export interface DeviceAddedDomainEvent {
  readonly kind: 'deviceAdded';
  readonly domain: Domain;
  readonly deviceAlias: string;
}

export interface MigrationIterationDomainEvent {
  readonly kind: 'migrationIteration';
  readonly domain: Domain;
  readonly iteration: number;
}

export interface JobCompletedDomainEvent {
  readonly kind: 'jobCompleted';
  readonly domain: Domain;
  readonly params: TypedParams;
}

export interface DeviceRemovalFailedDomainEvent {
  readonly kind: 'deviceRemovalFailed';
  readonly domain: Domain;
  readonly deviceAlias: string;
}

export interface MetadataChangeDomainEvent {
  readonly kind: 'metadataChange';
  readonly domain: Domain;
  readonly type: number;
  readonly uri: string | undefined;
}

export interface BlockThresholdDomainEvent {
  readonly kind: 'blockThreshold';
  readonly domain: Domain;
  readonly device: string;
  readonly path: string | undefined;
  readonly thresholdBytes: number;
  readonly excessBytes: number;
}

/** What libvirt says about a domain, unasked. */
export type DomainEvent =
  | LifecycleDomainEvent
  | RebootDomainEvent
  | RtcChangeDomainEvent
  | WatchdogDomainEvent
  | GraphicsDomainEvent
  | IoErrorDomainEvent
  | ControlErrorDomainEvent
  | DiskChangeDomainEvent
  | TrayChangeDomainEvent
  | BalloonChangeDomainEvent
  | DeviceRemovedDomainEvent
  | BlockJobDomainEvent
  | TunableDomainEvent
  | AgentLifecycleDomainEvent
  | DeviceAddedDomainEvent
  | MigrationIterationDomainEvent
  | JobCompletedDomainEvent
  | DeviceRemovalFailedDomainEvent
  | MetadataChangeDomainEvent
  | BlockThresholdDomainEvent;

/** Every procedure that answers with a value. Each rejects as `CallOptions` describes. */
export interface LibvirtApi {
  /** remote 66: read, control. */
  authList(args?: NoArguments, options?: CallOptions): Promise<readonly number[]>;
  /** remote 70: mutate, control. */
  authPolkit(args?: NoArguments, options?: CallOptions): Promise<number>;
  /** remote 60: read, control. */
  connectSupportsFeature(args: ConnectSupportsFeatureArguments, options?: CallOptions): Promise<boolean>;
  /** remote 1: mutate, control. */
  connectOpen(args?: ConnectOpenArguments, options?: CallOptions): Promise<void>;
  /** remote 2: mutate, control. */
  connectClose(args?: NoArguments, options?: CallOptions): Promise<void>;
  /** remote 3: read, control. */
  connectGetType(args?: NoArguments, options?: CallOptions): Promise<string>;
  /** remote 4: read, control. */
  connectGetVersion(args?: NoArguments, options?: CallOptions): Promise<number>;
  /** remote 157: read, control. */
  connectGetLibVersion(args?: NoArguments, options?: CallOptions): Promise<number>;
  /** remote 59: read, control. */
  connectGetHostname(args?: NoArguments, options?: CallOptions): Promise<string>;
  /** remote 110: read, control. */
  connectGetUri(args?: NoArguments, options?: CallOptions): Promise<string>;
  /** remote 149: read, control. */
  connectIsSecure(args?: NoArguments, options?: CallOptions): Promise<boolean>;
  /** remote 5: read, control. */
  connectGetMaxVcpus(args?: ConnectGetMaxVcpusArguments, options?: CallOptions): Promise<number>;
  /** remote 203: read, control. */
  connectGetSysinfo(args?: ConnectGetSysinfoArguments, options?: CallOptions): Promise<string>;
  /** remote 7: read, jobs. */
  connectGetCapabilities(args?: NoArguments, options?: CallOptions): Promise<string>;
  /** remote 342: read, jobs. */
  connectGetDomainCapabilities(args?: ConnectGetDomainCapabilitiesArguments, options?: CallOptions): Promise<string>;
  /** remote 312: read, control. */
  connectGetCpuModelNames(args: ConnectGetCpuModelNamesArguments, options?: CallOptions): Promise<readonly string[]>;
  /** remote 6: read, control. */
  nodeGetInfo(args?: NoArguments, options?: CallOptions): Promise<NodeGetInfoResult>;
  /** remote 228: read, control. */
  nodeGetMemoryStats(args: NodeGetMemoryStatsArguments, options?: CallOptions): Promise<NodeGetMemoryStatsResult>;
  /** remote 227: read, control. */
  nodeGetCpuStats(args: NodeGetCpuStatsArguments, options?: CallOptions): Promise<NodeGetCpuStatsResult>;
  /** remote 102: read, control. */
  nodeGetFreeMemory(args?: NoArguments, options?: CallOptions): Promise<number>;
  /** remote 273: read, control. */
  connectListAllDomains(args?: ConnectListAllDomainsArguments, options?: CallOptions): Promise<readonly Domain[]>;
  /** remote 344: read, jobs. */
  connectGetAllDomainStats(args: ConnectGetAllDomainStatsArguments, options?: CallOptions): Promise<readonly DomainStats[]>;
  /** remote 24: read, control. */
  domainLookupByUuid(args: DomainLookupByUuidArguments, options?: CallOptions): Promise<Domain>;
  /** remote 23: read, control. */
  domainLookupByName(args: DomainLookupByNameArguments, options?: CallOptions): Promise<Domain>;
  /** remote 22: read, control. */
  domainLookupById(args: DomainLookupByIdArguments, options?: CallOptions): Promise<Domain>;
  /** remote 350: mutate, control. */
  domainDefineXmlFlags(args: DomainDefineXmlFlagsArguments, options?: CallOptions): Promise<Domain>;
  /** remote 196: mutate, jobs. */
  domainCreateWithFlags(args: DomainCreateWithFlagsArguments, options?: CallOptions): Promise<Domain>;
  /** remote 10: mutate, jobs. */
  domainCreateXml(args: DomainCreateXmlArguments, options?: CallOptions): Promise<Domain>;
  /** remote 258: mutate, jobs. */
  domainShutdownFlags(args: DomainShutdownFlagsArguments, options?: CallOptions): Promise<void>;
  /** remote 234: mutate, control. */
  domainDestroyFlags(args: DomainDestroyFlagsArguments, options?: CallOptions): Promise<void>;
  /** remote 231: mutate, control. */
  domainUndefineFlags(args: DomainUndefineFlagsArguments, options?: CallOptions): Promise<void>;
  /** remote 34: mutate, control. */
  domainSuspend(args: DomainSuspendArguments, options?: CallOptions): Promise<void>;
  /** remote 28: mutate, control. */
  domainResume(args: DomainResumeArguments, options?: CallOptions): Promise<void>;
  /** remote 27: mutate, jobs. */
  domainReboot(args: DomainRebootArguments, options?: CallOptions): Promise<void>;
  /** remote 245: mutate, control. */
  domainReset(args: DomainResetArguments, options?: CallOptions): Promise<void>;
  /** remote 16: read, control. */
  domainGetInfo(args: DomainGetInfoArguments, options?: CallOptions): Promise<DomainGetInfoResult>;
  /** remote 212: read, control. */
  domainGetState(args: DomainGetStateArguments, options?: CallOptions): Promise<DomainGetStateResult>;
  /** remote 229: read, control. */
  domainGetControlInfo(args: DomainGetControlInfoArguments, options?: CallOptions): Promise<DomainGetControlInfoResult>;
  /** remote 14: read, control. */
  domainGetXmlDesc(args: DomainGetXmlDescArguments, options?: CallOptions): Promise<string>;
  /** remote 150: read, control. */
  domainIsActive(args: DomainIsActiveArguments, options?: CallOptions): Promise<boolean>;
  /** remote 151: read, control. */
  domainIsPersistent(args: DomainIsPersistentArguments, options?: CallOptions): Promise<boolean>;
  /** remote 29: mutate, control. */
  domainSetAutostart(args: DomainSetAutostartArguments, options?: CallOptions): Promise<void>;
  /** remote 15: read, control. */
  domainGetAutostart(args: DomainGetAutostartArguments, options?: CallOptions): Promise<boolean>;
  /** remote 358: mutate, control. */
  domainRename(args: DomainRenameArguments, options?: CallOptions): Promise<void>;
  /** remote 264: mutate, control. */
  domainSetMetadata(args: DomainSetMetadataArguments, options?: CallOptions): Promise<void>;
  /** remote 265: read, control. */
  domainGetMetadata(args: DomainGetMetadataArguments, options?: CallOptions): Promise<string>;
  /** remote 160: mutate, jobs. */
  domainAttachDeviceFlags(args: DomainAttachDeviceFlagsArguments, options?: CallOptions): Promise<void>;
  /** remote 161: mutate, jobs. */
  domainDetachDeviceFlags(args: DomainDetachDeviceFlagsArguments, options?: CallOptions): Promise<void>;
  /** remote 392: mutate, jobs. */
  domainDetachDeviceAlias(args: DomainDetachDeviceAliasArguments, options?: CallOptions): Promise<void>;
  /** remote 174: mutate, jobs. */
  domainUpdateDeviceFlags(args: DomainUpdateDeviceFlagsArguments, options?: CallOptions): Promise<void>;
  /** remote 199: mutate, jobs. */
  domainSetVcpusFlags(args: DomainSetVcpusFlagsArguments, options?: CallOptions): Promise<void>;
  /** remote 200: read, control. */
  domainGetVcpusFlags(args: DomainGetVcpusFlagsArguments, options?: CallOptions): Promise<number>;
  /** remote 204: mutate, jobs. */
  domainSetMemoryFlags(args: DomainSetMemoryFlagsArguments, options?: CallOptions): Promise<void>;
  /** remote 17: read, control. */
  domainGetMaxMemory(args: DomainGetMaxMemoryArguments, options?: CallOptions): Promise<number>;
  /** remote 308: mutate, control. */
  domainSetMemoryStatsPeriod(args: DomainSetMemoryStatsPeriodArguments, options?: CallOptions): Promise<void>;
  /** remote 390: mutate, control. */
  domainSetLifecycleAction(args: DomainSetLifecycleActionArguments, options?: CallOptions): Promise<void>;
  /** remote 56: read, control. */
  domainGetSchedulerType(args: DomainGetSchedulerTypeArguments, options?: CallOptions): Promise<DomainGetSchedulerTypeResult>;
  /** remote 223: read, control. */
  domainGetSchedulerParametersFlags(args: DomainGetSchedulerParametersFlagsArguments, options?: CallOptions): Promise<TypedParams>;
  /** remote 219: mutate, control. */
  domainSetSchedulerParametersFlags(args: DomainSetSchedulerParametersFlagsArguments, options?: CallOptions): Promise<void>;
  /** remote 252: mutate, control. */
  domainSetBlockIoTune(args: DomainSetBlockIoTuneArguments, options?: CallOptions): Promise<void>;
  /** remote 253: read, control. */
  domainGetBlockIoTune(args: DomainGetBlockIoTuneArguments, options?: CallOptions): Promise<TypedParams>;
  /** remote 256: mutate, control. */
  domainSetInterfaceParameters(args: DomainSetInterfaceParametersArguments, options?: CallOptions): Promise<void>;
  /** remote 257: read, control. */
  domainGetInterfaceParameters(args: DomainGetInterfaceParametersArguments, options?: CallOptions): Promise<TypedParams>;
  /** remote 64: read, control. */
  domainBlockStats(args: DomainBlockStatsArguments, options?: CallOptions): Promise<DomainBlockStatsResult>;
  /** remote 65: read, control. */
  domainInterfaceStats(args: DomainInterfaceStatsArguments, options?: CallOptions): Promise<DomainInterfaceStatsResult>;
  /** remote 159: read, control. */
  domainMemoryStats(args: DomainMemoryStatsArguments, options?: CallOptions): Promise<readonly MemoryStat[]>;
  /** remote 194: read, control. */
  domainGetBlockInfo(args: DomainGetBlockInfoArguments, options?: CallOptions): Promise<DomainGetBlockInfoResult>;
  /** remote 251: mutate, jobs. */
  domainBlockResize(args: DomainBlockResizeArguments, options?: CallOptions): Promise<void>;
  /** remote 353: read, jobs. */
  domainInterfaceAddresses(args: DomainInterfaceAddressesArguments, options?: CallOptions): Promise<readonly DomainInterface[]>;
  /** remote 226: mutate, control. */
  domainSendKey(args: DomainSendKeyArguments, options?: CallOptions): Promise<void>;
  /** remote 182: mutate, solo. */
  domainManagedSave(args: DomainManagedSaveArguments, options?: CallOptions): Promise<void>;
  /** remote 183: read, control. */
  domainHasManagedSaveImage(args: DomainHasManagedSaveImageArguments, options?: CallOptions): Promise<boolean>;
  /** remote 184: mutate, control. */
  domainManagedSaveRemove(args: DomainManagedSaveRemoveArguments, options?: CallOptions): Promise<void>;
  /** remote 164: mutate, control. */
  domainAbortJob(args: DomainAbortJobArguments, options?: CallOptions): Promise<void>;
  /** remote 163: read, control. */
  domainGetJobInfo(args: DomainGetJobInfoArguments, options?: CallOptions): Promise<DomainGetJobInfoResult>;
  /** remote 298: read, control. */
  domainGetJobStats(args: DomainGetJobStatsArguments, options?: CallOptions): Promise<DomainGetJobStatsResult>;
  /** remote 302: mutate, jobs. */
  domainMigrateBegin3Params(args: DomainMigrateBegin3ParamsArguments, options?: CallOptions): Promise<DomainMigrateBegin3ParamsResult>;
  /** remote 303: mutate, jobs. */
  domainMigratePrepare3Params(args: DomainMigratePrepare3ParamsArguments, options?: CallOptions): Promise<DomainMigratePrepare3ParamsResult>;
  /** remote 305: mutate, solo. */
  domainMigratePerform3Params(args: DomainMigratePerform3ParamsArguments, options?: CallOptions): Promise<Uint8Array>;
  /** remote 306: mutate, solo. */
  domainMigrateFinish3Params(args: DomainMigrateFinish3ParamsArguments, options?: CallOptions): Promise<DomainMigrateFinish3ParamsResult>;
  /** remote 307: mutate, jobs. */
  domainMigrateConfirm3Params(args: DomainMigrateConfirm3ParamsArguments, options?: CallOptions): Promise<void>;
  /** remote 166: mutate, control. */
  domainMigrateSetMaxDowntime(args: DomainMigrateSetMaxDowntimeArguments, options?: CallOptions): Promise<void>;
  /** remote 237: mutate, jobs. */
  domainBlockJobAbort(args: DomainBlockJobAbortArguments, options?: CallOptions): Promise<void>;
  /** remote 238: read, control. */
  domainGetBlockJobInfo(args: DomainGetBlockJobInfoArguments, options?: CallOptions): Promise<DomainGetBlockJobInfoResult>;
  /** remote 345: mutate, jobs. */
  domainBlockCopy(args: DomainBlockCopyArguments, options?: CallOptions): Promise<void>;
  /** remote 290: mutate, jobs. */
  domainBlockCommit(args: DomainBlockCommitArguments, options?: CallOptions): Promise<void>;
  /** remote 240: mutate, jobs. */
  domainBlockPull(args: DomainBlockPullArguments, options?: CallOptions): Promise<void>;
  /** remote 185: mutate, solo. */
  domainSnapshotCreateXml(args: DomainSnapshotCreateXmlArguments, options?: CallOptions): Promise<Snapshot>;
  /** remote 274: read, control. */
  domainListAllSnapshots(args: DomainListAllSnapshotsArguments, options?: CallOptions): Promise<readonly Snapshot[]>;
  /** remote 189: read, control. */
  domainSnapshotLookupByName(args: DomainSnapshotLookupByNameArguments, options?: CallOptions): Promise<Snapshot>;
  /** remote 186: read, control. */
  domainSnapshotGetXmlDesc(args: DomainSnapshotGetXmlDescArguments, options?: CallOptions): Promise<string>;
  /** remote 193: mutate, solo. */
  domainSnapshotDelete(args: DomainSnapshotDeleteArguments, options?: CallOptions): Promise<void>;
  /** remote 192: mutate, solo. */
  domainRevertToSnapshot(args: DomainRevertToSnapshotArguments, options?: CallOptions): Promise<void>;
  /** remote 413: read, control. */
  domainListAllCheckpoints(args: DomainListAllCheckpointsArguments, options?: CallOptions): Promise<readonly Checkpoint[]>;
  /** remote 412: read, jobs. */
  domainCheckpointGetXmlDesc(args: DomainCheckpointGetXmlDescArguments, options?: CallOptions): Promise<string>;
  /** remote 417: mutate, jobs. */
  domainCheckpointDelete(args: DomainCheckpointDeleteArguments, options?: CallOptions): Promise<void>;
  /** remote 421: mutate, jobs. */
  domainBackupBegin(args: DomainBackupBeginArguments, options?: CallOptions): Promise<void>;
  /** remote 422: read, control. */
  domainBackupGetXmlDesc(args: DomainBackupGetXmlDescArguments, options?: CallOptions): Promise<string>;
  /** remote 335: mutate, jobs. */
  domainFsFreeze(args: DomainFsFreezeArguments, options?: CallOptions): Promise<number>;
  /** remote 336: mutate, jobs. */
  domainFsThaw(args: DomainFsThawArguments, options?: CallOptions): Promise<number>;
  /** remote 294: mutate, jobs. */
  domainFsTrim(args: DomainFsTrimArguments, options?: CallOptions): Promise<void>;
  /** remote 349: read, jobs. */
  domainGetFsInfo(args: DomainGetFsInfoArguments, options?: CallOptions): Promise<readonly FileSystem[]>;
  /** remote 418: read, jobs. */
  domainGetGuestInfo(args: DomainGetGuestInfoArguments, options?: CallOptions): Promise<TypedParams>;
  /** remote 357: mutate, jobs. */
  domainSetUserPassword(args: DomainSetUserPasswordArguments, options?: CallOptions): Promise<void>;
  /** remote 337: read, jobs. */
  domainGetTime(args: DomainGetTimeArguments, options?: CallOptions): Promise<DomainGetTimeResult>;
  /** remote 338: mutate, jobs. */
  domainSetTime(args: DomainSetTimeArguments, options?: CallOptions): Promise<void>;
  /** qemu 3: mutate, jobs. */
  qemuAgentCommand(args: QemuAgentCommandArguments, options?: CallOptions): Promise<string | undefined>;
  /** qemu 1: mutate, jobs. */
  qemuMonitorCommand(args: QemuMonitorCommandArguments, options?: CallOptions): Promise<string>;
  /** remote 281: read, control. */
  connectListAllStoragePools(args?: ConnectListAllStoragePoolsArguments, options?: CallOptions): Promise<readonly StoragePool[]>;
  /** remote 85: read, control. */
  storagePoolLookupByUuid(args: StoragePoolLookupByUuidArguments, options?: CallOptions): Promise<StoragePool>;
  /** remote 84: read, control. */
  storagePoolLookupByName(args: StoragePoolLookupByNameArguments, options?: CallOptions): Promise<StoragePool>;
  /** remote 86: read, control. */
  storagePoolLookupByVolume(args: StoragePoolLookupByVolumeArguments, options?: CallOptions): Promise<StoragePool>;
  /** remote 391: read, control. */
  storagePoolLookupByTargetPath(args: StoragePoolLookupByTargetPathArguments, options?: CallOptions): Promise<StoragePool>;
  /** remote 77: mutate, control. */
  storagePoolDefineXml(args: StoragePoolDefineXmlArguments, options?: CallOptions): Promise<StoragePool>;
  /** remote 79: mutate, solo. */
  storagePoolBuild(args: StoragePoolBuildArguments, options?: CallOptions): Promise<void>;
  /** remote 78: mutate, jobs. */
  storagePoolCreate(args: StoragePoolCreateArguments, options?: CallOptions): Promise<void>;
  /** remote 80: mutate, jobs. */
  storagePoolDestroy(args: StoragePoolDestroyArguments, options?: CallOptions): Promise<void>;
  /** remote 81: mutate, jobs. */
  storagePoolDelete(args: StoragePoolDeleteArguments, options?: CallOptions): Promise<void>;
  /** remote 82: mutate, control. */
  storagePoolUndefine(args: StoragePoolUndefineArguments, options?: CallOptions): Promise<void>;
  /** remote 83: mutate, jobs. */
  storagePoolRefresh(args: StoragePoolRefreshArguments, options?: CallOptions): Promise<void>;
  /** remote 87: read, control. */
  storagePoolGetInfo(args: StoragePoolGetInfoArguments, options?: CallOptions): Promise<StoragePoolGetInfoResult>;
  /** remote 88: read, control. */
  storagePoolGetXmlDesc(args: StoragePoolGetXmlDescArguments, options?: CallOptions): Promise<string>;
  /** remote 90: mutate, control. */
  storagePoolSetAutostart(args: StoragePoolSetAutostartArguments, options?: CallOptions): Promise<void>;
  /** remote 89: read, control. */
  storagePoolGetAutostart(args: StoragePoolGetAutostartArguments, options?: CallOptions): Promise<boolean>;
  /** remote 154: read, control. */
  storagePoolIsActive(args: StoragePoolIsActiveArguments, options?: CallOptions): Promise<boolean>;
  /** remote 155: read, control. */
  storagePoolIsPersistent(args: StoragePoolIsPersistentArguments, options?: CallOptions): Promise<boolean>;
  /** remote 282: read, control. */
  storagePoolListAllVolumes(args: StoragePoolListAllVolumesArguments, options?: CallOptions): Promise<readonly StorageVolume[]>;
  /** remote 95: read, control. */
  storageVolLookupByName(args: StorageVolLookupByNameArguments, options?: CallOptions): Promise<StorageVolume>;
  /** remote 96: read, control. */
  storageVolLookupByKey(args: StorageVolLookupByKeyArguments, options?: CallOptions): Promise<StorageVolume>;
  /** remote 97: read, control. */
  storageVolLookupByPath(args: StorageVolLookupByPathArguments, options?: CallOptions): Promise<StorageVolume>;
  /** remote 93: mutate, jobs. */
  storageVolCreateXml(args: StorageVolCreateXmlArguments, options?: CallOptions): Promise<StorageVolume>;
  /** remote 125: mutate, solo. */
  storageVolCreateXmlFrom(args: StorageVolCreateXmlFromArguments, options?: CallOptions): Promise<StorageVolume>;
  /** remote 94: mutate, jobs. */
  storageVolDelete(args: StorageVolDeleteArguments, options?: CallOptions): Promise<void>;
  /** remote 165: mutate, solo. */
  storageVolWipe(args: StorageVolWipeArguments, options?: CallOptions): Promise<void>;
  /** remote 259: mutate, solo. */
  storageVolWipePattern(args: StorageVolWipePatternArguments, options?: CallOptions): Promise<void>;
  /** remote 98: read, control. */
  storageVolGetInfo(args: StorageVolGetInfoArguments, options?: CallOptions): Promise<StorageVolGetInfoResult>;
  /** remote 378: read, control. */
  storageVolGetInfoFlags(args: StorageVolGetInfoFlagsArguments, options?: CallOptions): Promise<StorageVolGetInfoFlagsResult>;
  /** remote 99: read, control. */
  storageVolGetXmlDesc(args: StorageVolGetXmlDescArguments, options?: CallOptions): Promise<string>;
  /** remote 100: read, control. */
  storageVolGetPath(args: StorageVolGetPathArguments, options?: CallOptions): Promise<string>;
  /** remote 260: mutate, jobs. */
  storageVolResize(args: StorageVolResizeArguments, options?: CallOptions): Promise<void>;
  /** remote 283: read, control. */
  connectListAllNetworks(args?: ConnectListAllNetworksArguments, options?: CallOptions): Promise<readonly Network[]>;
  /** remote 47: read, control. */
  networkLookupByUuid(args: NetworkLookupByUuidArguments, options?: CallOptions): Promise<Network>;
  /** remote 46: read, control. */
  networkLookupByName(args: NetworkLookupByNameArguments, options?: CallOptions): Promise<Network>;
  /** remote 41: mutate, control. */
  networkDefineXml(args: NetworkDefineXmlArguments, options?: CallOptions): Promise<Network>;
  /** remote 432: mutate, control. */
  networkDefineXmlFlags(args: NetworkDefineXmlFlagsArguments, options?: CallOptions): Promise<Network>;
  /** remote 39: mutate, jobs. */
  networkCreate(args: NetworkCreateArguments, options?: CallOptions): Promise<void>;
  /** remote 42: mutate, jobs. */
  networkDestroy(args: NetworkDestroyArguments, options?: CallOptions): Promise<void>;
  /** remote 49: mutate, control. */
  networkUndefine(args: NetworkUndefineArguments, options?: CallOptions): Promise<void>;
  /** remote 291: mutate, jobs. */
  networkUpdate(args: NetworkUpdateArguments, options?: CallOptions): Promise<void>;
  /** remote 43: read, control. */
  networkGetXmlDesc(args: NetworkGetXmlDescArguments, options?: CallOptions): Promise<string>;
  /** remote 45: read, control. */
  networkGetBridgeName(args: NetworkGetBridgeNameArguments, options?: CallOptions): Promise<string>;
  /** remote 48: mutate, control. */
  networkSetAutostart(args: NetworkSetAutostartArguments, options?: CallOptions): Promise<void>;
  /** remote 44: read, control. */
  networkGetAutostart(args: NetworkGetAutostartArguments, options?: CallOptions): Promise<boolean>;
  /** remote 152: read, control. */
  networkIsActive(args: NetworkIsActiveArguments, options?: CallOptions): Promise<boolean>;
  /** remote 153: read, control. */
  networkIsPersistent(args: NetworkIsPersistentArguments, options?: CallOptions): Promise<boolean>;
  /** remote 341: read, control. */
  networkGetDhcpLeases(args: NetworkGetDhcpLeasesArguments, options?: CallOptions): Promise<readonly DhcpLease[]>;
  /** remote 286: read, control. */
  connectListAllNetworkFilters(args?: ConnectListAllNetworkFiltersArguments, options?: CallOptions): Promise<readonly NetworkFilter[]>;
  /** remote 175: read, control. */
  networkFilterLookupByName(args: NetworkFilterLookupByNameArguments, options?: CallOptions): Promise<NetworkFilter>;
  /** remote 180: mutate, control. */
  networkFilterDefineXml(args: NetworkFilterDefineXmlArguments, options?: CallOptions): Promise<NetworkFilter>;
  /** remote 181: mutate, control. */
  networkFilterUndefine(args: NetworkFilterUndefineArguments, options?: CallOptions): Promise<void>;
  /** remote 177: read, control. */
  networkFilterGetXmlDesc(args: NetworkFilterGetXmlDescArguments, options?: CallOptions): Promise<string>;
  /** remote 287: read, control. */
  connectListAllSecrets(args?: ConnectListAllSecretsArguments, options?: CallOptions): Promise<readonly Secret[]>;
  /** remote 141: read, control. */
  secretLookupByUuid(args: SecretLookupByUuidArguments, options?: CallOptions): Promise<Secret>;
  /** remote 147: read, control. */
  secretLookupByUsage(args: SecretLookupByUsageArguments, options?: CallOptions): Promise<Secret>;
  /** remote 142: mutate, control. */
  secretDefineXml(args: SecretDefineXmlArguments, options?: CallOptions): Promise<Secret>;
  /** remote 143: read, control. */
  secretGetXmlDesc(args: SecretGetXmlDescArguments, options?: CallOptions): Promise<string>;
  /** remote 144: mutate, control. */
  secretSetValue(args: SecretSetValueArguments, options?: CallOptions): Promise<void>;
  /** remote 146: mutate, control. */
  secretUndefine(args: SecretUndefineArguments, options?: CallOptions): Promise<void>;
  /** remote 316: mutate, control. */
  connectDomainEventCallbackRegisterAny(args: ConnectDomainEventCallbackRegisterAnyArguments, options?: CallOptions): Promise<number>;
  /** remote 317: mutate, control. */
  connectDomainEventCallbackDeregisterAny(args: ConnectDomainEventCallbackDeregisterAnyArguments, options?: CallOptions): Promise<void>;
}

/** Calls a procedure; what an api is bound to. */
export type Caller = <A, R>(procedure: Procedure<A, R>, args: A, options?: CallOptions) => Promise<R>;
