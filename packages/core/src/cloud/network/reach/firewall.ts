import type { SecurityGroupSpec, SecurityRuleSpec } from '../../../strategy/index.ts';
import { contains, parseAddress, parseCidr } from '../cidr.ts';

/** The first packet of a connection, as a filter sees it. */
export interface Flow {
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  /** Of the destination; of tcp and udp. Absent: some port. */
  readonly port?: number;
  /** Of icmp. Absent: some message. */
  readonly icmp?: { readonly type: number; readonly code?: number };
}

/** Who is at the other end. */
export interface FarEnd {
  readonly address: string;
  /** Of the NIC that has the address, within the VPC. */
  readonly securityGroupIds: readonly string[];
}

export type FilterGroup = Pick<SecurityGroupSpec, 'id' | 'rules'>;

/** The rule that lets it pass, and the group it is of; or undefined: no rule does. */
export interface Passed {
  readonly ruleId: string;
  readonly securityGroupId: string;
}

/** What the groups of a NIC say to a new connection. What any of them allows passes. */
export function passedBy(
  groups: readonly FilterGroup[],
  direction: SecurityRuleSpec['direction'],
  flow: Flow,
  far: FarEnd,
): Passed | undefined {
  const address = parseAddress(far.address);
  if (address === undefined) return undefined;
  const isFar = ({ remote }: SecurityRuleSpec) =>
    'securityGroupId' in remote
      ? far.securityGroupIds.includes(remote.securityGroupId)
      : remote.cidrs.some((text) => {
          const cidr = parseCidr(text);
          return cidr !== undefined && contains(cidr, address);
        });
  for (const { id, rules } of groups) {
    const rule = rules.find((each) => each.direction === direction && each.family === address.family && covers(each, flow) && isFar(each));
    if (rule !== undefined) return { ruleId: rule.id, securityGroupId: id };
  }
  return undefined;
}

/** Whether the rule is about all that the flow may be. */
function covers({ protocol, ports, icmp }: SecurityRuleSpec, flow: Flow): boolean {
  if (protocol === undefined) return true;
  if (protocol !== flow.protocol) return false;
  if (ports !== undefined) {
    if (flow.port === undefined) return ports.first === 1 && ports.last === 65_535;
    return ports.first <= flow.port && flow.port <= ports.last;
  }
  if (icmp === undefined) return true;
  return icmp.type === flow.icmp?.type && (icmp.code === undefined || icmp.code === flow.icmp.code);
}
