import type { Call, Fault } from './call.ts';
import type { HostEndpoint } from './hypervisor.ts';
import type { NetworkExtras } from './network-objects.ts';
import type { Scope } from './storage.ts';

/** How a machine's NIC meets its network: closed, like `Attachment`. */
export type Plug =
  | { readonly type: 'libvirtNetwork'; readonly network: string }
  | { readonly type: 'bridge'; readonly bridge: string; readonly vlan?: number }
  | {
      readonly type: 'ovsPort';
      readonly bridge: string;
      readonly interfaceId: string;
      /** False where the switch runs in user space: the guest computes its checksums itself there. Default: true. */
      readonly offloads?: boolean;
    }
  | { readonly type: 'tap'; readonly device: string };

export interface SubnetSpec {
  readonly id: string;
  /** IPv4 or IPv6 network, canonical, e.g. `10.10.0.0/24`. */
  readonly cidr: string;
  readonly gateway: string;
  readonly dnsServers: readonly string[];
  /** Answers here what a cloud answers on each network: names, metadata. Only within a VPC. */
  readonly serviceAddress?: string;
  /** Told to guests with their addresses. */
  readonly hostRoutes?: readonly { readonly destination: string; readonly nextHop: string }[];
  /** Of an IPv6 subnet: addresses told by DHCPv6, or made by the guests from what the router advertises. Default: `stateful`. */
  readonly ipv6Mode?: 'stateful' | 'slaac';
}

/** What frames travel in between hosts. */
export type Encapsulation = 'vxlan' | 'geneve';

/** How frames of a network travel on a physical one. */
export interface SegmentSpec {
  /** As hosts name it, e.g. `physnet1`. */
  readonly physicalNetwork: string;
  /** Untagged when absent. */
  readonly vlanId?: number;
  /** In tunnels from host to host, in place of the wire. Nobody else in the cloud has the key. */
  readonly tunnel?: { readonly encapsulation: Encapsulation; readonly key: number };
  /** Whose hosts are connected. */
  readonly clusterId?: string;
  /**
   * Of an untagged one for tenants: hosts must not be on the wire themselves, or machines would reach what they listen for. Drivers that see whether they are tell it as what a host lacks
   * (`connections`).
   */
  readonly apartFromHosts?: true;
}

export interface NetworkSpec {
  readonly id: string;
  readonly name: string;
  /** The cloud id: our mark. */
  readonly owner: string;
  /** `nat` reaches out through the host, `isolated` does not, `routed` is part of a VPC, `provider` is a segment of a physical network. */
  readonly mode: 'nat' | 'isolated' | 'routed' | 'provider';
  readonly subnets: readonly SubnetSpec[];
  /** DNS domain told to guests. */
  readonly domain?: string;
  /** With mode `routed`. */
  readonly vpcId?: string;
  /** Told to guests. Default: what the fabric takes. */
  readonly mtuBytes?: number;
  /** With mode `provider`. */
  readonly segment?: SegmentSpec;
}

export interface PortSpec {
  readonly nicId: string;
  readonly networkId: string;
  readonly mac: string;
  readonly addresses: readonly string[];
  readonly hostname?: string;
  /** Of a port within a VPC: the domain that its host name is in. */
  readonly domain?: string;
  /** The cloud id: our mark. */
  readonly owner: string;
  /** Of each address, in their order. */
  readonly subnetIds: readonly string[];
  /** Of a port within a VPC: filtered by these, all that is not allowed is dropped. Absent: nothing is filtered. */
  readonly securityGroupIds?: readonly string[];
  /** What it may send from beside its own addresses, e.g. a virtual address of a pair. With a MAC, from that. */
  readonly allowedAddresses?: readonly { readonly cidr: string; readonly mac?: string }[];
  readonly vpcId?: string;
  /** Host name of where its machine is: nowhere else may it be plugged in. */
  readonly host?: string;
  /** What its machine may send, on hosts where the driver says that it sees to it (`sending`). More than 0. */
  readonly outboundBytesPerSecond?: number;
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
 * absent succeeds. Addresses are ours: a driver never chooses one. What it can beyond networks and ports it shows by what is there of `NetworkExtras`.
 */
export interface NetworkDriver extends NetworkExtras {
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

/** Who writes: one cloud of those that share a network, and the epoch of the node that holds its store. Newer epochs fence older ones off. */
export interface Writer {
  readonly cloudId: string;
  readonly epoch: number;
}

/** A host as the cloud knows it at this moment. */
export interface RealmHost {
  /** Its own name. */
  readonly host: string;
  /** Where its hypervisor is. */
  readonly uri: string;
  readonly clusterId: string;
  /** False: it is known to be out of reach. Its machines may well run. */
  readonly answers: boolean;
}
export interface RealmHosts {
  readonly hosts: readonly RealmHost[];
  /** Whether a host that is not among them is none of the cloud's for certain. */
  readonly isComplete: boolean;
}

/** What some drivers cannot do for NICs: tell guests their addresses, keep them from sending from others'. */
export type NetworkLack = 'dhcp' | 'antiSpoofing';

export interface NetworkFactory {
  readonly name: string;
  readonly scope: Scope;
  /** Modes of networks that it makes, the default first. Default: `nat` and `isolated`. */
  readonly modes?: readonly NetworkSpec['mode'][];
  /** The largest MTU of networks within VPCs: what frames of the hosts' own network have left in tunnels. Default: nothing is known of it. */
  readonly overlayMtuBytes?: number;
  /** Tunnels that it makes for networks of mode `provider`. Default: none, it joins them to wires alone. */
  readonly encapsulations?: readonly Encapsulation[];
  /** Default: nothing. What is lacking is refused, and told among the capabilities. */
  readonly lacks?: readonly NetworkLack[];
  /** `hosts` tells those there are, of a realm that is more than one host. */
  open(realm: { readonly host?: HostEndpoint; readonly writer?: Writer; readonly hosts?: () => Promise<RealmHosts> }): NetworkDriver;
}
