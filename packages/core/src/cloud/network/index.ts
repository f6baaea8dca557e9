import { equals, onContribution, updateAction } from '../../kernel/index.ts';
import type { Module } from '../services.ts';
import { hostLook } from '../topology/points.ts';
import { network } from './network.ts';
import { realize } from './network-context.ts';
import { createNetwork, networkDeletion } from './network-create.ts';
import { nic } from './nic.ts';
import { deletePort, nicDeletion } from './ports.ts';
import { subnet } from './subnet.ts';
import { createSubnet, subnetDeletion } from './subnet-create.ts';

const LOOK_TIMEOUT_MS = 30_000;

export const networking: Module = (services) => {
  const context = () => services;
  return {
    id: 'network',
    version: '1',
    requires: ['topology'],
    kinds: [network, subnet, nic],
    actions: [createNetwork(services, context), updateAction(network, ['description']), createSubnet(context)],
    deletions: [networkDeletion(context), subnetDeletion(context), nicDeletion(context)],
    debts: [
      {
        task: 'network.delete',
        pay: async (target, place, call) =>
          (await services.fabrics.of({ driver: String(target.driver), hostId: place as never })).deleteNetwork(
            String(target.networkId),
            call,
          ),
      },
      { task: 'port.delete', pay: (target, _, call) => deletePort(services, target as never, call) },
    ],
    hooks: [
      // A network that was stopped or lost behind our back is made again; one that is as it should be is left alone by the driver.
      onContribution(hostLook, async ({ hostId, machineId, signal }) => {
        if (machineId !== undefined) return;
        for (const row of await services.reader.list(network, equals('hostId', hostId)))
          if (row.state === 'available' && !services.kernel().holds(row.id))
            await realize(services, row.id, { requestId: `look-${hostId}`, signal, timeoutMs: LOOK_TIMEOUT_MS });
      }),
    ],
  };
};
