import { expect } from 'chai';
import { elasticIp, natGateway, natPortBlock, portForward, reservedAddress, subnet } from '../../../../src/cloud/index.ts';
import { elasticIpFamilies } from '../../../../src/cloud/network/nat/elastic-ip.ts';
import { internetOf } from '../../routed.ts';
import { RoutedStage } from '../routed-stage.ts';

const INTERNET6 = '2001:db8::/64';
const CLIENT6 = '2001:db8:ffff::9';

/** Whose external network has both families. */
const dual = () => RoutedStage.ready({ internet6: INTERNET6 });

/** A machine with an address of each, in a network of its own. */
async function dualMachine(at: RoutedStage) {
  const subnets = [{ cidr: '10.6.0.0/24' }, { cidr: 'fd00:6::/64' }];
  const networkId = await at.sim.done('network.create', { name: 'both', vpcId: at.vpcId, subnets });
  const ipv6SubnetId = (await at.stage.rows(subnet)).find((row) => row.networkId === networkId && row.cidr.includes(':'))?.id;
  const instanceId = await at.stage.machine({ nics: [{ networkId, ipv6SubnetId }] });
  const [row] = await at.stage.nics(instanceId);
  return { instanceId, networkId, nicId: row?.id ?? '', address: row?.address ?? '', address6: row?.ipv6Address ?? '' };
}

const subnet6 = async (at: RoutedStage): Promise<string> => (await at.stage.rows(subnet)).find(({ cidr }) => cidr === INTERNET6)?.id ?? '';

describe('IPv6 of a NAT gateway', () => {
  it('is there where the external network has it, and leads IPv6 subnets out', async () => {
    const at = await dual();
    const id = await at.gateway({ portsPerSubnet: 1024 });
    const row = await at.stage.row(natGateway, id);
    expect(row).to.include({ address: '203.0.113.2', ipv6Address: '2001:db8::2', ipv6SubnetId: await subnet6(at) });
    const kept = () => at.kept('gateways', id) as { readonly ipv6: object; readonly sources: readonly { readonly cidr: string }[] };
    expect(kept().ipv6).to.deep.equal({
      ...{ externalSubnetId: await subnet6(at), address: '2001:db8::2' },
      ...{ externalCidr: INTERNET6, nextHop: '2001:db8::1' },
    });
    const { networkId, instanceId } = await dualMachine(at);
    // Blocks of ports are for addresses that are scarce.
    expect(kept().sources.map(({ cidr }) => cidr)).to.have.members(['10.1.0.0/24', '10.6.0.0/24', 'fd00:6::/64']);
    expect(kept().sources.find(({ cidr }) => cidr === 'fd00:6::/64')).to.deep.equal({ cidr: 'fd00:6::/64' });
    expect(await at.stage.rows(natPortBlock)).to.have.length(2);
    await at.sim.done('instance.delete', {}, instanceId);
    await at.sim.done('network.delete', {}, networkId);
    expect(kept().sources.map(({ cidr }) => cidr)).to.deep.equal(['10.1.0.0/24']);
    await at.sim.done('natGateway.delete', {}, id);
    expect(await at.stage.rows(reservedAddress)).to.deep.equal([]);
  });

  it('has the address asked for, which is nobody else’s', async () => {
    const at = await dual();
    await at.elasticIp({ address: '2001:db8::77' });
    expect(
      await at.refused('natGateway.create', { vpcId: at.vpcId, externalNetworkId: at.internetId, ipv6Address: '2001:db8::77' }),
    ).to.deep.equal(['name_taken', '/ipv6Address']);
    const id = await at.gateway({ ipv6Address: '2001:DB8::78' });
    expect((await at.stage.row(natGateway, id)).ipv6Address).to.equal('2001:db8::78');
    expect(await at.refused('elasticIp.create', { externalNetworkId: at.internetId, address: '2001:db8::78' })).to.deep.equal([
      'name_taken',
      '/address',
    ]);
  });

  it('is refused with the field at fault, each family in its own', async () => {
    const at = await dual();
    const { vpcId, internetId: externalNetworkId } = at;
    const [of4, of6] = [await at.subnetIn(externalNetworkId), await subnet6(at)];
    const four = await internetOf(at.sim, { name: 'four', cidr: '198.51.100.0/24' });
    for (const [input, pointer] of [
      [{ externalNetworkId, address: '2001:db8::9' }, '/address'],
      [{ externalNetworkId, ipv6Address: '203.0.113.9' }, '/ipv6Address'],
      [{ externalNetworkId, subnetId: of6 }, '/subnetId'],
      [{ externalNetworkId, ipv6SubnetId: of4 }, '/ipv6SubnetId'],
      [{ externalNetworkId, ipv6Address: 'fd00::9' }, '/ipv6Address'],
      [{ externalNetworkId, ipv6Address: '2001:db8::1' }, '/ipv6Address'],
      [{ externalNetworkId, ipv6Address: 'nine' }, '/ipv6Address'],
      [{ externalNetworkId: four, ipv6Address: '2001:db8::9' }, '/ipv6Address'],
    ] as const)
      expect(await at.refused('natGateway.create', { vpcId, ...input }), JSON.stringify(input)).to.deep.equal(['invalid_input', pointer]);
    for (const [input, pointer] of [
      [{ externalNetworkId, subnetId: of6, address: '203.0.113.9' }, '/address'],
      [{ externalNetworkId, subnetId: of4, address: '2001:db8::9' }, '/address'],
      [{ externalNetworkId, address: 'nine' }, '/address'],
      [{ externalNetworkId: four, address: '2001:db8::9' }, '/address'],
    ] as const)
      expect(await at.refused('elasticIp.create', input), JSON.stringify(input)).to.deep.equal(['invalid_input', pointer]);
  });
});

describe('a NAT gateway that is older than IPv6 of its external network', () => {
  /** With a machine of both families, a forwarded port to it, and IPv6 that came after. */
  async function older() {
    const at = await RoutedStage.ready();
    const id = await at.gateway();
    const machine = await dualMachine(at);
    const forwardId = await at.sim.done('portForward.create', {
      ...{ natGatewayId: id, nicId: machine.nicId, protocol: 'tcp', externalPort: 2201, port: 22 },
    });
    await at.sim.done('subnet.create', { networkId: at.internetId, cidr: INTERNET6 });
    const sources = () =>
      (at.kept('gateways', id) as { readonly sources: readonly { readonly cidr: string }[] }).sources.map(({ cidr }) => cidr).toSorted();
    return { at, id, machine, forwardId, sources, ipv6SubnetId: await subnet6(at) };
  }

  it('is given an address there, and leads out and in by both from then on', async () => {
    const { at, id, machine, forwardId, sources, ipv6SubnetId } = await older();
    expect(sources()).to.deep.equal(['10.1.0.0/24', '10.6.0.0/24']);
    const elasticIpId = await at.elasticIp({ address: '2001:db8::77' });
    expect(await at.refused('elasticIp.bind', { nicId: machine.nicId }, elasticIpId)).to.deep.equal(['conflict', '/nicId']);
    await at.sim.done('natGateway.update', { ipv6SubnetId }, id);
    expect(await at.stage.row(natGateway, id)).to.include({ address: '203.0.113.2', ipv6SubnetId, ipv6Address: '2001:db8::2' });
    expect(at.kept('gateways', id)).to.deep.include({
      ipv6: { externalSubnetId: ipv6SubnetId, address: '2001:db8::2', externalCidr: INTERNET6, nextHop: '2001:db8::1' },
    });
    expect(sources()).to.deep.equal(['10.1.0.0/24', '10.6.0.0/24', 'fd00:6::/64']);
    expect(at.kept('portForwards', forwardId)).to.deep.include({
      ipv6: { externalAddress: '2001:db8::2', nicAddress: machine.address6 },
    });
    await at.sim.done('elasticIp.bind', { nicId: machine.nicId }, elasticIpId);
    // What it has is as it was asked for already.
    await at.sim.done('natGateway.update', { ipv6Address: '2001:db8::2', snat: true }, id);
    await at.sim.done('elasticIp.unbind', {}, elasticIpId);
    for (const [action, target] of [
      ['portForward.delete', forwardId],
      ['elasticIp.delete', elasticIpId],
      ['natGateway.delete', id],
    ] as const)
      await at.sim.done(action, {}, target);
    expect(await at.stage.rows(reservedAddress)).to.deep.equal([]);
  });

  it('keeps what it has, and is refused with the field at fault', async () => {
    const { at, id, ipv6SubnetId } = await older();
    for (const [input, code, pointer] of [
      [{ ipv6Address: '203.0.113.9' }, 'invalid_input', '/ipv6Address'],
      [{ ipv6Address: 'fd00::9' }, 'invalid_input', '/ipv6Address'],
      [{ ipv6SubnetId: await at.subnetIn(at.internetId) }, 'invalid_input', '/ipv6SubnetId'],
      [{ address: '203.0.113.9' }, 'conflict', '/address'],
      [{ subnetId: ipv6SubnetId }, 'conflict', '/subnetId'],
    ] as const)
      expect(await at.refused('natGateway.update', input, id), JSON.stringify(input)).to.deep.equal([code, pointer]);
    await at.sim.done('natGateway.update', { ipv6Address: '2001:db8::9' }, id);
    expect(await at.refused('natGateway.update', { ipv6Address: '2001:db8::10' }, id)).to.deep.equal(['conflict', '/ipv6Address']);
  });

  it('gets one address, whoever asks at once, and lets go of the others', async () => {
    const { at, id } = await older();
    const wishes = ['2001:db8::51', '2001:db8::52', '2001:db8::53'];
    const ends = await at.atOnce(wishes.map((ipv6Address) => ({ action: 'natGateway.update', input: { ipv6Address }, resourceId: id })));
    expect(ends.filter((end) => end === 'succeeded')).to.have.length(1);
    const { ipv6Address } = await at.stage.row(natGateway, id);
    const kept = (await at.stage.rows(reservedAddress)).map(({ address }) => address);
    expect(kept.filter((address) => address.includes(':'))).to.deep.equal([ipv6Address]);
  });
});

describe('a NAT gateway on an external network of IPv6 alone', () => {
  const six = () => RoutedStage.ready({ internet: INTERNET6 });

  it('leads IPv6 out and in, and nothing else', async () => {
    const at = await six();
    const { nicId, address6 } = await dualMachine(at);
    expect(
      await at.refused('natGateway.create', { ...{ vpcId: at.vpcId, externalNetworkId: at.internetId }, portsPerSubnet: 1024 }),
    ).to.deep.equal(['conflict', '/portsPerSubnet']);
    const id = await at.gateway();
    const row = await at.stage.row(natGateway, id);
    expect([row.address, row.subnetId, row.ipv6Address]).to.deep.equal([undefined, undefined, '2001:db8::2']);
    expect(at.kept('gateways', id)).to.deep.include({
      ...{ externalSubnetId: row.ipv6SubnetId, address: '2001:db8::2', externalCidr: INTERNET6, nextHop: '2001:db8::1' },
      sources: [{ cidr: 'fd00:6::/64' }],
    });
    expect(at.kept('gateways', id)).to.not.have.property('ipv6');
    expect(await at.refused('natGateway.update', { portsPerSubnet: 1024 }, id)).to.deep.equal(['conflict', '/portsPerSubnet']);
    const forwarded = { natGatewayId: id, protocol: 'tcp', externalPort: 2201, port: 22 };
    const four = await at.machine();
    expect(await at.refused('portForward.create', { ...forwarded, nicId: four.nicId })).to.deep.equal(['conflict', '/nicId']);
    const forwardId = await at.sim.done('portForward.create', { ...forwarded, nicId });
    expect(at.kept('portForwards', forwardId)).to.deep.include({ externalAddress: '2001:db8::2', nicAddress: address6 });
    const elasticIpId = await at.elasticIp();
    expect(await at.stage.row(elasticIp, elasticIpId)).to.include({ family: 6 });
    await at.sim.done('elasticIp.bind', { nicId }, elasticIpId);
    const ask = (toAddress: string) =>
      at.stage.ask('POST', '/reachability/explain', {
        principal: at.sim.principal,
        body: { fromNicId: nicId, toAddress, protocol: 'tcp', port: 443 },
      });
    expect(await ask('198.51.100.9')).to.deep.include({ verdict: 'blocked', reason: 'no_route' });
    expect(await ask(CLIENT6)).to.deep.include({ verdict: 'reachable' });
  });

  it('is given IPv4 when the network has that', async () => {
    const at = await six();
    const id = await at.gateway();
    await at.sim.done('subnet.create', { networkId: at.internetId, cidr: '203.0.113.0/24' });
    await at.sim.done('natGateway.update', { address: '203.0.113.9', portsPerSubnet: 1024 }, id);
    expect(await at.stage.row(natGateway, id)).to.include({ address: '203.0.113.9', ipv6Address: '2001:db8::2', portsPerSubnet: 1024 });
    expect(at.kept('gateways', id)).to.deep.include({
      ...{ address: '203.0.113.9', externalCidr: '203.0.113.0/24' },
      sources: [{ cidr: '10.1.0.0/24', ports: { first: 64_512, last: 65_535 } }],
    });
    expect((at.kept('gateways', id) as { readonly ipv6?: object }).ipv6).to.deep.include({ address: '2001:db8::2' });
  });
});

describe('an elastic IP of IPv6', () => {
  it('is bound to a NIC beside one of IPv4, and never two of one family', async () => {
    const at = await dual();
    const gatewayId = await at.gateway();
    const { nicId, address, address6 } = await dualMachine(at);
    const four = await at.elasticIp();
    const six = await at.elasticIp({ subnetId: await subnet6(at), distributed: true });
    expect(await at.stage.row(elasticIp, four)).to.include({ family: 4 });
    expect(await at.stage.row(elasticIp, six)).to.include({ family: 6, address: '2001:db8::3' });
    for (const id of [four, six]) await at.sim.done('elasticIp.bind', { nicId }, id);
    expect(at.kept('elasticIps', four)).to.deep.include({ externalAddress: '203.0.113.3', nicAddress: address });
    expect(at.kept('elasticIps', six)).to.deep.include({
      ...{ vpcId: at.vpcId, gatewayId, externalAddress: '2001:db8::3', nicId, nicAddress: address6, distributed: true },
    });
    const another = await at.elasticIp({ address: '2001:db8::99' });
    expect(await at.refused('elasticIp.bind', { nicId }, another)).to.deep.equal(['conflict', '/nicId']);
    // Whichever of its two is distributed.
    expect(await at.refused('portForward.create', { natGatewayId: gatewayId, nicId, protocol: 'tcp', externalPort: 80 })).to.deep.equal([
      'conflict',
      '/nicId',
    ]);
    await at.sim.done('elasticIp.unbind', {}, six);
    expect(at.kept('elasticIps', six)).to.equal(undefined);
    expect(at.kept('elasticIps', four)).to.not.equal(undefined);
    await at.sim.done('elasticIp.bind', { nicId }, another);
  });

  it('is bound once, whoever asks at once', async () => {
    const at = await dual();
    await at.gateway();
    const { nicId } = await dualMachine(at);
    const ids = [await at.elasticIp({ address: '2001:db8::51' }), await at.elasticIp({ address: '2001:db8::52' }), await at.elasticIp()];
    const ends = await at.atOnce(ids.map((resourceId) => ({ action: 'elasticIp.bind', input: { nicId }, resourceId })));
    expect(ends[2]).to.equal('succeeded');
    expect(ends.filter((end) => end === 'succeeded')).to.have.length(2);
    const bound = (await at.stage.rows(elasticIp)).filter(({ state }) => state === 'bound');
    expect(bound.map(({ family }) => family).toSorted()).to.deep.equal([4, 6]);
  });

  it('is refused where nothing of IPv6 is', async () => {
    const at = await RoutedStage.ready({ internet6: INTERNET6 });
    await at.gateway();
    const id = await at.elasticIp({ address: '2001:db8::99' });
    const { nicId } = await at.machine();
    expect(await at.refused('elasticIp.bind', { nicId }, id)).to.deep.equal(['conflict', '/nicId']);
    const old = await RoutedStage.ready();
    await old.gateway();
    await old.sim.done('subnet.create', { networkId: old.internetId, cidr: INTERNET6 });
    const late = await old.elasticIp({ address: '2001:db8::99' });
    const machine = await dualMachine(old);
    expect(await old.refused('elasticIp.bind', { nicId: machine.nicId }, late)).to.deep.equal(['conflict', '/nicId']);
  });

  it('leads to a load balancer that listens in IPv6', async () => {
    const at = await dual();
    await at.gateway();
    const ofSix = await at.subnetIn(await at.network('six', 'fd00:7::/64'));
    const loadBalancerId = await at.sim.done('loadBalancer.create', { subnetId: ofSix });
    expect(await at.refused('elasticIp.bind', { loadBalancerId }, await at.elasticIp())).to.deep.equal(['conflict', '/loadBalancerId']);
    const six = await at.elasticIp({ address: '2001:db8::80' });
    await at.sim.done('elasticIp.bind', { loadBalancerId }, six);
    expect(at.kept('loadBalancers', loadBalancerId)).to.deep.include({ externalAddress: '2001:db8::80' });
  });

  it('of before is one of IPv4', () => {
    expect(elasticIpFamilies.up({ id: 'a', address: '203.0.113.9' } as never)).to.deep.equal({
      id: 'a',
      address: '203.0.113.9',
      family: 4,
    });
  });
});

describe('a forwarded port in IPv6', () => {
  it('leads in by each family that the gateway and the machine have', async () => {
    const at = await dual();
    const natGatewayId = await at.gateway();
    const both = await dualMachine(at);
    const six = await at.machine(await at.network('six', 'fd00:7::/64'));
    const four = await at.machine();
    const forward = (nicId: string, externalPort: number) =>
      at.sim.done('portForward.create', { natGatewayId, nicId, protocol: 'tcp', externalPort, port: 22 });
    expect(at.kept('portForwards', await forward(both.nicId, 2201))).to.deep.include({
      ...{ externalAddress: '203.0.113.2', nicAddress: both.address },
      ipv6: { externalAddress: '2001:db8::2', nicAddress: both.address6 },
    });
    const ofSix = at.kept('portForwards', await forward(six.nicId, 2202));
    expect(ofSix).to.deep.include({ externalAddress: '2001:db8::2', nicAddress: six.address });
    expect(ofSix).to.not.have.property('ipv6');
    const ofFour = at.kept('portForwards', await forward(four.nicId, 2203));
    expect(ofFour).to.deep.include({ externalAddress: '203.0.113.2', nicAddress: four.address });
    expect(ofFour).to.not.have.property('ipv6');
    expect(await at.stage.rows(portForward)).to.have.length(3);
  });
});

describe('who reaches whom outside in IPv6', () => {
  it('is told by family: the gateway’s address, an elastic IP, or nothing', async () => {
    const at = await dual();
    const { nicId, address6 } = await dualMachine(at);
    const ask = (body: object) =>
      at.stage.ask('POST', '/reachability/explain', {
        principal: at.sim.principal,
        body: { protocol: 'tcp', port: 443, ...body },
      }) as Promise<{
        readonly verdict: string;
        readonly reason?: string;
        readonly hops: readonly { readonly at: string; readonly message: string }[];
      }>;
    const out = { fromNicId: nicId, toAddress: CLIENT6 };
    const into = (toAddress: string, port = 443) => ({ fromAddress: CLIENT6, toAddress, vpcId: at.vpcId, port });
    expect(await ask(out)).to.deep.include({ verdict: 'blocked', reason: 'no_route' });
    const natGatewayId = await at.gateway();
    const shared = await ask(out);
    expect(shared.verdict).to.equal('reachable');
    expect(shared.hops.find((hop) => hop.at === 'natGateway')?.message).to.match(/, 2001:db8::2\.$/);
    expect(await ask(into('2001:db8::2'))).to.deep.include({ verdict: 'blocked', reason: 'no_port_forward' });
    // One of the other family changes nothing.
    await at.sim.done('elasticIp.bind', { nicId }, await at.elasticIp());
    expect((await ask(out)).hops.map((hop) => hop.at)).to.include('natGateway');
    expect(await ask({ fromAddress: CLIENT6, toAddress: address6, vpcId: at.vpcId })).to.deep.include({ verdict: 'blocked' });
    const own = await at.elasticIp({ address: '2001:db8::77' });
    await at.sim.done('elasticIp.bind', { nicId }, own);
    const leaving = await ask(out);
    expect(leaving.hops.find((hop) => hop.at === 'elasticIp')?.message).to.match(/, 2001:db8::77\.$/);
    // The default group lets in only its own members.
    const entering = await ask(into('2001:db8::77'));
    expect([entering.reason, entering.hops[0]?.at]).to.deep.equal(['no_rule', 'elasticIp']);
    const [four] = [await at.machine()];
    await at.sim.done('portForward.create', { natGatewayId, nicId: four.nicId, protocol: 'tcp', externalPort: 2222, port: 22 });
    expect(await ask(into('2001:db8::2', 2222))).to.deep.include({ verdict: 'blocked', reason: 'no_port_forward' });
  });
});
