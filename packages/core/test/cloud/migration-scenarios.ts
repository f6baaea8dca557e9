import type { Scenario } from '../../testing/index.ts';
import { on } from './scenario.ts';
import { rowsOf } from './set-ups.ts';
import type { SmallCloud } from './small-cloud.ts';

/** A machine on disks and a network that both hosts reach. */
async function between(at: SmallCloud): Promise<string> {
  const [cluster] = await rowsOf(at, 'cluster');
  at.sim.world.addHost('hv2');
  await at.sim.done('host.create', { name: 'hv2', uri: 'sim://hv2', failureDomain: 'rack-2', clusterId: cluster?.id });
  await at.sim.done('pool.create', { name: 'shared', driver: 'simulated-shared', clusterId: cluster?.id, storageClass: 'shared' });
  const subnets = [{ name: 'subnet-2', cidr: '10.8.0.0/24' }];
  const networkId = await at.sim.done('network.create', { name: 'net-2', driver: 'simulated-shared', subnets });
  const storageClass = 'shared';
  return at.sim.done('instance.create', {
    ...{ name: 'vm-1', instanceType: 'small', imageId: at.imageId, hostId: at.hostId, nics: [{ networkId }] },
    ...{ rootVolume: { storageClass }, volumes: [{ name: 'data-1', sizeBytes: 8192, storageClass }] },
  });
}

async function fullHost(at: SmallCloud): Promise<string> {
  await between(at);
  return at.hostId;
}

/** Machines that go over to another host while they run. */
export const migrationScenarios: readonly Scenario[] = [
  on('instance.migrate', between, () => ({})),
  // The machine has gone over by an operation of its own, and stays there; the host is in use again.
  { ...on('host.drain', fullHost, () => ({})), kept: (after) => after.replace('"state": "maintenance"', '"state": "enabled"') },
];
