import { Type } from 'typebox';
import { defineKind } from '../../../kernel/index.ts';
import { scopes } from '../../storage/contract.ts';
import { DOMAIN } from '../domain-name.ts';

export const vpc = defineKind({
  name: 'vpc',
  plural: 'vpcs',
  description: 'An address space of a project with a router of its own that runs on every host. Two of them may use the same addresses.',
  scope: 'project',
  schema: Type.Object({
    description: Type.Optional(Type.String({ maxLength: 1024 })),
    driver: Type.String({ description: 'Name of the network strategy, e.g. `ovn`.' }),
    scope: scopes,
    domain: Type.String({ maxLength: 253, pattern: DOMAIN, description: 'DNS domain in which its machines have names.' }),
    defaultSecurityGroupId: Type.Unsafe<string>(
      Type.String({ format: 'uuid', description: 'Of NICs that name none: all from its members, everything out.' }),
    ),
  }),
  states: { creating: ['available', 'deleted'], available: ['deleting'], deleting: ['deleted'] },
  initial: 'creating',
  quota: { vpcs: 1 },
});
