import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CloudError } from '@pileus/core/kernel';
import { expect } from 'chai';
import { oidcProvider } from '../../src/auth/oidc.ts';
import { expectStatus, made, Tenancy, type Tenant } from '../tenants/tenancy.ts';
import { OpenId } from './openid.ts';

const CLIENT = 'pileus';

describe('server: users of an OpenID provider', () => {
  let openId: OpenId;
  let other: OpenId;
  let at: Tenancy;
  let acme: Tenant;

  before(async function () {
    this.timeout(300_000);
    const claims = { ann: { email: 'ann@example.org', groups: ['admins', 'staff'] }, 'Bob Builder': { groups: ['staff'] }, admin: {} };
    openId = await OpenId.start([CLIENT, 'another'], claims);
    other = await OpenId.start([CLIENT], claims);
    const oidc = { account: 'acme', makeUsers: true, issuer: openId.issuer, clientId: CLIENT };
    at = await Tenancy.open({ config: { kvm: { enabled: false }, auth: { oidc } } });
    acme = await at.tenant('acme');
    const groupId = await made(acme.admin, '/v1/groups', { name: 'admins', externalId: 'oidc:admins' });
    await made(acme.admin, '/v1/role-bindings', { groupId, role: 'accountAdmin', level: 'account' });
  });
  after(async () => {
    await at?.close();
    await openId?.[Symbol.asyncDispose]();
    await other?.[Symbol.asyncDispose]();
  });

  const signIn = (token: string, provider = 'oidc') => at.as('')('POST', '/v1/sessions/token', { provider, token }, { authorization: '' });

  it('sign in with its tokens, and have the roles of their groups', async () => {
    const { token, userId } = expectStatus(await signIn(await openId.idToken(CLIENT, 'ann')), 200).json;
    expect((await at.as(token)('GET', '/v1/access')).json.permissions).to.include('user.create');
    expect((await acme.admin('GET', '/v1/users/ann')).json).to.include({
      id: userId,
      email: 'ann@example.org',
      externalId: 'oidc:ann',
    });
    const again = expectStatus(await signIn(await openId.idToken(CLIENT, 'ann')), 200).json;
    expect(again.userId).to.equal(userId);
  });

  it('are called by a name that is one here, and never by one that another has', async () => {
    const bob = expectStatus(await signIn(await openId.idToken(CLIENT, 'Bob Builder')), 200).json;
    expect((await acme.admin('GET', `/v1/users/${bob.userId}`)).json.name).to.equal('bob-builder');
    expect((await at.as(bob.token)('GET', '/v1/images')).status).to.equal(403);
    const { json: admin } = await acme.admin('GET', '/v1/users/admin');
    const namesake = expectStatus(await signIn(await openId.idToken(CLIENT, 'admin')), 200).json;
    expect(namesake.userId).not.to.equal(admin.id);
    expect((await acme.admin('GET', `/v1/users/${namesake.userId}`)).json.name).to.match(/^admin-[0-9a-f]{8}$/);
  });

  it('are not let in by tokens of others, for others, that were changed, or are none', async () => {
    const good = await openId.idToken(CLIENT, 'ann');
    const [head = '', body = '', signature = ''] = good.split('.');
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as object;
    const forged = Buffer.from(JSON.stringify({ ...claims, sub: 'admin' })).toString('base64url');
    const none = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url');
    const tries = [
      await other.idToken(CLIENT, 'ann'),
      await openId.idToken('another', 'ann'),
      `${head}.${forged}.${signature}`,
      `${none}.${body}.`,
      'nothing',
      '',
    ];
    for (const token of tries) expect((await signIn(token)).status, token.slice(0, 40)).to.equal(401);
    expect((await signIn(good, 'ldap')).status).to.equal(401);
    expect((await at.as(good)('GET', '/v1/access')).status).to.equal(401);
    const told = await at.refusals();
    for (const provider of ['oidc', 'ldap']) expect(told).to.deep.include(['bad_token', { provider, from: '127.0.0.1' }]);
  });

  it('are told to come again while the provider does not answer and its keys are not known', async () => {
    const gone = await OpenId.start([CLIENT], {});
    const token = await gone.idToken(CLIENT, 'ann');
    const oidc = { account: 'acme', makeUsers: true, issuer: gone.issuer, clientId: CLIENT };
    const second = await Tenancy.open({ config: { kvm: { enabled: false }, auth: { oidc } } });
    await gone[Symbol.asyncDispose]();
    const answer = await second.as('')('POST', '/v1/sessions/token', { provider: 'oidc', token }, { authorization: '' });
    await second.close();
    expect([answer.status, answer.json.retry]).to.deep.equal([503, 'same_request']);
  });

  it('are told to come again while the provider has only a fault in the place of its keys', async () => {
    const faulty = createServer((request, response) => {
      const isKeys = request.url === '/keys';
      response.writeHead(isKeys ? 500 : 200).end(isKeys ? 'a fault' : JSON.stringify({ issuer, jwks_uri: `${issuer}/keys` }));
    }).listen(0, '127.0.0.1');
    await once(faulty, 'listening');
    const issuer = `http://127.0.0.1:${(faulty.address() as AddressInfo).port}`;
    const { byToken } = oidcProvider({
      ...{ account: 'acme', makeUsers: true, issuer, clientId: CLIENT },
      ...{ nameClaim: 'preferred_username', groupsClaim: 'groups' },
    });
    const refused = await byToken?.(await openId.idToken(CLIENT, 'ann')).catch((error: CloudError) => error.code);
    faulty.close();
    expect(refused).to.equal('unavailable');
  });
});
