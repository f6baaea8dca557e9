import { expect } from 'chai';
import { expectStatus, made, type Tenancy, type Tenant } from './tenancy.ts';

const REQUESTS = 200;
const OF_ACCOUNT = 50;
const OF_PROJECT = 20;

/** @param open with what the tests want of the configuration */
export const describeQuotaEdge = (title: string, open: typeof Tenancy.open) =>
  describe(title, () => {
    let at: Tenancy;
    let acme: Tenant;
    before(async () => {
      at = await open();
      acme = await at.tenant('acme');
    });
    after(() => at?.close());

    const images = async (scope: string, query = ''): Promise<{ readonly used: number; readonly limit: number }> => {
      const { items } = expectStatus(await acme.admin('GET', `/v1/quota${query}`), 200).json;
      return items.find((item: { readonly counter: string; readonly scope: string }) => item.counter === 'images' && item.scope === scope);
    };

    it(`is where ${REQUESTS} requests at once end, exactly, for the account and for the project`, async () => {
      const second = await made(acme.admin, '/v1/projects', { name: 'second' });
      await made(at.root(), `/v1/accounts/${acme.accountId}/set-quota`, { limits: { images: OF_ACCOUNT } });
      await made(acme.admin, `/v1/projects/${second}/set-quota`, { limits: { images: OF_PROJECT } });
      const asks = [acme.admin, at.as(acme.token, 'second')];
      const answers = await Promise.all(
        Array.from({ length: REQUESTS }, (_, index) => asks[index % 2]?.('POST', '/v1/images', { name: `image-${index}` }, { prefer: '' })),
      );
      const refused = answers.filter((answer) => answer?.status === 409);
      expect(answers.filter((answer) => answer?.status === 202)).to.have.length(OF_ACCOUNT);
      expect(refused).to.have.length(REQUESTS - OF_ACCOUNT);
      for (const answer of refused) expect(answer?.json).to.include({ code: 'quota_exceeded', retry: 'after_state_change' });
      const scopes = new Set(refused.map((answer) => answer?.json.params.scope));
      expect(scopes.has('account')).to.equal(true);
      expect(await images('account')).to.include({ used: OF_ACCOUNT, limit: OF_ACCOUNT, id: acme.accountId });
      const { items } = (await acme.admin('GET', '/v1/images?limit=1000')).json;
      const ofSecond = (await at.as(acme.token, 'second')('GET', '/v1/images?limit=1000')).json.items;
      expect(items.length + ofSecond.length, 'as many as there are').to.equal(OF_ACCOUNT);
      expect((await images('project', '?project=second')).used)
        .to.equal(ofSecond.length)
        .and.to.be.at.most(OF_PROJECT);
    });
  });
