import type { Told } from './facts.ts';
import type { Flow } from './firewall.ts';

/** What a packet meets on its way. */
export type HopPlace =
  | 'machine'
  | 'nic'
  | 'securityGroups'
  | 'subnet'
  | 'router'
  | 'peering'
  | 'route'
  | 'natGateway'
  | 'elasticIp'
  | 'portForward'
  | 'loadBalancer'
  | 'physicalNetwork'
  | 'outside';

/** Why a packet goes no further, or what is not known of it. Closed, so that a program can tell them apart. */
export const REASONS = {
  machine_down: 'The machine does not run.',
  nic_detached: 'The NIC is not attached to its machine.',
  no_group: 'The NIC is in no security group.',
  no_rule: 'No rule of the security groups of the NIC allows it.',
  isolated: 'The network leads nowhere else.',
  other_network: 'The two are on networks that nothing joins.',
  no_route: 'The router of the VPC knows no way there.',
  peering_pending: 'The peering that would lead there is not active: the other side has none that names this VPC.',
  no_peering: 'The two VPCs have no peering.',
  blackhole_route: 'A route drops packets for there.',
  next_hop_absent: 'A route leads to an address that nobody has.',
  no_snat: 'The NAT gateway does not let out machines without an elastic IP.',
  no_way_in: 'From outside nothing leads there.',
  elastic_ip_unbound: 'The elastic IP is bound to nothing.',
  no_port_forward: 'The NAT gateway forwards no such port.',
  no_listener: 'The load balancer has no such listener.',
  no_backend: 'No backend of the listener can be reached.',
  nobody: 'Nobody has the address.',
  not_told: 'What lies beyond is for its owner to tell.',
  beyond: 'What lies beyond is not looked at.',
} as const;
export type Reason = keyof typeof REASONS;

export interface Hop {
  readonly at: HopPlace;
  /** `unknown`: it is not for the cloud, or not for the caller, to tell. */
  readonly outcome: 'passes' | 'stops' | 'unknown';
  readonly reason?: Reason;
  readonly message: string;
  readonly ids: Readonly<Record<string, string>>;
}

const idsOf = (about: readonly (Told | undefined)[]) => Object.assign({}, ...about.map((each) => each?.ids)) as Hop['ids'];

export const passes = (at: HopPlace, message: string, ...about: readonly (Told | undefined)[]): Hop => ({
  ...{ at, outcome: 'passes', message },
  ids: idsOf(about),
});
export const stops = (at: HopPlace, reason: Reason, message: string, ...about: readonly (Told | undefined)[]): Hop => ({
  ...{ at, outcome: 'stops', reason, message },
  ids: idsOf(about),
});
export const unknown = (at: HopPlace, reason: Reason, message: string, ...about: readonly (Told | undefined)[]): Hop => ({
  ...{ at, outcome: 'unknown', reason, message },
  ids: idsOf(about),
});

/** The same whether there is something or nothing. */
export const foreign = (address: string): Hop =>
  unknown('subnet', 'not_told', `What is at ${address}, and what that lets in, is for its owner to tell.`);

/** `tcp 443`, `icmp 8/0` */
export const flowText = ({ protocol, port, icmp }: Flow): string =>
  protocol === 'icmp' ? `icmp ${icmp?.type}/${icmp?.code}` : `${protocol} ${port}`;
