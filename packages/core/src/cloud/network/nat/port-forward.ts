import { Type } from 'typebox';
import { defineKind, ref } from '../../../kernel/index.ts';

const port = () => Type.Integer({ minimum: 1, maximum: 65_535 });

export const portForward = defineKind({
  name: 'portForward',
  plural: 'port-forwards',
  description: "A port of a NAT gateway's addresses that stands for a port of a machine. It goes with either of them.",
  scope: 'project',
  schema: Type.Object({
    natGatewayId: ref('natGateway', 'cascade'),
    protocol: Type.Union([Type.Literal('tcp'), Type.Literal('udp')]),
    externalPort: port(),
    nicId: ref('nic', 'cascade'),
    port: port(),
  }),
  states: { creating: ['available', 'deleted'], available: ['deleting', 'deleted'], deleting: ['deleted'] },
  initial: 'creating',
  unique: [['natGatewayId', 'protocol', 'externalPort']],
  quota: { portForwards: 1 },
});
