import { Type } from 'typebox';
import { defineKind, type RowOf, ref } from '../../kernel/index.ts';
import { scopes } from '../storage/contract.ts';
import { TUNNEL_KEY_MAX } from './physical/physical-network.ts';

export const network = defineKind({
  name: 'network',
  plural: 'networks',
  description: 'A layer-2 segment of a project. A network of scope `host` lives on one host and pins what uses it.',
  scope: 'project',
  shareable: true,
  schema: Type.Object({
    description: Type.Optional(Type.String({ maxLength: 1024 })),
    driver: Type.String({ description: 'Name of the network strategy, e.g. `libvirt`.' }),
    scope: scopes,
    hostId: Type.Optional(ref('host', 'restrict', { recursive: true, description: 'Of a network of scope `host`.' })),
    mode: Type.Union([Type.Literal('nat'), Type.Literal('isolated'), Type.Literal('routed'), Type.Literal('provider')], {
      description:
        '`nat` reaches out through the host, `isolated` does not, `routed` is part of a VPC, `provider` is a segment of a physical network.',
    }),
    vpcId: Type.Optional(ref('vpc', 'restrict', { recursive: true, description: 'Of a routed network.' })),
    physicalNetworkId: Type.Optional(ref('physicalNetwork', 'restrict', { recursive: true, description: 'Of a provider network.' })),
    vlanId: Type.Optional(Type.Integer({ minimum: 0, maximum: 4094, description: 'Of a provider network; 0 is untagged.' })),
    tunnelKey: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: TUNNEL_KEY_MAX,
        description: 'Of a provider network in tunnels between hosts; no other network has it.',
      }),
    ),
    mtuBytes: Type.Optional(Type.Integer({ minimum: 1280, maximum: 9216, description: 'Told to guests.' })),
    domain: Type.Optional(Type.String({ maxLength: 253, pattern: '^[a-z0-9.-]+$', description: 'DNS domain told to guests.' })),
  }),
  states: { creating: ['available', 'deleted'], available: ['deleting'], deleting: ['deleted'] },
  initial: 'creating',
  unique: [['physicalNetworkId', 'vlanId'], ['tunnelKey']],
  quota: { networks: 1 },
});

export type NetworkMode = RowOf<typeof network>['mode'];
