import { delivery } from '@pileus/core';
import { create, defineSystemTag, type Plugin } from '@pileus/core/kernel';
import { expect } from 'chai';
import { Type } from 'typebox';
import { type Ask, expectStatus, made, Tenancy, type Tenant } from './tenancy.ts';

const rating = defineSystemTag({
  ...{ name: 'ratings.of', description: 'What the operator thinks of it.', kinds: ['image'], value: Type.String(), adminOnly: true },
});
const ratings: Plugin = { id: 'ratings', version: '1', systemTags: [rating] };

describe('server: what somebody of a tenant tries', () => {
  let at: Tenancy;
  let acme: Tenant;

  before(async () => {
    at = await Tenancy.open({ plugins: [ratings] });
    acme = await at.tenant('acme');
  });
  after(() => at.close());

  let count = 0;
  const roleOf = (rules: readonly object[]) => {
    count += 1;
    return made(acme.admin, '/v1/roles', { name: `role-${count}`, rules });
  };
  const someone = async (binding?: object): Promise<Ask> => {
    count += 1;
    return at.as(await at.user(acme.projectId, 'acme', `user-${count}`, binding));
  };
  const newKey = async (body: object = {}, ask = acme.admin) => {
    count += 1;
    return expectStatus(await ask('POST', '/v1/api-keys', { name: `key-${count}`, ...body }), 200).json as { id: string; key: string };
  };

  it('to be known to a provider as who may more', async () => {
    const ask = await someone({ role: await roleOf([{ permissions: ['user.*'] }]), level: 'account' });
    const { id } = (await acme.admin('GET', '/v1/users/admin')).json;
    const answer = await ask('PATCH', `/v1/users/${id}`, { externalId: 'ldap:me' });
    expect([answer.status, answer.json.code], answer.text).to.deep.equal([403, 'permission_denied']);
  });

  it('to have the secret of a key of who may more', async () => {
    const ask = await someone({ role: await roleOf([{ permissions: ['apiKey.*'] }]), level: 'account' });
    const { id } = await newKey();
    const answer = await ask('POST', `/v1/api-keys/${id}/rotate`);
    expect([answer.status, answer.json.code], answer.text).to.deep.equal([403, 'permission_denied']);
    const own = await newKey({}, ask);
    expectStatus(await ask('POST', `/v1/api-keys/${own.id}/rotate`), 200);
  });

  it('to have the secret of a key that was given the name of one of his own', async () => {
    const ask = await someone({ role: 'member' });
    const headers = { 'idempotency-key': 'mine first' };
    const { id } = expectStatus(await ask('POST', '/v1/api-keys', { name: 'deploy' }, headers), 200).json;
    expectStatus(await ask('DELETE', `/v1/api-keys/${id}`), 200);
    const admins = expectStatus(await acme.admin('POST', '/v1/api-keys', { name: 'deploy' }), 200).json;
    const answer = await ask('POST', '/v1/api-keys', { name: 'deploy' }, headers);
    expect([answer.status, answer.json.code], answer.text).to.deep.equal([409, 'name_taken']);
    expect((await at.as(admins.key)('GET', '/v1/access')).status).to.equal(200);
  });

  it('to have a restricted key rotate others', async () => {
    const { id } = await newKey();
    const restricted = await newKey({ permissions: ['apiKey.rotate', 'apiKey.read'] });
    const answer = await at.as(restricted.key)('POST', `/v1/api-keys/${id}/rotate`);
    expect([answer.status, answer.json.code], answer.text).to.deep.equal([403, 'permission_denied']);
    const { json } = expectStatus(await at.as(restricted.key)('POST', `/v1/api-keys/${restricted.id}/rotate`), 200);
    expect((await at.as(json.key)('GET', '/v1/images')).status).to.equal(403);
  });

  it('to get out of the one project of his key', async () => {
    const second = await made(acme.admin, '/v1/projects', { name: 'second' });
    const { key } = await newKey({ projectId: second });
    for (const [method, path] of [
      ['POST', '/v1/users'],
      ['DELETE', `/v1/projects/${acme.projectId}`],
    ] as const) {
      const { status } = await at.as(key)(method, path, method === 'POST' ? { name: 'made-by-a-tied-key' } : undefined);
      expect(status, path).to.be.oneOf([403, 404]);
    }
    expect((await at.as(key)('GET', '/v1/projects')).json.items.map(({ id }: { id: string }) => id)).to.deep.equal([second]);
    await made(at.as(key), '/v1/images', { name: 'in-the-one' });
    const answer = await at.as(key)('POST', '/v1/api-keys', { name: 'free' });
    expect([answer.status, answer.json.code], answer.text).to.deep.equal([403, 'permission_denied']);
  });

  it('to guess passwords all at once', async () => {
    await at.user(acme.projectId, 'acme', 'victim');
    const guess = (user: string) => at.as('')('POST', '/v1/sessions', { account: 'acme', user, password: 'wrong' }, { authorization: '' });
    const beganMs = performance.now();
    const answers = await Promise.all(Array.from({ length: 40 }, () => guess('victim')));
    const seconds = Math.floor((performance.now() - beganMs) / 1000);
    // One more a second at the most, where the machine is slow.
    expect(answers.filter(({ status }) => status === 401).length).to.be.within(5, 5 + seconds);
  });

  it('to go on following events with a key that is revoked', async () => {
    const { id, key } = await newKey();
    const response = await fetch(`${at.server.url}/v1/events?kinds=image`, { headers: { authorization: `Bearer ${key}` } });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    let text = '';
    const ended = (async () => {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        text += Buffer.from(value).toString();
      }
    })();
    await made(acme.admin, '/v1/images', { name: 'before' });
    while (!text.includes('before')) await new Promise((resolve) => setTimeout(resolve, 5));
    expectStatus(await acme.admin('POST', `/v1/api-keys/${id}/revoke`), 200);
    await made(acme.admin, '/v1/images', { name: 'afterwards' });
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 2000))]);
    await reader.cancel();
    expect(text).not.to.include('afterwards');
  });

  it('to be sent what he may not read, by a webhook of others', async () => {
    const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
    const id = await made(acme.admin, '/v1/webhooks', { url: 'https://hooks.example.org/in', kinds: ['image'], secret });
    const ask = await someone({ role: await roleOf([{ permissions: ['webhook.*'] }]) });
    const answer = await ask('PATCH', `/v1/webhooks/${id}`, { url: 'https://mine.example.org/in' });
    expect([answer.status, answer.json.code], answer.text).to.deep.equal([403, 'permission_denied']);
  });

  it('fields that objects have without being given any', async () => {
    const { kernel } = at.server.plane;
    const id = kernel.services.ids.mint('delivery') as never;
    const event = JSON.parse('{"constructor": {"prototype": {"polluted": "yes"}}}') as object;
    const about = { url: 'https://a', eventId: 'e', resourceKind: 'image', resourceId: String(id), attempts: 1 };
    const row = { id, name: String(id), projectId: acme.projectId as never, ...about, event: event as never };
    expect((await kernel.observe([create(delivery, row)])).ok).to.equal(true);
    const url = `${at.server.url}/v1/deliveries?fields=event.constructor.prototype.polluted`;
    const answer = await fetch(url, { headers: { authorization: `Bearer ${acme.token}` } });
    expect(((await answer.json()) as { readonly items: unknown }).items).to.deep.equal([{ event }]);
    expect(({} as { readonly polluted?: string }).polluted).to.equal(undefined);
  });

  it('keys of the operator, who has made one while at work for him', async () => {
    const home = '00000000-0000-7000-8000-000000000001';
    const token = await at.user(home, 'default', 'staff', { role: 'operator', level: 'cloud' });
    const { id, key } = await newKey({}, at.as(token, acme.projectId));
    expect((await at.as(key, acme.projectId)('GET', '/v1/access')).json.accountId).to.equal(acme.accountId);
    expect((await acme.admin('GET', `/v1/api-keys/${id}`)).status).to.equal(404);
    expect((await acme.admin('POST', `/v1/api-keys/${id}/revoke`)).status).to.equal(404);
  });

  it('a key that has expired, by the clock of another zone', async () => {
    const inZone = (ms: number) => new Date(ms + 10 * 3600_000).toISOString().replace('Z', '+10:00');
    const { id, key } = await newKey({ expiresAt: inZone(Date.now() + 60_000) });
    expect((await at.as(key)('GET', '/v1/access')).status).to.equal(200);
    expectStatus(await acme.admin('PATCH', `/v1/api-keys/${id}`, { expiresAt: inZone(Date.now() - 60_000) }), 200);
    expect((await at.as(key)('GET', '/v1/access')).status).to.equal(401);
    for (const expiresAt of ['2016-12-31T23:59:60Z', '2099-12-31T23:59:60Z']) {
      const { status } = await acme.admin('POST', '/v1/api-keys', { name: 'leap', expiresAt });
      expect(status, expiresAt).to.equal(400);
    }
    const audit = await acme.admin('GET', '/v1/audit?since=2016-12-31T23:59:60Z');
    expect(audit.status, audit.text).to.be.lessThan(500);
  });

  it('what the operator alone says of a thing', async () => {
    const resourceId = await made(acme.admin, '/v1/images', { name: 'rated' });
    const root = at.root(acme.projectId);
    const about = { tag: rating.name, resourceKind: 'image', resourceId };
    await made(root, '/v1/system-tags/actions/set', { ...about, value: 'mediocre' });
    await made(root, '/v1/system-tags/actions/clear', about);
    for (const path of [
      '/v1/audit?of=account&limit=1000',
      '/v1/audit?limit=1000',
      '/v1/changes?after=1.0&limit=1000',
      '/v1/operations?limit=1000',
    ])
      expect((await acme.admin('GET', path)).text, path)
        .not.to.include('mediocre')
        .and.not.include(rating.name);
    const told = (await at.root()('GET', '/v1/audit?of=cloud&resourceKind=systemTag')).json.items;
    expect(told.map(({ action, request }: { action: string; request: { tag: string } }) => [action, request.tag])).to.deep.equal([
      ['systemTag.clear', rating.name],
      ['systemTag.set', rating.name],
    ]);
  });

  it('roles that are none', async () => {
    const { id: userId } = (await acme.admin('GET', '/v1/users/admin')).json;
    for (const role of ['constructor', 'toString', '__proto__']) {
      const answer = await acme.admin('POST', '/v1/role-bindings', { role, userId });
      expect([answer.status, answer.json.code], answer.text).to.deep.equal([404, 'not_found']);
    }
  });

  it('a key of a request again, in another project', async () => {
    const second = await made(acme.admin, '/v1/projects', { name: 'third' });
    const headers = { 'idempotency-key': 'the same in both' };
    const first = expectStatus(await acme.admin('POST', '/v1/images', { name: 'once' }, headers), 200).json;
    const answer = await at.as(acme.token, 'third')('POST', '/v1/images', { name: 'once' }, headers);
    expect(answer.json.resourceId, second).not.to.equal(first.resourceId);
    expect([answer.status, answer.json.code]).to.deep.equal([422, 'idempotency_mismatch']);
  });

  it('explanations of rows that he may not read', async () => {
    const image = await made(acme.admin, '/v1/images', { name: 'hidden' });
    const ask = await someone({ role: await roleOf([{ permissions: ['image.delete'] }]) });
    const { json } = await ask('POST', '/v1/access/explain', { permission: 'image.delete', resourceId: image });
    expect(json.reason).to.equal(`No image ${image}.`);
  });
});
