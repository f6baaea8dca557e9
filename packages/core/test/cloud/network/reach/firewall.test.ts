import { expect } from 'chai';
import fc from 'fast-check';
import { passedBy } from '../../../../src/cloud/network/reach/firewall.ts';
import { naiveVerdict, randomFirewall, SimRandom } from '../../../../testing/index.ts';

const CASES = 10_000;

describe('what security groups let pass', () => {
  it('is what a look at every rule says, for any groups and packets', () => {
    const told = { allowed: 0, dropped: 0, byGroup: 0, ipv6: 0 };
    fc.assert(
      fc.property(fc.noBias(fc.integer()), (seed) => {
        const random = new SimRandom(seed);
        const { firewall, packet } = randomFirewall((limit) => random.below(limit));
        const naive = naiveVerdict(firewall, packet);
        const nicOf = (address: string) => firewall.nics.find(({ addresses }) => addresses.includes(address));
        const asked = (direction: 'outbound' | 'inbound', near: string, far: string) => {
          const nic = nicOf(near);
          if (nic === undefined) return undefined;
          const groups = firewall.groups.filter(({ id }) => nic.securityGroupIds.includes(id));
          const passed = passedBy(groups, direction, packet, { address: far, securityGroupIds: nicOf(far)?.securityGroupIds ?? [] });
          expect(passed === undefined).to.equal(naive[direction]?.length === 0);
          if (passed !== undefined) expect(naive[direction]).to.include(passed.ruleId);
          return passed !== undefined;
        };
        const allowed = asked('outbound', packet.from, packet.to) !== false && asked('inbound', packet.to, packet.from) !== false;
        expect(allowed).to.equal(naive.allowed);
        told[allowed ? 'allowed' : 'dropped'] += 1;
        if (packet.from.includes(':')) told.ipv6 += 1;
        const rules = firewall.groups.flatMap((group) => group.rules);
        const used = [...(naive.outbound ?? []), ...(naive.inbound ?? [])];
        if (allowed && rules.some(({ id, remote }) => used.includes(id) && 'securityGroupId' in remote)) told.byGroup += 1;
      }),
      { numRuns: CASES },
    );
    // Cases that tell nothing apart would prove nothing.
    for (const count of Object.values(told)) expect(count).to.be.greaterThan(CASES / 100);
  });

  it('of a port or message that is not told is what every one of them may', () => {
    const group = (ports?: { first: number; last: number }) => ({
      id: 'group',
      rules: [
        { id: 'rule', direction: 'inbound', family: 4, protocol: 'tcp', remote: { cidrs: ['0.0.0.0/0'] }, ...(ports && { ports }) },
      ] as const,
    });
    const far = { address: '192.0.2.1', securityGroupIds: [] };
    expect(passedBy([group()], 'inbound', { protocol: 'tcp' }, far)?.ruleId).to.equal('rule');
    expect(passedBy([group({ first: 1, last: 65_535 })], 'inbound', { protocol: 'tcp' }, far)?.ruleId).to.equal('rule');
    expect(passedBy([group({ first: 2, last: 65_535 })], 'inbound', { protocol: 'tcp' }, far)).to.equal(undefined);
  });
});
