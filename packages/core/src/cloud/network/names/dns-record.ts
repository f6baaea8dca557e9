import { Type } from 'typebox';
import { defineKind, ref } from '../../../kernel/index.ts';

export const dnsRecord = defineKind({
  name: 'dnsRecord',
  plural: 'dns-records',
  description: 'A name that the machines of a VPC can ask for, beside their own.',
  scope: 'project',
  schema: Type.Object({
    vpcId: ref('vpc', 'cascade'),
    hostname: Type.String({
      maxLength: 253,
      pattern: '^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$',
      description: 'Whole name, e.g. `db.vpc-1.internal`.',
    }),
    addresses: Type.Array(Type.String({ maxLength: 45 }), { minItems: 1, maxItems: 16 }),
  }),
  states: { creating: ['available', 'deleted'], available: ['deleting'], deleting: ['deleted'] },
  initial: 'creating',
  unique: [['hostname', 'vpcId']],
  quota: { dnsRecords: 1 },
});
