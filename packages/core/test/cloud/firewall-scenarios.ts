import type { Scenario } from '../../testing/index.ts';
import { on } from './scenario.ts';
import { rowsOf } from './set-ups.ts';
import { machine, type SmallCloud } from './small-cloud.ts';

/** By cloud: the ids that the set-up made, for the input. */
const made = new WeakMap<SmallCloud, { readonly vpcId: string; readonly groupId: string; readonly otherId: string }>();
const ids = (at: SmallCloud) => made.get(at) ?? { vpcId: '', groupId: '', otherId: '' };

/** A VPC with two groups; answers the first. */
const groups = async (at: SmallCloud) => {
  const vpcId = await at.sim.done('vpc.create', { name: 'vpc-1' });
  const groupId = await at.sim.done('securityGroup.create', { name: 'web', vpcId });
  const otherId = await at.sim.done('securityGroup.create', { name: 'db', vpcId });
  made.set(at, { vpcId, groupId, otherId });
  return groupId;
};
const web = { direction: 'inbound', protocol: 'tcp', firstPort: 80, lastPort: 443 } as const;
const aRule = async (at: SmallCloud) => {
  const securityGroupId = await groups(at);
  return at.sim.done('securityGroupRule.create', { name: 'web', securityGroupId, ...web });
};

/** A machine with a NIC in the VPC, a member of the first group; answers the machine. */
const member = async (at: SmallCloud) => {
  const groupId = await groups(at);
  const subnets = [{ name: 'subnet-2', cidr: '10.8.0.0/24' }];
  const networkId = await at.sim.done('network.create', { name: 'net-2', vpcId: ids(at).vpcId, subnets });
  return at.sim.done('instance.create', machine(at, { nics: [{ networkId, securityGroupIds: [groupId] }] }));
};
const first = async (at: SmallCloud, kind: string) => String((await rowsOf(at, kind))[0]?.id);

/** What is done to security groups. */
export const firewallScenarios: readonly Scenario[] = [
  on(
    'securityGroup.create',
    async (at) => void (await groups(at)),
    (at) => ({ name: 'new', vpcId: ids(at).vpcId }),
  ),
  on('securityGroup.update', groups, () => ({ description: 'who serves' })),
  on('securityGroup.delete', groups, () => ({})),
  on(
    'securityGroupRule.create',
    async (at) => void (await groups(at)),
    (at) => ({ name: 'new', securityGroupId: ids(at).groupId, ...web }),
  ),
  on(
    'securityGroupRule.create',
    async (at) => void (await groups(at)),
    (at) => ({ name: 'new', securityGroupId: ids(at).groupId, direction: 'inbound', remoteGroupId: ids(at).otherId }),
    'of a group',
  ),
  on('securityGroupRule.update', aRule, () => ({ description: 'the web', cidrs: ['192.0.2.0/24'] })),
  on('securityGroupRule.delete', aRule, () => ({})),
  on(
    'securityGroupMember.create',
    async (at) => void (await member(at)),
    async (at) => ({ nicId: await first(at, 'nic'), securityGroupId: ids(at).otherId }),
  ),
  on(
    'securityGroupMember.delete',
    async (at) => {
      await member(at);
      return first(at, 'securityGroupMember');
    },
    () => ({}),
  ),
  on('instance.detachNic', member, async (at) => ({ nicId: await first(at, 'nic') }), 'in a VPC'),
];
