import { createHash, createHmac, randomBytes } from 'node:crypto';
import { signingKeyOf } from '@pileus/core';
import { connect } from '@pileus/sdk';
import { expect } from 'chai';
import { canonical } from '../../src/auth/signatures.ts';
import { expectStatus, made, PASSWORD, Tenancy, type Tenant } from './tenancy.ts';

describe('server: tenants', () => {
  let at: Tenancy;
  let acme: Tenant;

  let beganMs: number;
  before(async () => {
    beganMs = Date.now();
    at = await Tenancy.open();
    acme = await at.tenant('acme');
  });
  after(() => at.close());

  const code = async (answer: ReturnType<Tenant['admin']>) => {
    const { status, json } = await answer;
    return [status, json.code];
  };

  describe('passwords and sessions', () => {
    it('let a user in, as who he is', async () => {
      const { json } = await acme.admin('GET', '/v1/access');
      expect(json).to.include({ accountId: acme.accountId, projectId: acme.projectId });
      expect(json.actor).to.match(/^user:/);
      expect(json.permissions).to.include('user.create').and.not.include('host.create');
    });

    it('tell nothing of why nobody is let in', async () => {
      const ask = at.as('');
      const tries = [
        { account: 'acme', user: 'admin', password: 'wrong password' },
        { account: 'acme', user: 'nobody', password: PASSWORD },
        { account: 'nowhere', user: 'admin', password: PASSWORD },
      ];
      const answers = await Promise.all(tries.map((body) => ask('POST', '/v1/sessions', body, { authorization: '' })));
      const told = answers.map(({ status, json: { requestId: _, ...rest } }) => JSON.stringify({ status, ...rest }));
      expect(new Set(told).size).to.equal(1);
      expect(answers[0]?.status).to.equal(401);
    });

    it('make who guesses wait', async () => {
      await at.user(acme.projectId, 'acme', 'guessed');
      const guess = () => at.as('')('POST', '/v1/sessions', { account: 'acme', user: 'guessed', password: 'wrong' }, { authorization: '' });
      for (let index = 0; index < 5; index += 1) expect(await code(guess())).to.deep.equal([401, 'unauthenticated']);
      // Where the machine is slow the first pauses are over before it is asked again.
      let answer = await code(guess());
      for (let tries = 0; answer[0] === 401 && tries < 4; tries += 1) answer = await code(guess());
      expect(answer).to.deep.equal([429, 'busy']);
    });

    it('end with a logout, at once', async () => {
      const token = await at.user(acme.projectId, 'acme', 'leaver');
      expect((await at.as(token)('GET', '/v1/access')).status).to.equal(200);
      expectStatus(await at.as(token)('POST', '/v1/logout'), 200);
      expect((await at.as(token)('GET', '/v1/access')).status).to.equal(401);
    });

    it('end when the password is changed, but for the one that changes it', async () => {
      const mine = await at.user(acme.projectId, 'acme', 'changer');
      const other = await at.signIn('acme', 'changer');
      const wrong = await at.as(mine)('POST', '/v1/password', { current: 'not this one', password: 'another good one' });
      expect([wrong.status, wrong.json.pointer]).to.deep.equal([400, '/current']);
      expectStatus(await at.as(mine)('POST', '/v1/password', { current: PASSWORD, password: 'another good one' }), 200);
      expect((await at.as(mine)('GET', '/v1/access')).status).to.equal(200);
      expect((await at.as(other)('GET', '/v1/access')).status).to.equal(401);
      await at.signIn('acme', 'changer', 'another good one');
    });

    it('end at once for who is disabled, and for a disabled account', async () => {
      const token = await at.user(acme.projectId, 'acme', 'banned', { role: 'viewer' });
      const ask = at.as(token);
      expect((await ask('GET', '/v1/images')).status).to.equal(200);
      expectStatus(await acme.admin('POST', '/v1/users/banned/disable'), 200);
      expect((await ask('GET', '/v1/images')).status).to.equal(401);
      expectStatus(await acme.admin('POST', '/v1/users/banned/enable'), 200);
      expect((await ask('GET', '/v1/images')).status).to.equal(200);
      expectStatus(await at.root()('POST', '/v1/accounts/acme/disable'), 200);
      expect((await ask('GET', '/v1/images')).status).to.equal(401);
      expectStatus(await at.root()('POST', '/v1/accounts/acme/enable'), 200);
      expect((await ask('GET', '/v1/images')).status).to.equal(200);
    });

    it('are set by one of two at once, and the other is told', async () => {
      await made(acme.admin, '/v1/users', { name: 'twice' });
      const set = (password: string) => acme.admin('POST', '/v1/users/twice/password', { password });
      for (const passwords of [
        ['a first good one', 'a second good one'],
        ['a third good one', 'a fourth good one'],
      ]) {
        const answers = await Promise.all(passwords.map(set));
        expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).to.deep.equal([200, 409]);
        await at.signIn('acme', 'twice', passwords[answers.findIndex(({ status }) => status === 200)] ?? '');
        expectStatus(await set(PASSWORD), 200);
      }
    });

    it('are kept as a slow hash alone', async () => {
      const { store } = at.server.plane.kernel.services;
      const kept = (await store.list({ table: 'credential' })).join('\n');
      expect(kept).to.include('$argon2id$v=19$').and.not.include(PASSWORD);
      expect(kept).not.to.include(acme.token);
      const audit = (await store.list({ table: 'audit' })).join('\n');
      const repeats = (await store.list({ table: 'idempotency' })).join('\n');
      expect(audit + repeats + at.server.log()).not.to.include(PASSWORD);
    });
  });

  describe('API keys', () => {
    const newKey = async (body: object = {}, ask = acme.admin) => {
      const name = `key-${randomBytes(4).toString('hex')}`;
      return expectStatus(await ask('POST', '/v1/api-keys', { name, ...body }), 200).json as { id: string; name: string; key: string };
    };

    it('are shown once, and act as who made them', async () => {
      const { id, key } = await newKey();
      expect((await at.as(key)('GET', '/v1/access')).json).to.include({ actor: `key:${id}`, projectId: acme.projectId });
      const row = await acme.admin('GET', `/v1/api-keys/${id}`);
      expect(row.text).not.to.include(key.slice(-20));
    });

    it('are void from the answer of a revocation on', async () => {
      for (let round = 0; round < 20; round += 1) {
        const { id, key } = await newKey();
        expect((await at.as(key)('GET', '/v1/access')).status).to.equal(200);
        const revoked = await acme.admin('POST', `/v1/api-keys/${id}/revoke`, undefined, { prefer: '' });
        expect(revoked.status).to.equal(202);
        expect((await at.as(key)('GET', '/v1/access')).status, `round ${round}`).to.equal(401);
      }
    });

    it('are rehearsed, as are passwords: nothing is changed, and no secret is made or told', async () => {
      const { id, key } = await newKey();
      await at.user(acme.projectId, 'acme', 'rehearsed');
      const { store, kernel } = at.server.plane.kernel.services;
      const state = async () =>
        (
          await Promise.all(
            kernel()
              .registry.schema()
              .tables.map(({ name }) => store.list({ table: name, deleted: true })),
          )
        ).flat();
      const before = await state();
      const dry = async (path: string, body: object) => expectStatus(await acme.admin('POST', `${path}?dryRun=true`, body), 200);
      const made = await dry('/v1/api-keys', { name: 'to-be' });
      expect(made.json).to.deep.include({ dryRun: true, accepted: true, action: 'apiKey.create', resourceKind: 'apiKey', blockers: [] });
      expect(made.json.notes).to.have.all.keys('userId');
      const rotated = await dry(`/v1/api-keys/${id}/rotate`, {});
      expect(rotated.json).to.deep.include({ accepted: true, action: 'apiKey.rotate', resourceId: id });
      expect(rotated.json.notes).to.have.all.keys('oldKeyUntil');
      const set = await dry('/v1/users/rehearsed/password', { password: 'never to be set' });
      expect(set.json).to.deep.include({ accepted: true, action: 'user.setPassword', notes: { endsSessions: 1 } });
      for (const { text } of [made, rotated, set]) expect(text).not.to.match(/pil_|never to be set|sealed:|sha256/);
      expect(await state()).to.deep.equal(before);
      const { json: row } = await acme.admin('GET', `/v1/api-keys/${id}`);
      const taken = await dry('/v1/api-keys', { name: row.name });
      expect([taken.json.accepted, taken.json.blockers[0].code, taken.json.blockers[0].pointer]).to.deep.equal([
        false,
        'name_taken',
        '/name',
      ]);
      expectStatus(await acme.admin('POST', `/v1/api-keys/${id}/revoke`), 200);
      expect((await dry(`/v1/api-keys/${id}/rotate`, {})).json.blockers[0].code).to.equal('conflict');
      expect(await code(acme.admin('POST', '/v1/api-keys?dryRun=true', { name: 'x', serviceAccountId: id }))).to.deep.equal([
        404,
        'not_found',
      ]);
      const strangers = await at.as(await at.user(acme.projectId, 'acme', 'no-admin'))('POST', '/v1/users/rehearsed/password?dryRun=true', {
        password: 'never to be set',
      });
      expect(strangers.status).to.equal(403);
      await at.signIn('acme', 'rehearsed');
      expect((await at.as(key)('GET', '/v1/access')).status).to.equal(401);
    });

    it('have two secrets for a while when they are rotated', async () => {
      const { id, key } = await newKey();
      const { json } = expectStatus(await acme.admin('POST', `/v1/api-keys/${id}/rotate`, { overlapSeconds: 1 }), 200);
      for (const either of [key, json.key]) {
        const { status } = await at.as(either)('GET', '/v1/access');
        // A machine that is busy may ask when the while is over.
        if (Date.now() < Date.parse(json.oldKeyUntil)) expect(status).to.equal(200);
      }
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, Date.parse(json.oldKeyUntil) - Date.now()) + 20));
      expect((await at.as(key)('GET', '/v1/access')).status).to.equal(401);
      expect((await at.as(json.key)('GET', '/v1/access')).status).to.equal(200);
    });

    it('are rotated by one of two at once, and the other is told', async () => {
      const { store } = at.server.plane.kernel.services;
      const sealed = async () => (await store.list({ table: 'sealed' })).length;
      const { id } = await newKey();
      for (let round = 0; round < 5; round += 1) {
        expectStatus(await acme.admin('POST', `/v1/api-keys/${id}/rotate`), 200);
        const kept = await sealed();
        const answers = await Promise.all([1, 2].map(() => acme.admin('POST', `/v1/api-keys/${id}/rotate`)));
        const good = answers.filter(({ status }) => status === 200);
        expect(good).not.to.deep.equal([]);
        for (const { status, json } of answers) expect(status === 200 ? 'conflict' : json.code).to.equal('conflict');
        // Whatever was answered last opens; each answer before it does as the one that it replaced.
        for (const { json } of good) expect((await at.as(json.key)('GET', '/v1/access')).status, `round ${round}`).to.equal(200);
        expect(await sealed()).to.equal(kept);
      }
    });

    it('end when their time is over', async () => {
      const endMs = Date.now() + 1500;
      const { key } = await newKey({ expiresAt: new Date(endMs).toISOString() });
      const { status } = await at.as(key)('GET', '/v1/access');
      // A machine that is busy may ask when it has ended.
      if (Date.now() < endMs) expect(status).to.equal(200);
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, endMs - Date.now()) + 20));
      expect((await at.as(key)('GET', '/v1/access')).status).to.equal(401);
    });

    it('may do what they were made for, and make no others', async () => {
      const { key } = await newKey({ permissions: ['image.*'] });
      const ask = at.as(key);
      expect((await ask('GET', '/v1/images')).status).to.equal(200);
      const refused = await ask('GET', '/v1/volumes');
      expect(refused.json.params).to.include({ permission: 'volume.read', reason: 'The API key is restricted to other permissions.' });
      expect((await ask('POST', '/v1/api-keys', { name: 'more' })).status).to.equal(403);
      const own = await newKey({ permissions: ['apiKey.*'] });
      expect(await code(at.as(own.key)('POST', '/v1/api-keys', { name: 'wider' }))).to.deep.equal([403, 'permission_denied']);
    });

    it('go with their holder', async () => {
      const serviceAccountId = await made(acme.admin, '/v1/service-accounts', { name: 'robot' });
      await made(acme.admin, '/v1/role-bindings', { role: 'viewer', serviceAccountId });
      const { key } = await newKey({ serviceAccountId });
      expect((await at.as(key)('GET', '/v1/images')).status).to.equal(200);
      expectStatus(await acme.admin('DELETE', '/v1/service-accounts/robot'), 200);
      expect((await at.as(key)('GET', '/v1/images')).status).to.equal(401);
    });

    it('work in the project that is named, if there is a role for it', async () => {
      const second = await made(acme.admin, '/v1/projects', { name: 'second' });
      const { key } = await newKey();
      expect((await at.as(key, 'second')('GET', '/v1/access')).json.projectId).to.equal(second);
      const tied = await newKey({ projectId: second });
      expect((await at.as(tied.key)('GET', '/v1/access')).json.projectId).to.equal(second);
      const foreign = '00000000-0000-7000-8000-000000000001';
      for (const project of [foreign, 'nowhere', acme.projectId]) {
        const refused = await at.as(tied.key, project)('GET', '/v1/access');
        expect([refused.status, refused.json.code]).to.deep.equal([403, 'permission_denied']);
      }
    });

    it('answer another secret to a repeat, and void the first', async () => {
      const body = { name: 'repeated' };
      const ask = () => acme.admin('POST', '/v1/api-keys', body, { 'idempotency-key': 'make-a-key' });
      const [first, second] = [expectStatus(await ask(), 200).json, expectStatus(await ask(), 200).json];
      expect(second.id).to.equal(first.id);
      expect((await at.as(first.key)('GET', '/v1/access')).status).to.equal(401);
      expect((await at.as(second.key)('GET', '/v1/access')).status).to.equal(200);
    });

    describe('that sign requests', () => {
      let id: string;
      let key: string;
      before(async () => {
        ({ id, key } = await newKey());
      });

      const signed = (method: string, url: string, body = '', change: Partial<Parameters<typeof canonical>[0]> = {}) => {
        const content = createHash('sha256').update(body).digest('hex');
        const parts = {
          method,
          url,
          date: new Date().toISOString(),
          nonce: randomBytes(16).toString('base64url'),
          content,
          project: undefined,
          ...change,
        };
        const signature = createHmac('sha256', signingKeyOf(key)).update(canonical(parts)).digest('hex');
        const { date, nonce } = parts;
        return `PILEUS-HMAC-SHA256 key=${id}, date=${date}, nonce=${nonce}, content=${parts.content}, signature=${signature}`;
      };
      const send = async (method: string, url: string, authorization: string, body?: string, headers: Record<string, string> = {}) => {
        const answer = await at.server.ask(method, url, {
          ...(body === undefined ? {} : { raw: body }),
          headers: { authorization, 'content-type': 'application/json', ...headers },
        });
        return answer;
      };

      it('are let in without being sent', async () => {
        const { status, json } = await send('GET', '/v1/access', signed('GET', '/v1/access'));
        expect([status, json.actor]).to.deep.equal([200, `key:${id}`]);
        const body = JSON.stringify({ name: 'signed' });
        expect((await send('POST', '/v1/images', signed('POST', '/v1/images', body), body)).status).to.equal(202);
      });

      it('are let in when the SDK signs', async () => {
        const cloud = connect({ url: at.server.url, apiKey: key, sign: true, project: 'second' });
        const row = await (await cloud.images.create({ name: 'by-the-sdk', description: "it's signed" })).wait();
        expect(row.projectId).not.to.equal(acme.projectId);
        const found = await cloud.images.list({ filter: "description = 'it''s signed'" }).toArray();
        expect(found.map(({ name }) => name)).to.deep.equal(['by-the-sdk']);
        expect(() => connect({ url: at.server.url, apiKey: at.server.key, sign: true })).to.throw('can sign');
      });

      it('are refused when the request comes again', async () => {
        const authorization = signed('GET', '/v1/images?limit=1');
        expect((await send('GET', '/v1/images?limit=1', authorization)).status).to.equal(200);
        expect((await send('GET', '/v1/images?limit=1', authorization)).status).to.equal(401);
      });

      it('are refused when anything differs from what was signed', async () => {
        const other = JSON.stringify({ name: 'other' });
        const image = JSON.stringify({ name: 'as-signed' });
        const cases = [
          await send('GET', '/v1/images?limit=2', signed('GET', '/v1/images?limit=1')),
          await send('POST', '/v1/images', signed('GET', '/v1/images', image), image),
          await send('POST', '/v1/images', signed('POST', '/v1/images', image), other),
          await send('POST', '/v1/images', signed('POST', '/v1/images', image)),
          await send('GET', '/v1/images', signed('GET', '/v1/images'), undefined, { 'x-pileus-project': 'second' }),
          await send('GET', '/v1/images', signed('GET', '/v1/images', '', { date: new Date(Date.now() - 600_000).toISOString() })),
          await send('GET', '/v1/images', signed('GET', '/v1/images').replace(/signature=.{4}/, 'signature=0000')),
          await send('GET', '/v1/images', signed('GET', '/v1/images').replace(id, '00000000-0000-7000-8000-000000000001')),
        ];
        expect(cases.map(({ status }) => status)).to.deep.equal(cases.map(() => 401));
        const names = (await acme.admin('GET', '/v1/images')).json.items.map((row: { name: string }) => row.name);
        expect(names).not.to.include('other').and.not.include('as-signed');
      });

      it('are to sign again what they signed before the server started', async () => {
        const answer = await send('GET', '/v1/images', signed('GET', '/v1/images', '', { date: new Date(beganMs - 1000).toISOString() }));
        expect([answer.status, answer.json.retry]).to.deep.equal([503, 'same_request']);
      });

      it('are void from the answer of a revocation on', async () => {
        expectStatus(await acme.admin('POST', `/v1/api-keys/${id}/revoke`), 200);
        expect((await send('GET', '/v1/access', signed('GET', '/v1/access'))).status).to.equal(401);
      });
    });
  });
});
