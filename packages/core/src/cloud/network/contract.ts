/** What other modules may know of networking. */
export { Addresses } from './addresses.ts';
export type { Fabric, Fabrics } from './fabrics.ts';
export { availableMembers, membersOfFound } from './firewall/nic-groups.ts';
export { dnsRecord } from './names/dns-record.ts';
export { followMove, keysOfNicUsers, letGoOfNic, realizeNicUsers } from './nat/nic-users.ts';
export { network } from './network.ts';
export { nic, nicLimits } from './nic.ts';
export { type NicConfig, nicConfig } from './nic-config.ts';
export { clusterOf, isNicClash, type NicPlace, nicInput, nicMoves, nicPlace, nicRow, refuseLost } from './nic-place.ts';
export { refuseUnconnected, unconnectedToAny } from './physical/connected.ts';
export { deletePort, ensureNewPort, ensurePort, hostLimits, type PortParams, portOf } from './ports.ts';
export { portsReady } from './readiness.ts';
export { subnet } from './subnet.ts';
export { peering } from './vpc/peering.ts';
export { vpc } from './vpc/vpc.ts';
export { namesakesOf } from './vpc/vpc-ranges.ts';
