import { describeIsolation } from '../tenants/isolation-suite.ts';
import { describeQuotaEdge } from '../tenants/quota-edge-suite.ts';
import { describeRoles } from '../tenants/roles-suite.ts';
import { Tenancy } from '../tenants/tenancy.ts';
import { TestCluster } from './cluster.ts';

describe('tenants on PostgreSQL', function () {
  this.timeout(300_000);
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.start({ inMemory: true });
  });
  after(() => cluster.stop());

  const open: typeof Tenancy.open = ({ config, ...options } = {}) =>
    Tenancy.open({ ...options, config: { kvm: { enabled: false }, ...config, store: cluster.storeUrl() } });

  describeIsolation('what one tenant learns of another', open);
  describeRoles('roles', open);
  describeQuotaEdge('the edge of a quota', open);
});
