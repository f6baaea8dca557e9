import { Type } from 'typebox';
import { defineKind, ref } from '../../kernel/index.ts';
import { scopes } from '../storage/contract.ts';

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
    mode: Type.Union([Type.Literal('nat'), Type.Literal('isolated')], { description: 'Whether machines reach out through the host.' }),
    domain: Type.Optional(Type.String({ maxLength: 253, pattern: '^[a-z0-9.-]+$', description: 'DNS domain told to guests.' })),
  }),
  states: { creating: ['available', 'deleted'], available: ['deleting'], deleting: ['deleted'] },
  initial: 'creating',
  quota: { networks: 1 },
});
