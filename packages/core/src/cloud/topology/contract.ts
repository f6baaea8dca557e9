/** What other modules may know of topology. */
export { cluster } from './cluster.ts';
export { host } from './host.ts';
export { machinesComing, machinesOn, ON_THE_HOST, refuseMachines } from './host-maintain.ts';
export type { Hosts, Hypervisor } from './hosts.ts';
export type { MachineAsk } from './late-calls.ts';
export { HEARTBEATS_PER_LOOK, hostLinks, hostLook, hostLost, hostReach, strayRemoval, type ToldLinks, type ToldReach } from './points.ts';
export { type Found, type Ground, recordStrays } from './quarantine.ts';
export { realmHosts } from './realm-hosts.ts';
export { removalAllowed } from './recovery.ts';
export { heartbeatSeconds } from './settings.ts';
export { type StrayKind, stray } from './stray.ts';
export { type Usage, type UsageObserver, usageSchema } from './usage.ts';
export { zone } from './zone.ts';
