import { onContribution } from '../../kernel/index.ts';
import type { Module } from '../services.ts';
import { cluster } from './cluster.ts';
import { clusterCreate, clusterDeletion } from './cluster-create.ts';
import { clusterUpdate } from './cluster-update.ts';
import { host } from './host.ts';
import { hostCreate } from './host-create.ts';
import { hostDeletion } from './host-delete.ts';
import { hostDisable } from './host-disable.ts';
import { hostEnable } from './host-enable.ts';
import { hostMaintain } from './host-maintain.ts';
import { hostReconnect } from './host-reconnect.ts';
import { hostUpdate, updateHostBefore } from './host-update.ts';
import { HostWatch } from './host-watch.ts';
import { hostLinks, hostLook, hostLost, hostReach, strayRemoval } from './points.ts';
import { confirmFirstStart, recoveryEndpoints } from './recovery.ts';
import { topologySettings } from './settings.ts';
import { stray } from './stray.ts';
import { startStrayPolicy } from './stray-policy.ts';
import { strayDeletion, strayRemove } from './stray-remove.ts';
import { hostUsage } from './usage.ts';
import { zone } from './zone.ts';
import { zoneCreate, zoneDeletion, zoneUpdate } from './zone-create.ts';

export { cluster } from './cluster.ts';
export { host } from './host.ts';
export { hostLinks, hostLook, hostLost, hostReach, strayRemoval } from './points.ts';
export { type Found, type Ground, recordStrays } from './quarantine.ts';
export { removalAllowed } from './recovery.ts';
export { stray } from './stray.ts';
export { zone } from './zone.ts';

/** Zones, clusters and hosts: what there is, whether it answers, and what is found on it. */
export const topology: Module = (services) => {
  const { hosts, pools, fabrics, reader, secrets, kernel, cloudId, slices, store } = services;
  const watch = new HostWatch(services);
  const context = { hosts, pools, fabrics, reader, secrets, watch };
  return {
    id: 'topology',
    version: '0.1.0',
    kinds: [zone, cluster, host, stray],
    actions: [
      zoneCreate,
      zoneUpdate,
      clusterCreate(services),
      clusterUpdate(context),
      hostCreate(context),
      hostUpdate(context),
      hostEnable,
      hostDisable,
      hostMaintain(context),
      hostReconnect(context),
      strayRemove({ reader, hosts, hooks: () => kernel().registry.hooks }),
    ],
    deletions: [zoneDeletion, clusterDeletion, hostDeletion({ ...context, cloudId, kernel, slices, store }), strayDeletion],
    sagas: [updateHostBefore],
    settings: topologySettings,
    settingLevels: [{ kind: zone.name }, { kind: cluster.name, parent: 'zoneId' }, { kind: host.name, parent: 'clusterId' }],
    points: [hostLook, hostLost, strayRemoval, hostLinks, hostReach],
    hooks: [
      onContribution(strayRemoval, async ({ objectKind, objectId, hostId, call }) => {
        if (objectKind !== 'machine') return false;
        await (await hosts.hypervisor(hostId)).remove(objectId, call);
        return true;
      }),
    ],
    endpoints: [...recoveryEndpoints(services), hostUsage(services)],
    start: async () => {
      await confirmFirstStart(services);
      await watch.start();
      const stopPolicy = startStrayPolicy(services);
      const stopUsages = services.usages.start();
      return async () => {
        await stopUsages();
        await stopPolicy();
        await watch.stop();
      };
    },
  };
};
