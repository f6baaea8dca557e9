import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SimWorld, simulated } from '@pileus/core/testing';
import { expect } from 'chai';
import { type Cloud, createCloud } from '../src/index.ts';
import { jsonBody } from '../src/kernel/index.ts';
import { nodeEnvironment } from '../src/node/index.ts';
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
});
