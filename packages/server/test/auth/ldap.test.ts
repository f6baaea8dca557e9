import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExternalIdentity } from '@pileus/core';
import type { CloudError } from '@pileus/core/kernel';
import { expect } from 'chai';
import { Attribute, Change } from 'ldapts';
import { ldapProvider } from '../../src/auth/ldap.ts';
import { expectStatus, made, Tenancy, type Tenant } from '../tenants/tenancy.ts';
import { person, Slapd, SUFFIX } from './slapd.ts';

describe('server: users of a directory', () => {
  let slapd: Slapd;
  let at: Tenancy;
  let acme: Tenant;

  before(async function () {
    this.timeout(300_000);
    slapd = await Slapd.start();
    await writeFile(join(slapd.dir, 'reader-password'), 'reading\n');
    const ldap = {
      ...{ account: 'acme', makeUsers: true, url: slapd.url, startTls: true, caFile: slapd.caFile },
      ...{ bindDn: `cn=reader,${SUFFIX}`, bindPasswordFile: join(slapd.dir, 'reader-password') },
      ...{ userBase: `ou=people,${SUFFIX}`, groupBase: `ou=groups,${SUFFIX}` },
    };
    at = await Tenancy.open({ config: { kvm: { enabled: false }, auth: { ldap } } });
    acme = await at.tenant('acme');
    for (const [name, role] of [
      ['admins', 'accountAdmin'],
      ['staff', 'viewer'],
    ]) {
      const groupId = await made(acme.admin, '/v1/groups', { name, externalId: `ldap:${name}` });
      await made(acme.admin, '/v1/role-bindings', { groupId, role, level: 'account' });
    }
  });
  after(async () => {
    await at?.close();
    await slapd?.[Symbol.asyncDispose]();
  });

  const signIn = (user: string, password: string, account = 'acme') =>
    at.as('')('POST', '/v1/sessions', { account, user, password }, { authorization: '' });
  const permitted = async (token: string, permission: string) =>
    (await at.as(token)('GET', '/v1/access')).json.permissions.includes(permission) as boolean;

  it('sign in with their passwords there, and have the roles of their groups', async () => {
    const ann = expectStatus(await signIn('ann', 'anns password'), 200).json.token as string;
    const bob = expectStatus(await signIn('bob', 'bobs password'), 200).json.token as string;
    expect([await permitted(ann, 'user.create'), await permitted(bob, 'user.create')]).to.deep.equal([true, false]);
    expect((await at.as(bob)('GET', '/v1/images')).status).to.equal(200);
    const row = (await acme.admin('GET', '/v1/users/ann')).json;
    expect(row.email).to.equal('ann@example.org');
    expect(row.externalId).to.match(/^ldap:[0-9a-f-]{36}$/);
  });

  it('are asked about over TLS from the first byte on, with who is trusted alone', async () => {
    const by = (url: string, caFile: string | undefined) =>
      ldapProvider({
        ...{ account: 'acme', makeUsers: true, url, startTls: false, caFile, userBase: `ou=people,${SUFFIX}` },
        ...{ bindDn: `cn=reader,${SUFFIX}`, bindPasswordFile: join(slapd.dir, 'reader-password') },
        ...{ userClass: 'person', userAttribute: 'uid', idAttribute: 'entryUUID', emailAttribute: 'mail' },
        ...{ groupBase: `ou=groups,${SUFFIX}`, memberAttribute: 'member', groupAttribute: 'cn' },
      }).byPassword as (user: string, password: string) => Promise<ExternalIdentity | undefined>;
    const asked = by(slapd.secureUrl, slapd.caFile);
    const ann = await asked('ann', 'anns password');
    expect(ann).to.include({ name: 'ann', email: 'ann@example.org' });
    expect(ann?.groups).to.have.members(['admins', 'staff']);
    expect(await asked('ann', 'another password')).to.equal(undefined);
    // One whom nobody vouches for, and one who is vouched for under another name.
    for (const other of [by(slapd.secureUrl, undefined), by(slapd.secureUrl.replace('127.0.0.1', 'localhost'), slapd.caFile)]) {
      const refused = await other('ann', 'anns password').catch((error: CloudError) => error.code);
      expect(refused).to.equal('unavailable');
    }
  });

  it('have one count of wrong passwords, however their name is spelled', async () => {
    for (const name of ['bob', 'Bob', 'BOB', ' bob ', 'bOb']) expect((await signIn(name, 'wrong')).status, name).to.equal(401);
    // Where the machine is slow the first pauses are over before it is asked again.
    let answer = await signIn('boB', 'wrong');
    for (let tries = 0; answer.status === 401 && tries < 4; tries += 1) answer = await signIn('BoB', 'wrong');
    expect(answer.status).to.equal(429);
    await new Promise((resolve) => setTimeout(resolve, answer.json.params.retryAfterSeconds * 1000 + 100));
    expectStatus(await signIn('bob', 'bobs password'), 200);
  });

  it('are the same at their next visit, also when they are renamed there', async () => {
    const first = expectStatus(await signIn('bob', 'bobs password'), 200).json.userId;
    await slapd.admin((client) => client.modifyDN(person('bob'), `uid=robert,ou=people,${SUFFIX}`));
    const second = expectStatus(await signIn('robert', 'bobs password'), 200).json.userId;
    expect(second).to.equal(first);
    expect((await signIn('bob', 'bobs password')).status).to.equal(401);
    await slapd.admin((client) => client.modifyDN(person('robert'), `uid=bob,ou=people,${SUFFIX}`));
  });

  it('lose at their next visit what they have lost there', async () => {
    const before = expectStatus(await signIn('ann', 'anns password'), 200).json.token as string;
    const member = (type: 'add' | 'delete') =>
      slapd.admin((client) =>
        client.modify(`cn=admins,ou=groups,${SUFFIX}`, [
          new Change({ operation: 'add', modification: new Attribute({ type: 'member', values: [person('nobody')] }) }),
          new Change({ operation: type, modification: new Attribute({ type: 'member', values: [person('ann')] }) }),
        ]),
      );
    await member('delete');
    const after = expectStatus(await signIn('ann', 'anns password'), 200).json.token as string;
    // For both of the sessions: roles are of the user.
    for (const token of [before, after]) expect(await permitted(token, 'user.create')).to.equal(false);
  });

  it('are not let in by wrong, empty and foreign credentials, nor by what looks like a filter', async () => {
    const tries = [
      ['ann', 'wrong'],
      ['ann', ''],
      ['nobody', 'anns password'],
      ['*', 'anns password'],
      ['ann)(uid=*', 'anns password'],
      ['', ''],
    ] as const;
    for (const [user, password] of tries) expect((await signIn(user, password)).status, user).to.equal(401);
    expect((await signIn('ann', 'anns password', 'default')).status).to.equal(401);
    const told = await at.refusals();
    expect(told).to.deep.include(['refused_by_provider', { account: 'acme', user: 'nobody', from: '127.0.0.1' }]);
    expect(told).to.deep.include(['wrong_password', { account: 'acme', user: 'ann', from: '127.0.0.1' }]);
  });

  it('are not let in when they are disabled here', async () => {
    expectStatus(await acme.admin('POST', '/v1/users/ann/disable'), 200);
    expect((await signIn('ann', 'anns password')).status).to.equal(401);
    expect(await at.refusals()).to.deep.include(['disabled', { provider: 'ldap', user: 'ann', from: '127.0.0.1' }]);
    expectStatus(await acme.admin('POST', '/v1/users/ann/enable'), 200);
  });

  it('leave who is of this cloud alone', async () => {
    expectStatus(await signIn('admin', 'correct horse battery'), 200);
  });

  it('are told to come again while the directory does not answer', async () => {
    await slapd[Symbol.asyncDispose]();
    const { status, json } = await signIn('ann', 'anns password');
    expect([status, json.retry]).to.deep.equal([503, 'same_request']);
    expectStatus(await signIn('admin', 'correct horse battery'), 200);
  });
});
