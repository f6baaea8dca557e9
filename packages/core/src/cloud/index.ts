import { CloudError, type KernelServices, madePlugins, type Plugin, type PluginSource, settingsPlugin, tagging } from '../kernel/index.ts';
import type { AgentLink } from './agents/index.ts';
import { agents } from './agents/index.ts';
import type { BulkCipher } from './backup/bulk-cipher.ts';
import { backups } from './backup/index.ts';
import { compute } from './compute/index.ts';
import { Seeds } from './compute/seeds.ts';
import type { CallObserver } from './driver-call.ts';
import { events } from './events/index.ts';
import type { PostUrl } from './events/post-url.ts';
import { type IdentityProvider, identity, type Passwords, quota } from './identity/index.ts';
import { Addresses } from './network/addresses.ts';
import { Fabrics } from './network/fabrics.ts';
import { networking } from './network/index.ts';
import { placement } from './placement/index.ts';
import { TwoLevelPlacement } from './placement/two-level.ts';
import { retention } from './retention.ts';
import type { CloudConfig, CloudServices } from './services.ts';
import { stacks } from './stacks/index.ts';
import type { FetchUrl, ImageStore, OpenFile } from './storage/image-store.ts';
import { storage } from './storage/index.ts';
import { Pools } from './storage/pools.ts';
import { Hosts } from './topology/hosts.ts';
import { topology } from './topology/index.ts';
import { type UsageObserver, Usages } from './topology/usage.ts';

export { type AgentAddress, type AgentLink, type AgentRequest, agent } from './agents/index.ts';
export { type BulkCipher, inPlace } from './backup/bulk-cipher.ts';
export { backup, backupPlan, backupSet, backupStore } from './backup/index.ts';
export {
  compute,
  instance,
  instanceCreated,
  instanceCreating,
  instanceDeleted,
  instanceEvacuated,
  instanceStarted,
  instanceStarting,
  instanceStopped,
  instanceType,
  type MachineEvent,
} from './compute/index.ts';
export { shutdownSeconds } from './compute/settings.ts';
export type { CallObserver } from './driver-call.ts';
export { delivery, isPublicAddress, type Post, type PostUrl, webhook } from './events/index.ts';
export {
  account,
  addressPlace,
  addressSignIns,
  apiKey,
  BUILT_IN_ROLES,
  DEFAULT_ACCOUNT_ID,
  DEFAULT_PROJECT_ID,
  Directory,
  type ExternalIdentity,
  group,
  type IdentityProvider,
  identity,
  membership,
  operatorPrincipal,
  type Passwords,
  project,
  quotaRequest,
  Roles,
  role,
  roleBinding,
  serviceAccount,
  session,
  sessionHours,
  share,
  signingKeyOf,
  systemPrincipal,
  user,
} from './identity/index.ts';
export { backend } from './network/balancing/backend.ts';
export { listener } from './network/balancing/listener.ts';
export { loadBalancer } from './network/balancing/load-balancer.ts';
export { securityGroup } from './network/firewall/security-group.ts';
export { securityGroupMember } from './network/firewall/security-group-member.ts';
export { securityGroupRule } from './network/firewall/security-group-rule.ts';
export { dnsRecord } from './network/names/dns-record.ts';
export { elasticIp } from './network/nat/elastic-ip.ts';
export { natGateway, natPortBlock } from './network/nat/nat-gateway.ts';
export { portForward } from './network/nat/port-forward.ts';
export { reservedAddress } from './network/nat/reserved-address.ts';
export { elasticIpReuseSeconds } from './network/nat/settings.ts';
export { network } from './network/network.ts';
export { nic } from './network/nic.ts';
export { fabric } from './network/physical/fabric.ts';
export { physicalNetwork } from './network/physical/physical-network.ts';
export { storageBond, storagePlacement, storageSpeedMbits } from './network/physical/settings.ts';
export {
  fabricDegraded,
  fabricLost,
  fabricRecovered,
  hostNetworkDegraded,
  hostNetworkRecovered,
  hostStorageNetworkDegraded,
  hostStorageNetworkRecovered,
} from './network/points.ts';
export { subnet } from './network/subnet.ts';
export { peering } from './network/vpc/peering.ts';
export { route } from './network/vpc/route.ts';
export { vpc } from './network/vpc/vpc.ts';
export {
  type HostFilter,
  type HostScorer,
  type HostView,
  type PlacementAsk,
  placementFilter,
  placementGroup,
  placementScorer,
} from './placement/index.ts';
export type { CloudConfig, CloudServices, Module } from './services.ts';
export { stack, stackResource, stackRevision } from './stacks/index.ts';
export { attachment } from './storage/attachment.ts';
export { image } from './storage/image.ts';
export type { FetchUrl, ImageStore, OpenFile } from './storage/image-store.ts';
export {
  type Explained,
  hostPoolReached,
  hostPoolUnreached,
  type PoolEvent,
  poolDegraded,
  poolNearlyFull,
  poolRecovered,
  storedOwner,
} from './storage/points.ts';
export { pool } from './storage/pool.ts';
export { imageBytesMax, imageDiskBytesMax, imagePartHours, volumeReturnSeconds } from './storage/settings.ts';
export { snapshot } from './storage/snapshots/snapshot.ts';
export { snapshotGroup } from './storage/snapshots/snapshot-group.ts';
export { storageClass } from './storage/storage-class.ts';
export { volume } from './storage/volume.ts';
export { cluster } from './topology/cluster.ts';
export { host } from './topology/host.ts';
export { heartbeatSeconds, lateSeconds, type StrayVerb, strayAfterSeconds, strayPolicies } from './topology/settings.ts';
export { stray } from './topology/stray.ts';
export type { Usage, UsageObserver } from './topology/usage.ts';
export { zone } from './topology/zone.ts';

export interface CloudOptions {
  /** Our mark on everything real. Constant for the life of a cloud, and different from any other's. */
  readonly cloudId: string;
  readonly imageStore: ImageStore;
  /** How images are imported from the URLs that `config` allows. Default: not at all. */
  readonly fetchUrl?: FetchUrl;
  /** How images are imported from the directories that `config` allows. Default: not at all. */
  readonly openFile?: OpenFile;
  /** How passwords are hashed. Default: nobody signs in with one. */
  readonly passwords?: Passwords;
  /** How backups are encrypted. Default: in the turn of the event loop that asks for it. */
  readonly bulkCipher?: BulkCipher;
  /** Who else vouches for users. Default: nobody. */
  readonly identityProviders?: readonly IdentityProvider[];
  /** How events are sent to webhooks and callbacks. Default: not at all. */
  readonly postUrl?: PostUrl;
  /** How agents on hosts are reached. Default: not at all. */
  readonly agentLink?: AgentLink;
  readonly config?: Partial<CloudConfig>;
  readonly observeCall?: CallObserver;
  /** Told every ten seconds what hosts use. Default: that is asked of hosts only when somebody wants to know. */
  readonly observeUsage?: UsageObserver;
  /** Drivers and whatever else extends the cloud. */
  readonly plugins?: readonly PluginSource[];
}

const DEFAULT_CONFIG: CloudConfig = {
  imageSources: [],
  imageDirectories: [],
  webhookUrls: [],
  quota: { project: {}, account: {} },
};

const sendsNothing: PostUrl = async () => {
  throw new CloudError('unavailable', 'Nothing is sent from here.');
};

/** The plugins that make a kernel a cloud. */
export const cloud =
  (options: CloudOptions) =>
  (kernel: KernelServices): readonly Plugin[] => {
    const observeCall = options.observeCall ?? (() => undefined);
    const hosts = new Hosts(kernel, observeCall);
    const pools = new Pools(kernel, hosts, options.imageStore, observeCall);
    const fabrics = new Fabrics(kernel, hosts, observeCall, options.cloudId);
    const services: CloudServices = {
      ...kernel,
      cloudId: options.cloudId,
      hosts,
      usages: new Usages({ ...kernel, hosts }, options.observeUsage),
      pools,
      seeds: new Seeds({ ...kernel, hosts, pools, fabrics }),
      fabrics,
      addresses: new Addresses(),
      placement: new TwoLevelPlacement({
        clock: kernel.environment.clock,
        listen: (listener) => kernel.kernel().onOutcome(listener),
        hooks: () => kernel.kernel().registry.hooks,
      }),
      imageStore: options.imageStore,
      ...(options.fetchUrl === undefined ? {} : { fetchUrl: options.fetchUrl }),
      ...(options.openFile === undefined ? {} : { openFile: options.openFile }),
      ...(options.passwords === undefined ? {} : { passwords: options.passwords }),
      ...(options.bulkCipher === undefined ? {} : { bulkCipher: options.bulkCipher }),
      ...(options.identityProviders === undefined ? {} : { identityProviders: options.identityProviders }),
      observeCall,
      config: { ...DEFAULT_CONFIG, ...options.config },
    };
    const closing: Plugin = {
      id: 'connections',
      version: '0.1.0',
      start: async () => async () => {
        await services.fabrics.close();
        await services.pools.close();
        await services.hosts.close();
      },
    };
    return [
      closing,
      identity(services),
      quota(services),
      topology(services),
      agents(options.agentLink)(services),
      storage(services),
      backups(services),
      networking(services),
      placement(),
      compute(services),
      events(services, options.postUrl ?? sendsNothing),
      stacks(services),
      retention(services),
      tagging(services),
      settingsPlugin(services),
      ...madePlugins(options.plugins ?? [], kernel),
    ];
  };
