import type { SecurityGroupSpec, SecurityRuleSpec } from '@pileus/core/strategy';
import type { Compiled } from '../compiled.ts';
import { Compilation } from '../compiled.ts';
import { alsoName, alsoOf, groupName } from '../names.ts';
import { PRIORITY } from './acl.ts';

/** A security group is a port group; each rule is one access rule of it. */
export function compileSecurityGroup(spec: SecurityGroupSpec): Compiled {
  const object = new Compilation('securityGroups', spec);
  for (const family of [4, 6] as const) object.add('Address_Set', alsoOf(spec.id, family), { name: alsoName(spec.id, family) }, {});
  const acls = spec.rules.flatMap((rule) => {
    const match = matchOf(groupName(spec.id), rule);
    if (match === undefined) return [];
    return [
      object.part('ACL', `rule/${rule.id}`, {
        name: rule.id,
        priority: PRIORITY.allow,
        direction: rule.direction === 'inbound' ? 'to-lport' : 'from-lport',
        match,
        action: 'allow-related',
      }),
    ];
  });
  object.main('Port_Group', { name: groupName(spec.id), acls }, { notes: { 'pileus-name': spec.name } });
  return object;
}

/** Undefined when nothing can match: then it allows nothing. */
function matchOf(group: string, rule: SecurityRuleSpec): string | undefined {
  const remote = remoteOf(rule);
  if (remote === undefined) return undefined;
  const port = rule.direction === 'inbound' ? `outport == @${group}` : `inport == @${group}`;
  return [port, `ip${rule.family}`, ...remote, ...protocolOf(rule)].join(' && ');
}

function remoteOf({ direction, family, remote }: SecurityRuleSpec): readonly string[] | undefined {
  const field = `ip${family}.${direction === 'inbound' ? 'src' : 'dst'}`;
  if ('securityGroupId' in remote) {
    const id = remote.securityGroupId;
    return [`${field} == {$${groupName(id)}_ip${family}, $${alsoName(id, family)}}`];
  }
  if (remote.cidrs.length === 0) return undefined;
  const all = family === 4 ? '0.0.0.0/0' : '::/0';
  if (remote.cidrs.includes(all)) return [];
  return [`${field} == ${remote.cidrs.length === 1 ? remote.cidrs[0] : `{${remote.cidrs.join(', ')}}`}`];
}

function protocolOf({ family, protocol, ports, icmp }: SecurityRuleSpec): readonly string[] {
  if (protocol === undefined) return [];
  if (protocol === 'icmp') {
    const name = family === 4 ? 'icmp4' : 'icmp6';
    return [
      name,
      ...(icmp === undefined ? [] : [`${name}.type == ${icmp.type}`]),
      ...(icmp?.code === undefined ? [] : [`${name}.code == ${icmp.code}`]),
    ];
  }
  if (ports === undefined) return [protocol];
  if (ports.first === ports.last) return [`${protocol}.dst == ${ports.first}`];
  return [`${ports.first} <= ${protocol}.dst <= ${ports.last}`];
}
