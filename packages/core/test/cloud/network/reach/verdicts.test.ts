import { expect } from 'chai';
import fc from 'fast-check';
import { instance } from '../../../../src/cloud/compute/instance.ts';
import { nic, securityGroup, securityGroupMember, securityGroupRule, subnet, vpc } from '../../../../src/cloud/index.ts';
import { network } from '../../../../src/cloud/network/network.ts';
import { explainReach } from '../../../../src/cloud/network/reach/answer.ts';
import type { FactsServices } from '../../../../src/cloud/network/reach/facts.ts';
import { questionOf } from '../../../../src/cloud/network/reach/question.ts';
import type { AnyKind, Condition, Id } from '../../../../src/kernel/index.ts';
import type { JsonObject } from '../../../../src/kernel/json.ts';
import { matches } from '../../../../src/kernel/query/matches.ts';
import type { SecurityRuleSpec } from '../../../../src/strategy/index.ts';
import {
  FIREWALL_GROUND,
  type Firewall,
  naiveVerdict,
  type Packet,
  randomFirewall,
  SimCloud,
  SimRandom,
} from '../../../../testing/index.ts';

const CASES = 10_000;
const SUBNETS = ['10.0.0.0/24', '10.0.1.0/24', 'fd00:0:0:1::/64', 'fd00:0:0:2::/64'] as const;

type Tables = Readonly<Record<string, readonly JsonObject[]>>;

/** A reader of rows in memory, asked as a store is. */
const readerOf = (tables: Tables) => {
  const rows = (kind: AnyKind): readonly JsonObject[] => tables[kind.name] ?? [];
  const find = async (kind: AnyKind, id: string) => rows(kind).find((row) => row.id === id);
  const list = async (kind: AnyKind, where: Condition) => rows(kind).filter((row) => matches(row, where, (table) => tables[table] ?? []));
  return { find, get: find, list } as unknown as FactsServices['reader'];
};

const subnetOf = (address: string): string => {
  if (!address.includes(':')) return address.startsWith('10.0.0.') ? SUBNETS[0] : SUBNETS[1];
  return address.startsWith('fd00:0:0:1:') ? SUBNETS[2] : SUBNETS[3];
};

function ruleRow({ id, direction, family, protocol, ports, icmp, remote }: SecurityRuleSpec, securityGroupId: string): JsonObject {
  return {
    ...{ id, name: id, state: 'available', securityGroupId, direction, family },
    ...(protocol === undefined ? {} : { protocol }),
    ...(ports === undefined ? {} : { firstPort: ports.first, lastPort: ports.last }),
    ...(icmp === undefined ? {} : { icmpType: icmp.type, ...(icmp.code === undefined ? {} : { icmpCode: icmp.code }) }),
    ...('cidrs' in remote ? { cidrs: [...remote.cidrs] } : { remoteGroupId: remote.securityGroupId }),
  };
}

/** The rows that make such a firewall: all machines run, and a gateway leads out. */
function tablesOf({ nics, groups }: Firewall): Tables {
  const base = { name: 'a', projectId: 'project', state: 'available' };
  const members = nics.flatMap((each) => each.securityGroupIds.map((securityGroupId) => ({ nicId: each.id, securityGroupId })));
  return {
    [vpc.name]: [{ ...base, id: 'vpc' }],
    [network.name]: [{ ...base, id: 'network', vpcId: 'vpc', mode: 'routed' }],
    [subnet.name]: SUBNETS.map((cidr) => ({ ...base, id: cidr, cidr, networkId: 'network' })),
    [instance.name]: nics.map(({ id }) => ({ ...base, id: `machine-${id}`, state: 'running' })),
    [nic.name]: nics.map(({ id, addresses: [address = '', ipv6Address] }) => ({
      ...{ ...base, id, state: 'attached', networkId: 'network', instanceId: `machine-${id}`, subnetId: subnetOf(address), address },
      ...(ipv6Address === undefined ? {} : { ipv6SubnetId: subnetOf(ipv6Address), ipv6Address }),
    })),
    [securityGroup.name]: groups.map(({ id }) => ({ ...base, id, name: id, vpcId: 'vpc' })),
    [securityGroupRule.name]: groups.flatMap(({ id, rules }) => rules.map((rule) => ruleRow(rule, id))),
    [securityGroupMember.name]: members.map((each, index) => ({ ...base, ...each, id: `member-${index}` })),
  };
}

describe('the verdict on a way', () => {
  it('between machines is what a look at every rule says, and names a rule that allows', async () => {
    const sim = new SimCloud({ seed: 'verdicts' });
    await sim.start();
    const told = { reachable: 0, blocked: 0 };
    await fc.assert(
      fc.asyncProperty(fc.noBias(fc.integer()), async (seed) => {
        const random = new SimRandom(seed);
        const { firewall, packet } = randomFirewall((limit) => random.below(limit), { ...FIREWALL_GROUND, outside: [] });
        const services = { reader: readerOf(tablesOf(firewall)), cloudId: 'cloud' };
        const answer = await explainReach(services, sim.principal, questionOf(asked(packet)));
        const naive = naiveVerdict(firewall, packet);
        expect(answer.verdict).to.equal(naive.allowed ? 'reachable' : 'blocked');
        told[naive.allowed ? 'reachable' : 'blocked'] += 1;
        const filters = answer.hops.filter(({ at }) => at === 'securityGroups');
        for (const [index, direction] of (['outbound', 'inbound'] as const).entries()) {
          const { securityGroupRuleId } = filters[index]?.ids ?? {};
          if (securityGroupRuleId !== undefined) expect(naive[direction]).to.include(securityGroupRuleId);
        }
      }),
      { numRuns: CASES },
    );
    expect(Math.min(...Object.values(told))).to.be.greaterThan(CASES / 100);
  });
});

const asked = ({ from, to, protocol, port, icmp }: Packet) => ({
  ...{ vpcId: 'vpc' as Id<'vpc'>, fromAddress: from, toAddress: to, protocol },
  ...(port === undefined ? {} : { port }),
  ...(icmp === undefined ? {} : { icmpType: icmp.type, icmpCode: icmp.code }),
});
