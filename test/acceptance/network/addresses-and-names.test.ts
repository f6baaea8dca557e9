import { expect } from 'chai';
import { until } from '../../lab/waiting.ts';
import { type CloudMachine, OvnCloud, reaches } from './ovn-cloud.ts';

/** A name answers within so long, and is gone as soon. */
const NAME_MS = 5_000;
const TURNS = 5;

describe('addresses and names on OVN', function () {
  this.timeout(600_000);
  let cloud: OvnCloud;
  let vpcId: string;
  let networkId: string;
  let asker: CloudMachine;
  /** On the other host, which tells its own machines all of it, too. */
  let beside: CloudMachine;

  before(async () => {
    cloud = await OvnCloud.up({ hosts: 2 });
    vpcId = await cloud.done('vpc.create', { name: 'shop' });
    const subnets = [
      { cidr: '10.0.0.0/24', hostRoutes: [{ destination: '172.16.0.0/12', nextHop: '10.0.0.9' }] },
      { cidr: 'fd00:1::/64', ipv6Mode: 'slaac' },
    ];
    networkId = await cloud.done('network.create', { name: 'net', vpcId, subnets, mtuBytes: 1400 });
    [asker, beside] = (await Promise.all([0, 1].map((host) => cloud.machine(host === 0 ? 'asker' : 'beside', host, { networkId })))) as [
      CloudMachine,
      CloudMachine,
    ];
  });
  after(() => cloud?.[Symbol.asyncDispose]());

  /** Answered by the host itself, whichever server is asked: here the one that DHCP named. */
  const resolve = (name: string, type: 'A' | 'AAAA' | 'PTR' = 'A') =>
    asker.probe.ask('resolve', { server: asker.lease.dns ?? '', name, type, timeoutMs: 1_000 });
  /** Waits until it holds, and answers after how long. */
  async function took(what: string, ask: () => Promise<boolean>): Promise<number> {
    const began = performance.now();
    await until(what, async () => ((await ask()) ? true : undefined));
    return performance.now() - began;
  }
  const answers = (name: string, type: 'A' | 'AAAA' | 'PTR', records: readonly string[]) =>
    took(`${name} ${type}`, async () => {
      const answer = await resolve(name, type);
      return 'records' in answer && JSON.stringify(answer.records) === JSON.stringify(records);
    });
  const gone = (name: string) => took(`no ${name}`, async () => 'error' in (await resolve(name)));
  /** The machine that tests run on may be held up for longer than a name may take: one turn of these has to be in time, and all that is told has to come in each. */
  async function inTime(turn: (number: number) => Promise<readonly number[]>): Promise<void> {
    const seen: (readonly number[])[] = [];
    do seen.push(await turn(seen.length));
    while (Math.max(...(seen.at(-1) ?? [])) >= NAME_MS && seen.length < TURNS);
    expect(Math.max(...(seen.at(-1) ?? [])), JSON.stringify(seen)).to.be.lessThan(NAME_MS);
  }

  it('tell machines all of their network by DHCP, on each host', () => {
    const told = { mask: '24', router: '10.0.0.1', mtu: '1400', domain: 'shop.internal', dns: '10.0.0.2' };
    for (const { address, lease } of [asker, beside]) {
      expect(lease).to.deep.include({ ip: address, ...told });
      expect(lease.staticroutes).to.include('172.16.0.0/12 10.0.0.9').and.include('0.0.0.0/0 10.0.0.1');
    }
  });

  it('tell machines what has changed when their lease is renewed', async () => {
    const subnetId = (await cloud.rows('subnet', 'networkId', networkId)).find(({ cidr }) => cidr === '10.0.0.0/24')?.id;
    await using lease = await asker.card.keepsLease();
    const becomes = (dns: string) =>
      until(`DNS servers ${dns}`, async () => ((await lease.renewed()).at(-1)?.dns === dns ? true : undefined));
    await cloud.done('subnet.update', { dnsServers: ['192.0.2.53', '192.0.2.54'] }, subnetId);
    await becomes('192.0.2.53 192.0.2.54');
    await cloud.done('subnet.update', { dnsServers: null }, subnetId);
    await becomes('10.0.0.2');
  });

  it('answer names of machines both ways within 5 s, and no longer when they are gone', async () => {
    await inTime(async (turn) => {
      const name = `web-${turn}.shop.internal`;
      const web = await cloud.machine(`web-${turn}`, 1, { networkId });
      const reverse = `${web.address.split('.').reverse().join('.')}.in-addr.arpa`;
      const there = [await answers(name, 'A', [web.address]), await answers(reverse, 'PTR', [name])];
      await cloud.done('instance.delete', {}, web.id);
      return [...there, await gone(name)];
    });
  });

  it('answer records that were made, under the name of the VPC', async () => {
    await inTime(async (turn) => {
      const hostname = `db-${turn}.shop.internal`;
      const record = await cloud.done('dnsRecord.create', { vpcId, hostname, addresses: ['10.0.0.200', 'fd00:1::200'] });
      const there = [await answers(hostname, 'A', ['10.0.0.200']), await answers(hostname, 'AAAA', ['fd00:1::200'])];
      await cloud.done('dnsRecord.delete', {}, record);
      return [...there, await gone(hostname)];
    });
  });

  it('advertise IPv6: a machine makes its address, is told the rest of its network, and is reached from where it is and nowhere else', async () => {
    const subnets = await cloud.rows('subnet', 'networkId', networkId);
    const ipv6SubnetId = subnets.find(({ cidr }) => cidr === 'fd00:1::/64')?.id;
    const six = await Promise.all(
      [0, 1].map((host) =>
        cloud.machine(`six-${host}`, host, { networkId, subnetId: subnets.find(({ cidr }) => cidr === '10.0.0.0/24')?.id, ipv6SubnetId }),
      ),
    );
    const [from, to] = await Promise.all(
      six.map(async ({ nicId, card, probe }) => {
        const { ipv6Address } = await cloud.row('nic', nicId);
        const address = String(ipv6Address);
        await until(`${address} by router advertisement`, async () => {
          const { stdout } = await card.exec(['ip', '-6', 'addr', 'show', 'dev', 'eth0']);
          return stdout.includes(` ${address}/64`) ? true : undefined;
        });
        const told = { managed: false, prefixes: [{ prefix: 'fd00:1::/64', autonomous: true }], mtu: 1400 };
        expect(await card.advertised()).to.deep.equal({ ...told, dns: ['fd00:1::2'], search: ['shop.internal'] });
        return { address, card, probe };
      }),
    );
    if (from === undefined || to === undefined) throw new Error('two machines were made');
    await to.probe.serve({ protocol: 'tcp', port: 80 });
    expect(await reaches(from.probe, { address: to.address, port: 80 })).to.include({ server: 'six-1', client: from.address });
    // An answer to an address that is not its own would go elsewhere, so what arrives is counted.
    await to.probe.serve({ protocol: 'udp', port: 7 });
    const arrived = async () => /^Udp6InDatagrams\s+(\d+)$/m.exec((await to.card.exec(['cat', '/proc/net/snmp6'])).stdout)?.[1];
    const knock = { protocol: 'udp', address: to.address, port: 7, timeoutMs: 1_500 } as const;
    await reaches(from.probe, knock);
    await from.card.take('fd00:1::bad/64');
    const before = await arrived();
    expect(await from.probe.greet({ ...knock, from: 'fd00:1::bad' })).to.deep.equal({ error: 'timeout' });
    expect(await arrived()).to.equal(before);
  });

  it('tell IPv6 addresses by DHCP where guests do not make them', async () => {
    const told = await cloud.done('network.create', { name: 'told', vpcId, subnets: [{ cidr: '10.0.1.0/24' }, { cidr: 'fd00:2::/64' }] });
    const subnets = await cloud.rows('subnet', 'networkId', told);
    const ipv6SubnetId = subnets.find(({ cidr }) => cidr === 'fd00:2::/64')?.id;
    const six = await Promise.all([0, 1].map((host) => cloud.machine(`told-${host}`, host, { networkId: told, ipv6SubnetId })));
    for (const { name, nicId, card } of six) {
      const { ipv6Address } = await cloud.row('nic', nicId);
      expect(await card.advertised()).to.deep.include({ managed: true, mtu: 1442, dns: ['fd00:2::2'], search: ['shop.internal'] });
      const lease = await until(`an address of ${name} by DHCPv6`, () => card.dhcp6());
      expect(lease).to.deep.equal({ address: ipv6Address, dns: 'fd00:2::2' });
      expect(await card.pings('fd00:2::1'), `the router of ${name}`).to.equal(true);
    }
  });

  it('leave nothing in OVN and on the hosts', async () => {
    expect(await cloud.clear()).to.deep.equal([]);
  });
});
