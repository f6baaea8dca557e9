import type { Call } from './call.ts';
import type { SegmentSpec } from './network.ts';

/**
 * What a network driver may keep beside networks and ports. Every object carries all that is needed to make it: the cost of a change is that of the object, not of
 * the cloud. Ids are ours, stay, and are never used again. Addresses are canonical text, checked before a driver sees them.
 */
export interface NetworkObject {
  readonly id: string;
  /** The cloud id: our mark. */
  readonly owner: string;
}

/** An address space of its own with one distributed router. Two of them may use the same addresses. */
export interface VpcSpec extends NetworkObject {
  readonly name: string;
  /** Domain in which machines of the VPC have names, e.g. `vpc-1.internal`. */
  readonly domain: string;
  readonly routes: readonly RouteSpec[];
}

/** The longest destination wins, as everywhere. What subnets, gateway and peerings need is not among them. */
export interface RouteSpec {
  readonly id: string;
  /** IPv4 or IPv6 network. */
  readonly destination: string;
  /** An address within the VPC, or nothing: such packets are dropped. */
  readonly nextHop?: string;
}

/** Two VPCs reach each other's subnets; never further. */
export interface PeeringSpec extends NetworkObject {
  readonly sides: readonly [PeeringSide, PeeringSide];
}
export interface PeeringSide {
  readonly vpcId: string;
  /** All subnets of the side. Those of the two sides do not overlap. */
  readonly cidrs: readonly string[];
}

export type Protocol = 'tcp' | 'udp';

/** Who may be at the other end: addresses, or whoever is in a group. */
export type Remote = { readonly cidrs: readonly string[] } | { readonly securityGroupId: string };

/** Allows new connections; answers to what is allowed always pass. */
export interface SecurityRuleSpec {
  readonly id: string;
  readonly direction: 'inbound' | 'outbound';
  readonly family: 4 | 6;
  /** Default: any. `icmp` is ICMPv6 for family 6. */
  readonly protocol?: Protocol | 'icmp';
  /** Of the destination, inclusive; tcp and udp only. Default: all. */
  readonly ports?: { readonly first: number; readonly last: number };
  /** Default: all types. */
  readonly icmp?: { readonly type: number; readonly code?: number };
  readonly remote: Remote;
}

/** What its members may send and receive. A port in no group takes and sends nothing; one in several takes what any of them allows. */
export interface SecurityGroupSpec extends NetworkObject {
  readonly name: string;
  readonly rules: readonly SecurityRuleSpec[];
}

/** What a gateway is on an external network, in one family of IP. */
export interface GatewaySide {
  readonly externalSubnetId: string;
  /** Its own address there. */
  readonly address: string;
  readonly externalCidr: string;
  /** Where it sends what is not for the external network itself. */
  readonly nextHop: string;
}

/** How a VPC reaches an external network, and is reached from there. */
export interface GatewaySpec extends NetworkObject, GatewaySide {
  readonly vpcId: string;
  readonly externalNetworkId: string;
  /** The same in IPv6, beside what it is in IPv4. */
  readonly ipv6?: GatewaySide;
  /** Who reaches out with the gateway's address of the same family; with `ports`, from these source ports only. */
  readonly sources: readonly { readonly cidr: string; readonly ports?: { readonly first: number; readonly last: number } }[];
  /** Host names of those that may carry it, at least one, the preferred one first. When one is lost another takes over; it keeps it when the first is back. */
  readonly hosts: readonly string[];
}

/** An address of an external network that stands for a NIC, both ways. */
export interface ElasticIpSpec extends NetworkObject {
  readonly vpcId: string;
  readonly gatewayId: string;
  readonly externalAddress: string;
  readonly nicId: string;
  readonly nicAddress: string;
  /** Whether its packets leave from the machine's own host, in place of the gateway's. */
  readonly distributed: boolean;
}

/** A port of the gateway's address, or of another that leads to it, that stands for a machine's port. */
export interface PortForwardSpec extends NetworkObject {
  readonly vpcId: string;
  readonly gatewayId: string;
  readonly externalAddress: string;
  readonly protocol: Protocol;
  readonly externalPort: number;
  readonly nicId: string;
  readonly nicAddress: string;
  readonly port: number;
  /** The same port by IPv6, beside IPv4. */
  readonly ipv6?: { readonly externalAddress: string; readonly nicAddress: string };
}

export interface BackendSpec {
  readonly id: string;
  readonly nicId: string;
  readonly networkId: string;
  readonly address: string;
  readonly port: number;
  /** Its share of new connections is this over the sum, 0 to 100: with 0 it gets none and keeps those it has. */
  readonly weight: number;
}
export interface ListenerSpec {
  readonly id: string;
  readonly protocol: Protocol;
  readonly port: number;
  readonly backends: readonly BackendSpec[];
  readonly healthCheck?: HealthCheckSpec;
}
export interface HealthCheckSpec {
  readonly intervalSeconds: number;
  readonly timeoutSeconds: number;
  readonly successes: number;
  readonly failures: number;
  /** By network: the address that asks there. Nothing else is at it. */
  readonly sources: Readonly<Record<string, string>>;
}

/** An address in a subnet, and with it perhaps an external one, whose connections are spread over machines that do not know of each other. */
export interface LoadBalancerSpec extends NetworkObject {
  readonly vpcId: string;
  readonly address: string;
  readonly externalAddress?: string;
  readonly listeners: readonly ListenerSpec[];
}

/** By backend: whether it is asked, and answers. */
export type BackendHealth = 'unchecked' | 'online' | 'offline';
/** What answers, or does not, for all backends that are the same NIC, address and port. */
export interface BackendAt {
  readonly nicId: string;
  /** That which is asked: a NIC with two is asked at each by the balancers of that family. */
  readonly address: string;
  readonly protocol: Protocol;
  readonly port: number;
}

/** A name in a VPC, beside those that its machines have. */
export interface DnsRecordSpec extends NetworkObject {
  readonly vpcId: string;
  /** Whole, without a dot at the end. */
  readonly name: string;
  readonly addresses: readonly string[];
}

/** Keeps objects of one sort. `ensure` makes it so, also where something differs; what it refers to is there before. Removing what is absent succeeds. */
export interface Keeper<S extends NetworkObject> {
  ensure(spec: S, call: Call): Promise<void>;
  remove(id: string, call: Call): Promise<void>;
  /** All of the sort, with the mark of those that have one. */
  list(call: Call): Promise<readonly { readonly id: string; readonly owner?: string }[]>;
}

/** How a port stands. `ready`: a machine is plugged in and its host has all flows. */
export interface PortReadiness {
  readonly state: 'absent' | 'unplugged' | 'waiting' | 'ready';
  /** Host name of who has it. */
  readonly host?: string;
  /** What is waited for, in words for an operator. */
  readonly waitsFor?: string;
}

/**
 * A token that the cloud leaves in what the driver programs, to know it again: a database that comes back empty or from yesterday must not be taken for the truth.
 * `life` is minted with the first write; `serial` only grows.
 */
export interface ContinuityMark {
  readonly life: string;
  readonly serial: number;
}

/** A host, and the ports that are to be plugged in there at this moment: those of machines that run. */
export interface HostPorts {
  /** Its own name. */
  readonly host: string;
  readonly nicIds: readonly string[];
}

/** What is wrong on a host with the networks of machines that run there. */
export interface HostTrouble {
  readonly host: string;
  /** Words that follow its name, e.g. `is not known to OVN`. Of which nothing is wrong but single ports: undefined. */
  readonly reason?: string;
  /** Of the ports that were asked for those that are not plugged in there. */
  readonly unplugged: readonly string[];
}

export interface FabricTroubles {
  /** Of what the hosts share, in words that follow the driver's name. */
  readonly reason?: string;
  /** Those alone with whom something is wrong. */
  readonly hosts: readonly HostTrouble[];
}

/** What the hosts of a fabric can. Probed, by host name. */
export interface FabricHost {
  readonly host: string;
  readonly datapath: 'kernel' | 'userspace';
  /** Address of its tunnels. */
  readonly tunnelAddress: string;
  /** Physical networks that it is connected to. */
  readonly physicalNetworks: readonly string[];
}

/** Where a host plugs in what answers machines of a network at the service addresses of its subnets. Every host has it for itself. */
export interface ServicePort {
  readonly bridge: string;
  readonly interfaceId: string;
  readonly mac: string;
}

/** The sorts of objects, with what is said of one. */
export interface KeptObjects {
  readonly vpcs: VpcSpec;
  readonly peerings: PeeringSpec;
  readonly securityGroups: SecurityGroupSpec;
  readonly gateways: GatewaySpec;
  readonly elasticIps: ElasticIpSpec;
  readonly portForwards: PortForwardSpec;
  readonly loadBalancers: LoadBalancerSpec;
  readonly dnsRecords: DnsRecordSpec;
}
export type KeptSort = keyof KeptObjects;
type Keepers = { readonly [S in KeptSort]?: Keeper<KeptObjects[S]> };

export interface NetworkExtras extends Keepers {
  readonly gateways?: Keeper<GatewaySpec> & {
    /** Host name of who carries it now. */
    activeHost(id: string, call: Call): Promise<string | undefined>;
  };
  readonly loadBalancers?: Keeper<LoadBalancerSpec> & {
    /** By id of the backend. */
    health(id: string, call: Call): Promise<Readonly<Record<string, BackendHealth>>>;
    /** Tells of each that ceases to answer, as its hosts find out: what happens while nobody listens is not told later. Returns its stop. */
    watch?(wentOut: (at: BackendAt) => void): () => void;
  };
  readonly readiness?: { port(nicId: string, call: Call): Promise<PortReadiness> };
  readonly continuity?: {
    /** `undefined` only when there is none for certain. */
    read(call: Call): Promise<ContinuityMark | undefined>;
    write(mark: ContinuityMark, call: Call): Promise<void>;
  };
  /** Of networks in a VPC those with service addresses, of others all with a subnet; they need not be there yet. */
  readonly services?: { portOf(networkId: string): ServicePort };
  readonly hosts?: { list(call: Call): Promise<readonly FabricHost[]> };
  /**
   * Whether hosts do for machines that run what they are told. Asked with each look: from one to the next a host has time to catch up, so that who has not is in
   * trouble. Nothing is repaired.
   */
  readonly health?: { troubles(hosts: readonly HostPorts[], call: Call): Promise<FabricTroubles> };
  /**
   * What a host lacks to carry a segment of a physical network, as far as it is known now: words that follow its name, e.g. `tells no bridge for physnet1`.
   * Undefined where nothing is known to be missing, as of a host that has not told anything yet.
   */
  readonly connections?: { missing(host: string, segment: SegmentSpec): string | undefined };
  /** Whether the fabric bounds what machines of a host send, as their ports say, so that the host itself need not. Undefined while that is not known, as of a host that has not told anything yet: then both do. */
  readonly sending?: { isBounded(host: string | undefined): boolean | undefined };
}
