import { expect } from 'chai';
import type { nic } from '../../../../src/cloud/index.ts';
import { ANY_PROJECT, type Principal, type RowOf } from '../../../../src/kernel/index.ts';
import { ReachStage } from './reach-stage.ts';

describe('who reaches whom along routes', () => {
  const routed = async () => {
    const at = await ReachStage.ready();
    const vpc = await at.vpc('routed');
    const networkId = await at.network(vpc.id, '10.0.0.0/24');
    const [a, b] = [await at.nic(networkId), await at.nic(networkId, { address: '10.0.0.9' })];
    const route = (name: string, destination: string, nextHop?: string) =>
      at.sim.done('route.create', { name, vpcId: vpc.id, destination, ...(nextHop === undefined ? {} : { nextHop }) });
    return { at, vpc, a, b, route };
  };

  it('the longest one decides: it may drop, lead to nobody, or to a machine that does what it will', async () => {
    const { at, a, b, route } = await routed();
    const dropped = await route('dropped', '172.16.0.0/12');
    const absent = await route('absent', '172.16.1.0/24', '10.0.0.77');
    await route('appliance', '172.16.1.128/25', '10.0.0.9');
    const ask = (toAddress: string) => at.ask({ fromNicId: a.id, toAddress });
    expect(await ask('172.17.0.1')).to.deep.include({ verdict: 'blocked', reason: 'blackhole_route', ids: { routeId: dropped } });
    expect(await ask('172.16.1.1')).to.deep.include({ verdict: 'blocked', reason: 'next_hop_absent', ids: { routeId: absent } });
    const told = await ask('172.16.1.200');
    expect(told).to.deep.include({ verdict: 'unknown', reason: 'beyond' });
    expect(told.hops.map((hop) => hop.at)).to.deep.equal([
      ...['machine', 'nic', 'securityGroups', 'route'],
      ...['securityGroups', 'nic', 'machine', 'machine'],
    ]);
    await at.sim.done('instance.stop', { force: true }, b.instanceId);
    expect(await ask('172.16.1.200')).to.deep.include({ verdict: 'blocked', reason: 'machine_down', ids: { instanceId: b.instanceId } });
  });
});

describe('who reaches whom over a peering', () => {
  interface Side {
    readonly vpcId: string;
    readonly groupId: string;
    readonly row: RowOf<typeof nic>;
  }
  const side = async (at: ReachStage, name: string, cidr: string): Promise<Side> => {
    const { id: vpcId } = await at.vpc(name);
    const groupId = await at.group(vpcId, name);
    await at.rule(groupId, { direction: 'outbound' });
    return { vpcId, groupId, row: await at.nic(await at.network(vpcId, cidr), { securityGroupIds: [groupId] }) };
  };

  it('it has to be there, from both sides, and let in by address', async () => {
    const at = await ReachStage.ready();
    const [left, right] = [await side(at, 'left', '10.0.0.0/24'), await side(at, 'right', '10.1.0.0/24')];
    const asked = { fromNicId: left.row.id, toNicId: right.row.id };
    const peerVpcId = right.vpcId;
    expect(await at.ask(asked)).to.deep.include({ verdict: 'blocked', reason: 'no_peering', ids: { peerVpcId } });
    const peeringId = await at.sim.done('peering.create', { name: 'to-right', vpcId: left.vpcId, peerVpcId });
    expect(await at.ask(asked)).to.deep.include({ verdict: 'blocked', reason: 'peering_pending', ids: { peeringId, peerVpcId } });
    await at.sim.done('peering.create', { name: 'to-left', vpcId: right.vpcId, peerVpcId: left.vpcId });
    expect(await at.ask(asked)).to.deep.include({ verdict: 'blocked', reason: 'no_rule', ids: { nicId: right.row.id } });
    await at.rule(right.groupId, { cidrs: ['10.0.0.0/24'], protocol: 'tcp', firstPort: 443 });
    const told = await at.ask(asked);
    expect(told.verdict).to.equal('reachable');
    expect(told.hops[3]).to.deep.include({ at: 'peering', ids: { vpcId: left.vpcId, peeringId } });
    const byAddress = { fromAddress: left.row.address, toAddress: right.row.address };
    expect(await at.verdict({ ...byAddress, vpcId: left.vpcId })).to.deep.equal(['reachable']);
    expect(await at.verdict({ ...byAddress, vpcId: right.vpcId })).to.deep.equal(['reachable']);
    // A longer route leads away.
    const routeId = await at.sim.done('route.create', { name: 'away', vpcId: left.vpcId, destination: `${right.row.address}/32` });
    expect(await at.ask(asked)).to.deep.include({ verdict: 'blocked', reason: 'blackhole_route', ids: { routeId } });
  });

  it('of another tenant tells nothing of what is there: neither whether, nor what it lets in', async () => {
    const at = await ReachStage.ready();
    const [left, right] = [await side(at, 'left', '10.0.0.0/24'), await side(at, 'right', '10.1.0.0/24')];
    const { principal: stranger, done: theirs, nic } = await at.stranger();
    const vpcId = await theirs('vpc.create', { name: 'afar' });
    const networkId = await theirs('network.create', { name: 'afar', vpcId, subnets: [{ cidr: '10.2.0.0/24' }] });
    const { id: foreignId, instanceId, address: there } = await nic(networkId);
    await at.sim.done('peering.create', { name: 'link-1', vpcId: left.vpcId, peerVpcId: vpcId });
    await theirs('peering.create', { name: 'to-left', vpcId, peerVpcId: left.vpcId });
    const own: Principal = { ...at.sim.principal, allows: (permission) => permission !== ANY_PROJECT };
    const told = await at.ask({ fromNicId: left.row.id, toAddress: there }, own);
    const ofNothing = await at.ask({ fromNicId: left.row.id, toAddress: '10.2.0.99' }, own);
    expect(told).to.deep.include({ verdict: 'unknown', reason: 'not_told', ids: {} });
    expect(JSON.stringify(told).replaceAll(there, 'IT')).to.equal(JSON.stringify(ofNothing).replaceAll('10.2.0.99', 'IT'));
    for (const secret of [vpcId, networkId, instanceId, foreignId, 'afar']) expect(JSON.stringify(told)).not.to.include(secret);
    const subnetId = at.sim.rows('subnet').find(({ networkId: of }) => of === networkId)?.id;
    await theirs('loadBalancer.create', { name: 'afar', subnetId, address: '10.2.0.50' });
    for (const address of ['10.2.0.1', '10.2.0.2', '10.2.0.50']) {
      const special = await at.ask({ fromNicId: left.row.id, toAddress: address }, own);
      expect(JSON.stringify(special).replaceAll(address, 'IT')).to.equal(JSON.stringify(ofNothing).replaceAll('10.2.0.99', 'IT'));
    }
    // From there, what is ours is not told either.
    const back = await at.ask({ fromAddress: there, toAddress: left.row.address, vpcId }, stranger);
    expect(back.verdict).not.to.equal('reachable');
    for (const secret of [left.row.id, left.vpcId, left.groupId, left.row.instanceId, right.row.id])
      expect(JSON.stringify(back)).not.to.include(secret);
  });
});
