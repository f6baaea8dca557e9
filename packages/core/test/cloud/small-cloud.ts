import { SimCloud, type SimCloudOptions } from '../../testing/index.ts';
import { isoContent } from './iso-content.ts';

const GIB = 2 ** 30;

/** A small cloud with everything a machine needs, in virtual time. */
export interface SmallCloud {
  readonly sim: SimCloud;
  readonly hostId: string;
  readonly poolId: string;
  readonly imageId: string;
  readonly networkId: string;
}

async function* content(): AsyncIterable<Uint8Array> {
  yield new Uint8Array(4096);
}

/** One zone, one cluster, one host with a pool; an image, a size and a network. */
export async function smallCloud(options: Partial<SimCloudOptions> = {}): Promise<SmallCloud> {
  const sim = new SimCloud({ seed: 1, ...options });
  sim.world.addHost('hv1');
  await sim.start();
  const zoneId = await sim.done('zone.create', { name: 'zone-a' });
  const clusterId = await sim.done('cluster.create', { name: 'cluster-a', zoneId, hypervisor: 'simulated' });
  const hostId = await sim.done('host.create', { name: 'hv1', clusterId, uri: 'sim://hv1', failureDomain: 'rack-1' });
  const poolId = await sim.done('pool.create', { name: 'pool-1', driver: 'simulated', hostId, settings: {} });
  const imageId = await addImage(sim, 'image-1');
  const size = { vcpus: 1, memoryBytes: GIB, vcpusMax: 4, memoryBytesMax: 4 * GIB, cpuShares: 1024 };
  await sim.done('instanceType.create', { name: 'small', ...size });
  const subnets = [{ name: 'subnet-1', cidr: '10.0.0.0/24' }];
  const networkId = await sim.done('network.create', { name: 'net-1', driver: 'simulated', subnets });
  return { sim, hostId, poolId, imageId, networkId };
}

/** An image with content, as the upload endpoint leaves it. */
export async function addImage(sim: SimCloud, name: string, bytes: () => AsyncIterable<Uint8Array> = content): Promise<string> {
  const imageId = await sim.done('image.create', { name });
  await sim.environment.complete(sim.call('PUT', '/images/{id}/content', { params: { id: imageId }, bytes: bytes() }));
  return imageId;
}

export const addIso = (sim: SimCloud): Promise<string> =>
  addImage(sim, 'iso-1', async function* () {
    yield isoContent();
  });

export const machine = (at: SmallCloud, more: object = {}): object => ({
  name: 'vm-1',
  instanceType: 'small',
  imageId: at.imageId,
  nics: [{ networkId: at.networkId }],
  ...more,
});
