import { expect } from 'chai';
import { elasticIp } from '../../../../src/cloud/network/nat/elastic-ip.ts';
import { natGateway } from '../../../../src/cloud/network/nat/nat-gateway.ts';
import { ReachStage } from './reach-stage.ts';

const CLIENT = '198.51.100.9';

/** A VPC with two machines of a group that lets https in, and an external network beside it. */
async function site() {
  const at = await ReachStage.ready();
  const vpc = await at.vpc('site');
  const networkId = await at.network(vpc.id, '10.0.0.0/24');
  const web = await at.group(vpc.id, 'web');
  await at.rule(web, { protocol: 'tcp', firstPort: 443 });
  const out = await at.rule(web, { direction: 'outbound' });
  const securityGroupIds = [web];
  const [a, b] = [await at.nic(networkId, { securityGroupIds }), await at.nic(networkId, { securityGroupIds })];
  const externalNetworkId = await at.outside();
  const gateway = async (more: object = {}) =>
    at.stage.row(natGateway, await at.sim.done('natGateway.create', { name: 'gateway', vpcId: vpc.id, externalNetworkId, ...more }));
  const elastic = async () => at.stage.row(elasticIp, await at.sim.done('elasticIp.create', { name: 'public', externalNetworkId }));
  return { at, vpc, networkId, web, out, a, b, gateway, elastic };
}

describe('who reaches whom outside', () => {
  it('nobody without a NAT gateway, all with one that lets them, and who has an elastic IP with any', async () => {
    const { at, vpc, a, gateway, elastic } = await site();
    const asked = { fromNicId: a.id, toAddress: CLIENT };
    expect(await at.ask(asked)).to.deep.include({ verdict: 'blocked', reason: 'no_route', ids: { vpcId: vpc.id } });
    const closed = await gateway({ snat: false });
    expect(await at.ask(asked)).to.deep.include({ verdict: 'blocked', reason: 'no_snat', ids: { natGatewayId: closed.id } });
    const own = await elastic();
    await at.sim.done('elasticIp.bind', { nicId: a.id }, own.id);
    const told = await at.ask(asked);
    expect(told.verdict).to.equal('reachable');
    expect(told.hops[3]?.ids).to.deep.equal({ elasticIpId: own.id, natGatewayId: closed.id });
    await at.sim.done('elasticIp.unbind', {}, own.id);
    await at.sim.done('natGateway.delete', {}, closed.id);
    const open = await gateway();
    const shared = await at.ask(asked);
    expect(shared.verdict).to.equal('reachable');
    expect(shared.hops.map((hop) => hop.at)).to.deep.equal(['machine', 'nic', 'securityGroups', 'natGateway', 'outside']);
    expect(shared.hops[3]?.ids).to.deep.equal({ natGatewayId: open.id });
  });

  it('not what its groups do not let out', async () => {
    const { at, a, gateway, out } = await site();
    await gateway();
    await at.sim.done('securityGroupRule.delete', {}, out);
    expect(await at.verdict({ fromNicId: a.id, toAddress: CLIENT })).to.deep.equal(['blocked', 'no_rule']);
  });

  it('is reached from there by an elastic IP, if its groups let it in', async () => {
    const { at, vpc, a, gateway, elastic } = await site();
    const from = { fromAddress: CLIENT, vpcId: vpc.id };
    expect(await at.verdict({ ...from, toNicId: a.id })).to.deep.equal(['blocked', 'no_way_in']);
    expect(await at.verdict({ ...from, toAddress: '192.0.2.200' })).to.deep.equal(['blocked', 'no_way_in']);
    await gateway();
    const own = await elastic();
    expect(await at.ask({ ...from, toAddress: own.address })).to.deep.include({
      verdict: 'blocked',
      reason: 'elastic_ip_unbound',
      ids: { elasticIpId: own.id },
    });
    await at.sim.done('elasticIp.bind', { nicId: a.id }, own.id);
    expect(await at.verdict({ ...from, toAddress: own.address })).to.deep.equal(['reachable']);
    expect(await at.verdict({ ...from, toNicId: a.id })).to.deep.equal(['reachable']);
    expect(await at.verdict({ ...from, toAddress: own.address, port: 22 })).to.deep.equal(['blocked', 'no_rule']);
  });

  it('by a forwarded port, at the port that it stands for', async () => {
    const { at, vpc, a, gateway } = await site();
    const { id: natGatewayId, address } = await gateway();
    const asked = { fromAddress: CLIENT, toAddress: address, vpcId: vpc.id, port: 8443 };
    expect(await at.ask(asked)).to.deep.include({ verdict: 'blocked', reason: 'no_port_forward', ids: { natGatewayId } });
    const forward = { natGatewayId, protocol: 'tcp', externalPort: 8443, nicId: a.id, port: 443 };
    const portForwardId = await at.sim.done('portForward.create', forward);
    const told = await at.ask(asked);
    expect(told.verdict).to.equal('reachable');
    expect(told.hops[0]).to.deep.include({ at: 'portForward', ids: { portForwardId } });
    expect(await at.verdict({ fromAddress: CLIENT, toNicId: a.id })).to.deep.equal(['reachable']);
    await at.sim.done('portForward.create', { ...forward, externalPort: 2222, port: 22 });
    expect(await at.verdict({ ...asked, port: 2222 })).to.deep.equal(['blocked', 'no_rule']);
  });

  it('from one VPC to the elastic IP of another, as from outside', async () => {
    const { at, a, gateway, elastic } = await site();
    await gateway();
    const own = await elastic();
    await at.sim.done('elasticIp.bind', { nicId: a.id }, own.id);
    const other = await at.vpc('other');
    const c = await at.nic(await at.network(other.id, '10.0.0.0/24'));
    expect(await at.verdict({ fromNicId: c.id, toAddress: own.address })).to.deep.equal(['blocked', 'no_route']);
    const { externalNetworkId } = own;
    await at.sim.done('natGateway.create', { name: 'theirs', vpcId: other.id, externalNetworkId });
    const told = await at.ask({ fromNicId: c.id, toAddress: own.address });
    expect(told.verdict).to.equal('reachable');
    expect(told.hops.map((hop) => hop.at)).to.deep.equal([
      ...['machine', 'nic', 'securityGroups', 'natGateway'],
      ...['elasticIp', 'securityGroups', 'nic', 'machine'],
    ]);
  });

  it('through a load balancer, while a backend that gets connections can be reached', async () => {
    const { at, vpc, a, b, networkId } = await site();
    const subnetId = at.sim.rows('subnet').find(({ networkId: of }) => of === networkId)?.id;
    const loadBalancerId = await at.sim.done('loadBalancer.create', { name: 'front', subnetId, address: '10.0.0.100' });
    const asked = { fromNicId: a.id, toAddress: '10.0.0.100', port: 8443 };
    expect(await at.ask(asked)).to.deep.include({ verdict: 'blocked', reason: 'no_listener', ids: { loadBalancerId } });
    const listenerId = await at.sim.done('listener.create', { name: 'https', loadBalancerId, protocol: 'tcp', port: 8443 });
    expect(await at.verdict(asked)).to.deep.equal(['blocked', 'no_backend']);
    await at.sim.done('backend.create', { name: 'one', listenerId, nicId: b.id, port: 443 });
    const told = await at.ask(asked);
    expect(told.verdict).to.equal('reachable');
    expect(told.hops.find((hop) => hop.at === 'loadBalancer')?.ids).to.deep.equal({ loadBalancerId, listenerId });
    expect(told.hops.at(-1)?.ids).to.deep.equal({ instanceId: b.instanceId });
    await at.sim.done('instance.stop', { force: true }, b.instanceId);
    const down = await at.ask(asked);
    expect(down).to.deep.include({ verdict: 'blocked', reason: 'no_backend', ids: { loadBalancerId, listenerId } });
    expect(down.message).to.match(/0 of 1 backends .* is stopped\.$/);
    expect(await at.verdict({ ...asked, vpcId: vpc.id, port: 80 })).to.deep.equal(['blocked', 'no_listener']);
  });
});
