import { expect } from 'chai';
import { dnsRecord, securityGroup, securityGroupMember, securityGroupRule } from '../../../../src/cloud/index.ts';
import { operation } from '../../../../src/kernel/index.ts';
import type { SecurityGroupSpec } from '../../../../src/strategy/index.ts';
import { RoutedStage } from '../routed-stage.ts';

/** A VPC with two groups, and a machine with two NICs, each in the first of them. */
async function ready() {
  const at = await RoutedStage.ready();
  const { sim, vpcId, networkId } = at;
  const webId = await sim.done('securityGroup.create', { name: 'web', vpcId });
  const dbId = await sim.done('securityGroup.create', { name: 'db', vpcId });
  const nics = [{ networkId, securityGroupIds: [webId] }];
  const instanceId = await at.stage.machine({ nics });
  await sim.done('instance.attachNic', { networkId, securityGroupIds: [webId] }, instanceId);
  const [, second] = await at.stage.nics(instanceId);
  const ofNic = (await at.stage.rows(securityGroupMember)).find(({ nicId }) => nicId === second?.id);
  return { at, vpcId, webId, dbId, instanceId, nicId: second?.id ?? '', memberId: ofNic?.id ?? '' };
}
type Ready = Awaited<ReturnType<typeof ready>>;
type Wish = { readonly action: string; readonly input: object; readonly resourceId?: string };

const ruled = ({ dbId }: Ready): Wish => ({ action: 'securityGroupRule.create', input: { securityGroupId: dbId, direction: 'inbound' } });
const naming = ({ webId, dbId }: Ready): Wish => ({
  action: 'securityGroupRule.create',
  input: { securityGroupId: webId, direction: 'inbound', remoteGroupId: dbId },
});
const joins = ({ nicId, dbId }: Ready): Wish => ({ action: 'securityGroupMember.create', input: { nicId, securityGroupId: dbId } });
const named = ({ vpcId }: Ready): Wish => ({
  action: 'dnsRecord.create',
  input: { vpcId, hostname: 'db.vpc-1.internal', addresses: ['10.1.0.9'] },
});
const grouped = ({ vpcId }: Ready): Wish => ({ action: 'securityGroup.create', input: { vpcId, name: 'new' } });
const without =
  (action: string, of: (ready: Ready) => string, input: (ready: Ready) => object = () => ({})) =>
  (ready: Ready): Wish => ({ action, input: input(ready), resourceId: of(ready) });
const leaves = without('securityGroupMember.delete', ({ memberId }) => memberId);
const groupGoes = without('securityGroup.delete', ({ dbId }) => dbId);
const machineGoes = without('instance.delete', ({ instanceId }) => instanceId);
const nicGoes = without(
  'instance.detachNic',
  ({ instanceId }) => instanceId,
  ({ nicId }) => ({ nicId }),
);
const vpcGoes = without(
  'vpc.delete',
  ({ vpcId }) => vpcId,
  () => ({ recursive: true }),
);

describe('groups and names that wait behind the deletion of what they need', () => {
  for (const [name, first, second] of [
    ['a rule, of its group', groupGoes, ruled],
    ['a rule, of the group that it names', groupGoes, naming],
    ['a membership, of its group', groupGoes, joins],
    ['a membership, of its machine', machineGoes, joins],
    ['a membership, of its NIC', nicGoes, joins],
    ['leaving, of the machine', machineGoes, leaves],
    ['leaving, of the NIC', nicGoes, leaves],
    ['the machine, of a membership', leaves, machineGoes],
    ['the NIC, of a membership', leaves, nicGoes],
    ['the machine, of joining', joins, machineGoes],
    ['the NIC, of joining', joins, nicGoes],
    ['a group, of its VPC', vpcGoes, grouped],
    ['a name, of its VPC', vpcGoes, named],
  ] as const)
    it(`${name}, are whole or nothing, and in nobody’s way`, async () => {
      const all = await ready();
      const { at } = all;
      if (first === vpcGoes) await at.sim.done('instance.delete', {}, all.instanceId);
      await at.inTurn([first(all), second(all)]);
      await at.sim.run(60_000);
      const operations = await at.stage.rows(operation);
      expect(
        operations.filter(({ state }) => !['succeeded', 'failed'].includes(state)).map(({ action, attention }) => [action, attention]),
      ).to.deep.equal([]);
      const members = await at.stage.rows(securityGroupMember);
      const rules = await at.stage.rows(securityGroupRule);
      const groups = await at.stage.rows(securityGroup);
      const names = await at.stage.rows(dnsRecord);
      for (const { state } of [...members, ...rules, ...groups, ...names]) expect(state).to.equal('available');
      // What the fabric has is what the rows say.
      const { kept, networks } = at.sim.world.fabric;
      const real = [...kept.of('securityGroups').values()].map(({ spec }) => spec as SecurityGroupSpec);
      expect(real.map(({ id }) => id)).to.have.members(groups.map(({ id }) => id));
      expect(real.flatMap((group) => group.rules.map(({ id }) => id))).to.have.members(rules.map(({ id }) => id));
      const ports = [...networks.values()].flatMap((network) => [...network.ports.values()]);
      const filters = ports.flatMap(({ nicId, securityGroupIds = [] }) => securityGroupIds.map((id) => `${nicId} ${id}`));
      expect(filters).to.have.members(members.map(({ nicId, securityGroupId }) => `${nicId} ${securityGroupId}`));
      expect([...kept.of('dnsRecords').keys()]).to.have.members(names.map(({ id }) => id));
    });
});
