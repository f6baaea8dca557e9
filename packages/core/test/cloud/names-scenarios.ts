import type { Scenario } from '../../testing/index.ts';
import { on } from './scenario.ts';
import type { SmallCloud } from './small-cloud.ts';

const vpcs = new WeakMap<SmallCloud, string>();
const aVpc = async (at: SmallCloud) => void vpcs.set(at, await at.sim.done('vpc.create', { name: 'vpc-1' }));
const db = (at: SmallCloud) => ({ name: 'db', vpcId: vpcs.get(at), hostname: 'db.vpc-1.internal', addresses: ['10.0.0.5'] });
const aRecord = async (at: SmallCloud) => {
  await aVpc(at);
  return at.sim.done('dnsRecord.create', db(at));
};

/** What is done to names. */
export const namesScenarios: readonly Scenario[] = [
  on('dnsRecord.create', aVpc, db),
  on('dnsRecord.update', aRecord, () => ({ name: 'database', addresses: ['10.0.0.6', 'fd00::6'] })),
  on('dnsRecord.delete', aRecord, () => ({})),
];
