import type { Client } from './client.ts';

/** How a fixture asks for changes: over HTTP, or in process. */
export interface Maker {
  /** A change, done when it answers. Answers the id of the resource. */
  done(method: string, path: string, input?: object, key?: string): Promise<string>;
  upload(path: string, content: Uint8Array): Promise<void>;
}

export const overHttp = (client: Client): Maker => ({
  done: (...args) => client.done(...args),
  async upload(path, content) {
    const { status, text } = await client.ask('PUT', path, content);
    if (status !== 200) throw new Error(`upload: ${status} ${text}`);
  },
});

/** What every machine of the bench is made of. */
export interface Fixture {
  readonly imageId: string;
  /** One on each host: a network of a host pins its machines there. */
  readonly networkIds: readonly string[];
}

const GIB = 2 ** 30;
/** Enough that machines made at once spread, as they do in any cloud. */
export const HOSTNAMES: readonly string[] = Array.from({ length: 10 }, (_, index) => `bench-${index}`);

/** A cloud of ten hosts with a pool and a network each, an image and a type, with room for a million machines. */
export async function makeFixture(maker: Maker): Promise<Fixture> {
  const make = (plural: string, input: object) => maker.done('POST', `/v1/${plural}`, input);
  const zoneId = await make('zones', { name: 'zone-1' });
  const clusterId = await make('clusters', { name: 'cluster-1', zoneId, hypervisor: 'simulated' });
  await make('instance-types', { name: 'small', vcpus: 1, memoryBytes: GIB });
  const imageId = await make('images', { name: 'image-1' });
  await maker.upload(`/v1/images/${imageId}/content`, new Uint8Array(4096));
  const networkIds: string[] = [];
  for (const name of HOSTNAMES) {
    const hostId = await make('hosts', { name, clusterId, uri: `sim://${name}` });
    await make('pools', { name: `pool-${name}`, driver: 'simulated', hostId });
    const subnets = [{ name: `subnet-${name}`, cidr: '10.0.0.0/8' }];
    networkIds.push(await make('networks', { name: `net-${name}`, driver: 'simulated', hostId, subnets }));
  }
  return { imageId, networkIds };
}

/** A machine with a volume, a NIC and an address; each on the host after the one before. */
export const machineInput = (fixture: Fixture, index: number): object => ({
  name: `vm-${index}`,
  instanceType: 'small',
  imageId: fixture.imageId,
  nics: [{ networkId: fixture.networkIds[index % fixture.networkIds.length] }],
});
