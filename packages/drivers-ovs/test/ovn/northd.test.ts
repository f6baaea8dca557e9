import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { BackendAt, HealthCheckSpec, NetworkDriver, PortSpec } from '@pileus/core/strategy';
import { expect } from 'chai';
import { OWN_COLUMNS } from '../../src/ovn/compiled.ts';
import type { DriverError } from '../../src/ovn/driver-error.ts';
import { alsoName, carriedPortName, groupName, routerMac } from '../../src/ovn/names.ts';
import { rejection } from '../ovsdb/private-server.ts';
import { PrivateCentral } from './private-central.ts';
import {
  backendSpec,
  balancerSpec,
  call,
  elasticIpSpec,
  forwardSpec,
  gatewaySpec,
  groupSpec,
  idOf,
  peeringSpec,
  portSpec,
  providerSpec,
  recordSpec,
  routedSpec,
  subnetSpec,
  vpcSpec,
} from './specs.ts';

/** What OVN itself makes of our rows: it complains of none, and sends packets where they are to go. */
describe('OVN on rows of the driver', function () {
  this.timeout(300_000);
  let central: PrivateCentral;
  let driver: NetworkDriver;
  const shop = { vpcId: idOf('shop'), domain: 'shop.internal' };
  const w1 = portSpec('w1', 'front', '10.0.1.11', {
    ...shop,
    securityGroupIds: [idOf('web')],
    addresses: ['10.0.1.11', 'fd00:1::11'],
    subnetIds: [idOf('front-subnet'), idOf('front-6')],
    allowedAddresses: [{ cidr: '10.0.1.64/28' }, { cidr: '10.0.1.200/32', mac: '00:00:5e:00:01:01' }],
  });
  const b1 = portSpec('b1', 'back', '10.0.2.11', { ...shop, securityGroupIds: [idOf('web')] });
  const other = portSpec('other', 'back', '10.0.2.12', { ...shop, securityGroupIds: [idOf('alone')] });

  const http = { id: idOf('http'), direction: 'inbound', family: 4, protocol: 'tcp', ports: { first: 80, last: 81 } } as const;
  const ping6 = { id: idOf('ping6'), direction: 'inbound', family: 6, protocol: 'icmp', icmp: { type: 128 } } as const;
  const out = { id: idOf('out'), direction: 'outbound', family: 4, remote: { cidrs: ['0.0.0.0/0'] } } as const;
  const rules = [
    { ...http, remote: { securityGroupId: idOf('web') } },
    { ...ping6, remote: { cidrs: ['fd00:1::/64', 'fd00:2::/64'] } },
    out,
  ];
  /** May send from an address that somebody of the other VPC has. */
  const v1 = portSpec('v1', 'vault', '10.9.0.11', { vpcId: idOf('bank'), allowedAddresses: [{ cidr: '10.0.2.11/32' }] });
  /** Nothing is filtered. */
  const open = portSpec('open', 'back', '10.0.2.13', { vpcId: idOf('shop') });

  /** What becomes of a packet of `from` to an address beyond its subnet; which port it comes out of. */
  const traceOf = async (from: PortSpec, to: string, rest: string, source = from.addresses[0]): Promise<string> => {
    const flow = `inport == "${from.nicId}" && eth.src == ${from.mac} && eth.dst == ${routerMac(from.networkId)} && ip4.src == ${source} && ip4.dst == ${to} && ip.ttl == 64 && ${rest}`;
    return central.trace(from.networkId, flow);
  };
  const outputOf = async (...packet: Parameters<typeof traceOf>): Promise<string | undefined> => {
    const said = await traceOf(...packet);
    // It says of ids how they begin, and of ports on the way that they are patches.
    const [, begin] = /output to "([^"]+)", type "(?!patch)/.exec(said) ?? [];
    return begin === undefined
      ? undefined
      : ([w1, b1, other, v1, open].map(({ nicId }) => nicId).find((id) => id.startsWith(begin)) ?? begin);
  };

  before(async () => {
    central = await PrivateCentral.start();
    driver = central.open();
    await driver.vpcs?.ensure(vpcSpec('shop', { routes: [{ id: idOf('hole'), destination: '10.66.0.0/16' }] }), call());
    await driver.securityGroups?.ensure(groupSpec('web', rules), call());
    await driver.securityGroups?.ensure(groupSpec('alone', [{ ...out, id: idOf('alone-out') }]), call());
    const front = routedSpec('front', 'shop', '10.0.1.0/24');
    const ipv6 = subnetSpec('front-6', 'fd00:1::/64', { gateway: 'fd00:1::1', dnsServers: ['fd00:1::53'] });
    await driver.ensureNetwork({ ...front, subnets: [...front.subnets, ipv6] }, call());
    await driver.ensureNetwork(routedSpec('back', 'shop', '10.0.2.0/24'), call());
    await driver.ensureNetwork(providerSpec('wire', '172.20.0.0/24', { segment: { physicalNetwork: 'physnet1', vlanId: 100 } }), call());
    for (const port of [w1, b1, other]) await driver.ensurePort(port, call());
    await central.settled();
  });
  after(async () => {
    await driver?.close();
    await central?.[Symbol.asyncDispose]();
  });

  afterEach(async () => {
    // One test asks for a host that is not there.
    expect((await central.complaints()).filter((line) => !line.includes("Unknown chassis 'host-9'"))).to.deep.equal([]);
  });

  it('routes between the networks of a VPC, and lets pass what a rule allows', async () => {
    expect(await outputOf(w1, '10.0.2.11', 'tcp && tcp.dst == 80')).to.equal(b1.nicId);
    expect(await outputOf(b1, '10.0.1.11', 'tcp && tcp.dst == 81')).to.equal(w1.nicId);
    expect(await outputOf(w1, '10.0.2.11', 'tcp && tcp.dst == 82')).to.equal(undefined);
    expect(await outputOf(w1, '10.0.2.11', 'udp && udp.dst == 80')).to.equal(undefined);
    expect(await outputOf(other, '10.0.1.11', 'tcp && tcp.dst == 80')).to.equal(undefined);
    expect(await outputOf(w1, '10.0.2.12', 'tcp && tcp.dst == 80')).to.equal(undefined);
  });

  it('counts in a group what its members may send from beside their own addresses, which OVN does not', async () => {
    const addresses = async (name: string) =>
      (await central.sbctl('--bare', '--columns=addresses', 'find', 'Address_Set', `name=${name}`)).trim();
    expect(await addresses(`${groupName(idOf('web'))}_ip4`)).to.equal('10.0.1.11 10.0.2.11');
    expect(await addresses(alsoName(idOf('web'), 4))).to.equal('10.0.1.200/32 10.0.1.64/28');
    expect(await outputOf(w1, '10.0.2.11', 'tcp && tcp.dst == 80', '10.0.1.90')).to.equal(undefined, 'may not send from it');
  });

  it('says where a host plugs in what answers machines', async () => {
    const port = driver.services?.portOf(idOf('front'));
    const found = await central.nbctl('--bare', '--columns=type,addresses', 'find', 'Logical_Switch_Port', `name=${port?.interfaceId}`);
    expect(found).to.include('localport').and.include(`${port?.mac} 10.0.1.2`);
  });

  it('drops what is routed nowhere', async () => {
    expect(await outputOf(w1, '10.66.1.1', 'udp && udp.dst == 9')).to.equal(undefined);
  });

  it('lets no frame pass that is neither IP nor looks for a neighbour', async () => {
    const frame = (rest: string) => central.trace(w1.networkId, `inport == "${w1.nicId}" && eth.src == ${w1.mac} && ${rest}`);
    const looking = `eth.dst == ff:ff:ff:ff:ff:ff && arp.op == 1 && arp.spa == 10.0.1.11 && arp.sha == ${w1.mac}`;
    expect(await frame(`${looking} && arp.tpa == 10.0.1.1`)).to.match(/arp.op = 2/);
    expect(await frame(`${looking} && arp.tpa == 10.0.1.77`)).to.match(/output to/);
    expect(await frame('eth.dst == 01:80:c2:00:00:0e && eth.type == 0x88cc')).not.to.match(/output to/);
  });

  it('lets every filtered port ask for the services of the cloud, and no more', async () => {
    expect(await outputOf(other, '10.0.2.2', 'udp && udp.dst == 53')).to.match(/^service-/);
    expect(await outputOf(other, '10.0.2.2', 'udp && udp.dst == 54')).to.match(/^service-/);
    const to = async (rest: string): Promise<boolean> => {
      const flow = `inport == "${other.nicId}" && eth.src == ${other.mac} && eth.dst == ff:ff:ff:ff:ff:ff && ip4.src == 0.0.0.0 && ip4.dst == 255.255.255.255 && ip.ttl == 64 && ${rest}`;
      return (await central.trace(other.networkId, flow)).includes('put_dhcp_opts');
    };
    expect(await to('udp && udp.src == 68 && udp.dst == 67')).to.equal(true);
  });

  describe('with a gateway', () => {
    const active = async () => driver.gateways?.activeHost(idOf('gate'), call());
    const carry = (host: string) => central.sbctl('lsp-bind', carriedPortName(idOf('gate')), host);
    const ranks = async () => {
      const rows = JSON.parse(await central.nbctl('--format=json', '--columns=chassis_name,priority', 'list', 'HA_Chassis')) as {
        data: [string, number][];
      };
      return rows.data.sort((a, b) => b[1] - a[1]).map(([name]) => name);
    };
    const eventually = async <T>(look: () => Promise<T>, wanted: T): Promise<void> => {
      for (let tries = 0; ; tries += 1) {
        const seen = await look();
        if (isDeepStrictEqual(seen, wanted)) return;
        if (tries > 400) expect(seen).to.deep.equal(wanted);
        await sleep(50);
      }
    };
    const gate = gatewaySpec('gate', 'shop', 'outside');

    before(async () => {
      for (const name of ['1', '2'])
        await central.addChassis(`chassis-${name}`, { hostname: `host-${name}`, datapath: name === '1' ? 'netdev' : 'system' });
      await driver.ensureNetwork(providerSpec('outside', '192.0.2.0/24'), call());
      await driver.gateways?.ensure(gate, call());
      await central.settled();
    });

    it('shows its hosts, and tells guests of a switch in user space to reckon for themselves', async () => {
      expect(await driver.hosts?.list(call())).to.have.deep.members([
        { host: 'host-1', datapath: 'userspace', tunnelAddress: '192.0.2.1', physicalNetworks: ['physnet1'] },
        { host: 'host-2', datapath: 'kernel', tunnelAddress: '192.0.2.2', physicalNetworks: ['physnet1'] },
      ]);
      const missing = (host: string, physicalNetwork: string) => driver.connections?.missing(host, { physicalNetwork });
      expect([missing('host-1', 'physnet1'), missing('host-1', 'physnet2'), missing('host-9', 'physnet2')]).to.deep.equal([
        undefined,
        'tells no bridge for physnet2',
        undefined,
      ]);
      const plug = { type: 'ovsPort', bridge: 'br-int', interfaceId: w1.nicId };
      expect(await driver.ensurePort({ ...w1, host: 'host-1' }, call())).to.deep.equal({ ...plug, offloads: false });
      expect(await driver.ensurePort({ ...w1, host: 'host-2' }, call())).to.deep.equal(plug);
      expect(await driver.ensurePort(w1, call())).to.deep.equal({ ...plug, offloads: false });
    });

    it('bounds what machines send where the switch runs in user space, and lifts that with the bound', async () => {
      expect(['host-1', 'host-2', undefined].map((host) => driver.sending?.isBounded(host))).to.deep.equal([true, false, true]);
      const bounded = async (change: object) => {
        await driver.ensurePort({ ...w1, ...change }, call());
        await central.settled();
        const flows = await central.sbctl('lflow-list', idOf('front'));
        return [...flows.matchAll(/inport == "([^"]+)".*set_meter\((\d+)\)/g)].map(([, port, rate]) => [port, Number(rate)]);
      };
      const outboundBytesPerSecond = 1_000_000;
      expect(await bounded({ host: 'host-1', outboundBytesPerSecond })).to.deep.equal([[w1.nicId, 8_000]]);
      expect(await bounded({ host: 'host-1', outboundBytesPerSecond: 125_000 })).to.deep.equal([[w1.nicId, 1_000]]);
      expect(await bounded({ host: 'host-2', outboundBytesPerSecond })).to.deep.equal([]);
      expect(await bounded({ host: 'host-1', outboundBytesPerSecond })).to.have.length(1);
      expect(await bounded({})).to.deep.equal([]);
    });

    it('lets whoever took a gateway over keep it', async () => {
      expect(await active()).to.equal(undefined);
      expect(await ranks()).to.deep.equal(['chassis-1', 'chassis-2']);
      await carry('chassis-1');
      await eventually(active, 'host-1');
      await central.sbctl('lsp-unbind', carriedPortName(idOf('gate')));
      await carry('chassis-2');
      await eventually(active, 'host-2');
      await eventually(ranks, ['chassis-2', 'chassis-1']);
      await driver.gateways?.ensure(gate, call());
      expect(await ranks()).to.deep.equal(['chassis-2', 'chassis-1'], 'also when it is made again');
    });

    it('has hosts ask each other often, unless somebody has said how often', async () => {
      const asked = async () => (await central.nbctl('get', 'NB_Global', '.', 'options:bfd-min-rx')).trim();
      expect(await asked()).to.equal('"400"');
      await central.nbctl('set', 'NB_Global', '.', 'options:bfd-min-rx=700');
      await driver.gateways?.ensure(gate, call());
      expect(await asked()).to.equal('"700"');
    });

    it('gives each source the ports that are its own', async () => {
      const flows = await central.sbctl('lflow-list', idOf('shop'));
      expect(flows).to.include('ct_snat_in_czone(192.0.2.10)').and.include('ct_snat_in_czone(192.0.2.10,1024-2047)');
    });

    it('leaves packets for beyond to a route that the VPC has for them', async () => {
      const nextHop = async () => {
        const said = await traceOf(w1, '203.0.113.9', 'tcp && tcp.dst == 80');
        return /lr_in_ip_routing [^\n]*\n(?: {4}[^\n]*\n)*? {4}reg0 = (\S+);/.exec(said)?.[1];
      };
      expect(await nextHop()).to.equal('192.0.2.1');
      await driver.vpcs?.ensure(vpcSpec('shop', { routes: [{ id: idOf('all'), destination: '0.0.0.0/0', nextHop: '10.0.2.11' }] }), call());
      await central.settled();
      expect(await nextHop()).to.equal('10.0.2.11');
      await driver.vpcs?.ensure(vpcSpec('shop', { routes: [{ id: idOf('hole'), destination: '0.0.0.0/0' }] }), call());
      await central.settled();
      expect(await nextHop()).to.equal(undefined);
      await driver.vpcs?.ensure(vpcSpec('shop'), call());
    });

    it('tells how far a port is: plugged in, set up, and with all flows on its own host, whatever others do', async () => {
      const state = async () => driver.readiness?.port(b1.nicId, call());
      await driver.ensurePort({ ...b1, host: 'host-9' }, call());
      expect(await state()).to.deep.equal({ state: 'unplugged', waitsFor: 'host host-9, which OVN does not know' });
      await driver.ensurePort({ ...b1, host: 'host-2' }, call());
      expect(await state()).to.deep.equal({ state: 'unplugged', waitsFor: 'a host to plug it in' });
      await central.sbctl('lsp-bind', b1.nicId, 'chassis-2');
      await eventually(async () => (await state())?.state, 'waiting');
      await central.sbctl('set', 'Port_Binding', b1.nicId, 'up=true');
      await central.settled();
      expect(await state()).to.deep.equal({ state: 'waiting', host: 'host-2', waitsFor: 'host host-2 to have all flows' });
      const [, wanted = ''] = /nb_cfg\s*: (\d+)/.exec(await central.nbctl('list', 'NB_Global')) ?? [];
      await central.sbctl('set', 'Chassis_Private', 'chassis-2', `nb_cfg=${wanted}`);
      expect(await state()).to.deep.equal({ state: 'ready', host: 'host-2' });
    });

    it('takes elastic IPs of both sorts, forwarded ports and names', async () => {
      await driver.elasticIps?.ensure(elasticIpSpec('eip', 'shop', 'gate', b1), call());
      await driver.elasticIps?.ensure(
        elasticIpSpec('eip-2', 'shop', 'gate', other, { externalAddress: '192.0.2.51', distributed: true }),
        call(),
      );
      await driver.portForwards?.ensure(forwardSpec('ssh', 'shop', 'gate', w1), call());
      expect(await refusal(driver.portForwards?.ensure(forwardSpec('ssh-2', 'shop', 'gate', other), call()))).to.deep.equal([
        'unsupported',
        '/nicId',
      ]);
      expect(
        await refusal(driver.elasticIps?.ensure(elasticIpSpec('eip', 'shop', 'gate', w1, { distributed: true }), call())),
      ).to.deep.equal(['unsupported', '/distributed']);
      await driver.dnsRecords?.ensure(recordSpec('db', 'shop', ['10.0.2.11', '10.0.1.11']), call());
      await central.settled();
      const dns = await central.sbctl('--columns=records', 'list', 'DNS');
      for (const part of [
        'db.shop.internal="10.0.1.11 10.0.2.11"',
        'w1.shop.internal="10.0.1.11 fd00:1::11"',
        '"11.1.0.10.in-addr.arpa"=w1.shop.internal',
      ])
        expect(dns).to.include(part);
    });

    it('spreads connections by weights, asks machines for their health, and refuses what would not work', async () => {
      const check = {
        intervalSeconds: 1,
        timeoutSeconds: 1,
        successes: 1,
        failures: 2,
        sources: { [idOf('front')]: '10.0.1.3', [idOf('back')]: '10.0.2.3' },
      };
      const web = balancerSpec('balance', 'shop', [backendSpec(w1, 60), backendSpec(b1, 40), backendSpec(other, 0)], {
        externalAddress: '192.0.2.60',
      });
      expect(await refusal(driver.loadBalancers?.ensure(web, call()))).to.deep.equal(['unsupported', '/listeners/0/backends/2']);
      const without = { ...web, listeners: web.listeners.map((listener) => ({ ...listener, backends: listener.backends.slice(0, 2) })) };
      await driver.loadBalancers?.ensure(without, call());
      expect(
        await refusal(driver.elasticIps?.ensure(elasticIpSpec('eip', 'shop', 'gate', b1, { distributed: true }), call())),
      ).to.deep.equal(['unsupported', '/distributed']);
      await central.settled();
      const flows = await central.sbctl('lflow-list', idOf('front'));
      const named = /ct_lb\w*\(backends=([0-9.:,]+)\)/.exec(flows)?.[1]?.split(',') ?? [];
      const often = (address: string) => named.filter((each) => each === `${address}:8080`).length;
      expect([named.length, often('10.0.1.11'), often('10.0.2.11')]).to.deep.equal([32, 19, 13]);
      const nobody = without.listeners.map((listener) => ({
        ...listener,
        backends: listener.backends.map((each) => ({ ...each, weight: 0 })),
      }));
      await driver.loadBalancers?.ensure({ ...without, listeners: nobody }, call());
      await central.settled();
      expect(await central.sbctl('lflow-list', idOf('front')), 'who finds nobody is told so').to.match(
        /ip4\.dst == 10\.0\.1\.100 && tcp\.dst == 80\), action=\(.*reject \{/,
      );
      await driver.loadBalancers?.ensure(without, call());
      const health = () => driver.loadBalancers?.health(web.id, call());
      expect(await health()).to.deep.equal({ [backendSpec(w1, 1).id]: 'unchecked', [backendSpec(b1, 1).id]: 'unchecked' });
      const checked = (healthCheck: HealthCheckSpec) => ({
        ...without,
        listeners: without.listeners.map((listener) => ({ ...listener, healthCheck })),
      });
      // What OVN says of the address that asks would put the service of the network, or its router, out of reach.
      for (const source of ['10.0.1.1', '10.0.1.2']) {
        const wrong = checked({ ...check, sources: { ...check.sources, [idOf('front')]: source } });
        expect(await refusal(driver.loadBalancers?.ensure(wrong, call()))).to.deep.equal([
          'invalid',
          `/listeners/0/healthCheck/sources/${idOf('front')}`,
        ]);
      }
      await driver.loadBalancers?.ensure(checked(check), call());
      await central.settled();
      await central.sbctl('set', 'Service_Monitor', await monitorOf('10.0.2.11'), 'status=online');
      await eventually(async () => (await health())?.[backendSpec(b1, 1).id], 'online');
      const heard: BackendAt[] = [];
      const stop = driver.loadBalancers?.watch?.((at) => void heard.push(at));
      await central.sbctl('set', 'Service_Monitor', await monitorOf('10.0.2.11'), 'status=offline');
      await eventually(async () => heard.length, 1);
      expect(heard).to.deep.equal([{ nicId: b1.nicId, address: '10.0.2.11', protocol: 'tcp', port: 8080 }]);
      stop?.();
    });
  });

  const monitorOf = async (ip: string) => (await central.sbctl('--bare', '--columns=_uuid', 'find', 'Service_Monitor', `ip=${ip}`)).trim();
  const refusal = async (work: Promise<unknown> | undefined) => {
    const error = (await rejection(work ?? Promise.resolve())) as DriverError;
    return [driver.classify(error), error.pointer];
  };

  describe('with a second VPC, to the end', () => {
    it('joins two VPCs, and no further', async () => {
      await driver.vpcs?.ensure(vpcSpec('bank'), call());
      await driver.ensureNetwork(routedSpec('vault', 'bank', '10.9.0.0/24'), call());
      for (const port of [v1, open]) await driver.ensurePort(port, call());
      await central.settled();
      expect(await outputOf(v1, '10.0.2.11', 'tcp && tcp.dst == 80')).to.equal(undefined);
      await driver.peerings?.ensure(
        peeringSpec('link', [
          ['shop', ['10.0.1.0/24', '10.0.2.0/24']],
          ['bank', ['10.9.0.0/24']],
        ]),
        call(),
      );
      await central.settled();
      expect(await outputOf(w1, '10.9.0.11', 'tcp && tcp.dst == 80')).to.equal(v1.nicId);
      expect(await outputOf(v1, '192.0.2.77', 'udp && udp.dst == 9')).to.equal(undefined);
    });

    it('takes from a peer nothing that is not of its subnets, whatever its machines may send', async () => {
      const asFriend = ['10.0.1.11', 'tcp && tcp.dst == 80', '10.0.2.11'] as const;
      expect(await outputOf(b1, ...asFriend)).to.equal(w1.nicId, 'a member of the group of w1');
      expect(await outputOf(v1, ...asFriend)).to.equal(undefined, 'somebody of the other VPC with its address');
      expect(await outputOf(v1, '10.0.2.13', 'udp && udp.dst == 9')).to.equal(open.nicId, 'with his own');
    });

    it('is empty again when all is removed, in the order of a deletion', async () => {
      await driver.peerings?.remove(idOf('link'), call());
      for (const name of ['eip', 'eip-2']) await driver.elasticIps?.remove(idOf(name), call());
      await driver.portForwards?.remove(idOf('ssh'), call());
      await driver.loadBalancers?.remove(idOf('balance'), call());
      await driver.dnsRecords?.remove(recordSpec('db', 'shop', ['10.0.2.11', '10.0.1.11']).id, call());
      await driver.gateways?.remove(idOf('gate'), call());
      for (const { nicId, networkId } of [w1, b1, other, v1, open]) await driver.deletePort({ nicId, networkId }, call());
      expect(await refusal(driver.vpcs?.remove(idOf('shop'), call()))).to.deep.equal(['conflict', undefined]);
      for (const name of ['front', 'back', 'wire', 'outside', 'vault']) await driver.deleteNetwork(idOf(name), call());
      for (const name of ['web', 'alone']) await driver.securityGroups?.remove(idOf(name), call());
      for (const name of ['shop', 'bank']) await driver.vpcs?.remove(idOf(name), call());
      for (const table of Object.keys(OWN_COLUMNS))
        expect(await central.nbctl('--bare', '--columns=_uuid', 'list', table), table).to.equal('');
      await central.settled();
      expect(await central.sbctl('--bare', '--columns=_uuid', 'list', 'Datapath_Binding')).to.equal('');
    });
  });
});
