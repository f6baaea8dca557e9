import { BlockList, isIPv6 } from 'node:net';
import type { SecurityGroupSpec, SecurityRuleSpec } from '../../src/strategy/index.ts';

/** The first packet of a connection. */
export interface Packet {
  /** Addresses. */
  readonly from: string;
  readonly to: string;
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  /** Of the destination; of tcp and udp. */
  readonly port?: number;
  /** Of icmp. */
  readonly icmp?: { readonly type: number; readonly code: number };
}

export interface FilteredNic {
  readonly id: string;
  readonly addresses: readonly string[];
  readonly securityGroupIds: readonly string[];
}

/** All NICs of a VPC and its groups. Addresses that no NIC has are beyond the VPC: nothing is filtered there. */
export interface Firewall {
  readonly nics: readonly FilteredNic[];
  readonly groups: readonly Pick<SecurityGroupSpec, 'id' | 'rules'>[];
}

/** Ids of all rules that let the packet through; undefined where there is nothing to pass. */
export interface NaiveVerdict {
  readonly allowed: boolean;
  readonly outbound?: readonly string[];
  readonly inbound?: readonly string[];
}

/** Says by looking at every rule, as slowly as it can be said, whether a packet passes: what anything cleverer is compared with. */
export function naiveVerdict(firewall: Firewall, packet: Packet): NaiveVerdict {
  const ends = { outbound: packet.from, inbound: packet.to };
  const passes = (direction: 'outbound' | 'inbound') => {
    const nic = firewall.nics.find(({ addresses }) => addresses.includes(ends[direction]));
    if (nic === undefined) return undefined;
    const remote = direction === 'outbound' ? packet.to : packet.from;
    return firewall.groups
      .filter(({ id }) => nic.securityGroupIds.includes(id))
      .flatMap(({ rules }) => rules)
      .filter((rule) => rule.direction === direction && isSuch(rule, packet) && isRemote(rule, remote, firewall))
      .map(({ id }) => id);
  };
  const outbound = passes('outbound');
  const inbound = passes('inbound');
  const allowed = outbound?.length !== 0 && inbound?.length !== 0;
  return { allowed, ...(outbound === undefined ? {} : { outbound }), ...(inbound === undefined ? {} : { inbound }) };
}

function isSuch({ family, protocol, ports, icmp }: SecurityRuleSpec, packet: Packet): boolean {
  if (family !== (isIPv6(packet.to) ? 6 : 4)) return false;
  if (protocol !== undefined && protocol !== packet.protocol) return false;
  if (ports !== undefined && !(packet.port !== undefined && ports.first <= packet.port && packet.port <= ports.last)) return false;
  if (icmp === undefined) return true;
  return packet.icmp?.type === icmp.type && (icmp.code === undefined || packet.icmp.code === icmp.code);
}

function isRemote({ remote }: SecurityRuleSpec, address: string, { nics }: Firewall): boolean {
  if ('securityGroupId' in remote)
    return nics.some((nic) => nic.addresses.includes(address) && nic.securityGroupIds.includes(remote.securityGroupId));
  return remote.cidrs.some((cidr) => {
    const [network = '', prefix] = cidr.split('/');
    const list = new BlockList();
    list.addSubnet(network, Number(prefix), isIPv6(network) ? 'ipv6' : 'ipv4');
    return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
  });
}
