import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeEnvironment } from '@pileus/core/node';
import { SimWorld, simulated } from '@pileus/core/testing';
import { expect } from 'chai';
import { keptStores, layOut } from './release/kept-store.ts';
import { eventually, openServer, type TestServer } from './server.ts';

const GIB = 2 ** 30;
const LISTED = ['instances', 'volumes', 'networks', 'snapshots', 'nics'] as const;

describe('stores that were left in the midst of work by what came before', function () {
  this.timeout(120_000);

  it('are there', () => {
    expect(keptStores()).not.to.deep.equal([]);
  });

  for (const name of keptStores())
    it(`are opened, and all that was begun ends, by the steps that it began with: ${name}`, async () => {
      const directory = await mkdtemp(join(tmpdir(), 'pileus-kept-'));
      const key = await layOut(name, directory);
      const environment = nodeEnvironment();
      const world = new SimWorld(environment, {});
      for (const host of ['hv1', 'hv2']) world.addHost(host, { cpus: 16, memoryBytes: 64 * GIB });
      const server = await openServer({ directory, key, cloud: true, plugins: [simulated({ world, environment })] });
      try {
        // What the hosts of that cloud had is lost with it, but for its pool: so what has to do with what was there fails, and is unwound.
        for (const { id } of await items(server, 'pools')) world.ensurePool(String(id), undefined);
        const { operations } = server.plane.kernel;
        expect(operations.unfinished).to.be.greaterThan(0);
        await eventually(() => operations.unfinished === 0, 100_000);
        const failed = (await items(server, 'operations?limit=1000')).filter(({ state }) => state !== 'succeeded');
        expect(failed.map(({ state, error }) => [state, (error as { code: string }).code])).to.deep.equal(
          failed.map(() => ['failed', 'not_found']),
        );
        for (const path of LISTED)
          for (const { name: of, state } of await items(server, path))
            expect(['available', 'attached', 'running'], `${path} ${of}`).to.include(state);
        expect((await server.ask('GET', '/v1/audit/verify')).json.whole).to.equal(true);
        const made = await server.ask('POST', '/v1/volumes', { body: { sizeBytes: GIB }, headers: { prefer: 'wait=60' } });
        expect(made.status, made.text).to.equal(200);
      } finally {
        await server.close();
      }
    });
});

async function items(server: TestServer, path: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  return (await server.ask('GET', `/v1/${path}`)).json.items;
}
