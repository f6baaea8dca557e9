import { commit, FULL, inSlice } from '../../../../tools/test/slice.ts';
import { describeQueries } from '../../../core/testing/query/suite.ts';
import { openPostgres } from '../../src/postgres/index.ts';
import { TestCluster } from './cluster.ts';

const seed = Number(process.env.PILEUS_SEED ?? Number.parseInt(commit.slice(0, 7), 16)) || 1;

describe('queries on PostgreSQL', function () {
  this.timeout(300_000);
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.start({ inMemory: true });
  });
  after(() => cluster.stop());

  describeQueries('PostgreSQL', {
    open: () => openPostgres({ url: cluster.unused() }, cluster.environment),
    runs: FULL ? 10_000 : 400,
    seed,
    byField: inSlice(16),
  });
});
