import { instance } from '../../compute/contract.ts';
import { securityGroup } from '../firewall/security-group.ts';
import { securityGroupRule } from '../firewall/security-group-rule.ts';
import { nic } from '../nic.ts';
import { addressesOf, type Facts, familyOf, mayHave, type Station } from './facts.ts';
import { type FarEnd, type FilterGroup, type Flow, passedBy } from './firewall.ts';
import { flowText, type Hop, passes, stops, unknown } from './hop.ts';

/** A packet as it is at this point of its way. */
export interface Packet {
  readonly flow: Flow;
  /** Addresses. */
  readonly from: string;
  readonly to: string;
  /** Who is at the ends, where that is a NIC. */
  readonly sender?: Station;
  /** Addresses of the VPC at which something of another tenant may be: which groups it is in is not told. */
  readonly hidden?: readonly string[];
}

/** The address that a NIC has of the same family as another address. */
export const addressLike = ({ nic: row }: Station, other: string): string | undefined =>
  addressesOf(row).find((address) => familyOf(address) === familyOf(other));

/** Out of a machine. */
export async function* leaving(facts: Facts, station: Station, packet: Packet, receiver: Station | undefined): AsyncGenerator<Hop> {
  yield machineHop(facts, station);
  yield nicHop(facts, station);
  if (station.network.vpcId !== undefined) yield filterHop(facts, station, 'outbound', packet, farEnd(station, packet.to, receiver));
}

/** Into a machine. What is not attached is not filtered: nothing comes that far. */
export async function* arriving(facts: Facts, station: Station, packet: Packet): AsyncGenerator<Hop> {
  if (station.nic.state === 'attached' && station.network.vpcId !== undefined)
    yield filterHop(facts, station, 'inbound', packet, farEnd(station, packet.from, packet.sender));
  yield nicHop(facts, station);
  yield machineHop(facts, station);
}

/** Groups are of one VPC: who is beyond it is an address and nothing else. */
const farEnd = ({ network }: Station, address: string, other: Station | undefined): FarEnd => ({
  address,
  securityGroupIds:
    other !== undefined && other.network.vpcId === network.vpcId && mayHave(other.nic, address) ? other.groups.map(({ id }) => id) : [],
});

const namedBy = ({ rules }: FilterGroup): readonly string[] =>
  rules.flatMap(({ remote }) => ('securityGroupId' in remote ? [remote.securityGroupId] : []));

async function machineHop(facts: Facts, { machine }: Station): Promise<Hop> {
  const told = await facts.told(instance, machine);
  if (machine.state === 'running') return passes('machine', `Machine ${told.name} runs.`, told);
  return stops('machine', 'machine_down', `Machine ${told.name} is ${machine.state}.`, told);
}

async function nicHop(facts: Facts, { nic: row, machine }: Station): Promise<Hop> {
  const told = await facts.told(nic, row);
  const owner = await facts.told(instance, machine);
  if (row.state === 'attached') return passes('nic', `NIC ${told.name} is attached to machine ${owner.name}.`, told);
  return stops('nic', 'nic_detached', `NIC ${told.name} is ${row.state}, and not attached to machine ${owner.name}.`, told, owner);
}

async function filterHop(
  facts: Facts,
  station: Station,
  direction: 'inbound' | 'outbound',
  { flow, hidden = [] }: Packet,
  far: FarEnd,
): Promise<Hop> {
  const told = await facts.told(nic, station.nic);
  const what = `${flowText(flow)} ${direction === 'outbound' ? 'out to' : 'in from'} ${far.address}`;
  if (station.groups.length === 0)
    return stops('securityGroups', 'no_group', `NIC ${told.name} is in no security group: it takes and sends nothing.`, told);
  const passed = passedBy(station.groups, direction, flow, far);
  if (passed === undefined && hidden.includes(far.address)) {
    // As if it were in every group: then it might pass.
    const everywhere = { ...far, securityGroupIds: station.groups.flatMap(namedBy) };
    if (passedBy(station.groups, direction, flow, everywhere) !== undefined)
      return unknown('securityGroups', 'not_told', `Which security groups ${far.address} is in is for its owner to tell.`, told);
  }
  if (passed === undefined) {
    const names = await Promise.all(station.groups.map(async ({ row }) => (await facts.told(securityGroup, row)).name));
    const message = `No ${direction} rule of the security groups of NIC ${told.name} (${names.join(', ')}) lets ${what}.`;
    return stops('securityGroups', 'no_rule', message, told);
  }
  const [rule, group] = await Promise.all([
    facts.told(securityGroupRule, await facts.reader.get(securityGroupRule, passed.ruleId)),
    facts.told(securityGroup, await facts.reader.get(securityGroup, passed.securityGroupId)),
  ]);
  return passes('securityGroups', `Rule ${rule.name} of security group ${group.name} lets ${what}.`, told, rule, group);
}
