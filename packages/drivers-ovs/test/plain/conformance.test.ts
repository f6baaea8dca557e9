import { randomUUID } from 'node:crypto';
import { nodeEnvironment } from '@pileus/core/node';
import type { NetworkSpec, PortSpec, SegmentSpec } from '@pileus/core/strategy';
import { describeNetwork, type NetworkHarness } from '@pileus/core/testing';
import { inSlice } from '../../../../tools/test/slice.ts';
import { PrivateSwitches } from './private-switches.ts';

const HOSTS = ['hv1', 'hv2', 'hv3'] as const;

/** Each network is of another sort than the one before. */
const segmentOf = (n: number): SegmentSpec => {
  const common = { physicalNetwork: 'physnet1', clusterId: 'cluster-a' };
  if (n % 3 === 0) return { ...common, vlanId: n };
  return { ...common, tunnel: { encapsulation: n % 3 === 1 ? 'vxlan' : 'geneve', key: n } };
};

describeNetwork('Open vSwitch alone, on databases of three hosts', {
  features: [],
  modes: ['provider'],
  select: inSlice(4),
  makeHarness: async (): Promise<NetworkHarness> => {
    const switches = await PrivateSwitches.start(HOSTS);
    const owner = randomUUID();
    let networks = 0;
    let ports = 1;
    return {
      environment: nodeEnvironment(),
      open: async () => switches.open({ cloudId: owner, epoch: 1 }),
      freeze: async () => {
        for (const host of HOSTS) switches.server(host).freeze();
      },
      thaw: async () => {
        for (const host of HOSTS) switches.server(host).thaw();
      },
      settle: async () => {
        for (const host of HOSTS) for (let round = 0; round < 2; round += 1) await switches.vsctl(host, 'show');
      },
      close: () => switches[Symbol.asyncDispose](),

      network: async (): Promise<NetworkSpec> => {
        networks += 1;
        const subnet = { id: randomUUID(), cidr: `10.80.${networks}.0/24`, gateway: `10.80.${networks}.1`, dnsServers: [] };
        return { id: randomUUID(), name: `net ${networks} <&>`, owner, mode: 'provider', subnets: [subnet], segment: segmentOf(networks) };
      },

      port: async (network: NetworkSpec): Promise<PortSpec> => {
        ports += 1;
        const [subnet] = network.subnets;
        const address = subnet?.gateway.replace(/1$/, String(ports)) ?? '';
        const mac = `52:54:00:80:00:${ports.toString(16).padStart(2, '0')}`;
        const place = { networkId: network.id, owner, subnetIds: network.subnets.map(({ id }) => id) };
        return { ...place, nicId: randomUUID(), mac, addresses: [address], host: HOSTS[ports % HOSTS.length] ?? 'hv1' };
      },
    };
  },
});
