import { expect } from 'chai';
import { until } from '../../lab/waiting.ts';
import { type CloudMachine, cut, OvnCloud, reaches } from './ovn-cloud.ts';

describe('security groups on OVN', function () {
  this.timeout(600_000);
  let cloud: OvnCloud;
  let vpcId: string;
  let networkId: string;
  let web: CloudMachine;
  let client: CloudMachine;
  let groups: { readonly web: string; readonly client: string };

  before(async () => {
    cloud = await OvnCloud.up({ hosts: 2 });
    ({ vpcId, networkId } = await cloud.vpc('vpc'));
    const group = (name: string) => cloud.done('securityGroup.create', { vpcId, name });
    groups = { web: await group('web'), client: await group('client') };
    for (const securityGroupId of Object.values(groups))
      await cloud.done('securityGroupRule.create', { securityGroupId, direction: 'outbound' });
    web = await cloud.machine('web', 0, { networkId, securityGroupIds: [groups.web] });
    client = await cloud.machine('client', 1, { networkId, securityGroupIds: [groups.client] });
    for (const port of [80, 443]) await web.probe.serve({ protocol: 'tcp', port });
    await web.probe.serve({ protocol: 'udp', port: 53 });
  });
  after(() => cloud?.[Symbol.asyncDispose]());

  const allow = (more: object): Promise<string> =>
    cloud.done('securityGroupRule.create', { securityGroupId: groups.web, direction: 'inbound', ...more });
  const at = (port: number, protocol: 'tcp' | 'udp' = 'tcp') => ({ address: web.address, port, protocol });

  it('let in nothing that no rule allows, but addresses by DHCP', async () => {
    expect(web.lease.ip).to.equal(web.address);
    expect(await client.probe.greet({ ...at(80), timeoutMs: 1_500 })).to.deep.equal({ error: 'timeout' });
    expect(await client.card.pings(web.address, 2)).to.equal(false);
  });

  it('allow ports of a protocol from networks, and nothing beside', async () => {
    await allow({ protocol: 'tcp', firstPort: 80, cidrs: [`${client.address}/32`] });
    expect(await reaches(client.probe, at(80))).to.include({ server: 'web', client: client.address });
    expect(await client.probe.greet({ ...at(443), timeoutMs: 1_500 })).to.deep.equal({ error: 'timeout' });
  });

  it('allow members of a group, also one who joins later, and pings', async () => {
    await allow({ protocol: 'udp', firstPort: 53, remoteGroupId: groups.client });
    await reaches(client.probe, at(53, 'udp'));
    const late = await cloud.machine('late', 1, { networkId });
    expect(await late.probe.greet({ ...at(53, 'udp'), timeoutMs: 1_500 })).to.deep.equal({ error: 'timeout' });
    await cloud.done('securityGroupMember.create', { nicId: late.nicId, securityGroupId: groups.client });
    await reaches(late.probe, at(53, 'udp'));
    await allow({ protocol: 'icmp', icmpType: 8, remoteGroupId: groups.client });
    expect(await client.card.pings(web.address)).to.equal(true);
  });

  it('cut a connection that stands when its rule is taken away', async () => {
    const rule = await allow({ protocol: 'tcp', firstPort: 443, remoteGroupId: groups.client });
    await reaches(client.probe, at(443));
    const { address, port } = at(443);
    expect(await client.probe.ask('hold', { id: 'kept', address, port })).to.include({ server: 'web' });
    const held = (timeoutMs: number) => client.probe.ask('held', { id: 'kept', timeoutMs });
    expect(await held(60_000)).to.deep.equal({ alive: true });
    await cloud.done('securityGroupRule.delete', {}, rule);
    // Hosts learn of it a moment later, and what they remember of their decisions goes a moment after that.
    await until('the connection cut', async () => ((await held(1_500)).alive ? undefined : true));
    await cut(client.probe, at(443));
    expect(await reaches(client.probe, at(80))).to.include({ server: 'web' });
  });

  it('let nobody send with an address that is not his', async () => {
    await client.card.take('10.0.0.99/24');
    const spoofed = { protocol: 'udp', address: web.address, port: 53, from: '10.0.0.99', timeoutMs: 1_500 } as const;
    await allow({ cidrs: ['10.0.0.0/24'] });
    await reaches(client.probe, at(443));
    expect(await client.probe.greet(spoofed)).to.deep.equal({ error: 'timeout' });
    const twin = await cloud.machine('twin', 1, { networkId, allowedAddresses: [{ cidr: '10.0.0.98/32' }] });
    await twin.card.take('10.0.0.98/24');
    await reaches(twin.probe, { ...at(53, 'udp'), ...{ from: '10.0.0.98' } });
    // Nor as another card: an answer would go elsewhere, so what arrives is counted.
    const arrived = async () => /^Udp: (\d+)/m.exec((await web.card.exec(['cat', '/proc/net/snmp'])).stdout)?.[1];
    const before = await arrived();
    await twin.card.exec(['ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:77:77']);
    expect(await twin.probe.greet({ ...at(53, 'udp'), timeoutMs: 1_500 })).to.deep.equal({ error: 'timeout' });
    expect(await arrived()).to.equal(before);
  });

  it('leave nothing in OVN and on the hosts', async () => {
    expect(await cloud.clear()).to.deep.equal([]);
  });
});
