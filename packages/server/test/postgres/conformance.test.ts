import type { Store } from '@pileus/core/kernel';
import { describeStore } from '@pileus/core/testing';
import { openPostgres, restorePostgres } from '../../src/postgres/index.ts';
import { TestCluster } from './cluster.ts';

describe('the store on PostgreSQL', function () {
  this.timeout(120_000);
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.start();
  });
  after(() => cluster.stop());

  describeStore('PostgreSQL', {
    features: ['restore'],
    makeHarness: async () => {
      const url = cluster.unused();
      const made = [url];
      const open = (at: string): Promise<Store> => openPostgres({ url: at }, cluster.environment);
      return {
        open: () => open(url),
        target: () => cluster.path(),
        restore: async (from) => {
          const to = cluster.unused();
          made.push(to);
          await restorePostgres({ url: to, from }, cluster.environment);
          return open(to);
        },
        close: async () => {
          for (const each of made) await cluster.drop(each);
        },
      };
    },
  });
});
