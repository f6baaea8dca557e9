import type { SimCloudOptions } from '@pileus/core/testing';
import { expect } from 'chai';
import type { nic } from '../../../../src/cloud/index.ts';
import { mayHave } from '../../../../src/cloud/network/reach/facts.ts';
import { ANY_PROJECT, type Id, type Principal, type RowOf } from '../../../../src/kernel/index.ts';
import { ReachStage } from './reach-stage.ts';

/** A VPC with two subnets, two machines in each, and one of a group of its own. */
async function shop(options: Partial<SimCloudOptions> = {}) {
  const at = await ReachStage.ready(options);
  const vpc = await at.vpc('shop');
  const networkId = await at.network(vpc.id, '10.0.0.0/24', '10.0.1.0/24');
  const a = await at.nic(networkId);
  const b = await at.nic(networkId);
  return { at, vpc, networkId, a, b };
}

describe('who reaches whom', () => {
  it('members of the default group reach each other, hop by hop', async () => {
    const { at, vpc, a, b } = await shop();
    const told = await at.ask({ fromNicId: a.id, toNicId: b.id });
    expect(told).to.deep.include({
      verdict: 'reachable',
      ids: {},
      from: { address: a.address, nicId: a.id, nicState: 'attached', instanceId: a.instanceId, instanceState: 'running' },
      to: { address: b.address, nicId: b.id, nicState: 'attached', instanceId: b.instanceId, instanceState: 'running' },
    });
    expect(told.hops.map(({ at: place, outcome }) => `${place} ${outcome}`)).to.deep.equal(
      ['machine', 'nic', 'securityGroups', 'subnet', 'securityGroups', 'nic', 'machine'].map((place) => `${place} passes`),
    );
    const [, , out, , into] = told.hops;
    expect(out?.ids).to.include({ nicId: a.id, securityGroupId: vpc.defaultSecurityGroupId });
    expect(into?.ids).to.include({ nicId: b.id, securityGroupId: vpc.defaultSecurityGroupId }).and.to.have.property('securityGroupRuleId');
    expect(await at.verdict({ fromAddress: a.address, toAddress: b.address, vpcId: vpc.id })).to.deep.equal(['reachable']);
    expect(await at.verdict({ fromNicId: a.id, toNicId: b.id, protocol: 'icmp', port: undefined })).to.deep.equal(['reachable']);
  });

  it('names the group without a rule, and the rule that lets it pass when there is one', async () => {
    const { at, vpc, networkId, a } = await shop();
    const web = await at.group(vpc.id, 'web');
    const c = await at.nic(networkId, { securityGroupIds: [web] });
    const told = await at.ask({ fromNicId: a.id, toNicId: c.id });
    expect(told).to.deep.include({ verdict: 'blocked', reason: 'no_rule', ids: { nicId: c.id } });
    expect(told.message).to.equal(`No inbound rule of the security groups of NIC ${c.name} (web) lets tcp 443 in from ${a.address}.`);
    const rule = await at.rule(web, { protocol: 'tcp', firstPort: 443, remoteGroupId: vpc.defaultSecurityGroupId });
    const open = await at.ask({ fromNicId: a.id, toNicId: c.id });
    expect(open.verdict).to.equal('reachable');
    expect(open.hops[4]?.ids).to.deep.equal({ nicId: c.id, securityGroupId: web, securityGroupRuleId: rule });
    expect(await at.verdict({ fromNicId: a.id, toNicId: c.id, port: 80 })).to.deep.equal(['blocked', 'no_rule']);
    // It may take, and send nothing.
    expect((await at.ask({ fromNicId: c.id, toNicId: a.id })).message).to.match(/^No outbound rule .* lets tcp 443 out to/);
    const nobody = await at.nic(networkId, { securityGroupIds: [] });
    expect(await at.verdict({ fromNicId: a.id, toNicId: nobody.id })).to.deep.equal(['blocked', 'no_group']);
  });

  it('through the router of the VPC, to its other subnets and nowhere else', async () => {
    const { at, vpc, networkId, a } = await shop();
    const subnets = await at.sim.rows('subnet');
    const other = subnets.find(({ cidr }) => cidr === '10.0.1.0/24');
    const c = await at.nic(networkId, { subnetId: other?.id });
    const told = await at.ask({ fromNicId: a.id, toNicId: c.id });
    expect(told.verdict).to.equal('reachable');
    expect(told.hops[3]).to.deep.include({ at: 'router', ids: { vpcId: vpc.id, subnetId: other?.id } });
    const none = await at.ask({ fromNicId: a.id, toAddress: '172.16.0.1' });
    expect(none).to.deep.include({ verdict: 'blocked', reason: 'no_route', ids: { vpcId: vpc.id } });
    expect(await at.verdict({ fromNicId: a.id, toAddress: '10.0.1.200' })).to.deep.equal(['blocked', 'nobody']);
    expect(await at.verdict({ fromNicId: a.id, toAddress: '10.0.0.2' })).to.deep.equal(['unknown', 'beyond']);
  });

  it('at an address that a NIC may send from beside its own, as long as it is one', async () => {
    const { at, vpc, networkId, a } = await shop();
    const db = await at.group(vpc.id, 'db');
    const shared = { allowedAddresses: [{ cidr: '10.0.0.100/32' }], securityGroupIds: [db] };
    const asked = { fromNicId: a.id, toAddress: '10.0.0.100' };
    expect(await at.verdict(asked)).to.deep.equal(['blocked', 'nobody']);
    const row = at.sim.rows('nic').find(({ id }) => id === a.id) as unknown as RowOf<typeof nic>;
    expect(mayHave({ ...row, allowedAddresses: [{ cidr: '0.0.0.0/0' }] }, '10.0.0.100'), 'a router').to.equal(false);
    const c = await at.nic(networkId, shared);
    expect(await at.ask(asked)).to.deep.include({ verdict: 'blocked', reason: 'no_rule', ids: { nicId: c.id } });
    await at.rule(db, { remoteGroupId: vpc.defaultSecurityGroupId });
    expect(await at.verdict(asked)).to.deep.equal(['reachable']);
    await at.nic(networkId, shared);
    expect(await at.verdict(asked)).to.deep.equal(['unknown', 'beyond']);
  });

  it('not while a machine is off, at either end', async () => {
    const { at, a, b } = await shop();
    await at.sim.done('instance.stop', { force: true }, b.instanceId);
    const told = await at.ask({ fromNicId: a.id, toNicId: b.id });
    expect(told).to.deep.include({ verdict: 'blocked', reason: 'machine_down', ids: { instanceId: b.instanceId } });
    expect(told.to).to.include({ instanceState: 'stopped' });
    expect((await at.ask({ fromNicId: b.id, toNicId: a.id })).hops).to.have.length(1);
  });

  it('not while the machine lies in the trash', async () => {
    const { at, a, b } = await shop({ presets: { 'trash.retentionSeconds': 3600 } });
    await at.sim.done('instance.delete', {}, b.instanceId);
    const told = await at.ask({ fromNicId: a.id, toNicId: b.id });
    expect(told).to.deep.include({ verdict: 'blocked', reason: 'nic_detached', ids: { nicId: b.id, instanceId: b.instanceId } });
  });

  it('not while a NIC is on its way in', async () => {
    const { at, networkId, a, b } = await shop();
    let told: object = {};
    at.sim.around = async (point, body) => {
      const result = await body();
      if (point.phase === 'do' && point.path.endsWith('plug')) {
        const nicId = at.sim.rows('nic').find(({ state }) => state === 'creating')?.id;
        const body = { fromNicId: a.id, toNicId: nicId, protocol: 'tcp', port: 443 };
        told = (await at.sim.call('POST', '/reachability/explain', { body })) as object;
      }
      return result;
    };
    await at.sim.done('instance.attachNic', { networkId }, b.instanceId);
    expect(told).to.include({ verdict: 'blocked', reason: 'nic_detached' });
  });

  it('not between networks that nothing joins', async () => {
    const { at, a } = await shop();
    const outside = await at.nic(at.stage.networkId);
    const beside = await at.nic(at.stage.networkId);
    expect(await at.verdict({ fromNicId: outside.id, toNicId: beside.id })).to.deep.equal(['reachable']);
    expect(await at.verdict({ fromNicId: a.id, toNicId: outside.id })).to.deep.equal(['blocked', 'other_network']);
    expect(await at.verdict({ fromNicId: outside.id, toNicId: a.id })).to.deep.equal(['blocked', 'other_network']);
    expect(await at.verdict({ fromNicId: outside.id, toAddress: '192.0.2.1' })).to.deep.equal(['reachable']);
    const isolated = await at.nic(
      await at.stage.network({ name: 'island', mode: 'isolated', hostId: at.stage.hostIds[1], subnets: [{ cidr: '10.7.0.0/24' }] }),
    );
    expect(await at.verdict({ fromNicId: isolated.id, toAddress: '192.0.2.1' })).to.deep.equal(['blocked', 'isolated']);
  });

  it('by the family of addresses that both have', async () => {
    const at = await ReachStage.ready();
    const vpc = await at.vpc('shop');
    const networkId = await at.network(vpc.id, '10.0.0.0/24', 'fd00::/64');
    const six = at.sim.rows('subnet').find(({ cidr }) => cidr === 'fd00::/64')?.id;
    const [only6, both, only4] = [
      await at.nic(networkId, { subnetId: six }),
      await at.nic(networkId, { ipv6SubnetId: six }),
      await at.nic(networkId),
    ];
    expect((await at.ask({ fromNicId: only6.id, toNicId: both.id })).to).to.include({ address: both.ipv6Address });
    expect(await at.verdict({ fromNicId: only6.id, toNicId: both.id })).to.deep.equal(['reachable']);
    expect(await at.verdict({ fromNicId: only6.id, toNicId: both.id, protocol: 'icmp', port: undefined })).to.deep.equal(['reachable']);
    const error = await at.ask({ fromNicId: only6.id, toNicId: only4.id }).catch((cause: object) => cause);
    expect(error).to.include({ code: 'invalid_input', pointer: '/toNicId' });
  });

  it('is refused with the field at fault', async () => {
    const { at, vpc, a, b } = await shop();
    const nobody = '00000000-0000-7000-8000-00000000dead';
    for (const [body, code, pointer] of [
      [{ toNicId: b.id }, 'invalid_input', '/fromNicId'],
      [{ fromNicId: a.id }, 'invalid_input', '/toNicId'],
      [{ fromNicId: a.id, fromAddress: '10.0.0.1', toNicId: b.id }, 'invalid_input', '/fromNicId'],
      [{ fromNicId: a.id, toNicId: a.id }, 'invalid_input', '/toNicId'],
      [{ fromAddress: '10.0.0.1', toAddress: '10.0.0.2' }, 'invalid_input', '/vpcId'],
      [{ fromAddress: '10.0.0.1', toAddress: 'fd00::1', vpcId: vpc.id }, 'invalid_input', '/toAddress'],
      [{ fromNicId: a.id, toAddress: 'fd00::1' }, 'invalid_input', '/toAddress'],
      [{ fromNicId: a.id, toAddress: 'somewhere' }, 'invalid_input', '/toAddress'],
      [{ fromNicId: a.id, toNicId: b.id, port: undefined }, 'invalid_input', '/port'],
      [{ fromNicId: a.id, toNicId: b.id, protocol: 'icmp' }, 'invalid_input', '/port'],
      [{ fromNicId: a.id, toNicId: b.id, icmpType: 8 }, 'invalid_input', '/icmpType'],
      [{ fromNicId: nobody, toNicId: b.id }, 'not_found', '/fromNicId'],
      [{ fromNicId: a.id, toNicId: nobody }, 'not_found', '/toNicId'],
      [{ fromAddress: '10.0.0.1', toNicId: b.id, vpcId: nobody }, 'not_found', '/vpcId'],
    ] as const) {
      const error = await at.ask(body).catch((cause: { code: string; pointer: string }) => cause);
      expect(error, JSON.stringify(body)).to.include({ code, pointer });
    }
  });

  it('is told nobody else: what is of another project is as good as absent', async () => {
    const { at, vpc, a, b } = await shop();
    const stranger: Principal = {
      actor: 'user:stranger',
      projectId: '01890000-0000-7000-8000-00000000000f' as Id<'project'>,
      accountId: '01890000-0000-7000-8000-0000000000ff' as Id<'account'>,
      allows: (permission) => permission !== ANY_PROJECT,
    };
    const told = (body: object) => at.ask(body, stranger).catch(({ code, pointer, publicMessage }) => ({ code, pointer, publicMessage }));
    const nobody = '00000000-0000-7000-8000-00000000dead';
    for (const [body, absent] of [
      [
        { fromNicId: a.id, toNicId: b.id },
        { fromNicId: nobody, toNicId: b.id },
      ],
      [
        { fromAddress: '192.0.2.1', toNicId: b.id },
        { fromAddress: '192.0.2.1', toNicId: nobody },
      ],
      [
        { fromAddress: a.address, toAddress: b.address, vpcId: vpc.id },
        { fromAddress: a.address, toAddress: b.address, vpcId: nobody },
      ],
    ] as const) {
      const [of, ofNothing] = [JSON.stringify(await told(body)), JSON.stringify(await told(absent))];
      expect(of.replaceAll(a.id, nobody).replaceAll(b.id, nobody).replaceAll(vpc.id, nobody)).to.equal(ofNothing);
      expect(JSON.parse(of)).to.include({ code: 'not_found' });
    }
  });

  it("in a network that is shared: what is another tenant's is told neither to the one nor to the other", async () => {
    const { at, vpc, networkId, a } = await shop();
    const { principal: stranger, nic, projectId, done } = await at.stranger();
    await at.sim.done('share.create', { resourceKind: 'network', resourceId: networkId, with: projectId });
    const theirs = await nic(networkId);
    const securityGroupId = await done('securityGroup.create', { vpcId: vpc.id, name: 'guests' });
    for (const direction of ['inbound', 'outbound']) await done('securityGroupRule.create', { securityGroupId, direction });
    await done('securityGroupMember.create', { securityGroupId, nicId: theirs.id });
    const own: Principal = { ...at.sim.principal, allows: (permission) => permission !== ANY_PROJECT };
    const inside = await at.group(vpc.id, 'inside');
    await at.rule(inside, { direction: 'outbound', cidrs: ['10.0.0.0/23'] });
    const c = await at.nic(networkId, { securityGroupIds: [inside] });
    for (const [from, to, principal] of [
      [a, theirs, own],
      [c, theirs, own],
      [theirs, a, stranger],
    ] as const) {
      const told = await at.ask({ fromNicId: from.id, toAddress: to.address }, principal);
      expect(told).to.include({ verdict: 'unknown', reason: 'not_told' });
      const names = principal === own ? ['strangers', 'afar'] : ['shop', 'inside', vpc.id];
      for (const secret of [to.id, to.instanceId, ...names]) expect(JSON.stringify(told)).not.to.include(secret);
    }
    const [there, nothing] = [
      await at.ask({ fromNicId: theirs.id, toAddress: a.address }, stranger),
      await at.ask({ fromNicId: theirs.id, toAddress: '10.0.0.200' }, stranger),
    ];
    expect(JSON.stringify(there).replaceAll(a.address, 'IT')).to.equal(JSON.stringify(nothing).replaceAll('10.0.0.200', 'IT'));
    expect(JSON.stringify(there)).not.to.include(vpc.defaultSecurityGroupId);
    await at.sim.done('route.create', { name: 'secret', vpcId: vpc.id, destination: '172.16.0.0/12' });
    const routed = await at.ask({ fromNicId: theirs.id, toAddress: '172.16.0.1' }, stranger);
    expect(routed).to.include({ verdict: 'unknown', reason: 'not_told' });
    expect(JSON.stringify(routed)).not.to.match(/secret|172\.16\.0\.0/);
  });
});
