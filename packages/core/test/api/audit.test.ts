import { expect } from 'chai';
import { bytesBody, CloudError, Kernel } from '../../src/kernel/index.ts';
import { nodeEnvironment } from '../../src/node/index.ts';
import { made, type OpenApi, openApi, parsed } from './harness.ts';
import { OTHER_PROJECT, principalOf, widgetPlugin } from './widgets.ts';

const SECRET = 'open-sesame-1234';

describe('api: the audit', () => {
  let api: OpenApi;
  let id: string;
  beforeEach(async () => {
    api = await openApi();
    id = await made(api, 'one', { password: SECRET, note: 'n'.repeat(2000) });
  });
  afterEach(() => api.close());

  const entries = async (query = '') => parsed(await api.ask('GET', `/v1/audit${query}`)).items;
  const newest = async () => (await entries())[0] ?? {};
  const sealed = async () => {
    for (let tries = 0; tries < 1500; tries += 1) {
      if ((await entries()).every((entry) => entry.number !== 0)) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error('not sealed');
  };

  it('tells who asked for what, without secrets, and what is long by its digest', async () => {
    const entry = await newest();
    expect(entry).to.include({ action: 'widget.create', actor: principalOf().actor, resourceKind: 'widget', resourceId: id });
    expect(entry.request).to.deep.include({ name: 'one', sizeBytes: 10, password: '(secret)' });
    expect((entry.request as { note: object }).note).to.have.keys('characters', 'sha256');
    const rows = await api.store.list({ table: 'audit' });
    expect(rows.join()).not.to.include(SECRET);
  });

  it('tells of an update what the fields were and what they were to be', async () => {
    await api.ask('PATCH', '/v1/widgets/one', { body: { sizeBytes: 20, note: null }, headers: { prefer: 'wait=60' } });
    const { changes, request } = await newest();
    expect(changes).to.deep.include({ sizeBytes: { from: 10, to: 20 } });
    expect(changes).to.have.property('note').that.has.keys('from');
    expect(request).to.equal(undefined);
  });

  it('tells how each call ended, once it is sealed', async () => {
    await api.ask('POST', '/v1/widgets/one/spin-up', { headers: { prefer: 'wait=60' } });
    api.workshop.failure = new CloudError('conflict', 'Worn out.');
    await api.ask('POST', '/v1/widgets/one/polish', { body: { times: 2 } });
    api.workshop.failure = undefined;
    await api.ask('POST', '/v1/widgets/one/polish', { body: { times: 3 } });
    await sealed();
    const told = (await entries()).map(({ action, result, request, error }) => [
      action,
      result,
      request,
      (error as { code?: string })?.code,
    ]);
    expect(told.slice(0, 3)).to.deep.equal([
      ['widget.polish', 'succeeded', { times: 3 }, undefined],
      ['widget.polish', 'failed', { times: 2 }, 'conflict'],
      ['widget.spinUp', 'succeeded', undefined, undefined],
    ]);
  });

  it('tells of an upload by the digest of its bytes, and nothing of what was refused', async () => {
    async function* content() {
      yield Buffer.from('hello');
    }
    const before = (await entries()).length;
    await api.ask('POST', '/v1/widgets/one/polish', { body: { times: 100 } });
    await api.ask('POST', '/v1/widgets', { body: { name: 'one', sizeBytes: 1 } });
    expect(await entries()).to.have.length(before);
    const request = { headers: {}, principal: principalOf(), requestId: 'r', signal: new AbortController().signal, acceptsSocket: false };
    await api.api.handle({ ...request, method: 'PUT', url: '/v1/widgets/one/picture', body: bytesBody(content()) });
    expect(await newest()).to.include({
      action: 'widget.picture',
      contentSha256: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
      result: 'succeeded',
      resourceKind: 'widget',
    });
  });

  it('tells of a call that its caller may not make, and of nothing else that is refused', async () => {
    const blind = principalOf(undefined, (permission) => permission === 'widget.read');
    const nobody = principalOf(undefined, () => false);
    const ask = (method: string, url: string, principal = blind, body?: object) =>
      api.ask(method, url, { principal, ...(body === undefined ? {} : { body }) });
    for (const [method, url, who, body] of [
      ['POST', '/v1/widgets/one/spin-up', blind],
      ['DELETE', '/v1/widgets/one', nobody],
      ['POST', '/v1/widgets', blind, { name: 'secret-name', sizeBytes: 1, password: SECRET }],
      // It is no dry run: what is said last holds.
      ['POST', '/v1/widgets/one/polish?dryRun=true&dryRun=false', blind, { times: 2 }],
    ] as const)
      expect((await ask(method, url, who, body)).status, url).to.equal(403);
    // These change nothing, or are wrong in themselves.
    for (const dry of ['dryRun=true', 'dryRun=false&dryRun=true'])
      expect((await ask('POST', `/v1/widgets/one/spin-up?${dry}`)).status).to.equal(403);
    expect((await ask('GET', '/v1/widgets', nobody)).status).to.equal(403);
    expect((await api.ask('POST', '/v1/widgets', { body: { name: 'one' } })).status).to.equal(400);
    const denied = async () => (await entries('?result=denied')).toReversed();
    while ((await denied()).length < 4) await new Promise((resolve) => setTimeout(resolve, 20));
    await sealed();
    const told = (await denied()).map(({ action, actor, resourceId, error, number }) => {
      const { code, params } = error as { readonly code: string; readonly params: { readonly permission: string } };
      return [action, actor, resourceId, code, params.permission, Number(number) > 0];
    });
    expect(told).to.deep.equal([
      ['widget.spinUp', blind.actor, id, 'permission_denied', 'widget.spinUp', true],
      ['widget.delete', nobody.actor, undefined, 'permission_denied', 'widget.delete', true],
      ['widget.create', blind.actor, undefined, 'permission_denied', 'widget.create', true],
      ['widget.polish', blind.actor, id, 'permission_denied', 'widget.polish', true],
    ]);
    expect((await api.store.list({ table: 'audit' })).slice(1).join())
      .not.to.include('secret-name')
      .and.not.to.include(SECRET);
    expect(parsed(await api.ask('GET', '/v1/audit/verify')).whole).to.equal(true);
  });

  it('tells that a call was interrupted when the process was', async () => {
    const never = Promise.withResolvers<void>();
    api.workshop.gate = never.promise;
    void api.ask('POST', '/v1/widgets/one/polish', { body: { times: 2 } });
    while ((await newest()).action !== 'widget.polish') await new Promise((resolve) => setTimeout(resolve, 5));
    const next = new Kernel({
      environment: nodeEnvironment(),
      store: api.store,
      plugins: widgetPlugin(),
      sealKey: new Uint8Array(32).fill(7),
    });
    await next.start();
    await sealed();
    expect(await newest()).to.include({ action: 'widget.polish', result: 'interrupted' });
    expect(parsed(await api.ask('GET', '/v1/audit/verify')).whole).to.equal(true);
    await next.stop();
    api.workshop.gate = Promise.resolve();
    never.resolve();
  });

  it('is asked by resource, actor, action, result and time, page by page', async () => {
    const other = await made(api, 'two');
    for (let times = 1; times <= 5; times += 1) await api.ask('POST', '/v1/widgets/two/polish', { body: { times } });
    await sealed();
    expect((await entries(`?resourceId=${other}`)).map(({ action }) => action)).to.deep.equal([
      ...Array(5).fill('widget.polish'),
      'widget.create',
    ]);
    expect(await entries('?action=widget.create&result=succeeded')).to.have.length(2);
    expect(await entries('?result=pending')).to.have.length(0);
    expect(await entries('?actor=somebody')).to.have.length(0);
    expect(await entries('?until=2001-01-01T00:00:00Z')).to.have.length(0);
    expect(await entries('?since=2001-01-01T00:00:00Z&resourceKind=widget')).to.have.length(7);
    const seen: unknown[] = [];
    for (let after = ''; ; ) {
      const page = parsed(await api.ask('GET', `/v1/audit?limit=2${after}`));
      seen.push(...page.items.map((entry) => entry.id));
      if (page.next === undefined) break;
      after = `&after=${encodeURIComponent(String(page.next))}`;
    }
    expect(seen).to.deep.equal((await entries()).map((entry) => entry.id));
    expect(new Set(seen).size).to.equal(7);
    expect((await api.ask('GET', '/v1/audit?after=nowhere')).status).to.equal(400);
  });

  it("is each project's own, but for who may see all", async () => {
    const may = (...permissions: string[]) => principalOf(OTHER_PROJECT, (permission) => permissions.includes(permission));
    const ask = (url: string, ...permissions: string[]) => api.ask('GET', url, { principal: may(...permissions) });
    expect(parsed(await ask('/v1/audit', 'audit.read')).items).to.deep.equal([]);
    expect((await ask('/v1/audit')).status).to.equal(403);
    expect((await ask('/v1/audit?of=cloud', 'audit.read')).status).to.equal(403);
    expect(parsed(await ask('/v1/audit?of=cloud', 'audit.read', 'project.any')).items).to.have.length(1);
    expect((await ask('/v1/audit?of=account', 'audit.read')).status).to.equal(403);
    expect(parsed(await ask('/v1/audit?of=account', 'audit.read', 'audit.account')).items).to.have.length(1);
    expect((await ask('/v1/audit/verify', 'audit.read')).status).to.equal(403);
  });

  it('is verified, also against a head of before', async () => {
    await sealed();
    const first = parsed(await api.ask('GET', '/v1/audit/verify'));
    expect(first).to.deep.include({ whole: true, links: 1, unsealed: 0, faults: [] });
    const head = first.head as { number: number; hash: string };
    await made(api, 'two');
    await sealed();
    expect(parsed(await api.ask('GET', `/v1/audit/verify?number=${head.number}&hash=${head.hash}`)).whole).to.equal(true);
    const replaced = parsed(await api.ask('GET', `/v1/audit/verify?number=2&hash=${head.hash}`));
    expect(replaced).to.deep.include({ whole: false, links: 2, faults: [{ number: 2, id: (await newest()).id, fault: 'replaced' }] });
    expect((await api.ask('GET', '/v1/audit/verify?number=2')).status).to.equal(400);
  });
});
