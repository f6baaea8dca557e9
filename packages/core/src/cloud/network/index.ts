import { onContribution, updateAction } from '../../kernel/index.ts';
import type { Module } from '../services.ts';
import { hostLook, strayRemoval } from '../topology/contract.ts';
import { network } from './network.ts';
import { createNetwork, networkDeletion, payNetworkRemoval } from './network-create.ts';
import { lookAtNetworks, removeStrayNetwork, removeStrayPort } from './network-look.ts';
import { nic } from './nic.ts';
import { nicDeletion, payPortRemoval } from './ports.ts';
import { subnet } from './subnet.ts';
import { createSubnet, subnetDeletion } from './subnet-create.ts';

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
      { task: 'network.delete', pay: (target, place, call) => payNetworkRemoval(services, target as never, place as never, call) },
      { task: 'port.delete', pay: (target, _, call) => payPortRemoval(services, target as never, call) },
    ],
    hooks: [
      // After machines: a port that is to go does not go under a machine that is to go, too.
      onContribution(
        hostLook,
        async ({ hostId, machineId, signal }) => {
          if (machineId === undefined) await lookAtNetworks(services, hostId, signal);
        },
        { after: ['compute'] },
      ),
      onContribution(strayRemoval, async ({ objectKind, objectId, hostId, call }) => {
        if (objectKind === 'network') await removeStrayNetwork(services, objectId, hostId, call);
        if (objectKind === 'port') await removeStrayPort(services, objectId, hostId, call);
        return objectKind === 'network' || objectKind === 'port';
      }),
    ],
  };
};
