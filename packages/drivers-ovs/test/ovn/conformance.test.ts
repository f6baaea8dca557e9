import { randomUUID } from 'node:crypto';
import { nodeEnvironment } from '@pileus/core/node';
import type { NetworkSpec, PortSpec } from '@pileus/core/strategy';
import { describeKeepers, describeNetwork, KEPT_SORTS, type KeepersHarness, type NetworkHarness } from '@pileus/core/testing';
import { FULL, inSlice } from '../../../../tools/test/slice.ts';
import { NorthboundWorld } from './northbound-world.ts';
import { PrivateCentral } from './private-central.ts';

const baseOf = (central: PrivateCentral) => ({
  environment: nodeEnvironment(),
  open: async () => central.open(),
  freeze: async () => central.northbound.freeze(),
  thaw: async () => central.northbound.thaw(),
  settle: async () => {
    for (let round = 0; round < 2; round += 1) await central.nbctl('show');
  },
  close: () => central[Symbol.asyncDispose](),
});

/** What an operator's mistake makes of a part of an object. */
const SPOILT = {
  vpcs: ['Logical_Router', { name: 'spoilt' }],
  peerings: ['Logical_Router_Port', { networks: ['192.0.2.200/24'] }],
  securityGroups: ['ACL', { match: '0' }],
  gateways: ['Logical_Router_Port', { networks: ['192.0.2.200/24'] }],
  elasticIps: ['NAT', { external_ip: '192.0.2.200' }],
  portForwards: ['Load_Balancer', { vips: {} }],
  loadBalancers: ['Load_Balancer', { vips: {} }],
  dnsRecords: ['DNS', { records: {} }],
} as const;

/** Where those are that are not ours: of sorts that have no table of their own, anywhere. */
const FOREIGN: Readonly<Record<string, string>> = { vpcs: 'Logical_Router', securityGroups: 'Port_Group', loadBalancers: 'Load_Balancer' };

for (const tls of FULL ? [false, true] : [false]) {
  const how = tls ? 'by TLS' : 'by sockets';

  describeNetwork(`OVN on a real northbound database ${how}`, {
    features: ['foreign'],
    modes: ['isolated'],
    makeHarness: async (): Promise<NetworkHarness> => {
      const central = await PrivateCentral.start({ tls });
      const owner = randomUUID();
      let networks = 0;
      let ports = 1;
      return {
        ...baseOf(central),

        network: async (): Promise<NetworkSpec> => {
          networks += 1;
          const subnet = { id: randomUUID(), cidr: `10.80.${networks}.0/24`, gateway: `10.80.${networks}.1`, dnsServers: ['192.0.2.53'] };
          return { id: randomUUID(), name: `net ${networks} <&>`, owner, mode: 'isolated', subnets: [subnet] };
        },

        port: async (network: NetworkSpec): Promise<PortSpec> => {
          ports += 1;
          const [subnet] = network.subnets;
          const place = { networkId: network.id, owner, subnetIds: network.subnets.map(({ id }) => id) };
          const address = subnet?.gateway.replace(/1$/, String(ports)) ?? '';
          const mac = `52:54:00:80:00:${ports.toString(16).padStart(2, '0')}`;
          return { ...place, nicId: randomUUID(), mac, addresses: [address], hostname: 'guest' };
        },

        foreignNetwork: async () => (await central.nbctl('create', 'Logical_Switch', 'name=foreign')).trim(),
      };
    },
  });

  describeKeepers(`OVN on real databases ${how}`, {
    features: [...KEPT_SORTS, 'readiness', 'continuity', 'hosts'],
    select: inSlice(4),
    makeHarness: async (): Promise<KeepersHarness> => {
      const world = await NorthboundWorld.start({ tls });
      const { central } = world;
      await central.nbctl('init');
      for (const name of ['chassis-1', 'chassis-2']) await central.addChassis(name, { hostname: name.replace('chassis', 'host') });
      return {
        ...baseOf(central),
        close: () => world[Symbol.asyncDispose](),
        ...{ owner: 'lab', hosts: ['host-1', 'host-2'], physicalNetwork: 'physnet1' },
        seen: async (sort, id) => {
          const rows = await world.rowsOf(`${sort}/${id}`);
          return rows.length === 0 ? world.row(FOREIGN[sort] ?? 'DHCP_Options', id) : rows;
        },
        spoil: async (sort, id) => {
          const [name, columns] = SPOILT[sort];
          const rows = await world.rowsOf(`${sort}/${id}`);
          const { _uuid, places } = rows.find(({ table }) => table === name) ?? { places: [] };
          // A name is not in its own row.
          await world.client.transact([world.table(name).update(sort === 'dnsRecords' ? (places[0] ?? '') : String(_uuid), columns)]);
          return true;
        },
        foreign: async (sort) => {
          const table = FOREIGN[sort] ?? 'DHCP_Options';
          const [id] = await world.client.transact([world.table(table).insert(table === 'Port_Group' ? { name: 'theirs' } : {})]);
          return id;
        },
      };
    },
  });
}
