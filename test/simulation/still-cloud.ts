import { SimCloud } from '@pileus/core/testing';

const GIB = 2 ** 30;

/** A cloud of one host in which nothing goes wrong, and nothing takes time by itself. */
export async function stillCloud(seed: string): Promise<{ readonly sim: SimCloud; readonly machine: () => object }> {
  const sim = new SimCloud({ seed, world: { latencyMs: [0, 0] }, presets: { 'hosts.heartbeatSeconds': 600 } });
  sim.world.addHost('hv1');
  await sim.start();
  const zoneId = await sim.done('zone.create', { name: 'zone-a' });
  const clusterId = await sim.done('cluster.create', { name: 'cluster-a', zoneId, hypervisor: 'simulated' });
  const hostId = await sim.done('host.create', { name: 'hv1', clusterId, uri: 'sim://hv1' });
  await sim.done('pool.create', { name: 'pool-1', driver: 'simulated', hostId, settings: {} });
  const imageId = await sim.done('image.create', { name: 'image-1' });
  await upload(sim, imageId);
  await sim.done('instanceType.create', { name: 'small', vcpus: 1, memoryBytes: GIB });
  const networkId = await sim.done('network.create', { name: 'net-1', subnets: [{ name: 'subnet-1', cidr: '10.0.0.0/24' }] });
  // After its first heartbeat the host is watched.
  await sim.run(120_000);
  return { sim, machine: () => ({ instanceType: 'small', imageId, nics: [{ networkId }] }) };
}

/** Gives an image its content, as the upload endpoint does. */
export async function upload(sim: SimCloud, imageId: string): Promise<void> {
  const content = async function* () {
    yield new Uint8Array(4096);
  };
  await sim.environment.complete(sim.call('PUT', '/images/{id}/content', { params: { id: imageId }, bytes: content() }));
}
