import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SimWorld, simulated } from '@pileus/core/testing';
import { expect } from 'chai';
import { type Cloud, createCloud } from '../src/index.ts';
import { jsonBody, type Store } from '../src/kernel/index.ts';
import { identityOf, nodeEnvironment, refuseOtherKey } from '../src/node/index.ts';
import { openSqlite } from '../src/sqlite/index.ts';

describe('a cloud inside a process', () => {
  let dataDir: string;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'pileus-cloud-'));
  });
  afterEach(() => rm(dataDir, { recursive: true }));

  const environment = nodeEnvironment();
  const start = async (): Promise<Cloud> => {
    const world = new SimWorld(environment, {});
    const store = await openSqlite({ path: join(dataDir, 'cloud.db') });
    return createCloud({ plugins: [simulated({ world, environment })], store, dataDir });
  };
  const ask = async (cloud: Cloud, method: string, url: string, body?: object) => {
    const response = await cloud.handle({
      method,
      url,
      headers: { prefer: 'wait=60' },
      ...(body === undefined ? {} : { body: jsonBody(body) }),
    });
    return { status: response.status, json: JSON.parse(String(response.body)) };
  };

  it('answers as a server does, as the operator of the default project', async () => {
    await using cloud = await start();
    expect((await ask(cloud, 'GET', '/v1/projects/default')).json).to.include({ name: 'default', state: 'available' });
    const made = await ask(cloud, 'POST', '/v1/zones', { name: 'north' });
    expect([made.status, made.json.operation.state, made.json.operation.actor]).to.deep.equal([200, 'succeeded', 'key:root']);
    expect((await ask(cloud, 'POST', '/v1/zones', { name: 'north' })).json.code).to.equal('name_taken');
    expect((await ask(cloud, 'GET', '/v1/nothing')).status).to.equal(404);
  });

  it('goes on where it was closed, under the same name and key', async () => {
    const first = await start();
    await ask(first, 'POST', '/v1/zones', { name: 'north' });
    await first.close();
    await first.close();
    await using second = await start();
    expect((await ask(second, 'GET', '/v1/zones/north')).status).to.equal(200);
    expect(await readdir(dataDir)).to.include.members(['cloud.db', 'seal.key', 'images']);
  });

  it('knows what is on hosts for its own when the sealing key is lost and replaced, and when the store is lost', async () => {
    const world = new SimWorld(environment, {});
    const open = (name = 'cloud') => openSqlite({ path: join(dataDir, `${name}.db`) });
    const marks = () => [...world.fabric.networks.values()].map(({ owner }) => owner);
    const withNetwork = async (store: Store, sealKey: Uint8Array) => {
      await using cloud = await createCloud({ plugins: [simulated({ world, environment })], store, dataDir, sealKey });
      const subnets = [{ cidr: '10.0.0.0/24' }];
      const { json } = await ask(cloud, 'POST', '/v1/networks', { name: `n${marks().length}`, driver: 'simulated-shared', subnets });
      expect(json.operation.state).to.equal('succeeded');
    };
    const [first, second] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
    await withNetwork(await open(), first);
    const [mark] = marks();
    const shut = await open();
    const refused = await withNetwork(shut, second).catch(({ message }: Error) => message);
    await shut.close();
    expect(refused).to.match(/^sealKey is not the key that the store is sealed with.* what is on hosts stays this cloud's/);
    const store = await open();
    expect(await identityOf(store, second)).to.equal(mark);
    await refuseOtherKey(store, { sealKey: second, path: 'sealKey', replaced: true }, environment);
    await withNetwork(store, second);
    await withNetwork(await open('another'), first);
    expect(marks()).to.deep.equal([mark, mark, mark]);
  });
});
