import { equals, type RowOf } from '../../../kernel/index.ts';
import type { SecurityGroupSpec, SecurityRuleSpec } from '../../../strategy/index.ts';
import { isThere, type KeptKind } from '../kept.ts';
import type { NetworkContext } from '../network-context.ts';
import { vpc } from '../vpc/vpc.ts';
import { securityGroup } from './security-group.ts';
import { securityGroupRule } from './security-group-rule.ts';

const ANYBODY = { 4: ['0.0.0.0/0'], 6: ['::/0'] } as const;

export function ruleSpec(row: RowOf<typeof securityGroupRule>): SecurityRuleSpec {
  const { id, direction, family, protocol, firstPort, lastPort, icmpType, icmpCode, cidrs, remoteGroupId } = row;
  return {
    id,
    direction,
    family,
    remote: remoteGroupId === undefined ? { cidrs: cidrs ?? ANYBODY[family] } : { securityGroupId: remoteGroupId },
    ...(protocol === undefined ? {} : { protocol }),
    ...(firstPort === undefined || lastPort === undefined ? {} : { ports: { first: firstPort, last: lastPort } }),
    ...(icmpType === undefined ? {} : { icmp: { type: icmpType, ...(icmpCode === undefined ? {} : { code: icmpCode }) } }),
  };
}

/** The group with its rules, in the order they were made. */
export async function groupSpec(
  ctx: Pick<NetworkContext, 'reader' | 'cloudId'>,
  row: RowOf<typeof securityGroup>,
  arriving?: string,
): Promise<SecurityGroupSpec> {
  const rules = await ctx.reader.list(securityGroupRule, equals('securityGroupId', row.id));
  const there = rules.filter((rule) => isThere(rule, row, arriving)).sort((a, b) => (a.id < b.id ? -1 : 1));
  return { id: row.id, name: row.name, owner: ctx.cloudId, rules: there.map(ruleSpec) };
}

export const keptGroup: KeptKind<typeof securityGroup, 'securityGroups'> = {
  kind: securityGroup,
  sort: 'securityGroups',
  fabric: async (ctx, row) => ctx.fabrics.of(await ctx.reader.get(vpc, row.vpcId)),
  spec: groupSpec,
  bare: (spec) => ({ ...spec, rules: [] }),
};
