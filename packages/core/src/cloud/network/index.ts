import { onContribution, updateAction } from '../../kernel/index.ts';
import type { Module } from '../services.ts';
import { hostLook, strayRemoval } from '../topology/contract.ts';
import { balancing } from './balancing/index.ts';
import { capabilitiesEndpoint } from './capabilities.ts';
import { securityGroup } from './firewall/security-group.ts';
import { createSecurityGroup, securityGroupDeletion, updateSecurityGroup } from './firewall/security-group-create.ts';
import { securityGroupMember } from './firewall/security-group-member.ts';
import { createSecurityGroupMember, securityGroupMemberDeletion } from './firewall/security-group-member-create.ts';
import { securityGroupRule } from './firewall/security-group-rule.ts';
import { createSecurityGroupRule, securityGroupRuleDeletion, updateSecurityGroupRule } from './firewall/security-group-rule-create.ts';
import { removeStrayKept } from './kept-look.ts';
import { dnsRecord } from './names/dns-record.ts';
import { createDnsRecord, dnsRecordDeletion, updateDnsRecord } from './names/dns-record-create.ts';
import { nat } from './nat/index.ts';
import { network } from './network.ts';
import { createNetwork, networkDeletion, payNetworkRemoval } from './network-create.ts';
import { NetworkLook, removeStrayNetwork, removeStrayPort } from './network-look.ts';
import { nic } from './nic.ts';
import { fabric } from './physical/fabric.ts';
import { rebuildFabric } from './physical/fabric-rebuild.ts';
import { physicalNetwork } from './physical/physical-network.ts';
import { createPhysicalNetwork, physicalNetworkDeletion, updatePhysicalNetwork } from './physical/physical-network-create.ts';
import { storageNetworkSettings } from './physical/settings.ts';
import * as points from './points.ts';
import { nicDeletion, payPortRemoval } from './ports.ts';
import { reachEndpoint } from './reach/endpoint.ts';
import { subnet } from './subnet.ts';
import { createSubnet, subnetDeletion } from './subnet-create.ts';
import { updateSubnet } from './subnet-update.ts';
import { vpcs } from './vpc/index.ts';

export const networking: Module = (services) => {
  const context = () => services;
  const look = new NetworkLook(services);
  const [routed, natting, balanced] = [vpcs(services, context), nat(services, context), balancing(services, context)];
  return {
    id: 'network',
    version: '1',
    requires: ['topology'],
    kinds: [
      fabric,
      physicalNetwork,
      ...routed.kinds,
      network,
      subnet,
      nic,
      securityGroup,
      securityGroupRule,
      securityGroupMember,
      dnsRecord,
      ...natting.kinds,
      ...balanced.kinds,
    ],
    actions: [
      createPhysicalNetwork,
      updatePhysicalNetwork,
      rebuildFabric(context),
      ...routed.actions,
      createNetwork(services, context),
      updateAction(network, ['description']),
      createSubnet(services, context),
      updateSubnet(context),
      createSecurityGroup(context),
      updateSecurityGroup,
      createSecurityGroupRule(context),
      updateSecurityGroupRule(context),
      createSecurityGroupMember(context),
      createDnsRecord(context),
      updateDnsRecord(context),
      ...natting.actions,
      ...balanced.actions,
    ],
    deletions: [
      physicalNetworkDeletion,
      ...routed.deletions,
      networkDeletion(context),
      subnetDeletion(context),
      nicDeletion(context),
      securityGroupDeletion(context),
      securityGroupRuleDeletion(context),
      securityGroupMemberDeletion(context),
      dnsRecordDeletion(context),
      ...natting.deletions,
      ...balanced.deletions,
    ],
    ...{ settings: [...natting.settings, ...balanced.settings, ...storageNetworkSettings], migrations: natting.migrations },
    endpoints: [reachEndpoint(services), capabilitiesEndpoint(services), ...natting.endpoints, ...balanced.endpoints],
    debts: [
      { task: 'network.delete', pay: (target, place, call) => payNetworkRemoval(services, target as never, place as never, call) },
      { task: 'port.delete', pay: (target, _, call) => payPortRemoval(services, target as never, call) },
    ],
    ...{ points: Object.values(points), start: async () => () => look.stop() },
    hooks: [
      ...natting.hooks,
      // After machines: a port that is to go does not go under a machine that is to go, too.
      onContribution(
        hostLook,
        async ({ hostId, machineId, signal }) => {
          if (machineId === undefined) await look.lookThrough(hostId, signal);
        },
        { after: ['compute'] },
      ),
      onContribution(strayRemoval, async ({ objectKind, objectId, hostId, call }) => {
        if (objectKind === 'network') await removeStrayNetwork(services, objectId, hostId, call);
        if (objectKind === 'port') await removeStrayPort(services, objectId, hostId, call);
        return objectKind === 'network' || objectKind === 'port' || (await removeStrayKept(services, objectKind, objectId, call));
      }),
    ],
  };
};
