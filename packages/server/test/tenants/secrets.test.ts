import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signingKeyOf } from '@pileus/core';
import { expect } from 'chai';
import { plantedIn } from '../../../../tools/system/planted.ts';
import { type Ask, expectStatus, made, Tenancy, type Tenant } from './tenancy.ts';

const fresh = (what: string): string => `${what}-${randomBytes(12).toString('hex')}`;

/** What is secret of a cloud that has tenants: each is planted once, used, misused, and then looked for in all that anybody may read. */
describe('server: secrets of tenants', function () {
  this.timeout(300_000);
  const password = fresh('password');
  const nextPassword = fresh('changed');
  const wrongPassword = fresh('wrong');
  const ldapPassword = fresh('ldap');
  const idToken = `${fresh('head')}.${fresh('body')}.${fresh('signature')}`;
  const urlToken = fresh('query');
  const urlPassword = fresh('user');
  const callbackToken = fresh('callback');
  const stackToken = fresh('stack');
  const hookSecret = `whsec_${randomBytes(32).toString('base64')}`;
  const stackSecret = `whsec_${randomBytes(32).toString('base64')}`;
  const passwordFile = join(tmpdir(), fresh('bind-password'));
  let at: Tenancy;
  let acme: Tenant;
  let receiver: Server;
  const planted: Record<string, string> = {
    ...{ password, nextPassword, wrongPassword, ldapPassword, idToken, urlToken, urlPassword, callbackToken, stackToken },
    ...{ hookSecret: hookSecret.slice(6), stackSecret: stackSecret.slice(6) },
  };
  /** Every answer but those that tell a secret once, by what was asked. */
  const answers = new Map<string, string>();
  /** Bodies that webhooks and callbacks were sent, and where to. */
  const sent: { readonly url: string; readonly body: string }[] = [];
  let answering = 204;
  /** What was in the tables while a callback waited, by when. */
  const meanwhile = new Map<string, string>();
  /** Everything that any transaction has put into a table: what waits does not stay. */
  const written = new Map<string, string[]>();

  before(async () => {
    receiver = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        const again = sent.some(({ url }) => url === request.url);
        sent.push({ url: request.url ?? '', body });
        // One is not taken at first.
        const isLate = request.url?.startsWith('/late') === true;
        response.writeHead(isLate ? (again ? 204 : 503) : answering).end();
      });
    }).listen(0, '127.0.0.1');
    await once(receiver, 'listening');
    await writeFile(passwordFile, ldapPassword);
    const ldap = { account: 'acme', url: 'ldap://127.0.0.1:1', bindDn: 'cn=reader', bindPasswordFile: passwordFile, userBase: 'ou=people' };
    at = await Tenancy.open({ config: { kvm: { enabled: false }, webhooks: { urls: [outside('/')] }, auth: { ldap } } });
    at.server.plane.kernel.onOutcome((statements) => {
      for (const statement of statements)
        if ('table' in statement) written.set(statement.table, [...(written.get(statement.table) ?? []), JSON.stringify(statement)]);
    });
    acme = await at.tenant('acme');
    await prove();
    await hook();
    await misuse();
    await stack();
    for (const [what, secret] of Object.entries(planted)) expect(secret.length, what).to.be.greaterThan(20);
  });
  after(async () => {
    await at?.close();
    receiver?.close();
  });

  const outside = (path: string): string => `http://127.0.0.1:${(receiver.address() as AddressInfo).port}${path}`;

  /** What is answered is looked through. */
  const ask: Ask = async (method, path, body, headers) => {
    const answer = await acme.admin(method, path, body, headers);
    answers.set(`${answers.size} ${method} ${path} ${answer.status}`, answer.text);
    return answer;
  };

  /** Passwords, sessions, API keys; and what is kept of them. */
  async function prove(): Promise<void> {
    const userId = await made(ask, '/v1/users', { name: 'ann' });
    expectStatus(await ask('POST', `/v1/users/ann/password`, { password }), 200);
    planted.session = await at.signIn('acme', 'ann', password);
    expectStatus(await ask('POST', '/v1/users/ann/password?dryRun=true', { password: nextPassword }), 200);
    await at.as(planted.session)('POST', '/v1/password', { current: password, password: nextPassword });
    planted.session = await at.signIn('acme', 'ann', nextPassword);
    const { json } = expectStatus(await acme.admin('POST', '/v1/api-keys', { name: 'planted', userId }), 200);
    planted.oldKey = json.key;
    const rotated = expectStatus(await acme.admin('POST', `/v1/api-keys/${json.id}/rotate`, {}), 200);
    planted.key = rotated.json.key;
    planted.signingKey = signingKeyOf(rotated.json.key);
    const kept = JSON.parse((await at.server.plane.kernel.services.store.read('credential', userId)) ?? '{}') as { password: string };
    expect(kept.password).to.match(/^\$argon2id\$/);
    planted.hash = kept.password.slice(kept.password.lastIndexOf('$') + 1);
    planted.rootKey = at.server.key;
    planted.admin = acme.token;
  }

  async function hook(): Promise<void> {
    const input = { kinds: ['webhook', 'image'], secret: hookSecret, url: outside('/in'), urlQuery: `t=${urlToken}` };
    const id = await made(ask, '/v1/webhooks', { name: 'hook', ...input });
    await ask('PATCH', '/v1/webhooks/hook', { description: 'changed', urlQuery: `t=${urlToken}&more`, secret: hookSecret });
    expectStatus(
      await ask('POST', '/v1/images?dryRun=true', { name: 'rehearsed' }, { 'x-callback-url': `${outside('/back')}?t=${callbackToken}` }),
      200,
    );
    expectStatus(await ask('POST', '/v1/images', { name: 'one' }, { 'x-callback-url': `${outside('/back')}?t=${callbackToken}` }), 200);
    await until(
      () => sent.some(({ url }) => url === `/back?t=${callbackToken}`) && sent.some(({ url }) => url.startsWith(`/in?t=${urlToken}`)),
    );
    await late();
    // One that is given up, too.
    answering = 410;
    expectStatus(await ask('DELETE', '/v1/images/one', undefined, { 'x-callback-url': `${outside('/back')}?t=${callbackToken}` }), 200);
    await until(async () => (await ask('GET', '/v1/deliveries')).json.items.some((row: { url: string }) => row.url === outside('/back')));
    await until(async () => (await ask('GET', `/v1/webhooks/${id}`)).json.state === 'failing');
  }

  /** One that waits to be tried again; it is while the rest is done. */
  async function late(): Promise<void> {
    const of = { 'x-callback-url': `${outside('/late')}?t=${callbackToken}`, 'idempotency-key': 'late' };
    expectStatus(await ask('PATCH', '/v1/images/one', { description: 'late' }, of), 200);
    const queued = async () => (await tables()).get('eventQueue') ?? '';
    await until(async () => (await queued()).includes(outside('/late')));
    meanwhile.set('pending', [...(await tables()).values()].join('\n'));
    await until(async () => /"attempts":1\b.*\/late|\/late.*"attempts":1\b/.test(await queued()));
    meanwhile.set('on retry', [...(await tables()).values()].join('\n'));
    await ask('PATCH', '/v1/images/one', { description: 'late' }, of);
    for (const path of ['/v1/operations?limit=1000', '/v1/deliveries', '/v1/changes?after=0.0&limit=1000']) await ask('GET', path);
  }

  /** What each holds, but for credentials. */
  async function tables(): Promise<ReadonlyMap<string, string>> {
    const { store, kernel } = at.server.plane.kernel.services;
    const names = kernel()
      .registry.schema()
      .tables.map(({ name }) => name)
      .filter((name) => name !== 'credential');
    return new Map(
      await Promise.all(names.map(async (table) => [table, (await store.list({ table, deleted: true })).join('\n')] as const)),
    );
  }

  async function misuse(): Promise<void> {
    const tries: readonly (readonly [string, unknown, Record<string, string>?])[] = [
      ['/v1/webhooks', { name: 'x', kinds: ['image'], secret: hookSecret, url: `${outside('/in')}?t=${urlToken}` }],
      ['/v1/webhooks', { name: 'x', kinds: ['image'], secret: hookSecret, url: outside('/in').replace('//', `//u:${urlPassword}@`) }],
      ['/v1/webhooks', { name: 'x', kinds: ['image'], secret: [hookSecret], url: outside('/in'), urlQuery: { t: urlToken } }],
      ['/v1/webhooks', { name: 'x', kinds: ['nothing'], secret: hookSecret, url: outside('/in'), urlQuery: `#${urlToken}` }],
      ['/v1/webhooks', { name: 'x', kinds: ['image'], secret: `${hookSecret}${hookSecret}`, url: 'http://192.0.2.1/', unknown: urlToken }],
      ['/v1/images', { name: 'x' }, { 'x-callback-url': `http://192.0.2.1/?t=${callbackToken}` }],
      ['/v1/images', { name: 'x', sourceUrl: `https://u:${urlPassword}@example.org/i?t=${urlToken}` }],
      ['/v1/users/ann/password', { password: [password] }],
      ['/v1/users/nobody/password', { password: nextPassword }],
      ['/v1/password', { current: wrongPassword, password: nextPassword }],
      ['/v1/sessions/token', { provider: 'oidc', token: idToken }],
    ];
    for (const [path, body, headers] of tries) {
      const { status } = await ask('POST', path, body, headers);
      expect(status, path).to.be.within(400, 499);
    }
    // The directory is away: whoever is none of this cloud is told so.
    const signIn = { account: 'acme', user: 'of-ldap', password: wrongPassword };
    expect((await ask('POST', '/v1/sessions', signIn, { authorization: '' })).status).to.equal(503);
    const viewer = await at.user(acme.projectId, 'acme', 'viewer', { role: 'viewer' });
    planted.viewer = viewer;
    const denied = await at.as(viewer)('POST', '/v1/webhooks', {
      name: 'x',
      kinds: ['image'],
      secret: hookSecret,
      url: outside('/in'),
      urlQuery: urlToken,
    });
    answers.set('denied', expectStatus(denied, 403).text);
    answers.set('explained', (await at.as(viewer)('POST', '/v1/access/explain', { permission: 'webhook.update' })).text);
    await ask('POST', '/v1/access/explain', { permission: 'webhook.update' });
    for (const key of [`${planted.key?.slice(0, -20)}`, `${planted.session}x`])
      answers.set(`wrong ${key.length}`, expectStatus(await at.as(key)('GET', '/v1/access'), 401).text);
  }

  async function stack(): Promise<void> {
    answering = 204;
    const template = {
      parameters: { signing: { type: 'string', secret: true }, token: { type: 'string', secret: true } },
      resources: {
        told: {
          kind: 'webhook',
          properties: {
            name: 'of-stack',
            kinds: ['image'],
            url: outside('/stack'),
            secret: { param: 'signing' },
            urlQuery: { param: 'token' },
          },
        },
      },
    };
    const parameters = { signing: stackSecret, token: `t=${stackToken}` };
    expectStatus(await ask('POST', '/v1/stacks/plan', { name: 'planted', template, parameters }), 200);
    const id = await made(ask, '/v1/stacks', { name: 'planted', template, parameters });
    expectStatus(await ask('GET', `/v1/stacks/${id}`), 200);
    const again = { ...parameters, token: `t=${stackToken}&again` };
    expectStatus(await ask('POST', '/v1/stacks/plan', { name: 'planted', template, parameters: again }), 200);
    await ask('POST', '/v1/stacks/plan', { name: 'planted', template, parameters: { ...parameters, unknown: stackToken } });
    await made(ask, '/v1/images', { name: 'told' });
    await until(() => sent.some(({ url }) => url.startsWith(`/stack?t=${stackToken}`)));
  }

  async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
    for (let tries = 0; tries < 3000; tries += 1) {
      if (await holds()) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error('it never came to that');
  }

  it('are in no answer: rows, operations, changes, audit, plans, refusals, the document', async () => {
    const { registry } = at.server.plane.kernel;
    for (const { plural } of registry.kinds()) await ask('GET', `/v1/${plural}?deleted=true&limit=1000`);
    for (const path of ['/v1/changes?after=0.0&limit=1000', '/v1/audit?of=account&limit=1000', '/v1/openapi.json', '/v1/access'])
      await ask('GET', path);
    for (const path of ['/v1/changes?after=0.0&limit=1000&allProjects=true', '/v1/audit?of=cloud&limit=1000', '/metrics'])
      answers.set(`operator ${path}`, expectStatus(await at.root()('GET', path), 200).text);
    const all = [...answers.values()].join('\n');
    // What is looked through is what it is taken for.
    for (const known of [
      '"name":"hook"',
      'webhook.update',
      '"(secret)"',
      'urlQuery',
      'wrong_password',
      'of-stack',
      'permission_denied',
      'openapi',
      '# TYPE',
    ])
      expect(all, known).to.include(known);
    for (const [what, text] of answers) expect(plantedIn(planted, text), what).to.deep.equal([]);
  });

  it('are in no event that is sent out', () => {
    expect(sent.length).to.be.greaterThan(3);
    expect(sent.map(({ body }) => body).join())
      .to.include('pileus.webhook.updated')
      .and.include('pileus.operation.updated');
    for (const { url, body } of sent) expect(plantedIn(planted, body), url).to.deep.equal([]);
  });

  it('are in no line of the log', () => {
    expect(at.server.log()).to.match(/webhooks\.create|\/v1\/webhooks/);
    expect(plantedIn(planted, at.server.log())).to.deep.equal([]);
  });

  it('are in no table while a callback waits, nor in anything that was ever put there', async () => {
    await until(() => sent.filter(({ url }) => url === `/late?t=${callbackToken}`).length > 1);
    expect([...meanwhile.keys()]).to.deep.equal(['pending', 'on retry']);
    for (const [when, text] of meanwhile) {
      expect(text).to.include(outside('/late'));
      expect(plantedIn(planted, text), when).to.deep.equal([]);
    }
    expect([...written.keys()]).to.include.members(['callback', 'eventQueue', 'operation', 'sealed', 'webhook', 'delivery', 'idempotency']);
    expect(written.get('callback')?.join()).to.include(outside('/late')).and.include('"urlQuery":"sealed:');
    for (const [table, statements] of written)
      expect(plantedIn(planted, statements.join('\n')), table).to.deep.equal(table === 'credential' ? ['hash'] : []);
  });

  it('are in no table, but for the slow hash of a password', async () => {
    const { store, kernel } = at.server.plane.kernel.services;
    const tables = kernel()
      .registry.schema()
      .tables.map(({ name }) => name);
    expect(tables).to.include.members([
      'webhook',
      'delivery',
      'audit',
      'operation',
      'journal',
      'sealed',
      'credential',
      'eventQueue',
      'stackRevision',
    ]);
    for (const table of tables) {
      const found = plantedIn(planted, (await store.list({ table, deleted: true })).join('\n'));
      expect(found, table).to.deep.equal(table === 'credential' ? ['hash'] : []);
    }
  });
});
