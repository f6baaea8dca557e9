import { expect } from 'chai';
import { describeQuotaEdge } from './tenants/quota-edge-suite.ts';
import { expectStatus, made, Tenancy, type Tenant } from './tenants/tenancy.ts';

const FAR_OFF = '2100-01-01T00:00:00.000Z';

describeQuotaEdge('server: the edge of a quota', (options) => Tenancy.open(options));

describe('server: quotas', () => {
  let at: Tenancy;
  let acme: Tenant;
  before(async () => {
    at = await Tenancy.open();
    acme = await at.tenant('acme');
  });
  after(() => at.close());

  const used = async (counter: string, scope: string, query = '') => {
    const { items } = expectStatus(await acme.admin('GET', `/v1/quota${query}`), 200).json as { items: Record<string, unknown>[] };
    return items.find((item) => item.counter === counter && item.scope === scope);
  };

  it('are asked for by who works in a project, and granted by who may share out', async () => {
    const token = await at.user(acme.projectId, 'acme', 'lead', { role: 'projectAdmin', level: 'project' });
    const lead = at.as(token);
    const request = { projectId: acme.projectId, limits: { vcpus: 8 }, reason: 'A release is near.', expiresAt: FAR_OFF };
    const id = await made(lead, '/v1/quota-requests', request);
    expect((await lead('POST', `/v1/quota-requests/${id}/approve`)).status).to.equal(403);
    expect((await lead('POST', `/v1/projects/${acme.projectId}/set-quota`, { limits: { vcpus: 8 } })).status).to.equal(403);
    expect((await lead('POST', '/v1/quota-requests', { limits: { vcpus: 8 } })).status).to.equal(403);
    await made(acme.admin, `/v1/quota-requests/${id}/approve`, { answer: 'Good luck.' });
    expect((await lead('GET', `/v1/quota-requests/${id}`)).json).to.include({ state: 'applied', answer: 'Good luck.' });
    expect((await lead('GET', '/v1/projects/default')).json.limits).to.deep.equal({ vcpus: 8 });
  });

  it('of a whole account are the operator’s to grant', async () => {
    const id = await made(acme.admin, '/v1/quota-requests', { limits: { images: 80 } });
    const refused = await acme.admin('POST', `/v1/quota-requests/${id}/approve`);
    expect([refused.status, refused.json.params.permission]).to.deep.equal([403, 'account.setQuota']);
    await made(at.root(), `/v1/quota-requests/${id}/approve`, {});
    expect(await used('images', 'account')).to.include({ limit: 80 });
  });

  it('of another tenant are not seen', async () => {
    const other = await at.tenant('other');
    expect((await other.admin('GET', `/v1/quota?project=${acme.projectId}`)).status).to.equal(404);
    expect((await other.admin('GET', `/v1/quota?account=${acme.accountId}`)).status).to.equal(404);
    expect((await other.admin('GET', '/v1/quota?account=acme')).status).to.equal(404);
    expect((await other.admin('GET', '/v1/quota-requests')).json.items).to.deep.equal([]);
    const request = { projectId: acme.projectId, limits: { vcpus: 8 } };
    expect((await other.admin('POST', '/v1/quota-requests', request)).status).to.equal(404);
    expect((await other.admin('POST', `/v1/projects/${acme.projectId}/set-quota`, { limits: { vcpus: 8 } })).status).to.equal(404);
  });

  it('begin with those of the configuration', async () => {
    const own = await Tenancy.open({
      config: { kvm: { enabled: false }, quota: { project: { instances: 3 }, account: { projects: 2 } } },
    });
    const tenant = await own.tenant('small');
    expect((await tenant.admin('GET', '/v1/projects/default')).json.limits).to.deep.equal({ instances: 3 });
    await made(tenant.admin, '/v1/projects', { name: 'second' });
    expect((await tenant.admin('POST', '/v1/projects', { name: 'third' })).json).to.deep.include({
      code: 'quota_exceeded',
      params: { counter: 'projects', used: 2, limit: 2, asked: 1, scope: 'account', id: tenant.accountId },
    });
    await own.close();
  });
});
