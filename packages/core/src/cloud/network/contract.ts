/** What other modules may know of networking. */
export { Addresses } from './addresses.ts';
export type { Fabric, Fabrics } from './fabrics.ts';
export { network } from './network.ts';
export { nic, nicLimits } from './nic.ts';
export { deletePort, ensurePort, isNicClash, type NicPlace, nicPlace, nicRow, type PortParams } from './ports.ts';
export { subnet } from './subnet.ts';
