import { expect } from 'chai';
import { BUSYBOX } from '../../lab/ovn/machine.ts';
import { until } from '../../lab/waiting.ts';
import { type CloudMachine, cut, OvnCloud, reaches } from './ovn-cloud.ts';

describe('security groups on OVN', function () {
  this.timeout(600_000);
  let cloud: OvnCloud;
  let vpcId: string;
  let networkId: string;
  let web: CloudMachine;
  let client: CloudMachine;
  let late: CloudMachine;
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
    late = await cloud.machine('late', 1, { networkId });
    expect(await late.probe.greet({ ...at(53, 'udp'), timeoutMs: 1_500 })).to.deep.equal({ error: 'timeout' });
    await cloud.done('securityGroupMember.create', { nicId: late.nicId, securityGroupId: groups.client });
    await reaches(late.probe, at(53, 'udp'));
    await allow({ protocol: 'icmp', icmpType: 8, remoteGroupId: groups.client });
    expect(await client.card.pings(web.address)).to.equal(true);
  });

  /** A connection that stands, which what is done then cuts. */
  async function cutBy(from: CloudMachine, act: () => Promise<unknown>): Promise<void> {
    const id = `kept by ${from.name}`;
    await reaches(from.probe, at(443));
    const { address, port } = at(443);
    expect(await from.probe.ask('hold', { id, address, port })).to.include({ server: 'web' });
    const held = (timeoutMs: number) => from.probe.ask('held', { id, timeoutMs });
    expect(await held(60_000)).to.deep.equal({ alive: true });
    await act();
    // Hosts learn of it a moment later, and what they remember of their decisions goes a moment after that.
    await until('the connection cut', async () => ((await held(1_500)).alive ? undefined : true));
    await cut(from.probe, at(443));
  }

  it('cut a connection that stands when who holds it leaves the group that may, and when the rule is taken away', async () => {
    const rule = await allow({ protocol: 'tcp', firstPort: 443, remoteGroupId: groups.client });
    const memberships = await cloud.rows('securityGroupMember', 'nicId', late.nicId);
    const membership = memberships.find(({ securityGroupId }) => securityGroupId === groups.client);
    await cutBy(late, () => cloud.done('securityGroupMember.delete', {}, membership?.id));
    await cutBy(client, () => cloud.done('securityGroupRule.delete', {}, rule));
    expect(await reaches(client.probe, at(80))).to.include({ server: 'web' });
  });

  it('let nobody send with an address that is not his, nor say that it is', async () => {
    await client.card.take('10.0.0.99/24');
    await allow({ cidrs: ['10.0.0.0/24'] });
    await reaches(client.probe, at(443));
    // An answer would go elsewhere, so what arrives is counted.
    const arrived = async () => /^Udp: (\d+)/m.exec((await web.card.exec(['cat', '/proc/net/snmp'])).stdout)?.[1];
    const before = await arrived();
    expect(await client.probe.greet({ ...at(53, 'udp'), from: '10.0.0.99', timeoutMs: 1_500 })).to.deep.equal({ error: 'timeout' });
    expect(await arrived()).to.equal(before);
    const twin = await cloud.machine('twin', 1, { networkId, allowedAddresses: [{ cidr: '10.0.0.98/32' }] });
    await twin.card.take('10.0.0.98/24');
    await reaches(twin.probe, { ...at(53, 'udp'), ...{ from: '10.0.0.98' } });
    // Whoever hears that somebody is there takes it down.
    await web.card.exec([BUSYBOX, 'sysctl', '-w', 'net.ipv4.conf.eth0.arp_accept=1']);
    const announce = ({ card }: CloudMachine, address: string) =>
      card.exec([BUSYBOX, 'arping', '-U', '-c', '1', '-w', '1', '-I', 'eth0', '-s', address, address]);
    const neighbours = async () => (await web.card.exec(['ip', 'neigh', 'show'])).stdout;
    await announce(client, '10.0.0.99');
    await until('what may be announced', async () => {
      await announce(twin, '10.0.0.98');
      return (await neighbours()).includes('10.0.0.98 ') ? true : undefined;
    });
    expect(await neighbours()).to.not.include('10.0.0.99 ');
    // Nor as another card.
    const then = await arrived();
    await twin.card.exec(['ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:77:77']);
    expect(await twin.probe.greet({ ...at(53, 'udp'), timeoutMs: 1_500 })).to.deep.equal({ error: 'timeout' });
    expect(await arrived()).to.equal(then);
  });

  it('leave nothing in OVN and on the hosts', async () => {
    expect(await cloud.clear()).to.deep.equal([]);
  });
});
