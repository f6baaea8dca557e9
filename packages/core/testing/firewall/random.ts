import { isIPv6 } from 'node:net';
import type { Remote, SecurityRuleSpec } from '../../src/strategy/index.ts';
import type { FilteredNic, Firewall, Packet } from './naive.ts';

/** A whole number from 0 to below the limit. */
export type Below = (limit: number) => number;

/** What is drawn from: NICs that are there, with addresses that cannot be chosen, or any. */
export interface FirewallGround {
  readonly nics: readonly Pick<FilteredNic, 'id' | 'addresses'>[];
  /** Beyond the VPC. */
  readonly outside: readonly string[];
  readonly groupIds: readonly string[];
}

export const FIREWALL_GROUND: FirewallGround = {
  nics: [
    { id: 'nic-a', addresses: ['10.0.0.10', 'fd00:0:0:1::10'] },
    { id: 'nic-b', addresses: ['10.0.0.11', 'fd00:0:0:1::11'] },
    { id: 'nic-c', addresses: ['10.0.1.10', 'fd00:0:0:2::10'] },
    { id: 'nic-d', addresses: ['10.0.1.129'] },
  ],
  outside: ['192.0.2.7', '198.51.100.200', '2001:db8::7'],
  groupIds: ['group-1', 'group-2', 'group-3', 'group-4'],
};

/** Ports and ICMP messages that rules and packets share often enough to meet. */
const PORTS = [1, 22, 80, 443, 8080, 65_535];
const ICMP = [
  { type: 8, code: 0 },
  { type: 3, code: 4 },
  { type: 128, code: 0 },
];
const PROTOCOLS = ['tcp', 'udp', 'icmp'] as const;
const RULES_MAX = 8;

/** Groups with rules, who is in them, and a packet: every field of a rule, both families, references to groups of all sorts. */
export function randomFirewall(
  below: Below,
  ground: FirewallGround = FIREWALL_GROUND,
): { readonly firewall: Firewall; readonly packet: Packet } {
  const groups = ground.groupIds.map((id) => ({
    id,
    rules: Array.from({ length: below(RULES_MAX + 1) }, (_, index) => randomRule(below, `${id}-rule-${index}`, ground)),
  }));
  const nics = ground.nics.map((nic) => ({ ...nic, securityGroupIds: ground.groupIds.filter(() => below(2) === 0) }));
  return { firewall: { nics, groups }, packet: randomPacket(below, ground) };
}

const one = <T>(below: Below, items: readonly T[]): T => items[below(items.length)] as T;
const familyOf = (address: string): 4 | 6 => (isIPv6(address) ? 6 : 4);

function randomRule(below: Below, id: string, ground: FirewallGround): SecurityRuleSpec {
  const family = below(3) === 0 ? 6 : 4;
  const protocol = one(below, [undefined, undefined, ...PROTOCOLS]);
  const direction = below(2) === 0 ? 'inbound' : 'outbound';
  const base = { id, direction, family, remote: randomRemote(below, family, ground) } as const;
  if (protocol === undefined) return base;
  if (below(3) === 0) return { ...base, protocol };
  if (protocol !== 'icmp') {
    const [first = 1, last = first] = [one(below, PORTS), one(below, PORTS)].sort((a, b) => a - b);
    return { ...base, protocol, ports: { first, last } };
  }
  const { type, code } = one(below, ICMP);
  return { ...base, protocol, icmp: below(2) === 0 ? { type } : { type, code } };
}

function randomRemote(below: Below, family: 4 | 6, { nics, outside, groupIds }: FirewallGround): Remote {
  if (below(2) === 0) return { securityGroupId: one(below, groupIds) };
  const addresses = [...nics.flatMap((nic) => nic.addresses), ...outside].filter((address) => familyOf(address) === family);
  return { cidrs: Array.from({ length: 1 + below(3) }, () => around(below, one(below, addresses), family)) };
}

/** A network that the address is in, canonical. */
function around(below: Below, address: string, family: 4 | 6): string {
  if (family === 6) return one(below, ['::/0', `${address}/128`, `${address.split(':')[0]}::/16`]);
  const [a, b, c] = address.split('.');
  return one(below, ['0.0.0.0/0', `${address}/32`, `${a}.${b}.${c}.0/24`, `${a}.${b}.${c}.128/25`, `${a}.0.0.0/8`]);
}

function randomPacket(below: Below, { nics, outside }: FirewallGround): Packet {
  const sender = one(below, nics);
  const from = one(below, sender.addresses);
  const others = [...nics.filter(({ id }) => id !== sender.id).flatMap(({ addresses }) => addresses), ...outside];
  const to = one(
    below,
    others.filter((address) => familyOf(address) === familyOf(from)),
  );
  const ends = below(5) === 0 && outside.includes(to) ? { from: to, to: from } : { from, to };
  const protocol = one(below, PROTOCOLS);
  return protocol === 'icmp' ? { ...ends, protocol, icmp: one(below, ICMP) } : { ...ends, protocol, port: one(below, PORTS) };
}
