import { CloudError, type KernelServices, type Plugin, tagging } from '../kernel/index.ts';
import { compute } from './compute/index.ts';
import type { CallObserver } from './driver-call.ts';
import { events } from './events/index.ts';
import type { PostUrl } from './events/post-url.ts';
import { type IdentityProvider, identity, type Passwords, quota } from './identity/index.ts';
import { Fabrics } from './network/fabrics.ts';
import { networking } from './network/index.ts';
import { placement } from './placement/index.ts';
import { TwoLevelPlacement } from './placement/two-level.ts';
import { retention } from './retention.ts';
import type { CloudServices, CloudSettings } from './services.ts';
import type { FetchUrl, ImageStore } from './storage/image-store.ts';
import { storage } from './storage/index.ts';
import { Pools } from './storage/pools.ts';
import { Hosts } from './topology/hosts.ts';
import { topology } from './topology/index.ts';

export {
  compute,
  instance,
  instanceCreated,
  instanceCreating,
  instanceDeleted,
  instanceStarted,
  instanceStarting,
  instanceStopped,
  instanceType,
  type MachineEvent,
} from './compute/index.ts';
export type { CallObserver } from './driver-call.ts';
export { delivery, isPublicAddress, type Post, type PostUrl, webhook } from './events/index.ts';
export {
  account,
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
  share,
  signingKeyOf,
  systemPrincipal,
  user,
} from './identity/index.ts';
export { network } from './network/network.ts';
export { nic } from './network/nic.ts';
export { subnet } from './network/subnet.ts';
export {
  type HostFilter,
  type HostScorer,
  type HostView,
  type PlacementAsk,
  placementFilter,
  placementGroup,
  placementScorer,
} from './placement/index.ts';
export type { CloudServices, CloudSettings, Module } from './services.ts';
export { image } from './storage/image.ts';
export type { FetchUrl, ImageStore } from './storage/image-store.ts';
export { pool } from './storage/pool.ts';
export { volume } from './storage/volume.ts';
export { cluster } from './topology/cluster.ts';
export { host } from './topology/host.ts';
export { stray } from './topology/stray.ts';
export { zone } from './topology/zone.ts';

export interface CloudOptions {
  /** Our mark on everything real. Constant for the life of a cloud, and different from any other's. */
  readonly cloudId: string;
  readonly imageStore: ImageStore;
  /** How images are imported from the URLs that the settings allow. Default: not at all. */
  readonly fetchUrl?: FetchUrl;
  /** How passwords are hashed. Default: nobody signs in with one. */
  readonly passwords?: Passwords;
  /** Who else vouches for users. Default: nobody. */
  readonly identityProviders?: readonly IdentityProvider[];
  /** How events are sent to webhooks and callbacks. Default: not at all. */
  readonly postUrl?: PostUrl;
  readonly settings?: Partial<CloudSettings>;
  readonly observeCall?: CallObserver;
  /** Drivers and whatever else extends the cloud. */
  readonly plugins?: readonly Plugin[];
}

export const DEFAULT_SETTINGS: CloudSettings = {
  heartbeatMs: 5000,
  shutdownTimeoutMs: 60_000,
  sessionMs: 12 * 3600_000,
  // The store may have been restored from yesterday: nothing unknown is touched unless an operator says so.
  strays: {
    afterMs: 24 * 3600_000,
    policy: { machine: 'keep', volume: 'keep', seed: 'keep', image: 'keep', port: 'keep', network: 'keep' },
  },
  imageSources: [],
  imageBytesMax: 1024 ** 4,
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
    const services: CloudServices = {
      ...kernel,
      cloudId: options.cloudId,
      hosts,
      pools: new Pools(kernel, hosts, options.imageStore, observeCall),
      fabrics: new Fabrics(kernel, hosts, observeCall),
      placement: new TwoLevelPlacement({
        clock: kernel.environment.clock,
        listen: (listener) => kernel.kernel().onOutcome(listener),
        hooks: () => kernel.kernel().registry.hooks,
      }),
      imageStore: options.imageStore,
      ...(options.fetchUrl === undefined ? {} : { fetchUrl: options.fetchUrl }),
      ...(options.passwords === undefined ? {} : { passwords: options.passwords }),
      ...(options.identityProviders === undefined ? {} : { identityProviders: options.identityProviders }),
      observeCall,
      settings: { ...DEFAULT_SETTINGS, ...options.settings },
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
      storage(services),
      networking(services),
      placement(),
      compute(services),
      events(services, options.postUrl ?? sendsNothing),
      retention(services),
      tagging(services),
      ...(options.plugins ?? []),
    ];
  };
