/**
 * `keep-store.ts NAME`: keeps a store of the release that this is run in as `stores/NAME.json.gz`, for the releases after it to open (kept-stores.test.ts): with a
 * little of everything, and with operations under way whose hosts do not answer, as a server leaves it that is killed.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeEnvironment } from '@pileus/core/node';
import { SimWorld, simulated } from '@pileus/core/testing';
import { openServer } from '../server.ts';
import { keep } from './kept-store.ts';

const GIB = 2 ** 30;
/** Each operation is at its call by then. */
const BEGIN_MS = 2000;

const [name = '', directory] = process.argv.slice(2);
await (directory === undefined ? keep(name, import.meta.filename) : serve(directory));

async function serve(directory: string): Promise<void> {
  const environment = nodeEnvironment();
  const world = new SimWorld(environment, {});
  world.addHost('hv1', { cpus: 16, memoryBytes: 64 * GIB });
  world.addHost('hv2', { cpus: 16, memoryBytes: 64 * GIB });
  const server = await openServer({ directory: directory, cloud: true, plugins: [simulated({ world, environment })] });

  const asked = async (path: string, body: object | undefined, method = 'POST', prefer?: string) => {
    const { status, json, text } = await server.ask(method, `/v1/${path}`, {
      ...(body && { body }),
      ...(prefer && { headers: { prefer } }),
    });
    if (status !== 200 && status !== 202) throw new Error(`${path}: ${status} ${text}`);
    return json.resourceId as string;
  };
  const made = (path: string, body: object) => asked(path, body, 'POST', 'wait=60');

  const zoneId = await made('zones', { name: 'here' });
  const clusterId = await made('clusters', { name: 'one', zoneId });
  const hostId = await made('hosts', { name: 'hv1', clusterId, uri: 'sim://hv1' });
  await made('hosts', { name: 'hv2', clusterId, uri: 'sim://hv2' });
  await made('pools', { name: 'shared', driver: 'simulated-shared', clusterId });
  const imageId = await made('images', { name: 'debian' });
  const content = await server.ask('PUT', `/v1/images/${imageId}/content`, {
    raw: new Uint8Array(2 ** 16),
    headers: { 'content-type': 'application/octet-stream' },
  });
  if (content.status >= 300) throw new Error(content.text);
  const network = { mode: 'nat', hostId, subnets: [{ name: 'a', cidr: '10.1.0.0/24' }] };
  await made('instance-types', { name: 'tiny', vcpus: 1, memoryBytes: GIB });
  const networkId = await made('networks', { name: 'web', ...network });
  const machine = (name: string) => ({ name, instanceType: 'tiny', imageId, nics: [{ networkId }] });
  const running = await made('instances', machine('running'));
  const busy = await made('instances', machine('busy'));
  const volumeId = await made('volumes', { name: 'data', sizeBytes: GIB });
  const other = await made('volumes', { name: 'other', sizeBytes: GIB });
  await made(`instances/${running}/attach-volume`, { volumeId });
  await made('projects', { name: 'second' });

  // From now on no call of a host comes back.
  world.faults.add({ effect: 'hang' });
  await asked('instances', machine('begun'));
  await asked('networks', { name: 'begun', ...network, subnets: [{ name: 'b', cidr: '10.2.0.0/24' }] });
  await asked('volumes', { name: 'begun', sizeBytes: GIB });
  await asked('snapshots', { name: 'begun', volumeId: other });
  await asked(`volumes/${volumeId}/resize`, { sizeBytes: 2 * GIB });
  await asked(`instances/${busy}`, undefined, 'DELETE');
  await asked(`instances/${running}/attach-nic`, { networkId });
  await sleep(BEGIN_MS);
  await writeFile(join(directory, 'key'), server.key);
  process.kill(process.pid, 'SIGKILL');
}
