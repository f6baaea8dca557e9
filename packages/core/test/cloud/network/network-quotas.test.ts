import { expect } from 'chai';
import { DEFAULT_PROJECT_ID } from '../../../src/cloud/index.ts';
import { isCloudError, quotaKey } from '../../../src/kernel/index.ts';
import type { SimCloud } from '../../../testing/index.ts';
import { networkScenarios } from '../network-scenarios.ts';

/** By what each is counted. */
const COUNTED: Readonly<Record<string, string>> = {
  'vpc.create': 'vpcs',
  'subnet.create (in a VPC)': 'subnets',
  'route.create': 'routes',
  'peering.create': 'peerings',
  'securityGroup.create': 'securityGroups',
  'securityGroupRule.create': 'securityGroupRules',
  'securityGroupMember.create': 'securityGroupMembers',
  'reservedAddress.create': 'reservedAddresses',
  'natGateway.create': 'natGateways',
  'elasticIp.create': 'elasticIps',
  'portForward.create': 'portForwards',
  'loadBalancer.create': 'loadBalancers',
  'listener.create': 'listeners',
  'backend.create': 'backends',
  'dnsRecord.create': 'dnsRecords',
};

const usedOf = (sim: SimCloud, counter: string): number =>
  sim.counters().find(({ key }) => key === quotaKey({ scope: 'project', id: DEFAULT_PROJECT_ID, counter }))?.value ?? 0;
const limited = (sim: SimCloud, counter: string, limit: number) =>
  sim.done('project.setQuota', { limits: { [counter]: limit } }, DEFAULT_PROJECT_ID);

describe('quotas of networks', () => {
  for (const [name, counter] of Object.entries(COUNTED))
    it(`${name} counts among ${counter}, and is refused where there may be no more`, async () => {
      const scenario = networkScenarios.find((each) => each.name === name);
      if (scenario === undefined) throw new Error(`no scenario ${name}`);
      const sim = await scenario.prepare();
      const before = usedOf(sim, counter);
      await limited(sim, counter, before);
      const refusal: unknown = await scenario.act(sim).catch((error: unknown) => error);
      expect(isCloudError(refusal) ? [refusal.code, refusal.params] : refusal).to.deep.equal([
        'quota_exceeded',
        { counter, used: before, limit: before, asked: 1, scope: 'project', id: DEFAULT_PROJECT_ID },
      ]);
      expect(usedOf(sim, counter)).to.equal(before);
      await limited(sim, counter, before + 1);
      expect((await sim.ended(await scenario.act(sim))).state).to.equal('succeeded');
      expect(usedOf(sim, counter)).to.equal(before + 1);
    });
});
