import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NetworkSpec, PortSpec } from '@pileus/core/strategy';
import { describeNetwork, type NetworkHarness } from '@pileus/core/testing';
import { inSlice } from '../../../../tools/test/slice.ts';
import { kvm } from '../../src/index.ts';
import { LabBackend, required } from './lab-host.ts';

describeNetwork('libvirt on a real libvirtd', {
  features: ['stop', 'foreign'],
  select: inSlice(4),
  makeHarness: async (): Promise<NetworkHarness> => {
    const backend = await LabBackend.up();
    const factory = required(kvm().strategies.network);
    let networks = 0;
    let ports = 1;
    return Object.assign(backend, {
      open: async () => factory.open({ host: backend.host }),

      network: async (): Promise<NetworkSpec> => {
        networks += 1;
        const subnet = { id: randomUUID(), cidr: `10.80.${networks}.0/24`, gateway: `10.80.${networks}.1`, dnsServers: ['192.0.2.53'] };
        return { id: randomUUID(), name: `net ${networks} <&>`, owner: randomUUID(), mode: 'nat', subnets: [subnet] };
      },

      port: async (network: NetworkSpec): Promise<PortSpec> => {
        ports += 1;
        const [subnet] = network.subnets;
        const place = { networkId: network.id, owner: network.owner, subnetIds: network.subnets.map(({ id }) => id) };
        const address = subnet?.gateway.replace(/1$/, String(ports)) ?? '';
        const mac = `52:54:00:80:00:${ports.toString(16).padStart(2, '0')}`;
        return { ...place, nicId: randomUUID(), mac, addresses: [address], hostname: 'guest' };
      },

      stopNetwork: async (id: string) => {
        await backend.virsh('net-destroy', id);
      },

      foreignNetwork: async () => {
        const id = randomUUID();
        const path = join(backend.lab.sharedDir, 'foreign.xml');
        await writeFile(path, `<network><name>foreign</name><uuid>${id}</uuid><bridge name='foreign0'/></network>`);
        await backend.virsh('net-define', path);
        return id;
      },
    });
  },
});
