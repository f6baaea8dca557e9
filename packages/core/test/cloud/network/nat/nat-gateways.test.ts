import { expect } from 'chai';
import { cluster, elasticIp, natGateway, natPortBlock, reservedAddress } from '../../../../src/cloud/index.ts';
import { ANY_PROJECT } from '../../../../src/kernel/index.ts';
import { LOOK_MS, LOST_MS } from '../../compute/machine-stage.ts';
import { internetOf } from '../../routed.ts';
import { RoutedStage } from '../routed-stage.ts';

describe('a NAT gateway', () => {
  it('leads the subnets of its VPC out, whenever they come and go', async () => {
    const at = await RoutedStage.ready({ hosts: 2 });
    const id = await at.gateway();
    const row = await at.stage.row(natGateway, id);
    expect(row).to.include({ state: 'available', address: '203.0.113.2', snat: true });
    expect(at.kept('gateways', id)).to.deep.include({
      ...{ vpcId: at.vpcId, externalNetworkId: at.internetId, address: row.address },
      ...{ externalCidr: '203.0.113.0/24', nextHop: '203.0.113.1', sources: [{ cidr: '10.1.0.0/24' }] },
    });
    expect((at.kept('gateways', id) as { hosts: readonly string[] }).hosts).to.have.members(['hv1', 'hv2']);
    const networkId = await at.network('second', '10.2.0.0/24');
    const subnetId = await at.sim.done('subnet.create', { networkId, cidr: '10.3.0.0/24' });
    const sources = () => (at.kept('gateways', id) as { sources: readonly { cidr: string }[] }).sources.map(({ cidr }) => cidr);
    expect(sources()).to.deep.equal(['10.1.0.0/24', '10.2.0.0/24', '10.3.0.0/24']);
    await at.sim.done('subnet.delete', {}, subnetId);
    expect(sources()).to.deep.equal(['10.1.0.0/24', '10.2.0.0/24']);
    await at.sim.done('network.delete', {}, networkId);
    expect(sources()).to.deep.equal(['10.1.0.0/24']);
    await at.sim.done('natGateway.update', { snat: false }, id);
    expect(sources()).to.deep.equal([]);
  });

  it('gives each subnet ports of its own where that is asked for', async () => {
    const at = await RoutedStage.ready();
    const id = await at.gateway({ portsPerSubnet: 16_384 });
    const blocks = async () => (await at.stage.rows(natPortBlock)).map(({ firstPort, lastPort }) => `${firstPort}-${lastPort}`);
    expect(await blocks()).to.deep.equal(['49152-65535']);
    expect(at.kept('gateways', id)).to.deep.include({ sources: [{ cidr: '10.1.0.0/24', ports: { first: 49_152, last: 65_535 } }] });
    const second = await at.network('second', '10.2.0.0/24');
    await at.network('third', '10.3.0.0/24');
    expect(await blocks()).to.have.members(['49152-65535', '32768-49151', '16384-32767']);
    expect(await at.refused('network.create', { vpcId: at.vpcId, subnets: [{ cidr: '10.4.0.0/24' }] })).to.deep.equal([
      'no_capacity',
      '/subnets/0/cidr',
    ]);
    // One that reaches nowhere needs none, and one that goes leaves its own.
    await at.sim.done('network.create', { name: 'six', vpcId: at.vpcId, subnets: [{ cidr: 'fd00::/64' }] });
    await at.sim.done('network.delete', {}, second);
    await at.network('fourth', '10.4.0.0/24');
    expect(new Set(await blocks()).size).to.equal(3);
    expect(await at.refused('natGateway.update', { portsPerSubnet: 16_384.5 }, id)).to.deep.equal(['invalid_input', '/portsPerSubnet']);
    await at.sim.done('natGateway.update', { portsPerSubnet: 64 }, id);
    expect(await blocks()).to.have.members(['65472-65535', '65408-65471', '65344-65407']);
    await at.sim.done('natGateway.update', { portsPerSubnet: null }, id);
    expect(await blocks()).to.deep.equal([]);
    expect(at.kept('gateways', id)).to.deep.include({
      sources: [{ cidr: '10.1.0.0/24' }, { cidr: '10.3.0.0/24' }, { cidr: '10.4.0.0/24' }],
    });
    expect((await at.stage.row(natGateway, id)).portsPerSubnet).to.equal(undefined);
  });

  it('gives subnets that are made at once different ports', async () => {
    const at = await RoutedStage.ready();
    await at.gateway({ portsPerSubnet: 1024 });
    const wishes = Array.from({ length: 12 }, (_, index) => ({
      action: 'network.create',
      input: { name: `net-${index}`, vpcId: at.vpcId, subnets: [{ cidr: `10.${index + 2}.0.0/24` }] },
    }));
    const ends = await at.atOnce(wishes);
    const made = ends.filter((end) => end === 'succeeded').length;
    // Who loses too often against the others may ask again.
    expect(
      ends.every((end) => end === 'succeeded' || end === 'conflict'),
      String(ends),
    ).to.equal(true);
    const firsts = (await at.stage.rows(natPortBlock)).map(({ firstPort }) => firstPort);
    expect([firsts.length, new Set(firsts).size]).to.deep.equal([made + 1, made + 1]);
  });

  it('takes changes that are asked for at once, one after the other', async () => {
    const at = await RoutedStage.ready();
    const resourceId = await at.gateway();
    const update = (input: object) => ({ action: 'natGateway.update', input, resourceId });
    expect(await at.inTurn([update({ snat: false }), update({ name: 'new' }), update({ snat: true })])).to.deep.equal(
      Array(3).fill('succeeded'),
    );
    expect(await at.stage.row(natGateway, resourceId)).to.include({ name: 'new', snat: true });
  });

  it('is carried by a host of its network, and by another when that is lost', async () => {
    const at = await RoutedStage.ready({ hosts: 3 });
    const id = await at.gateway();
    const status = (principal = at.sim.principal) =>
      at.stage.ask('GET', '/nat-gateways/{id}/status', { params: { id }, principal }) as Promise<{ active: boolean; activeHost?: string }>;
    const { hosts } = at.kept('gateways', id) as { hosts: readonly string[] };
    expect(await status()).to.deep.equal({ active: true, activeHost: hosts[0] });
    at.sim.world.crash(hosts[0] ?? '');
    await at.sim.run(LOST_MS);
    expect(await status()).to.deep.equal({ active: true, activeHost: hosts[1] });
    const tenant = { ...at.sim.principal, allows: (permission: string) => permission !== ANY_PROJECT };
    expect(await status(tenant)).to.deep.equal({ active: true });
    const error = await status({ ...tenant, projectId: '01890000-0000-7000-8000-00000000000f' as never }).catch(({ code }) => code);
    expect(error).to.equal('not_found');
  });

  it('is carried by hosts that take machines, and by others while none does', async () => {
    const at = await RoutedStage.ready({ hosts: 2 });
    const id = await at.gateway();
    const [first = '', second = ''] = at.stage.hostIds;
    const carriers = async () => {
      await at.sim.run(LOOK_MS);
      return (at.kept('gateways', id) as { hosts: readonly string[] }).hosts;
    };
    await at.sim.done('host.disable', {}, first);
    expect(await carriers()).to.deep.equal(['hv2']);
    await at.sim.done('host.disable', {}, second);
    expect(await carriers()).to.have.members(['hv1', 'hv2']);
    await at.sim.done('host.maintain', {}, second);
    expect(await carriers()).to.deep.equal(['hv1']);
    await at.sim.done('host.maintain', {}, first);
    // What tenants do meanwhile is done.
    await at.network('second', '10.2.0.0/24');
    expect(at.kept('gateways', id)).to.deep.include({ sources: [{ cidr: '10.1.0.0/24' }, { cidr: '10.2.0.0/24' }] });
    expect(await carriers()).to.have.members(['hv1', 'hv2']);
    await at.sim.done('host.enable', {}, second);
    expect(await carriers()).to.deep.equal(['hv2']);
  });

  it('is refused on a network that no host is connected to', async () => {
    const at = await RoutedStage.ready();
    const { zoneId } = await at.stage.row(cluster, at.stage.clusterId);
    const clusterId = await at.sim.done('cluster.create', { name: 'empty', zoneId });
    const externalNetworkId = await internetOf(at.sim, { name: 'far', cidr: '198.51.100.0/24', clusterId });
    expect(await at.refused('natGateway.create', { vpcId: at.vpcId, externalNetworkId })).to.deep.equal([
      'no_capacity',
      '/externalNetworkId',
    ]);
  });

  it('is carried by hosts alone that tell what leads out, and refused where none does', async () => {
    const at = await RoutedStage.ready({ hosts: 2 });
    const [one, two] = [at.stage.worldHost(1), at.stage.worldHost(2)];
    for (const each of [one, two]) each.unconnected.add('phys-internet');
    const refused = await at.stage.refusal('natGateway.create', { vpcId: at.vpcId, externalNetworkId: at.internetId });
    expect([refused.code, refused.pointer]).to.deep.equal(['no_capacity', '/externalNetworkId']);
    const told = (name: string) => `Host ${name} is not connected to network internet: it tells no bridge for phys-internet.`;
    expect(refused.params?.reasons).to.have.members([told('hv1'), told('hv2')]);
    expect(refused.publicMessage).to.match(/ Host hv[12] is not connected to network internet: it tells no bridge for phys-internet\.$/);
    two.unconnected.clear();
    const id = await at.gateway();
    const carriers = () => (at.kept('gateways', id) as { hosts: readonly string[] }).hosts;
    expect(carriers()).to.deep.equal(['hv2']);
    one.unconnected.clear();
    await at.sim.run(LOOK_MS);
    expect(carriers()).to.have.members(['hv1', 'hv2']);
    // It stays where it is while nobody can carry it.
    for (const each of [one, two]) each.unconnected.add('phys-internet');
    await at.sim.run(LOOK_MS);
    expect(carriers()).to.have.members(['hv1', 'hv2']);
  });

  it('is one a VPC, and says which there is', async () => {
    const at = await RoutedStage.ready();
    const { name } = await at.stage.row(natGateway, await at.gateway());
    const { code, pointer, publicMessage } = await at.stage.refusal('natGateway.create', {
      vpcId: at.vpcId,
      externalNetworkId: at.internetId,
    });
    expect([code, pointer]).to.deep.equal(['name_taken', '/vpcId']);
    expect(publicMessage)
      .to.match(/^VPC .+ has a NAT gateway already: .+\.$/)
      .and.include(name);
  });

  it('is refused with the field at fault', async () => {
    const at = await RoutedStage.ready();
    const nobody = '00000000-0000-7000-8000-00000000dead';
    const { vpcId, internetId: externalNetworkId, networkId, subnetId } = at;
    for (const [input, code, pointer] of [
      [{ vpcId: nobody, externalNetworkId }, 'not_found', '/vpcId'],
      [{ vpcId, externalNetworkId: nobody }, 'not_found', '/externalNetworkId'],
      [{ vpcId, externalNetworkId: networkId }, 'invalid_input', '/externalNetworkId'],
      [{ vpcId, externalNetworkId, subnetId }, 'not_found', '/subnetId'],
      [{ vpcId, externalNetworkId, address: '203.0.114.5' }, 'invalid_input', '/address'],
      [{ vpcId, externalNetworkId, address: '203.0.113.1' }, 'invalid_input', '/address'],
      [{ vpcId, externalNetworkId, address: '2001:db8::1' }, 'invalid_input', '/address'],
      [{ vpcId, externalNetworkId, portsPerSubnet: 63 }, 'invalid_input', '/portsPerSubnet'],
    ] as const)
      expect(await at.refused('natGateway.create', input), JSON.stringify(input)).to.deep.equal([code, pointer]);
    const six = await internetOf(at.sim, { name: 'six', cidr: '2001:db8::/64' });
    const subnetOfSix = await at.subnetIn(six);
    for (const [input, pointer] of [
      [{ subnetId: subnetOfSix }, '/subnetId'],
      [{ address: '203.0.113.9' }, '/address'],
    ] as const)
      expect(await at.refused('natGateway.create', { vpcId, externalNetworkId: six, ...input })).to.deep.equal(['invalid_input', pointer]);
    await at.sim.done('subnet.delete', {}, subnetOfSix);
    expect(await at.refused('natGateway.create', { vpcId, externalNetworkId: six })).to.deep.equal(['invalid_input', '/externalNetworkId']);
    await at.gateway();
    expect(await at.refused('natGateway.create', { vpcId, externalNetworkId })).to.deep.equal(['name_taken', '/vpcId']);
  });

  it('goes with its VPC where all that stands on that is to go', async () => {
    const at = await RoutedStage.ready();
    await at.gateway({ portsPerSubnet: 1024 });
    const subnetId = at.subnetId;
    const loadBalancerId = await at.sim.done('loadBalancer.create', { subnetId });
    await at.sim.done('listener.create', { loadBalancerId, protocol: 'tcp', port: 80 });
    await at.sim.done('reservedAddress.create', { subnetId });
    expect(await at.refused('vpc.delete', {}, at.vpcId)).to.deep.equal(['in_use', undefined]);
    const front = await at.elasticIp();
    await at.sim.done('elasticIp.bind', { loadBalancerId }, front);
    expect(await at.refused('vpc.delete', { recursive: true }, at.vpcId)).to.deep.equal(['in_use', undefined]);
    await at.sim.done('elasticIp.unbind', {}, front);
    await at.sim.done('vpc.delete', { recursive: true }, at.vpcId);
    for (const sort of ['vpcs', 'gateways', 'loadBalancers'] as const)
      expect([...at.sim.world.fabric.kept.of(sort).keys()], sort).to.deep.equal([]);
    expect((await at.stage.rows(reservedAddress)).map(({ elasticIpId }) => elasticIpId)).to.deep.equal([front]);
  });

  it('stays while elastic IPs come in through it, and leaves nothing when it goes', async () => {
    const at = await RoutedStage.ready();
    const id = await at.gateway({ portsPerSubnet: 1024 });
    const { nicId } = await at.machine();
    const eip = await at.elasticIp({ name: 'front' });
    await at.sim.done('elasticIp.bind', { nicId }, eip);
    const forward = await at.sim.done('portForward.create', { natGatewayId: id, nicId, protocol: 'tcp', externalPort: 80 });
    expect(await at.refused('natGateway.delete', {}, id)).to.deep.equal(['in_use', undefined]);
    await at.sim.done('elasticIp.unbind', {}, eip);
    await at.sim.done('natGateway.delete', {}, id);
    expect([at.kept('gateways', id), at.kept('portForwards', forward)]).to.deep.equal([undefined, undefined]);
    expect(await at.stage.rows(natPortBlock)).to.deep.equal([]);
    expect((await at.stage.rows(reservedAddress)).map(({ elasticIpId }) => elasticIpId)).to.deep.equal([eip]);
    expect((await at.stage.row(elasticIp, eip)).natGatewayId).to.equal(undefined);
  });
});
