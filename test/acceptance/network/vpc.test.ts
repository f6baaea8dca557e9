import { expect } from 'chai';
import { until } from '../../lab/waiting.ts';
import { type CloudMachine, cut, OvnCloud, reaches } from './ovn-cloud.ts';

describe('VPCs on OVN', function () {
  this.timeout(600_000);
  let cloud: OvnCloud;

  before(async () => {
    cloud = await OvnCloud.up({ hosts: 2 });
  });
  after(() => cloud?.[Symbol.asyncDispose]());

  it('may use the same addresses, and do not meet', async () => {
    const [red, blue] = await Promise.all([cloud.vpc('red'), cloud.vpc('blue')]);
    const side = async (name: string, { networkId }: { readonly networkId: string }): Promise<readonly CloudMachine[]> =>
      Promise.all([
        cloud.machine(`${name}-a`, 0, { networkId, address: '10.0.0.10' }),
        cloud.machine(`${name}-b`, 1, { networkId, address: '10.0.0.11' }),
      ]);
    const [reds, blues] = await Promise.all([side('red', red), side('blue', blue)]);
    for (const machine of [...reds, ...blues]) {
      expect(machine.lease).to.deep.include({ ip: machine.address, mtu: '1442' });
      await machine.probe.serve({ protocol: 'tcp', port: 80 });
    }
    // Default groups let in what is from the group itself: each colour is one.
    for (const [from] of [reds, blues]) {
      const seen = await reaches((from as CloudMachine).probe, { address: '10.0.0.11', port: 80 });
      expect(seen).to.include({ server: `${from?.name.split('-')[0]}-b`, client: '10.0.0.10' });
    }
    const alone = await cloud.machine('blue-c', 0, { networkId: blue.networkId, address: '10.0.0.12' });
    expect([await blues[0]?.card.pings(alone.address), await reds[0]?.card.pings(alone.address, 2)]).to.deep.equal([true, false]);
  });

  it('route between their subnets, on each host', async () => {
    const vpcId = await cloud.done('vpc.create', { name: 'routed' });
    const [near, far] = [await cloud.network(vpcId, '10.1.0.0/24'), await cloud.network(vpcId, '10.2.0.0/24')];
    const a = await cloud.machine('a', 0, { networkId: near });
    const b = await cloud.machine('b', 1, { networkId: far });
    await b.probe.serve({ protocol: 'tcp', port: 80 });
    expect(await reaches(a.probe, { address: b.address, port: 80 })).to.include({ server: 'b', client: a.address });
    expect(await a.card.pings(b.address)).to.equal(true);
    await cloud.done('instance.delete', {}, b.id);
    await cut(a.probe, { address: b.address, port: 80 });
  });

  it('have a machine that runs in one more of their networks, and no longer when that NIC is taken away', async () => {
    const { vpcId, networkId } = await cloud.vpc('plugged', '10.7.0.0/24');
    const second = await cloud.network(vpcId, '10.7.1.0/24');
    const a = await cloud.machine('two-cards', 0, { networkId });
    const b = await cloud.machine('neighbour', 1, { networkId: second });
    await cloud.done('instance.attachNic', { networkId: second }, a.id);
    const nic = (await cloud.rows('nic', 'instanceId', a.id)).find(({ networkId: of }) => of === second);
    const card = cloud.card(String(nic?.id));
    expect(await until('a lease of the second card', () => card.dhcp())).to.include({ ip: nic?.address });
    const probe = await card.probe();
    await probe.serve({ protocol: 'tcp', port: 80 });
    expect(await reaches(b.probe, { address: String(nic?.address), port: 80 })).to.include({ client: b.address });
    expect(await a.card.pings(b.address), 'by the first card').to.equal(true);
    await cloud.done('instance.detachNic', { nicId: nic?.id }, a.id);
    await cut(b.probe, { address: String(nic?.address), port: 80 });
    expect(await a.card.pings(b.address), 'by the first card, still').to.equal(true);
  });

  it('send what is for beyond to a machine that a route names, and drop what a route leads nowhere', async () => {
    const { vpcId, networkId } = await cloud.vpc('with-routes', '10.3.0.0/24');
    const open = { networkId, securityGroupIds: [await cloud.openGroup(vpcId, 'routes')] };
    const a = await cloud.machine('here', 0, open);
    const appliance = await cloud.machine('appliance', 1, { ...open, allowedAddresses: [{ cidr: '172.20.0.0/16' }] });
    await appliance.card.take('172.20.0.1/16');
    await appliance.probe.serve({ protocol: 'tcp', port: 80 });
    const to = { address: '172.20.0.1', port: 80 };
    expect(await a.probe.greet({ protocol: 'tcp', ...to, timeoutMs: 1_000 })).to.deep.equal({ error: 'timeout' });
    await cloud.done('route.create', { vpcId, destination: '172.20.0.0/16', nextHop: appliance.address });
    expect(await reaches(a.probe, to)).to.include({ server: 'appliance', client: a.address });
    const hole = await cloud.done('route.create', { vpcId, destination: '172.20.0.1/32' });
    await cut(a.probe, to);
    await cloud.done('route.delete', {}, hole);
    await reaches(a.probe, to);
  });

  it('meet when both sides consent to a peering, and no longer when one takes it back', async () => {
    const [east, west] = [await cloud.vpc('east', '10.4.0.0/24'), await cloud.vpc('west', '10.5.0.0/24')];
    const open = async ({ vpcId, networkId }: typeof east, name: string) => ({
      networkId,
      securityGroupIds: [await cloud.openGroup(vpcId, name)],
    });
    const [a, b] = [
      await cloud.machine('east-a', 0, await open(east, 'open-east')),
      await cloud.machine('west-b', 1, await open(west, 'open-west')),
    ];
    await b.probe.serve({ protocol: 'tcp', port: 80 });
    const to = { address: b.address, port: 80 };
    const one = await cloud.done('peering.create', { vpcId: east.vpcId, peerVpcId: west.vpcId });
    expect(await a.probe.greet({ protocol: 'tcp', ...to, timeoutMs: 1_000 })).to.have.property('error');
    await cloud.done('peering.create', { vpcId: west.vpcId, peerVpcId: east.vpcId });
    expect(await reaches(a.probe, to)).to.include({ server: 'west-b', client: a.address });
    await cloud.done('peering.delete', {}, one);
    await cut(a.probe, to);
  });

  it('let a machine send no more than its NIC may, and as it likes when that is lifted', async () => {
    const { vpcId, networkId } = await cloud.vpc('bounded', '10.6.0.0/24');
    const open = { networkId, securityGroupIds: [await cloud.openGroup(vpcId, 'bounded')] };
    const [a, b] = [await cloud.machine('fast', 0, open), await cloud.machine('sink', 1, open)];
    await b.probe.serve({ protocol: 'udp', port: 9 });
    await reaches(a.probe, { address: b.address, port: 9, protocol: 'udp' });
    const answered = async (id: string) => {
      const beginMs = performance.now();
      await a.probe.ask('stream', { id, address: b.address, port: 9, periodMs: 1 });
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      const { sent, received } = await a.probe.ask('gap', { id });
      return { sent, received, seconds: (performance.now() - beginMs) / 1_000 };
    };
    const outboundBytesPerSecond = 1_000;
    await cloud.done('nic.setLimits', { limits: { outboundBytesPerSecond } }, a.nicId);
    // Each frame has 43 bytes at least; what a second allows may come at once.
    let turn = 0;
    await until('the bound', async () => {
      const { received, seconds } = await answered(`bounded-${turn++}`);
      return received > 0 && received * 43 <= outboundBytesPerSecond * (seconds + 1) ? true : undefined;
    });
    await cloud.done('nic.setLimits', { limits: { outboundBytesPerSecond: 0 } }, a.nicId);
    await until('more than the bound', async () => {
      const { sent, received, seconds } = await answered(`free-${turn++}`);
      return received > sent / 2 && received * 43 > outboundBytesPerSecond * (seconds + 1) ? true : undefined;
    });
  });

  it('leave nothing in OVN and on the hosts', async () => {
    expect(await cloud.clear()).to.deep.equal([]);
  });
});
