import { upgradeUnderLoad } from '../release/upgrade.ts';
import { TestCluster } from './cluster.ts';

describe('a release', function () {
  this.timeout(300_000);
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.start({ inMemory: true });
  });
  after(() => cluster.stop());

  it('takes over from the last one under load, with operations under way, on PostgreSQL', () => upgradeUnderLoad(cluster.unused()));
});
