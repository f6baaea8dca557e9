import type { KeptKind } from '../kept.ts';
import { vpc } from '../vpc/vpc.ts';
import { dnsRecord } from './dns-record.ts';

export const keptDnsRecord: KeptKind<typeof dnsRecord, 'dnsRecords'> = {
  kind: dnsRecord,
  sort: 'dnsRecords',
  fabric: async (ctx, row) => ctx.fabrics.of(await ctx.reader.get(vpc, row.vpcId)),
  spec: async (ctx, { id, vpcId, hostname, addresses }) => ({ id, vpcId, name: hostname, addresses, owner: ctx.cloudId }),
};
