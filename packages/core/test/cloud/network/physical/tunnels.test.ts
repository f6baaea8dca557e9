import { expect } from 'chai';
import { parse } from 'yaml';
import { noCloudSeed } from '../../../../src/cloud/compute/seed.ts';
import { network, type nic, subnet } from '../../../../src/cloud/index.ts';
import { given } from '../../../../src/cloud/naming.ts';
import { nicConfig } from '../../../../src/cloud/network/nic-config.ts';
import type { RowOf } from '../../../../src/kernel/index.ts';
import type { DriverPlugin, NetworkSpec, RealmHosts } from '../../../../src/strategy/index.ts';
import { readIso } from '../../compute/iso-reader.ts';
import { MachineStage } from '../../compute/machine-stage.ts';
import { codeOf } from '../../little-cloud.ts';

const subnets = (number: number) => ({ subnets: [{ cidr: `10.${number}.0.0/24` }] });

/** A driver of tunnels without DHCP, which does nothing but remember. */
class Tunnels {
  readonly networks = new Map<string, NetworkSpec>();
  hosts: () => Promise<RealmHosts> = () => Promise.reject(new Error('nobody has opened it'));

  readonly plugin: DriverPlugin = {
    id: 'tunnels',
    version: '1.0.0',
    strategies: {
      network: [
        {
          ...{ name: 'tunnels', scope: 'zone', modes: ['provider'], encapsulations: ['vxlan'], lacks: ['dhcp', 'antiSpoofing'] },
          open: ({ hosts = this.hosts }) => {
            this.hosts = hosts;
            return {
              ensureNetwork: async (spec) => void this.networks.set(spec.id, spec),
              deleteNetwork: async (id) => void this.networks.delete(id),
              inspectNetwork: async () => undefined,
              listNetworks: async () => [],
              ensurePort: async ({ nicId }) => ({ type: 'ovsPort', bridge: 'br-int', interfaceId: nicId }),
              deletePort: async () => {},
              classify: () => 'internal',
              close: async () => {},
            };
          },
        },
      ],
    },
  };
}

async function stageWithTunnels(more: object = {}) {
  const tunnels = new Tunnels();
  const stage = await MachineStage.with({ hosts: 2, network: false }, { plugins: [tunnels.plugin] });
  const input = { name: 'overlay', label: 'overlay', role: 'tenant', encapsulation: 'vxlan', clusterId: stage.clusterId, ...more };
  return { tunnels, stage, physicalNetworkId: await stage.sim.done('physicalNetwork.create', input) };
}

describe('networks in tunnels between hosts', () => {
  it('have a key each, and room for what tunnels put around frames', async () => {
    const { stage, tunnels, physicalNetworkId } = await stageWithTunnels();
    const id = await stage.sim.done('network.create', { physicalNetworkId, ...subnets(1) });
    const row = await stage.row(network, id);
    expect(row).to.include({ mode: 'provider', driver: 'tunnels', mtuBytes: 1450 });
    expect([row.tunnelKey, row.vlanId]).to.satisfy(([key, vlan]: readonly (number | undefined)[]) => (key ?? 0) >= 1 && vlan === undefined);
    const { clusterId } = stage;
    const tunnel = { encapsulation: 'vxlan', key: row.tunnelKey };
    expect(tunnels.networks.get(id)?.segment).to.deep.equal({ physicalNetwork: 'overlay', clusterId, tunnel });
  });

  it('never have the same key, of whichever physical network, also when made side by side', async () => {
    const { stage, physicalNetworkId } = await stageWithTunnels({ firstTunnelKey: 70, lastTunnelKey: 73 });
    const { clusterId, sim } = stage;
    const range = { firstTunnelKey: 72, lastTunnelKey: 74 };
    const other = { name: 'other', label: 'other', role: 'tenant', encapsulation: 'vxlan', clusterId, ...range };
    const otherId = await sim.done('physicalNetwork.create', other);
    const ask = (input: object) => codeOf(sim.submit('network.create', input));
    const { kernel, principal, environment } = sim;
    const beside = [physicalNetworkId, physicalNetworkId, otherId, otherId].map((each, number) =>
      codeOf(kernel.submit({ action: 'network.create', input: { physicalNetworkId: each, ...subnets(number) }, principal })),
    );
    expect(await environment.complete(Promise.all(beside))).to.include('succeeded');
    for (let number = 10; (await ask({ physicalNetworkId, ...subnets(number) })) === 'succeeded'; number += 1) await sim.run(2000);
    for (let number = 20; (await ask({ physicalNetworkId: otherId, ...subnets(number) })) === 'succeeded'; number += 1) await sim.run(2000);
    const keys = (await stage.rows(network)).map(({ tunnelKey }) => tunnelKey);
    expect(keys.toSorted()).to.deep.equal([70, 71, 72, 73, 74]);
    const full = await stage.refusal('network.create', { physicalNetworkId, ...subnets(30) });
    expect([full.code, full.pointer]).to.deep.equal(['no_capacity', '/physicalNetworkId']);
    const [gone] = await stage.rows(network);
    await sim.done('network.delete', {}, gone?.id);
    await sim.done('network.create', { physicalNetworkId: gone?.physicalNetworkId, tunnelKey: gone?.tunnelKey, ...subnets(31) });
  });

  it('are refused with the field at fault', async () => {
    const { stage, physicalNetworkId } = await stageWithTunnels({ firstTunnelKey: 70, lastTunnelKey: 79 });
    const { clusterId, sim } = stage;
    await sim.done('network.create', { physicalNetworkId, tunnelKey: 75, ...subnets(1) });
    const cables = await sim.done('physicalNetwork.create', { name: 'cables', label: 'cables', role: 'tenant', clusterId });
    const geneve = { name: 'geneve', label: 'geneve', role: 'tenant', encapsulation: 'geneve', clusterId };
    const unmade = await sim.done('physicalNetwork.create', geneve);
    for (const [more, code, pointer] of [
      [{ tunnelKey: 69 }, 'invalid_input', '/tunnelKey'],
      [{ tunnelKey: 0 }, 'invalid_input', '/tunnelKey'],
      [{ tunnelKey: 75 }, 'name_taken', '/tunnelKey'],
      [{ vlanId: 0 }, 'invalid_input', '/vlanId'],
      [{ physicalNetworkId: cables, tunnelKey: 70 }, 'invalid_input', '/tunnelKey'],
      [{ physicalNetworkId: unmade }, 'unsupported', '/physicalNetworkId'],
      [{ physicalNetworkId: unmade, driver: 'tunnels' }, 'unsupported', '/driver'],
      [{ driver: 'simulated-shared' }, 'unsupported', '/driver'],
      [{ mtuBytes: 1500 }, 'invalid_input', '/mtuBytes'],
      [{ subnets: [{ cidr: 'fd00:2::/64', ipv6Mode: 'slaac' }] }, 'unsupported', '/subnets/0/ipv6Mode'],
    ] as const) {
      const error = await stage.refusal('network.create', { physicalNetworkId, ...subnets(2), ...more });
      expect([error.code, error.pointer], JSON.stringify(more)).to.deep.equal([code, pointer]);
    }
    const alone = await stage.refusal('network.create', { tunnelKey: 70, ...subnets(3) });
    expect([alone.code, alone.pointer]).to.deep.equal(['invalid_input', '/tunnelKey']);
  });

  it('have no modes of IPv6 in subnets that come later either', async () => {
    const { stage, physicalNetworkId } = await stageWithTunnels();
    const networkId = await stage.sim.done('network.create', { physicalNetworkId, ...subnets(1) });
    const error = await stage.refusal('subnet.create', { networkId, cidr: 'fd00:2::/64', ipv6Mode: 'slaac' });
    expect([error.code, error.pointer]).to.deep.equal(['unsupported', '/ipv6Mode']);
  });

  it('are told to machines by their seeds, since nobody answers DHCP: addresses, ways, names and the size of frames', async () => {
    const { stage, physicalNetworkId } = await stageWithTunnels();
    const { sim } = stage;
    const hostRoutes = [{ destination: '198.51.100.0/24', nextHop: '10.1.0.9' }];
    const both = [{ cidr: '10.1.0.0/24', gateway: '10.1.0.254', dnsServers: ['192.0.2.53'], hostRoutes }, { cidr: 'fd00:1::/64' }];
    const networkId = await sim.done('network.create', { physicalNetworkId, domain: 'example.org', subnets: both });
    const [, six] = await stage.rows(subnet);
    const beside = await sim.done('network.create', { physicalNetworkId, ...subnets(2) });
    const wish = { networkId, address: '10.1.0.7', ipv6SubnetId: six?.id, ipv6Address: 'fd00:1::7' };
    const id = await stage.machine({ nics: [wish, { networkId: beside }] });
    await sim.done('subnet.update', { dnsServers: ['192.0.2.54'] }, String((await stage.nics(id))[0]?.subnetId));
    const { reader, registry } = sim.kernel;
    const fabrics = { haveDhcp: false, hasDhcp: (driver: string) => registry.strategy('network', driver)?.lacks === undefined };
    const of = async (row: RowOf<typeof nic>) => ({ mac: row.mac, ...given({ config: await nicConfig({ reader, fabrics }, row) }) });
    const rows = await stage.nics(id);
    const nics = await sim.environment.complete(Promise.all(rows.map(of)));
    const seed = noCloudSeed({ instanceId: id, hostname: 'm', sshKeys: [], nics });
    const text = readIso(seed, 'joliet').files['network-config']?.toString('utf8') ?? '';
    const [first, second] = rows;
    expect(parse(text)).to.deep.equal({
      version: 2,
      ethernets: {
        nic0: {
          match: { macaddress: first?.mac },
          ...{ dhcp4: false, dhcp6: false, mtu: 1450 },
          addresses: ['10.1.0.7/24', 'fd00:1::7/64'],
          routes: [
            { to: '198.51.100.0/24', via: '10.1.0.9' },
            { to: '0.0.0.0/0', via: '10.1.0.254' },
            { to: '::/0', via: 'fd00:1::1' },
          ],
          nameservers: { addresses: ['192.0.2.54', 'fd00:1::1'], search: ['example.org'] },
        },
        nic1: {
          match: { macaddress: second?.mac },
          ...{ dhcp4: false, dhcp6: false, mtu: 1450 },
          addresses: [`${second?.address}/24`],
          nameservers: { addresses: ['10.2.0.1'] },
        },
      },
    });
  });

  it('belong to physical networks whose keys make sense', async () => {
    const stage = await MachineStage.with({ network: false });
    const good = { label: 'overlay', role: 'tenant', encapsulation: 'vxlan', clusterId: stage.clusterId };
    const { encapsulation: _, ...wire } = good;
    for (const [input, pointer] of [
      [{ ...good, firstTunnelKey: 9, lastTunnelKey: 7 }, '/lastTunnelKey'],
      [{ ...good, firstTunnelKey: 0 }, '/firstTunnelKey'],
      [{ ...good, lastTunnelKey: 2 ** 24 }, '/lastTunnelKey'],
      [{ ...good, firstVlanId: 7, lastVlanId: 8 }, '/firstVlanId'],
      [{ ...good, role: 'external' }, '/role'],
      [{ ...good, encapsulation: 'gre' }, '/encapsulation'],
      [{ ...wire, firstTunnelKey: 7 }, '/firstTunnelKey'],
      [{ ...wire, lastTunnelKey: 7 }, '/lastTunnelKey'],
    ] as const) {
      const error = await stage.refusal('physicalNetwork.create', input);
      expect([error.code, error.pointer], JSON.stringify(input)).to.deep.equal(['invalid_input', pointer]);
    }
  });

  it('reach the driver with the hosts there are, as they come, are lost and go', async () => {
    const { stage, tunnels, physicalNetworkId } = await stageWithTunnels();
    await stage.sim.done('network.create', { physicalNetworkId, ...subnets(1) });
    const told = async () => {
      const { hosts, isComplete } = await stage.sim.environment.complete(tunnels.hosts());
      return { isComplete, hosts: hosts.map(({ host, answers }) => `${host} ${answers}`).toSorted() };
    };
    expect(await told()).to.deep.equal({ isComplete: true, hosts: ['hv1 true', 'hv2 true'] });
    stage.worldHost(2).site.crash();
    await stage.sim.run(60_000);
    expect(await told()).to.deep.equal({ isComplete: true, hosts: ['hv1 true', 'hv2 false'] });
  });
});
