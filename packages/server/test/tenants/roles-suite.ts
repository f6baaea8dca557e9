import { expect } from 'chai';
import type { Ask, Tenancy, Tenant } from './tenancy.ts';
import { expectStatus, made } from './tenancy.ts';

/** @param open with what the tests want of the configuration */
export const describeRoles = (title: string, open: typeof Tenancy.open) =>
  describe(title, () => {
    let at: Tenancy;
    let acme: Tenant;
    let staged: string;

    before(async () => {
      at = await open();
      acme = await at.tenant('acme');
      staged = await made(acme.admin, '/v1/projects', { name: 'staging' });
      for (const name of ['web-one', 'web-two', 'db-one']) await made(acme.admin, '/v1/images', { name });
    });
    after(() => at.close());

    let count = 0;
    /** Somebody new, with one role. */
    const someone = async (binding?: object, project?: string): Promise<Ask> => {
      count += 1;
      return at.as(await at.user(acme.projectId, 'acme', `user-${count}`, binding), project);
    };
    const roleOf = (rules: readonly object[]) => {
      count += 1;
      return made(acme.admin, '/v1/roles', { name: `role-${count}`, rules });
    };
    const names = async (ask: Ask) => (await ask('GET', '/v1/images')).json.items.map((row: { name: string }) => row.name).sort();
    const refusal = async (answer: ReturnType<Ask>) => {
      const { status, json } = await answer;
      return [status, json.params?.permission];
    };

    it('grant what they say, by kind and verb, and nothing else', async () => {
      const ask = await someone({ role: await roleOf([{ permissions: ['image.read', 'image.update'] }]) });
      expect(await names(ask)).to.deep.equal(['db-one', 'web-one', 'web-two']);
      expectStatus(await ask('PATCH', '/v1/images/db-one', { description: 'changed' }), 200);
      expect(await refusal(ask('DELETE', '/v1/images/db-one'))).to.deep.equal([403, 'image.delete']);
      expect(await refusal(ask('GET', '/v1/volumes'))).to.deep.equal([403, 'volume.read']);
    });

    it('grant rows for which a condition holds: to see, to change and to make', async () => {
      const web = "name like 'web-%'";
      const ask = await someone({ role: await roleOf([{ permissions: ['image.*'], when: web }]) });
      expect(await names(ask)).to.deep.equal(['web-one', 'web-two']);
      expect((await ask('GET', '/v1/images/db-one')).status).to.equal(404);
      expect((await ask('DELETE', '/v1/images/db-one')).status).to.equal(404);
      expect((await ask('GET', '/v1/images?count=true')).json.count).to.equal(2);
      const id = await made(ask, '/v1/images', { name: 'web-three' });
      expect(await refusal(ask('POST', '/v1/images', { name: 'db-two' }))).to.deep.equal([403, 'image.create']);
      expect(await refusal(ask('PATCH', `/v1/images/${id}`, { name: 'db-three' }))).to.deep.equal([403, 'image.update']);
      expect((await ask('POST', '/v1/images', { name: 'db-two' })).json.detail).to.equal(
        'This key has the permission image.create for some only, and not for this.',
      );
      expectStatus(await ask('DELETE', `/v1/images/${id}`), 200);
      const changes = (await ask('GET', '/v1/changes?after=1.0&kinds=image&limit=1000')).json.items;
      expect(new Set(changes.map(({ row }: { row: { name: string } }) => row.name))).to.deep.equal(
        new Set(['web-one', 'web-two', 'web-three']),
      );
    });

    it('grant rows that are tagged so: to see, to change, to make and to tag', async () => {
      for (const [name, env] of [
        ['tag-dev', 'dev'],
        ['tag-prod', 'prod'],
      ])
        await made(acme.admin, '/v1/images', { name, tags: { env } });
      const rules = [{ permissions: ['image.*'], when: "tags.env = 'dev'" }, { permissions: ['tag.*'] }];
      const ask = await someone({ role: await roleOf(rules) });
      expect(await names(ask)).to.deep.equal(['tag-dev']);
      expect((await ask('GET', '/v1/images?count=true')).json.count).to.equal(1);
      const prod = (await acme.admin('GET', '/v1/images/tag-prod')).json.id as string;
      const dev = (await ask('GET', '/v1/images/tag-dev')).json.id as string;
      expect((await ask('GET', `/v1/images/${prod}`)).status).to.equal(404);
      expect((await ask('DELETE', `/v1/images/${prod}`)).status).to.equal(404);
      expectStatus(await ask('PATCH', `/v1/images/${dev}`, { description: 'changed' }), 200);
      const id = await made(ask, '/v1/images', { name: 'tag-mine', tags: { env: 'dev', team: 'a' } });
      for (const tags of [undefined, { env: 'prod' }, { team: 'dev' }])
        expect(await refusal(ask('POST', '/v1/images', { name: 'tag-other', ...(tags === undefined ? {} : { tags }) }))).to.deep.equal([
          403,
          'image.create',
        ]);
      const about = (resourceId: string) => ({ resourceKind: 'image', resourceIds: [resourceId] });
      expect((await ask('POST', '/v1/tags/actions/attach', { ...about(prod), tags: { env: 'dev' } })).status).to.equal(404);
      expect(await refusal(ask('POST', '/v1/tags/actions/attach', { ...about(id), tags: { env: 'prod' } }))).to.deep.equal([
        403,
        'image.tag',
      ]);
      expect(await refusal(ask('POST', '/v1/tags/actions/detach', { ...about(id), keys: ['env'] }))).to.deep.equal([403, 'image.tag']);
      expectStatus(await ask('POST', '/v1/tags/actions/detach', { ...about(id), keys: ['team'] }), 200);
      const changes = (await ask('GET', '/v1/changes?after=1.0&kinds=image&limit=1000')).json.items;
      expect(new Set(changes.map(({ row }: { row: { name: string } }) => row.name))).to.deep.equal(new Set(['tag-dev', 'tag-mine']));
      expectStatus(await acme.admin('POST', '/v1/tags/actions/attach', { ...about(dev), tags: { env: 'prod' } }), 200);
      expect(await names(ask)).to.deep.equal(['tag-mine']);
    });

    it('grant nothing by tags of what others may tag', async () => {
      const ask = await someone({
        role: await roleOf([{ permissions: ['zone.read', 'image.read'], when: "tags.env = 'dev'" }]),
        level: 'account',
      });
      expect((await ask('GET', '/v1/zones')).status).to.equal(403);
      const { status, json } = await acme.admin('POST', '/v1/roles', { rules: [{ permissions: ['user.read'], when: "tags.env = 'dev'" }] });
      expect([status, json.pointer]).to.deep.equal([400, '/rules/0/when']);
    });

    it('let see all and change some', async () => {
      const rules = [{ permissions: ['image.read'] }, { permissions: ['image.update'], when: "name = 'web-one'" }];
      const ask = await someone({ role: await roleOf(rules) });
      expect(await names(ask)).to.include.members(['db-one', 'web-one', 'web-two']);
      expect(await refusal(ask('PATCH', '/v1/images/web-two', { description: 'x' }))).to.deep.equal([403, 'image.update']);
      const row = (await ask('GET', '/v1/images/web-two')).json.id as string;
      const { json } = await ask('POST', '/v1/access/explain', { permission: 'image.update', resourceId: row });
      expect(json).to.include({ allowed: false, level: 'project' });
      expectStatus(await ask('PATCH', '/v1/images/web-one', { description: 'x' }), 200);
    });

    it('hold where they are bound: in a project, or in all of the account', async () => {
      const inOne = await at.user(acme.projectId, 'acme', 'in-one', { role: 'viewer', projectId: staged });
      expect((await at.as(inOne)('GET', '/v1/access')).json.projectId).to.equal(staged);
      expect((await at.as(inOne, acme.projectId)('GET', '/v1/images')).status).to.equal(403);
      expect((await at.as(inOne)('GET', '/v1/projects')).json.items.map(({ id }: { id: string }) => id)).to.deep.equal([staged]);
      const inAll = await at.user(acme.projectId, 'acme', 'in-all', { role: 'viewer', level: 'account' });
      for (const project of [acme.projectId, 'staging']) expect((await at.as(inAll, project)('GET', '/v1/images')).status).to.equal(200);
      expect((await at.as(inAll)('GET', '/v1/projects')).json.items).to.have.length(2);
    });

    it('come with groups, and go with them, at once', async () => {
      const userId = await made(acme.admin, '/v1/users', { name: 'grouped' });
      expectStatus(await acme.admin('POST', `/v1/users/${userId}/password`, { password: 'a good password' }), 200);
      const ask = at.as(await at.signIn('acme', 'grouped', 'a good password'));
      const groupId = await made(acme.admin, '/v1/groups', { name: 'viewers' });
      await made(acme.admin, '/v1/role-bindings', { groupId, role: 'viewer', level: 'account' });
      expect((await ask('GET', '/v1/images')).status).to.equal(403);
      const membership = await made(acme.admin, '/v1/memberships', { groupId, userId });
      expect((await ask('GET', '/v1/images')).status).to.equal(200);
      expectStatus(await acme.admin('DELETE', `/v1/memberships/${membership}`), 200);
      expect((await ask('GET', '/v1/images')).status).to.equal(403);
    });

    it('change at once for those who have them', async () => {
      const role = await roleOf([{ permissions: ['image.read'] }]);
      const ask = await someone({ role });
      expect((await ask('GET', '/v1/images')).status).to.equal(200);
      expectStatus(await acme.admin('PATCH', `/v1/roles/${role}`, { rules: [{ permissions: ['volume.read'] }] }), 200);
      expect([(await ask('GET', '/v1/images')).status, (await ask('GET', '/v1/volumes')).status]).to.deep.equal([403, 200]);
    });

    it('are kept while they are bound', async () => {
      const role = await roleOf([{ permissions: ['image.read'] }]);
      await someone({ role });
      expect((await acme.admin('DELETE', `/v1/roles/${role}`)).json.code).to.equal('in_use');
    });

    it('are refused when they mean nothing', async () => {
      const make = async (rules: readonly object[], name?: string) => {
        const { status, json } = await acme.admin('POST', '/v1/roles', { rules, ...(name === undefined ? {} : { name }) });
        return [status, json.pointer];
      };
      expect(await make([{ permissions: ['image.read', 'imag.read'] }])).to.deep.equal([400, '/rules/0/permissions/1']);
      expect(await make([{ permissions: ['image.read'], when: 'color = 3' }])).to.deep.equal([400, '/rules/0/when']);
      expect(await make([{ permissions: ['image.read'] }], 'viewer')).to.deep.equal([409, '/name']);
    });

    it('are refused with what there is', async () => {
      const told = async (body: object, path = '/v1/role-bindings') => (await acme.admin('POST', path, body)).json.detail;
      const rules = [{ permissions: ['image.read'], when: 'color = 3' }];
      expect(await told({ rules }, '/v1/roles')).to.match(/^There is no field color of the row; there is /);
      const { id: userId } = (await acme.admin('GET', '/v1/users/admin')).json;
      expect(await told({ role: 'boss', userId })).to.match(/^No role boss\. Built in are operator, auditor, .*viewer\.$/);
      expect(await told({ role: 'operator', userId, level: 'account' })).to.equal(
        'The role operator is for the level cloud, not for account.',
      );
      expect(await told({ permission: 'image.red' }, '/v1/access/explain')).to.match(
        /^No permission is called image\.red\. They are like instance\.start,/,
      );
    });

    describe('are handed out by who has them', () => {
      it('in a project by its administrator, not beyond', async () => {
        const ask = await someone({ role: 'projectAdmin' });
        const { id: userId } = (await acme.admin('GET', '/v1/users/admin')).json;
        // He sees no users of the account: he is told the id of one.
        expect((await ask('POST', '/v1/role-bindings', { role: 'viewer', userId })).status).to.equal(404);
        const own = (await ask('GET', '/v1/access')).json.actor.slice('user:'.length) as string;
        await made(ask, '/v1/role-bindings', { role: 'member', userId: own });
        for (const beyond of [{ level: 'account' }, { level: 'cloud', role: 'operator' }, { projectId: staged }]) {
          const { status } = await ask('POST', '/v1/role-bindings', { role: 'viewer', userId: own, ...beyond });
          expect(status, JSON.stringify(beyond)).to.be.oneOf([403, 404]);
        }
      });

      it('in an account by its administrator, not to the cloud', async () => {
        const { id: userId } = (await acme.admin('GET', '/v1/users/admin')).json;
        const refused = await acme.admin('POST', '/v1/role-bindings', { role: 'operator', level: 'cloud', userId });
        expect([refused.status, refused.json.code]).to.deep.equal([403, 'permission_denied']);
        const misplaced = await acme.admin('POST', '/v1/role-bindings', { role: 'operator', level: 'account', userId });
        expect([misplaced.status, misplaced.json.pointer]).to.deep.equal([400, '/level']);
      });

      it('and by nobody who could take them by a detour', async () => {
        const detours = [
          'role.*',
          'roleBinding.*',
          'membership.*',
          'apiKey.*',
          'user.*',
          'group.read',
          'serviceAccount.*',
          'operation.read',
        ];
        const role = await roleOf([{ permissions: detours }]);
        const ask = await someone({ role, level: 'account' });
        const own = (await ask('GET', '/v1/access')).json.actor.slice('user:'.length) as string;
        const admins = await made(acme.admin, '/v1/groups', { name: 'admins' });
        await made(acme.admin, '/v1/role-bindings', { groupId: admins, role: 'accountAdmin', level: 'account' });
        const { id: admin } = (await acme.admin('GET', '/v1/users/admin')).json;
        const robot = await made(acme.admin, '/v1/service-accounts', { name: 'strong-robot' });
        await made(acme.admin, '/v1/role-bindings', { serviceAccountId: robot, role: 'accountAdmin', level: 'account' });
        const tries = [
          ask('POST', '/v1/role-bindings', { userId: own, role: 'accountAdmin', level: 'account' }),
          ask('POST', '/v1/roles', { rules: [{ permissions: ['*'] }] }),
          ask('PATCH', `/v1/roles/${role}`, { rules: [{ permissions: ['image.read'] }] }),
          ask('POST', '/v1/memberships', { groupId: admins, userId: own }),
          ask('POST', '/v1/api-keys', { name: 'admins-key', userId: admin }),
          ask('POST', '/v1/api-keys', { name: 'robots-key', serviceAccountId: robot }),
          ask('POST', `/v1/users/${admin}/password`, { password: 'taken over by me' }),
        ];
        for (const answer of await Promise.all(tries))
          expect([answer.status, answer.json.code], answer.text).to.deep.equal([403, 'permission_denied']);
      });

      it('of another account by nobody of it', async () => {
        const other = await at.tenant('other');
        const { id: userId } = (await acme.admin('GET', '/v1/users/admin')).json;
        const refused = await other.admin('POST', '/v1/role-bindings', { role: 'viewer', userId });
        expect([refused.status, refused.json.pointer]).to.deep.equal([404, '/userId']);
      });
    });

    describe('are explained to who may read them', () => {
      const explained = async (question: object, ask = acme.admin) => (await ask('POST', '/v1/access/explain', question)).json;
      const refused = async (question: object, ask: Ask) => {
        const { code, pointer, params } = await explained(question, ask);
        return [code, pointer ?? params?.permission];
      };
      const who = (name: string) => made(acme.admin, '/v1/users', { name });

      it('of a user and by his groups: as he would be answered himself', async () => {
        const userId = await who('asked-about');
        const permission = 'image.update';
        const none = await explained({ permission, userId });
        expect(none).to.deep.include({ allowed: false, reason: 'No role lets it work in this project.', bindings: [] });
        expect(none.grantedBy).to.include('member');
        const groupId = await made(acme.admin, '/v1/groups', { name: 'web-people' });
        await made(acme.admin, '/v1/memberships', { groupId, userId });
        const role = await roleOf([{ permissions: ['image.read'] }, { permissions: [permission], when: "name like 'web-%'" }]);
        await made(acme.admin, '/v1/role-bindings', { groupId, role });
        for (const subject of [{ userId }, { groupId }]) {
          const some = await explained({ permission, ...subject });
          expect(some).to.include({ allowed: true, reason: 'A role holds it, for some rows only.' });
          expect(some.bindings).to.have.length(1);
          for (const [name, allowed] of [
            ['web-two', true],
            ['db-one', false],
          ] as const) {
            const resourceId = (await acme.admin('GET', `/v1/images/${name}`)).json.id;
            expect(await explained({ permission, resourceId, ...subject }), name).to.include({ allowed });
          }
        }
        expect(await explained({ permission, userId, projectId: staged })).to.include({ allowed: false });
        expectStatus(await acme.admin('POST', `/v1/users/${userId}/disable`, {}), 200);
        expect((await explained({ permission, userId })).reason).to.equal('The user asked-about is disabled: it is let in nowhere.');
      });

      it('of a service account and of a key, with what it is restricted to', async () => {
        const serviceAccountId = await made(acme.admin, '/v1/service-accounts', { name: 'robot-asked' });
        await made(acme.admin, '/v1/role-bindings', { serviceAccountId, role: 'member', level: 'account' });
        const keyOf = async (name: string, more: object) =>
          expectStatus(await acme.admin('POST', '/v1/api-keys', { name, serviceAccountId, ...more }), 200).json as {
            id: string;
            key: string;
          };
        const key = await keyOf('reads', { permissions: ['*.read'] });
        const tied = await keyOf('tied', { projectId: staged });
        const permission = 'image.create';
        expect(await explained({ permission, serviceAccountId })).to.include({ allowed: true, reason: 'A role holds it.' });
        const restricted = 'The API key is restricted to other permissions.';
        expect(await explained({ permission, apiKeyId: key.id })).to.include({ allowed: false, reason: restricted });
        expect(await explained({ permission }, at.as(key.key))).to.include({ allowed: false, reason: restricted });
        expect(await explained({ permission, apiKeyId: tied.id })).to.include({
          allowed: false,
          reason: 'The API key works in another project alone.',
        });
        expect(await explained({ permission, apiKeyId: tied.id, projectId: staged })).to.include({ allowed: true });
        expectStatus(await acme.admin('POST', `/v1/api-keys/${tied.id}/revoke`, {}), 200);
        expect((await explained({ permission, apiKeyId: tied.id, projectId: staged })).reason).to.equal('The API key is revoked.');
      });

      it('and to nobody else', async () => {
        const userId = await who('kept-to-himself');
        const permission = 'image.read';
        const stranger = (await at.tenant('strangers')).admin;
        expect(await refused({ permission, userId }, stranger)).to.deep.equal(['not_found', '/userId']);
        const inProject = await someone({ role: 'projectAdmin' });
        expect(await refused({ permission, userId }, inProject)).to.deep.equal(['not_found', '/userId']);
        const withoutBindings = await someone({ role: await roleOf([{ permissions: ['user.read', 'project.read'] }]), level: 'account' });
        expect(await refused({ permission, userId }, withoutBindings)).to.deep.equal(['permission_denied', 'roleBinding.read']);
        await made(acme.admin, '/v1/role-bindings', { userId, role: 'viewer', level: 'account' });
        const reads = ['user.read', 'project.read', 'role.read', 'membership.read'];
        const some = [{ permissions: reads }, { permissions: ['roleBinding.read'], when: "name like 'seen-%'" }];
        expect(await refused({ permission, userId }, await someone({ role: await roleOf(some), level: 'account' }))).to.deep.equal([
          'permission_denied',
          'roleBinding.read',
        ]);
        const all = await someone({ role: await roleOf([{ permissions: [...reads, 'roleBinding.read'] }]), level: 'account' });
        expect(await explained({ permission, userId }, all)).to.include({ allowed: true });
        // He does not see the row: whether somebody else may he is not told either.
        const resourceId = (await acme.admin('GET', '/v1/images/web-two')).json.id;
        expect(await refused({ permission, userId, resourceId }, all)).to.deep.equal(['not_found', '/resourceId']);
        expect(await refused({ permission, userId, groupId: userId }, acme.admin)).to.deep.equal(['invalid_input', '']);
        expect(await refused({ permission, projectId: staged }, acme.admin)).to.deep.equal(['invalid_input', '/projectId']);
      });
    });

    it('of the operator reach everywhere, an auditor only reads', async () => {
      const home = '00000000-0000-7000-8000-000000000001';
      const staff = at.as(await at.user(home, 'default', 'staff', { role: 'operator', level: 'cloud' }));
      const auditor = at.as(await at.user(home, 'default', 'auditor', { role: 'auditor', level: 'cloud' }));
      for (const ask of [staff, auditor]) {
        const found = (await ask('GET', '/v1/images?allProjects=true')).json.items.map((row: { name: string }) => row.name);
        expect(found).to.include('web-one');
      }
      const { id } = (await acme.admin('GET', '/v1/images/web-one')).json;
      expect(await refusal(auditor('PATCH', `/v1/images/${id}`, { description: 'x' }))).to.deep.equal([403, 'image.update']);
      expectStatus(await staff('PATCH', `/v1/images/${id}`, { description: 'by the operator' }), 200);
      const row = (await acme.admin('GET', '/v1/audit?action=image.update')).json.items[0];
      expect(row.projectId).to.equal(acme.projectId);
    });
  });
