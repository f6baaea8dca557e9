import { type Static, Type } from 'typebox';
import { type RowOf, resourceName } from '../../../kernel/index.ts';
import { parseCidr } from '../cidr.ts';
import { invalid } from '../refusal.ts';
import { securityGroupRule } from './security-group-rule.ts';

const { properties } = securityGroupRule.schema;

export const ruleInput = Type.Object({
  name: Type.Optional(resourceName()),
  description: properties.description,
  securityGroupId: properties.securityGroupId,
  direction: properties.direction,
  family: Type.Optional({ ...properties.family, description: 'Of IP. Default: that of `cidrs`, or 4.' }),
  protocol: properties.protocol,
  firstPort: properties.firstPort,
  lastPort: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535, description: 'Inclusive. Default: `firstPort`.' })),
  icmpType: properties.icmpType,
  icmpCode: properties.icmpCode,
  cidrs: properties.cidrs,
  remoteGroupId: properties.remoteGroupId,
});

type RuleRow = RowOf<typeof securityGroupRule>;
/** What a rule says, whichever group has it. */
export type RuleTerms = Pick<
  RuleRow,
  'direction' | 'family' | 'protocol' | 'firstPort' | 'lastPort' | 'icmpType' | 'icmpCode' | 'cidrs' | 'remoteGroupId'
>;
type RuleRequest = Omit<Static<typeof ruleInput>, 'name' | 'description' | 'securityGroupId'>;

/** @throws CloudError invalid_input with the field at fault */
export function ruleTerms(input: RuleRequest): RuleTerms {
  const { direction, protocol, cidrs, remoteGroupId } = input;
  if (cidrs !== undefined && remoteGroupId !== undefined)
    throw invalid('/remoteGroupId', 'A rule is about addresses or about members of a group, not both. Make two rules.');
  const family = familyOf(input);
  return {
    direction,
    family,
    ...(protocol === undefined ? {} : { protocol }),
    ...portsOf(input),
    ...icmpOf(input),
    ...(cidrs === undefined ? {} : { cidrs }),
    ...(remoteGroupId === undefined ? {} : { remoteGroupId }),
  };
}

function familyOf({ family: asked, cidrs = [] }: RuleRequest): 4 | 6 {
  const parsed = cidrs.map((text, index) => {
    const cidr = parseCidr(text);
    if (cidr === undefined)
      throw invalid(`/cidrs/${index}`, 'This is no network in canonical form, such as 10.10.0.0/24 or 2001:db8::/32 (host bits zero).');
    if (cidrs.indexOf(text) < index) throw invalid(`/cidrs/${index}`, 'It is given twice.');
    return cidr.family;
  });
  const family = asked ?? parsed[0] ?? 4;
  const other = parsed.findIndex((each) => each !== family);
  if (other >= 0) throw invalid(`/cidrs/${other}`, `This is no IPv${family} network; a rule is about one family.`);
  return family;
}

function portsOf({ protocol, firstPort, lastPort }: RuleRequest): Pick<RuleTerms, 'firstPort' | 'lastPort'> {
  if (firstPort === undefined && lastPort === undefined) return {};
  if (protocol !== 'tcp' && protocol !== 'udp')
    throw invalid(firstPort === undefined ? '/lastPort' : '/firstPort', 'Only tcp and udp have ports; name one of them as the protocol.');
  if (firstPort === undefined) throw invalid('/firstPort', 'Give the first port, too.');
  if (lastPort !== undefined && lastPort < firstPort) throw invalid('/lastPort', `The last port is before the first, ${firstPort}.`);
  return { firstPort, lastPort: lastPort ?? firstPort };
}

function icmpOf({ protocol, icmpType, icmpCode }: RuleRequest): Pick<RuleTerms, 'icmpType' | 'icmpCode'> {
  if (icmpType === undefined && icmpCode === undefined) return {};
  if (protocol !== 'icmp')
    throw invalid(icmpType === undefined ? '/icmpCode' : '/icmpType', 'Only icmp has types and codes; name it as the protocol.');
  if (icmpType === undefined) throw invalid('/icmpType', 'A code is one of a type; give that, too.');
  return { icmpType, ...(icmpCode === undefined ? {} : { icmpCode }) };
}

/** Of two rules of a group that say the same: equal. */
export const termsText = ({ cidrs, ...rule }: RuleTerms): string =>
  JSON.stringify([
    ...[rule.direction, rule.family, rule.protocol, rule.firstPort, rule.lastPort, rule.icmpType, rule.icmpCode, rule.remoteGroupId],
    ...[...(cidrs ?? [])].sort(),
  ]);
