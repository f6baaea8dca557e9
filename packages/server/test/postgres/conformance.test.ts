import type { Store } from '@pileus/core/kernel';
import { describeSagaStore, describeStore, type StoreHarness } from '@pileus/core/testing';
import { openPostgres, restorePostgres } from '../../src/postgres/index.ts';
import { TestCluster } from './cluster.ts';
import type { Wire } from './wire.ts';

describe('the store on PostgreSQL', function () {
  this.timeout(300_000);
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.start({ inMemory: true });
  });
  after(() => cluster.stop());

  async function makeHarness(): Promise<StoreHarness> {
    const url = cluster.unused();
    const made = [url];
    const wires: Wire[] = [];
    const crashed: Store[] = [];
    let last: Store | undefined;
    const open = async (at: string): Promise<Store> => {
      const wire = await cluster.wire();
      wires.push(wire);
      last = await openPostgres({ url: wire.url(at) }, cluster.environment);
      return last;
    };
    return {
      open: () => open(url),
      target: () => cluster.path(),
      restore: async (from) => {
        const to = cluster.unused();
        made.push(to);
        await restorePostgres({ url: to, from }, cluster.environment);
        return open(to);
      },
      // What a killed process leaves is a closed socket at the server's end.
      crash: async () => {
        await wires.at(-1)?.close();
        if (last !== undefined) crashed.push(last);
      },
      close: async () => {
        for (const store of crashed) await store.close();
        for (const wire of wires) await wire.close();
        for (const each of made) await cluster.drop(each);
      },
    };
  }

  describeStore('PostgreSQL', { features: ['restore', 'crash'], makeHarness });
  describeSagaStore('PostgreSQL', { features: ['takeover'], makeHarness });
});
