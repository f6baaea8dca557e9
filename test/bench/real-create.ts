import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { haltImage } from '../../tools/guest/image.ts';
import { CACHE_DIR, ensureSystem } from '../../tools/system/ensure.ts';
import { labUp } from '../lab/lab.ts';
import type { Client } from './client.ts';
import { overHttp } from './fixture.ts';
import { type Bench, median, percentile, type Row } from './harness.ts';
import { type Model, RawMachines } from './raw-machines.ts';
import { scratch } from './scratch.ts';
import { BenchServer } from './server.ts';

const PAIRS = 10;
const AT_ONCE = [1, 8] as const;
const MIB = 2 ** 20;
const MEMORY_BYTES = 32 * MIB;

interface Ground {
  readonly imageId: string;
  readonly networkId: string;
}

/** The lab's host in a fresh cloud, with what a machine needs; the guest halts at once, so that guests cost nothing. */
async function makeGround(client: Client, host: { readonly uri: string; readonly poolDir: string }): Promise<Ground> {
  const maker = overHttp(client);
  const make = (plural: string, input: object) => maker.done('POST', `/v1/${plural}`, input);
  const zoneId = await make('zones', { name: 'zone-1' });
  const clusterId = await make('clusters', { name: 'cluster-1', zoneId, hypervisor: 'kvm', allowEmulation: true, vcpuOvercommit: 64 });
  const hostId = await make('hosts', { name: 'host-1', clusterId, uri: host.uri });
  await make('pools', { name: 'pool-1', driver: 'libvirt-dir', hostId, settings: { path: host.poolDir } });
  await make('instance-types', { name: 'tiny', vcpus: 1, memoryBytes: MEMORY_BYTES });
  const imageId = await make('images', { name: 'halt' });
  await maker.upload(`/v1/images/${imageId}/content`, await readFile((await haltImage({ cacheDir: CACHE_DIR })).path));
  const subnets = [{ name: 'subnet-1', cidr: '10.99.0.0/16' }];
  const networkId = await make('networks', { name: 'net-1', driver: 'libvirt', hostId, mode: 'isolated', subnets });
  return { imageId, networkId };
}

const createOurs = (client: Client, ground: Ground, name: string): Promise<string> =>
  client.done(
    'POST',
    '/v1/instances',
    { name, instanceType: 'tiny', imageId: ground.imageId, nics: [{ networkId: ground.networkId }] },
    name,
  );

async function modelOf(client: Client, ground: Ground, instanceId: string): Promise<Model> {
  const only = async (plural: string) => {
    const { text } = await client.ask('GET', `/v1/${plural}?instanceId=${instanceId}`);
    return (JSON.parse(text) as { readonly items: readonly [{ readonly id: string; readonly mac: string }] }).items[0];
  };
  const [volume, nic] = [await only('volumes'), await only('nics')];
  return { instanceId, volumeId: volume.id, nicId: nic.id, mac: nic.mac, networkId: ground.networkId };
}

/** How long it takes until all of them are there. */
async function together(atOnce: number, work: (index: number) => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: atOnce }, (_, index) => work(index)));
  return performance.now() - startedMs;
}

async function measure(atOnce: number, client: Client, ground: Ground, raw: RawMachines): Promise<Row> {
  const ours: number[] = [];
  const floor: number[] = [];
  for (let pair = 0; pair < PAIRS; pair += 1) {
    const ids: string[] = [];
    ours.push(await together(atOnce, async (index) => ids.push(await createOurs(client, ground, `vm-${atOnce}-${pair}-${index}`))));
    for (const id of ids) await client.done('DELETE', `/v1/instances/${id}`);
    floor.push(await together(atOnce, (index) => raw.create(index + 1)));
    for (let index = 0; index < atOnce; index += 1) await raw.delete(index + 1);
  }
  const value = median(ours);
  const ratio = median(ours.map((tookMs, pair) => tookMs / (floor[pair] ?? Number.NaN)));
  return { id: `real-create.${atOnce}`, value, unit: 'ms', p50: value, p99: percentile(ours, 0.99), floor: median(floor), ratio };
}

/**
 * Real machines on a libvirtd of our own, over HTTP from the request to `running`, beside the bare calls to libvirt that make the same. Time is until all of
 * those made at once are there; the ratio is the median of the pairs'.
 */
export const realCreateBench: Bench = {
  ids: AT_ONCE.map((atOnce) => `real-create.${atOnce}`),
  async run(wants) {
    const system = await ensureSystem({ log: () => {} });
    if (!system.ok) throw new Error(`real-create needs root and libvirt: ${JSON.stringify(system)}`);
    await using dir = await scratch();
    const lab = await labUp({ hosts: 1 });
    try {
      const { socketPath } = lab.host(0);
      const kvm = { enabled: true, virtType: 'tcg', cpuShares: false, nicLimits: false };
      await using server = await BenchServer.start({ dir: join(dir.path, 'server'), config: { kvm } });
      const { client } = server;
      const host = { uri: `qemu+unix:///system?socket=${socketPath}`, poolDir: join(lab.sharedDir, 'pool') };
      const ground = await makeGround(client, host);
      const model = await createOurs(client, ground, 'model');
      await using raw = await RawMachines.open(socketPath, await modelOf(client, ground, model));
      const rows: Row[] = [];
      for (const atOnce of AT_ONCE) if (wants(`real-create.${atOnce}`)) rows.push(await measure(atOnce, client, ground, raw));
      await client.done('DELETE', `/v1/instances/${model}`);
      return rows;
    } finally {
      await lab.down();
    }
  },
};
