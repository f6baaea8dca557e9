import type { Scenario } from '../../testing/index.ts';
import { on } from './scenario.ts';
import { attached, extra, nothing, running, spare, stopped, withSpare } from './set-ups.ts';
import { addImage, machine, type SmallCloud } from './small-cloud.ts';

const suspended = async (at: SmallCloud) => {
  const id = await running(at);
  await at.sim.done('instance.suspend', {}, id);
  return id;
};
const nicOf = async (at: SmallCloud) => {
  const id = await running(at);
  const kind = at.sim.kernel.registry.kind('nic');
  const [row] = await at.sim.environment.complete(at.sim.kernel.reader.list(kind));
  extra.set(at, (row as { id: string }).id);
  return id;
};
const otherHost = async (at: SmallCloud) => {
  at.sim.world.addHost('hv2');
  const [cluster] = await at.sim.environment.complete(at.sim.kernel.reader.list(at.sim.kernel.registry.kind('cluster')));
  return { clusterId: (cluster as { id: string }).id };
};
const secondHost = async (at: SmallCloud) =>
  at.sim.done('host.create', { name: 'hv2', uri: 'sim://hv2', failureDomain: 'rack-2', ...(await otherHost(at)) });

/** What is done to zones, hosts, pools, images, volumes, networks and machines. */
export const basicScenarios: readonly Scenario[] = [
  on('zone.create', nothing, () => ({ name: 'zone-b' })),
  on(
    'zone.update',
    (at) => at.sim.done('zone.create', { name: 'zone-b' }),
    () => ({ description: 'new' }),
  ),
  on(
    'zone.delete',
    (at) => at.sim.done('zone.create', { name: 'zone-b' }),
    () => ({}),
  ),
  on(
    'cluster.create',
    (at) => at.sim.done('zone.create', { name: 'zone-b' }).then((id) => void extra.set(at, id)),
    (at) => ({ name: 'cluster-b', zoneId: extra.get(at), hypervisor: 'simulated' }),
  ),
  on(
    'cluster.update',
    (at) => otherHost(at).then(({ clusterId }) => clusterId),
    () => ({ vcpuOvercommit: 8 }),
  ),
  on(
    'cluster.delete',
    async (at) =>
      at.sim.done('cluster.create', {
        name: 'cluster-b',
        zoneId: await at.sim.done('zone.create', { name: 'zone-b' }),
        hypervisor: 'simulated',
      }),
    () => ({}),
  ),
  on(
    'host.create',
    (at) => otherHost(at).then(({ clusterId }) => void extra.set(at, clusterId)),
    (at) => ({ name: 'hv2', uri: 'sim://hv2', failureDomain: 'rack-2', clusterId: extra.get(at) }),
  ),
  on('host.update', secondHost, () => ({ failureDomain: 'rack-3' })),
  on('host.update', secondHost, () => ({ vcpuOvercommit: 2, labels: { disk: 'nvme' } }), 'what it promises'),
  on(
    'host.enable',
    async (at) => {
      const id = await secondHost(at);
      await at.sim.done('host.disable', {}, id);
      return id;
    },
    () => ({}),
  ),
  on('host.disable', secondHost, () => ({})),
  on('host.maintain', secondHost, () => ({})),
  on('host.reconnect', secondHost, () => ({})),
  on('host.delete', secondHost, () => ({})),
  on('pool.create', nothing, (at) => ({ name: 'pool-2', driver: 'simulated', hostId: at.hostId, settings: {} })),
  on(
    'pool.update',
    async (at) => at.poolId,
    () => ({ overcommit: 2 }),
  ),
  on(
    'pool.disable',
    async (at) => at.poolId,
    () => ({}),
  ),
  on(
    'pool.enable',
    async (at) => {
      await at.sim.done('pool.disable', {}, at.poolId);
      return at.poolId;
    },
    () => ({}),
  ),
  on(
    'pool.delete',
    (at) => at.sim.done('pool.create', { name: 'pool-2', driver: 'simulated', hostId: at.hostId, settings: {} }),
    () => ({}),
  ),
  on('image.create', nothing, () => ({ name: 'image-2' })),
  on(
    'image.update',
    async (at) => at.imageId,
    () => ({ description: 'ours' }),
  ),
  on(
    'image.deprecate',
    async (at) => at.imageId,
    () => ({ obsoleteAt: '2100-01-01T00:00:00Z', replacement: 'debian-13' }),
  ),
  on(
    'image.reinstate',
    async (at) => {
      await at.sim.done('image.deprecate', {}, at.imageId);
      return at.imageId;
    },
    () => ({}),
  ),
  on(
    'image.delete',
    async (at) => {
      await at.sim.done('instance.delete', {}, await running(at));
      return at.imageId;
    },
    () => ({}),
    'with copies in pools',
  ),
  on(
    'image.delete',
    (at) => addImage(at.sim, 'image-2'),
    () => ({}),
  ),
  on('volume.create', nothing, (at) => ({ name: 'data-1', sizeBytes: 8192, poolId: at.poolId })),
  on('volume.create', nothing, (at) => ({ name: 'data-1', sizeBytes: 8192, imageId: at.imageId }), 'of an image'),
  on('volume.update', spare, () => ({ description: 'ours' })),
  on('volume.resize', spare, () => ({ sizeBytes: 16384 })),
  on(
    'volume.setLimits',
    async (at) => {
      await attached(at);
      return extra.get(at);
    },
    () => ({ limits: { iopsPerSecond: 500 } }),
  ),
  on('volume.delete', spare, () => ({})),
  on('network.create', nothing, () => ({
    name: 'net-2',
    driver: 'simulated',
    subnets: [
      { name: 'subnet-2', cidr: '10.1.0.0/24' },
      { name: 'subnet-3', cidr: '10.2.0.0/24' },
    ],
  })),
  on(
    'network.update',
    async (at) => at.networkId,
    () => ({ description: 'ours' }),
  ),
  on(
    'network.delete',
    async (at) => at.networkId,
    () => ({}),
  ),
  on('subnet.create', nothing, (at) => ({ name: 'subnet-2', networkId: at.networkId, cidr: '10.9.0.0/24' })),
  on(
    'subnet.delete',
    (at) => at.sim.done('subnet.create', { name: 'subnet-2', networkId: at.networkId, cidr: '10.9.0.0/24' }),
    () => ({}),
  ),
  on(
    'nic.setLimits',
    async (at) => {
      await nicOf(at);
      return extra.get(at);
    },
    () => ({ limits: { inboundBytesPerSecond: 1_000_000 } }),
  ),
  on('instanceType.create', nothing, () => ({ name: 'large', vcpus: 4, memoryBytes: 2 ** 32 })),
  on(
    'instanceType.revise',
    (at) => at.sim.done('instanceType.create', { name: 'large', vcpus: 4, memoryBytes: 2 ** 32 }),
    () => ({ vcpus: 8, memoryBytes: 2 ** 32 }),
  ),
  on(
    'instanceType.delete',
    (at) => at.sim.done('instanceType.create', { name: 'large', vcpus: 4, memoryBytes: 2 ** 32 }),
    () => ({}),
  ),
  on('instance.create', nothing, (at) => machine(at)),
  on(
    'instance.create',
    async (at) => void extra.set(at, await spare(at)),
    (at) =>
      machine(at, {
        start: false,
        volumes: [{ name: 'data-2', sizeBytes: 8192 }],
        attachVolumeIds: [extra.get(at)],
        nics: [{ networkId: at.networkId }, { networkId: at.networkId, address: '10.0.0.77' }],
      }),
    'stopped, three disks, two NICs',
  ),
  on('instance.update', running, () => ({ description: 'ours' })),
  on('instance.start', stopped, () => ({})),
  on('instance.stop', running, () => ({})),
  on('instance.stop', running, () => ({ force: true }), 'forced'),
  on('instance.suspend', running, () => ({})),
  on('instance.resume', suspended, () => ({})),
  on('instance.reboot', running, () => ({})),
  on('instance.reset', running, () => ({})),
  on('instance.attachVolume', withSpare, (at) => ({ volumeId: extra.get(at) })),
  on('instance.detachVolume', attached, (at) => ({ volumeId: extra.get(at) })),
  on('instance.attachNic', running, (at) => ({ networkId: at.networkId })),
  on('instance.detachNic', nicOf, (at) => ({ nicId: extra.get(at) })),
  on('instance.resize', running, () => ({ vcpus: 2, memoryBytes: 2 ** 31 })),
  on('instance.resize', stopped, () => ({ vcpus: 8 }), 'stopped'),
  on('instance.setCpuShares', running, () => ({ cpuShares: 2048 })),
  on('instance.delete', attached, () => ({}), 'with an own and a lasting disk'),
  on('instance.delete', stopped, () => ({ force: true }), 'forced'),
];
