import type { DnsRecordSpec } from '@pileus/core/strategy';
import type { Compiled } from '../compiled.ts';
import { Compilation } from '../compiled.ts';
import { dnsRowOf } from '../names.ts';

/** A row that no switch looks into says who claims the name; the name itself is among those of the VPC. */
export function compileDnsRecord(spec: DnsRecordSpec): Compiled {
  const object = new Compilation('dnsRecords', spec);
  const key = spec.name.toLowerCase();
  const claim = { place: `DNS.records:${dnsRowOf(spec.vpcId, key)}`, key, values: spec.addresses } as const;
  object.main('DNS', {}, { claims: [claim] });
  return object;
}
