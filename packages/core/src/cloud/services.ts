import type { KernelServices, Plugin } from '../kernel/index.ts';
import type { BulkCipher } from './backup/bulk-cipher.ts';
import type { Seeds } from './compute/seeds.ts';
import type { CallObserver } from './driver-call.ts';
import type { Passwords } from './identity/passwords.ts';
import type { IdentityProvider } from './identity/provider.ts';
import type { QuotaSettings } from './identity/quota-limits.ts';
import type { Addresses } from './network/addresses.ts';
import type { Fabrics } from './network/fabrics.ts';
import type { Placement } from './placement/placement.ts';
import type { FetchUrl, ImageStore, OpenFile } from './storage/image-store.ts';
import type { Pools } from './storage/pools.ts';
import type { Hosts } from './topology/hosts.ts';
import type { Usages } from './topology/usage.ts';

/** What cloud modules are built with. Each module uses the others through these contracts and their kinds only. */
export interface CloudServices extends KernelServices {
  /** Absent where nobody signs in with a password. */
  readonly passwords?: Passwords;
  readonly identityProviders?: readonly IdentityProvider[];
  /** Absent in simulations. */
  readonly bulkCipher?: BulkCipher;
  /** Our mark on everything real: constant for the life of this cloud, also across restores. */
  readonly cloudId: string;
  readonly hosts: Hosts;
  readonly usages: Usages;
  readonly pools: Pools;
  readonly seeds: Pick<Seeds, 'move'>;
  readonly fabrics: Fabrics;
  /** One for all who choose addresses: two would hand out the same. */
  readonly addresses: Addresses;
  readonly placement: Placement;
  readonly imageStore: ImageStore;
  /** Absent where nothing may be fetched: images are uploaded then. */
  readonly fetchUrl?: FetchUrl;
  /** Absent where no files of this machine may be read. */
  readonly openFile?: OpenFile;
  readonly observeCall: CallObserver;
  readonly config: CloudConfig;
}

/** What stays as it was at the start. */
export interface CloudConfig {
  /** URLs that images may be imported from: each allows what is below it, e.g. `https://images.example.org/public/`. Empty = none. */
  readonly imageSources: readonly string[];
  /** Directories of this machine that operators may import images from, with what is below them. Empty = none. */
  readonly imageDirectories: readonly string[];
  /** Quotas that new projects and accounts begin with, by counter. The operator's own have none. */
  readonly quota: QuotaSettings;
  /** URLs that webhooks may call though they are private or without TLS, and the only ones that callbacks may go to: each allows what is below it. */
  readonly webhookUrls: readonly string[];
}

export type Module = (services: CloudServices) => Plugin;
