import type { Call, Fault } from './call.ts';
import type { HostEndpoint } from './hypervisor.ts';
import type { Scope } from './storage.ts';

/** How a machine's NIC meets its network: closed, like `Attachment`. */
export type Plug =
  | { readonly type: 'libvirtNetwork'; readonly network: string }
  | { readonly type: 'bridge'; readonly bridge: string; readonly vlan?: number }
  | { readonly type: 'ovsPort'; readonly bridge: string; readonly interfaceId: string }
  | { readonly type: 'tap'; readonly device: string };

export interface SubnetSpec {
  readonly id: string;
  /** IPv4 or IPv6 network, canonical, e.g. `10.10.0.0/24`. */
  readonly cidr: string;
  readonly gateway: string;
  readonly dnsServers: readonly string[];
}

export interface NetworkSpec {
  readonly id: string;
  readonly name: string;
  /** The cloud id: our mark. */
  readonly owner: string;
  /** `nat` reaches out through the host, `isolated` does not. */
  readonly mode: 'nat' | 'isolated';
  readonly subnets: readonly SubnetSpec[];
  /** DNS domain told to guests. */
  readonly domain?: string;
}

export interface PortSpec {
  readonly nicId: string;
  readonly networkId: string;
  readonly mac: string;
  readonly addresses: readonly string[];
  readonly hostname?: string;
}

export interface NetworkObservation {
  readonly id: string;
  readonly name: string;
  readonly active: boolean;
  readonly owner?: string;
  readonly nicIds: readonly string[];
}

/**
 * The networks of one realm: a host (libvirt networks) or a whole cluster or zone (OVN). `ensure*` makes it so and repairs what differs; deleting what is
 * absent succeeds. Addresses are ours: a driver never chooses one.
 */
export interface NetworkDriver {
  ensureNetwork(spec: NetworkSpec, call: Call): Promise<void>;
  /** `conflict` while ports are left. */
  deleteNetwork(id: string, call: Call): Promise<void>;
  inspectNetwork(id: string, call: Call): Promise<NetworkObservation | undefined>;
  listNetworks(call: Call): Promise<readonly NetworkObservation[]>;
  /** Reserves the address for the MAC and says how to plug in. */
  ensurePort(spec: PortSpec, call: Call): Promise<Plug>;
  deletePort(port: { readonly nicId: string; readonly networkId: string }, call: Call): Promise<void>;
  classify(error: unknown): Fault;
  close(): Promise<void>;
}

export interface NetworkFactory {
  readonly name: string;
  readonly scope: Scope;
  open(realm: { readonly host?: HostEndpoint }): NetworkDriver;
}
