import { createHash, createHmac, randomBytes } from 'node:crypto';
import { signingKeyOf } from '@pileus/core';
import { expect } from 'chai';
import { canonical } from '../../src/auth/signatures.ts';
import { expectStatus, PASSWORD, Tenancy, type Tenant } from './tenancy.ts';

const WRONG = 'a wrong password';

interface Entry {
  readonly number: number;
  readonly actor: string;
  readonly action: string;
  readonly accountId?: string;
  readonly resourceKind?: string;
  readonly resourceId?: string;
  readonly request: { readonly from?: string };
  readonly error: { readonly code: string; readonly params: { readonly reason: string } };
}

describe('server: the audit of who was not let in', () => {
  let at: Tenancy;
  let acme: Tenant;
  /** Entries that were looked at. */
  const seen = new Set<string>();

  before(async () => {
    at = await Tenancy.open();
    acme = await at.tenant('acme');
  });
  after(() => at.close());

  /** Those that are new; they are written within a second. */
  const entries = async (count: number): Promise<readonly Entry[]> => {
    for (let tries = 0; tries < 1500; tries += 1) {
      const { items } = expectStatus(await at.root()('GET', '/v1/audit?of=cloud&result=denied&limit=1000'), 200).json;
      const fresh = (items as (Entry & { id: string })[]).filter(({ id }) => !seen.has(id)).toReversed();
      if (fresh.length >= count && fresh.every(({ number }) => number > 0)) {
        for (const { id } of fresh) seen.add(id);
        return fresh;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error('they were not written');
  };
  const shown = ({ action, request, error, ...of }: Entry) => [
    ...[action, error.code, error.params.reason, request, of.actor],
    ...[of.accountId === acme.accountId, of.resourceKind ?? ''],
  ];
  const signIn = (account: string, user: string, password: string) =>
    at.as('')('POST', '/v1/sessions', { account, user, password }, { authorization: '' });
  const from = '127.0.0.1';

  it('tells who was named at a sign-in, from where, and why he was refused', async () => {
    await at.user(acme.projectId, 'acme', 'ann');
    await at.user(acme.projectId, 'acme', 'banned');
    expectStatus(await acme.admin('POST', '/v1/users/banned/disable'), 200);
    for (const [account, user, password] of [
      ['acme', 'ann', WRONG],
      ['acme', 'nobody', WRONG],
      ['nowhere', 'ann', WRONG],
      ['acme', 'banned', PASSWORD],
    ] as const)
      expect((await signIn(account, user, password)).status).to.equal(401);
    const token = await at.as('')('POST', '/v1/sessions/token', { provider: 'oidc', token: WRONG }, { authorization: '' });
    expect(token.status).to.equal(401);
    const told = (await entries(5)).map(shown);
    const sign = ['session.create', 'unauthenticated'];
    expect(told).to.deep.equal([
      [...sign, 'wrong_password', { account: 'acme', user: 'ann', from }, 'anonymous', true, 'user'],
      [...sign, 'unknown', { account: 'acme', user: 'nobody', from }, 'anonymous', true, ''],
      [...sign, 'unknown', { account: 'nowhere', user: 'ann', from }, 'anonymous', false, ''],
      [...sign, 'disabled', { account: 'acme', user: 'banned', from }, 'anonymous', true, 'user'],
      [...sign, 'bad_token', { provider: 'oidc', from }, 'anonymous', false, ''],
    ]);
  });

  it('tells of names that have to wait, and of a wrong password of who is signed in', async () => {
    const mine = await at.user(acme.projectId, 'acme', 'guessed');
    const change = () => at.as(mine)('POST', '/v1/password', { current: WRONG, password: 'another good one' });
    expect((await change()).status).to.equal(400);
    let answer = await signIn('acme', 'guessed', WRONG);
    // Where the machine is slow the first pauses are over before it is asked again.
    for (let tries = 0; answer.status === 401 && tries < 10; tries += 1) answer = await signIn('acme', 'guessed', WRONG);
    expect(answer.status).to.equal(429);
    const told = (await entries(3)).map(shown);
    const { json } = await acme.admin('GET', '/v1/users/guessed');
    const named = { account: 'acme', user: 'guessed', from };
    expect(told).to.deep.include(['user.changePassword', 'invalid_input', 'wrong_password', { from }, `user:${json.id}`, true, 'user']);
    expect(told).to.deep.include(['session.create', 'busy', 'locked', named, 'anonymous', true, 'user']);
    expect(told).to.deep.include(['session.create', 'unauthenticated', 'wrong_password', named, 'anonymous', true, 'user']);
  });

  it('tells of keys, sessions and signatures that prove nothing', async () => {
    const { id, key } = expectStatus(await acme.admin('POST', '/v1/api-keys', { name: 'proven' }), 200).json as { id: string; key: string };
    const hex = id.replaceAll('-', '');
    const use = async (authorization: string) =>
      expect((await at.as('')('GET', '/v1/access', undefined, { authorization })).status, authorization).to.equal(401);
    const sign = (date = new Date().toISOString()) => {
      const parts = { method: 'GET', url: '/v1/access', date, nonce: randomBytes(16).toString('base64url'), project: undefined };
      const content = createHash('sha256').update('').digest('hex');
      const signature = createHmac('sha256', signingKeyOf(key))
        .update(canonical({ ...parts, content }))
        .digest('hex');
      return `PILEUS-HMAC-SHA256 key=${id}, date=${date}, nonce=${parts.nonce}, content=${content}, signature=${signature}`;
    };
    const again = sign();
    expectStatus(await at.as('')('GET', '/v1/access', undefined, { authorization: again }), 200);
    await use(`Bearer pil_${hex}_${'A'.repeat(43)}`);
    await use(`Bearer pil_${'0'.repeat(32)}_${'A'.repeat(43)}`);
    await use('Bearer none-at-all');
    await use('Basic YW5uOnNlY3JldA==');
    await use(again);
    await use(sign().replace(/signature=.{8}/, 'signature=00000000'));
    await use(sign(new Date(Date.now() - 600_000).toISOString()));
    const leaver = await at.user(acme.projectId, 'acme', 'leaver');
    expectStatus(await at.as(leaver)('POST', '/v1/logout'), 200);
    await use(`Bearer ${leaver}`);
    expectStatus(await acme.admin('POST', `/v1/api-keys/${id}/revoke`), 200);
    await use(`Bearer ${key}`);
    const metrics = await at.server.ask('GET', '/metrics', {
      headers: { authorization: `Bearer pil_${'1'.repeat(32)}_${'A'.repeat(43)}` },
    });
    expect(metrics.status).to.equal(401);
    const told = (await entries(9)).map((entry) => [
      entry.action,
      entry.error.params.reason,
      entry.request,
      entry.resourceId ?? '',
      entry.accountId ?? '',
    ]);
    const ofKey = [id, acme.accountId];
    const session = `${leaver.slice(4, 12)}-${leaver.slice(12, 16)}-${leaver.slice(16, 20)}-${leaver.slice(20, 24)}-${leaver.slice(24, 36)}`;
    expect(told).to.have.deep.members([
      ['apiKey.use', 'wrong_secret', { from }, ...ofKey],
      ['apiKey.use', 'unknown', { id: '00000000-0000-0000-0000-000000000000', from }, '', ''],
      ['apiKey.use', 'malformed', { from }, '', ''],
      ['apiKey.use', 'replayed', { from }, ...ofKey],
      ['apiKey.use', 'bad_signature', { from }, ...ofKey],
      ['apiKey.use', 'bad_date', { id, from }, '', ''],
      ['session.use', 'over', { from }, session, acme.accountId],
      ['apiKey.use', 'over', { from }, ...ofKey],
      ['apiKey.use', 'unknown', { id: '11111111-1111-1111-1111-111111111111', from }, '', ''],
    ]);
  });

  it('tells nothing of requests without a key, nor anything that is secret', async () => {
    expect((await at.as('')('GET', '/v1/access', undefined, { authorization: '' })).status).to.equal(401);
    expect((await signIn('acme', 'ann', 'yet another wrong password')).status).to.equal(401);
    expect((await at.as('')('GET', '/v1/access', undefined, { authorization: `Bearer ${WRONG.replaceAll(' ', '-')}` })).status).to.equal(
      401,
    );
    const { store } = at.server.plane.kernel.services;
    const audit = (await store.list({ table: 'audit' })).join('\n');
    for (const secret of [WRONG, WRONG.replaceAll(' ', '-'), 'yet another', PASSWORD, 'YW5uOnNlY3JldA', 'AAAAAAAA', '00000000,'])
      expect(audit + at.server.log(), secret).not.to.include(secret);
    expect(audit).to.include('wrong_password');
  });

  it('shows an account those of its own, and a project none', async () => {
    const account = expectStatus(await acme.admin('GET', '/v1/audit?of=account&result=denied&limit=1000'), 200).json.items as Entry[];
    expect(new Set(account.map(({ accountId }) => accountId))).to.deep.equal(new Set([acme.accountId]));
    expect(account.map(({ error }) => error.params.reason)).to.include.members([
      ...['wrong_password', 'unknown', 'disabled', 'wrong_secret', 'locked', 'replayed'],
    ]);
    expect(expectStatus(await acme.admin('GET', '/v1/audit?result=denied'), 200).json.items).to.deep.equal([]);
    expect((await at.root()('GET', '/v1/audit/verify')).json).to.include({ whole: true });
  });
});
