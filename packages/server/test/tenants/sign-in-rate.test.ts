import { request } from 'node:http';
import { expect } from 'chai';
import { expectStatus, PASSWORD, Tenancy, type Tenant } from './tenancy.ts';

describe('server: many tries to sign in from one address', () => {
  let at: Tenancy;
  let acme: Tenant;
  before(async () => {
    at = await Tenancy.open();
    acme = await at.tenant('acme');
  });
  after(() => at.close());

  /** Answers the status, and when to come again. */
  const post = (from: string, path: string, body: object) =>
    new Promise<readonly [number | undefined, string | undefined]>((resolve, reject) => {
      const headers = { 'content-type': 'application/json' };
      const sent = request(at.server.url + path, { method: 'POST', localAddress: from, headers }, (response) => {
        response.resume();
        resolve([response.statusCode, response.headers['retry-after']]);
      });
      sent.on('error', reject);
      sent.end(JSON.stringify(body));
    });
  const signIn = async (from: string, password: string) =>
    (await post(from, '/v1/sessions', { account: 'acme', user: 'admin', password }))[0];
  const set = async (value: number) =>
    expectStatus(await at.root()('POST', '/v1/setting-values/actions/set', { key: 'auth.addressSignInsPerMinute', value }), 200);

  it('keep that address waiting, and no other, nor who has a key', async () => {
    // The next is granted after a minute.
    await set(1);
    expect(await signIn('127.0.0.1', 'a wrong password')).to.equal(401);
    const [status, again] = await post('127.0.0.1', '/v1/sessions', { account: 'acme', user: 'admin', password: PASSWORD });
    expect(status).to.equal(429);
    expect(Number(again)).to.be.within(1, 60);
    for (let tries = 0; tries < 10; tries += 1) expect(await signIn('127.0.0.1', 'a wrong password')).to.equal(429);
    expect((await post('127.0.0.1', '/v1/sessions/token', { provider: 'oidc', token: 'x' }))[0]).to.equal(429);
    expect((await acme.admin('GET', '/v1/access')).status).to.equal(200);
    expect(await signIn('127.0.0.2', PASSWORD)).to.equal(200);
    expect(await signIn('127.0.0.2', PASSWORD)).to.equal(429);
    // What was refused counts as no wrong password.
    await set(0);
    for (let tries = 0; tries < 10; tries += 1) expect(await signIn('127.0.0.1', PASSWORD)).to.equal(200);
    const told = await at.refusals();
    for (const from of ['127.0.0.1', '127.0.0.2']) expect(told).to.deep.include(['too_often', { from }]);
  });
});
