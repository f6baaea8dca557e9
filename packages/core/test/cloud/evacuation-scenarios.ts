import type { Scenario } from '../../testing/index.ts';
import { on } from './scenario.ts';
import { rowsOf } from './set-ups.ts';
import type { SmallCloud } from './small-cloud.ts';

const A_WHILE_MS = 120_000;

/** A machine on disks that both hosts reach, on one that is lost by now; with a NIC in a network that both reach. */
async function onLostHost(at: SmallCloud, lose: 'crash' | 'partition', start = true): Promise<string> {
  const [cluster] = await rowsOf(at, 'cluster');
  at.sim.world.addHost('hv2');
  await at.sim.done('host.create', { name: 'hv2', uri: 'sim://hv2', failureDomain: 'rack-2', clusterId: cluster?.id });
  await at.sim.done('pool.create', { name: 'shared', driver: 'simulated-shared', clusterId: cluster?.id, storageClass: 'shared' });
  const subnets = [{ name: 'subnet-2', cidr: '10.8.0.0/24' }];
  const networkId = await at.sim.done('network.create', { name: 'net-2', driver: 'simulated-shared', subnets });
  const storageClass = 'shared';
  const id = await at.sim.done('instance.create', {
    ...{ name: 'vm-1', instanceType: 'small', imageId: at.imageId, hostId: at.hostId, nics: [{ networkId }], start },
    ...{ rootVolume: { storageClass }, volumes: [{ name: 'data-1', sizeBytes: 8192, storageClass }] },
  });
  at.sim.world[lose]('hv1');
  await at.sim.run(A_WHILE_MS);
  return id;
}

/** Machines that leave a lost host. */
export const evacuationScenarios: readonly Scenario[] = [
  on(
    'instance.evacuate',
    (at) => onLostHost(at, 'crash'),
    () => ({}),
  ),
  on(
    'instance.evacuate',
    (at) => onLostHost(at, 'partition'),
    () => ({}),
    'from a host that goes on behind a partition',
  ),
  on(
    'instance.evacuate',
    (at) => onLostHost(at, 'crash', false),
    () => ({}),
    'that is off',
  ),
];
