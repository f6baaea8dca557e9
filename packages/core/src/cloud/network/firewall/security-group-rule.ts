import { Type } from 'typebox';
import { defineKind, ref } from '../../../kernel/index.ts';

const port = (description: string) => Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535, description }));
const icmp = (description: string) => Type.Optional(Type.Integer({ minimum: 0, maximum: 255, description }));

export const securityGroupRule = defineKind({
  name: 'securityGroupRule',
  plural: 'security-group-rules',
  description: 'Allows new connections from or to members of a group.',
  scope: 'project',
  schema: Type.Object({
    securityGroupId: ref('securityGroup', 'cascade'),
    direction: Type.Union([Type.Literal('inbound'), Type.Literal('outbound')]),
    family: Type.Union([Type.Literal(4), Type.Literal(6)], { description: 'Of IP.' }),
    protocol: Type.Optional(
      Type.Union([Type.Literal('tcp'), Type.Literal('udp'), Type.Literal('icmp')], {
        description: 'Absent: any. `icmp` is ICMPv6 for IPv6.',
      }),
    ),
    firstPort: port('Of the destination; with `lastPort`. Absent: all.'),
    lastPort: port('Inclusive.'),
    icmpType: icmp('Absent: all.'),
    icmpCode: icmp('Absent: all.'),
    cidrs: Type.Optional(
      Type.Array(Type.String({ maxLength: 49 }), {
        minItems: 1,
        maxItems: 256,
        description: 'Who may be at the other end, by address. Without these and `remoteGroupId`: anybody.',
      }),
    ),
    remoteGroupId: Type.Optional(
      ref('securityGroup', 'restrict', { description: 'Who may be at the other end: members of this group of the same VPC.' }),
    ),
    description: Type.Optional(Type.String({ maxLength: 1024 })),
  }),
  states: { creating: ['available', 'deleted'], available: ['deleting'], deleting: ['deleted'] },
  initial: 'creating',
  quota: { securityGroupRules: 1 },
});
