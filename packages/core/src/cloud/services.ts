import type { KernelServices, Plugin } from '../kernel/index.ts';
import type { CallObserver } from './driver-call.ts';
import type { Passwords } from './identity/passwords.ts';
import type { IdentityProvider } from './identity/provider.ts';
import type { QuotaSettings } from './identity/quota-limits.ts';
import type { Fabrics } from './network/fabrics.ts';
import type { Placement } from './placement/placement.ts';
import type { FetchUrl, ImageStore } from './storage/image-store.ts';
import type { Pools } from './storage/pools.ts';
import type { Hosts } from './topology/hosts.ts';
import type { StrayKind } from './topology/stray.ts';

/** What cloud modules are built with. Each module uses the others through these contracts and their kinds only. */
export interface CloudServices extends KernelServices {
  /** Absent where nobody signs in with a password. */
  readonly passwords?: Passwords;
  readonly identityProviders?: readonly IdentityProvider[];
  /** Our mark on everything real: constant for the life of this cloud, also across restores. */
  readonly cloudId: string;
  readonly hosts: Hosts;
  readonly pools: Pools;
  readonly fabrics: Fabrics;
  readonly placement: Placement;
  readonly imageStore: ImageStore;
  /** Absent where nothing may be fetched: images are uploaded then. */
  readonly fetchUrl?: FetchUrl;
  readonly observeCall: CallObserver;
  readonly settings: CloudSettings;
}

/** What becomes of things with our mark that nothing explains. */
export interface StraySettings {
  /** After this time in quarantine. */
  readonly afterMs: number;
  readonly policy: Readonly<Record<StrayKind, 'keep' | 'adopt' | 'remove'>>;
}

export interface CloudSettings {
  /** How often each host is looked at. Three missed looks make it disconnected. */
  readonly heartbeatMs: number;
  /** How long a guest may take to power off before it is forced, unless the request says otherwise. */
  readonly shutdownTimeoutMs: number;
  readonly strays: StraySettings;
  /** URLs that images may be imported from: each allows what is below it, e.g. `https://images.example.org/public/`. Empty = none. */
  readonly imageSources: readonly string[];
  /** How long who signs in may go on without doing it again. */
  readonly sessionMs: number;
  /** Quotas that new projects and accounts begin with, by counter. The operator's own have none. */
  readonly quota: QuotaSettings;
  /** Content of one image, at most. */
  readonly imageBytesMax: number;
  /** URLs that webhooks may call though they are private or without TLS, and the only ones that callbacks may go to: each allows what is below it. */
  readonly webhookUrls: readonly string[];
}

export type Module = (services: CloudServices) => Plugin;
