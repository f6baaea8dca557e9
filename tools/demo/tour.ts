import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { Cloud, Id, Image, Instance, Network, Nic, Volume } from '@pileus/sdk';
import { freeSubnet } from './free-subnet.ts';
import type { Ground } from './ground.ts';
import type { Progress } from './progress.ts';
import type { Stages } from './stages.ts';

const MIB = 2 ** 20;
/** A simulated pool wants the size of the image, and no content that boots. */
const PRETENDED_IMAGE = new Uint8Array(MIB);

export interface Toured {
  readonly network: Network;
  readonly volume: Volume;
  readonly instance: Instance;
  readonly nic: Nic;
}

/** From an empty cloud to a machine, all of it through the SDK over HTTP. */
export async function tour(cloud: Cloud, ground: Ground, stages: Stages, progress: Progress, signal: AbortSignal): Promise<Toured> {
  const hostId = await stages.run('host', 'A zone, a cluster, this machine as its host, a pool', () =>
    registerHost(cloud, ground, progress, signal),
  );
  const image = await stages.run('image', 'The guest image, uploaded', () => uploadImage(cloud, ground, signal));
  const network = await stages.run('network', 'A network with a range of addresses', async () => {
    const subnets = [{ name: 'demo', cidr: await freeSubnet() }];
    return progress.until(cloud.networks.create({ name: 'demo', mode: 'nat', hostId, subnets }), signal);
  });
  const volume = await stages.run('volume', 'A volume of 64 MiB', () =>
    progress.until(cloud.volumes.create({ name: 'demo-data', sizeBytes: 64 * MIB, hostId }), signal),
  );
  const instance = await stages.run('instance', 'A machine with the volume and a NIC', () =>
    createInstance(cloud, { image, network, volume, progress, signal }),
  );
  const nic = await cloud.nics.list({ where: { instanceId: instance.id } }).first();
  if (nic === undefined) throw new Error(`instance ${instance.name} has no NIC`);
  return { network, volume, instance, nic };
}

/** A zone and a cluster with this machine as the host, and a pool on it. */
export async function registerHost(cloud: Cloud, ground: Ground, progress: Progress, signal: AbortSignal): Promise<Id<'host'>> {
  const zone = await progress.until(cloud.zones.create({ name: 'demo' }), signal);
  const allowEmulation = ground.hypervisor === 'tcg';
  const cluster = await progress.until(cloud.clusters.create({ name: 'demo', zoneId: zone.id, allowEmulation }), signal);
  const name =
    hostname()
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]/g, '-')
      .replaceAll(/^-+|-+$/g, '')
      .slice(0, 63) || 'host';
  const host = await progress.until(cloud.hosts.create({ name, clusterId: cluster.id, uri: ground.hostUri }), signal);
  await progress.until(cloud.pools.create({ name: 'demo', ...ground.pool({ hostId: host.id, zoneId: zone.id }) }), signal);
  return host.id;
}

export async function uploadImage(cloud: Cloud, { image }: Ground, signal: AbortSignal): Promise<Image> {
  const registered = await cloud.images.create({ name: 'pileus-guest', guestOs: 'linux' }).wait({ signal });
  const content = image === undefined ? PRETENDED_IMAGE : await readFile(image.path);
  await cloud.images.upload(registered.id, content, { signal, ...(image === undefined ? {} : { sha256: image.sha256 }) });
  return cloud.images.get(registered.id);
}

interface Parts {
  readonly image: Image;
  readonly network: Network;
  readonly volume: Volume;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

async function createInstance(cloud: Cloud, { image, network, volume, progress, signal }: Parts): Promise<Instance> {
  const size = { vcpus: 1, memoryBytes: 128 * MIB };
  await progress.until(cloud.instanceTypes.create({ name: 'tiny', ...size }), signal);
  const request = {
    name: 'demo',
    instanceType: 'tiny',
    imageId: image.id,
    attachVolumeIds: [volume.id],
    nics: [{ networkId: network.id }],
  };
  return progress.until(cloud.instances.create(request), signal);
}
