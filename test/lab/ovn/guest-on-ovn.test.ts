import { expect } from 'chai';
import { buildGuestImage } from '../../../tools/guest/image.ts';
import { CACHE_DIR, ensureSystem } from '../../../tools/system/ensure.ts';
import { TEST_PACKAGES } from '../../../tools/system/packages.ts';
import { FULL } from '../../../tools/test/slice.ts';
import { startGuest, virsh } from '../guest-domain.ts';
import { type Lab, labUp } from '../lab.ts';
import { until, untilLogged } from '../waiting.ts';
import { LabMachine } from './machine.ts';
import { PlainMesh } from './plain-mesh.ts';

const DHCP = ['server_id=10.0.1.1', 'server_mac=02:00:00:00:01:01', 'lease_time=3600', 'router=10.0.1.1', 'mtu=1442'];

/** libvirt takes nothing but a UUID. */
const portId = (n: number) => `52540000-0000-4000-8000-00000000000${n}`;

describe('guests of libvirt on OVN', function () {
  this.timeout(400_000);
  let lab: Lab;

  before(async () => {
    expect(await ensureSystem({ log: () => {}, also: TEST_PACKAGES })).to.deep.equal({ ok: true });
    lab = await labUp({ hosts: 2, ovn: true, tls: FULL });
    const { central } = lab.ovn;
    const routes = 'options:classless_static_route="{169.254.169.254/32,10.0.1.2, 0.0.0.0/0,10.0.1.1}"';
    const options = [...DHCP.map((option) => `options:${option}`), routes];
    const dhcp = (await central.nbctl('create', 'dhcp_options', 'cidr=10.0.1.0/24', ...options)).trim();
    const ports = [1, 2, 3].flatMap((n) => [
      ...['--', 'lsp-add', 'web', portId(n)],
      ...['--', 'lsp-set-addresses', portId(n), `52:54:00:00:01:1${n} 10.0.1.1${n}`],
      ...['--', 'lsp-set-port-security', portId(n), `52:54:00:00:01:1${n} 10.0.1.1${n}`],
      ...['--', 'lsp-set-dhcpv4-options', portId(n), dhcp],
    ]);
    await central.nbctl('ls-add', 'web', ...ports);
  });

  after(() => lab?.down());

  it('take their addresses by DHCP, and reach each other over tunnels', async () => {
    const image = await buildGuestImage({ cacheDir: CACHE_DIR, log: () => {} });
    const consoles = await Promise.all(
      lab.hosts.map(async (host, index) => {
        const plug = { type: 'ovsPort', bridge: 'br-int', interfaceId: portId(index + 1), offloads: false } as const;
        return startGuest(host, { name: `guest-${index + 1}`, image, nic: { plug, mac: `52:54:00:00:01:1${index + 1}` } });
      }),
    );
    const witness = await LabMachine.plug(lab.host(0), { name: 'w', mac: '52:54:00:00:01:13', plug: { interfaceId: portId(3) } });
    for (const [index, { consoleLog }] of consoles.entries()) {
      const [, address] = await untilLogged(consoleLog, /PILEUS-GUEST-ADDRESS eth0 (\S+)/);
      expect(address).to.equal(`10.0.1.1${index + 1}/24`);
      await untilLogged(consoleLog, /PILEUS-GUEST-READY/);
    }
    expect(await witness.dhcp()).to.include({
      ip: '10.0.1.13',
      mtu: '1442',
      staticroutes: '169.254.169.254/32 10.0.1.2 0.0.0.0/0 10.0.1.1',
    });
    const probe = await witness.probe();
    const body = (url: string) =>
      until(url, async () => {
        const answer = await probe.ask('get', { url, timeoutMs: 10_000 });
        return 'body' in answer && answer.body !== '' ? answer.body : undefined;
      });
    // The witness stands beside the first guest, which asks the second on the other host.
    expect(JSON.parse(await body('http://10.0.1.11/cgi-bin/probe.cgi?get=http://10.0.1.12/'))).to.have.deep.property('nics', [
      { name: 'eth0', mac: '52:54:00:00:01:12', address: '10.0.1.12/24' },
    ]);
    expect(await body('http://10.0.1.12/cgi-bin/probe.cgi?ping=10.0.1.11')).to.include('bytes from 10.0.1.11');
  });

  it('leave no port behind when they are off', async () => {
    const ports = () => lab.host(0).switch.vsctl('list-ports', 'br-int');
    expect(await ports()).to.include('vnet');
    await virsh(lab.host(0), 'destroy', 'guest-1');
    await until('the port gone', async () => ((await ports()).includes('vnet') ? undefined : true));
  });

  if (FULL)
    it('are on networks of Open vSwitch alone, too, with addresses of their seeds', async () => {
      const image = await buildGuestImage({ cacheDir: CACHE_DIR, log: () => {} });
      const mesh = await PlainMesh.open(lab);
      await mesh.has(0, 1);
      const network = await mesh.network('guests', { physicalNetwork: 'overlay', tunnel: { encapsulation: 'vxlan', key: 9_000_011 } });
      const addresses = ['172.30.2.11', '172.30.2.12'] as const;
      const ports = await Promise.all(addresses.map((address, host) => mesh.port(host, network, address)));
      const consoles = await Promise.all(
        ports.map(({ mac, plug }, index) => {
          const name = `plain-${index + 1}`;
          const nic0 = `match: {macaddress: "${mac}"}, addresses: [${addresses[index]}/24], mtu: 1450`;
          const seed = {
            'meta-data': `instance-id: ${name}\nlocal-hostname: ${name}\n`,
            'user-data': '#cloud-config\n',
            'network-config': `version: 2\nethernets: {nic0: {${nic0}}}\n`,
          };
          return startGuest(lab.host(index), { name, image, seed, nic: { plug, mac } });
        }),
      );
      for (const [index, { consoleLog }] of consoles.entries()) {
        const [, address] = await untilLogged(consoleLog, /PILEUS-GUEST-ADDRESS eth0 (\S+)/);
        expect(address).to.equal(`${addresses[index]}/24`);
        await untilLogged(consoleLog, /PILEUS-GUEST-READY/);
      }
      expect(await Promise.all(ports.map((port) => port.state()))).to.deep.equal(['ready', 'ready']);
      // Beside the first guest, which asks the second on the other host.
      const witness = await mesh.machine('p', 0, network, '172.30.2.13');
      const probe = await witness.card.probe();
      const seen = await until('the guest on the other host', async () => {
        const url = `http://${addresses[0]}/cgi-bin/probe.cgi?get=http://${addresses[1]}/`;
        const answer = await probe.ask('get', { url, timeoutMs: 10_000 });
        return 'body' in answer && answer.body !== '' ? answer.body : undefined;
      });
      expect(JSON.parse(seen)).to.have.deep.property('nics', [{ name: 'eth0', mac: ports[1]?.mac, address: `${addresses[1]}/24` }]);
      await Promise.all(lab.hosts.map((host, index) => virsh(host, 'destroy', `plain-${index + 1}`)));
      await until('the ports gone', async () => {
        const states = await Promise.all(ports.map((port) => port.state()));
        return states.every((state) => state === 'unplugged') ? true : undefined;
      });
      await witness.unplug();
      for (const port of ports) await port.remove();
      await mesh[Symbol.asyncDispose]();
      await until('nothing of the network', async () => {
        const bridges = await Promise.all(lab.hosts.map((host) => host.switch.vsctl('list-br')));
        return bridges.every((names) => !/^pn/m.test(names)) ? true : undefined;
      });
    });
});
