import { expect } from 'chai';
import { type Ask, expectStatus, made, Tenancy, type Tenant } from './tenancy.ts';

const KEY = 'hosts.shutdownSeconds';

describe('server: settings', () => {
  let at: Tenancy;
  let acme: Tenant;
  let root: Ask;
  before(async () => {
    at = await Tenancy.open({ config: { kvm: { enabled: false }, hosts: { shutdownSeconds: 50 }, auth: { sessionHours: 3 } } });
    acme = await at.tenant('acme');
    root = at.root();
  });
  after(() => at.close());

  /** A machine that waits for room that there is not: of an account, on no host. */
  const waiting = async (tenant: Tenant): Promise<string> => {
    const { kernel } = at.server.plane;
    const kind = kernel.registry.kind('instance');
    const id = kernel.services.ids.mint('instance');
    const row = { id, name: `vm-${id.slice(-6)}`, projectId: tenant.projectId, state: 'stopped', schemaVersion: kind.schemaVersion };
    const needed = { instanceTypeId: kernel.services.ids.mint('instanceType'), vcpus: 1, memoryBytes: 1, firmware: 'bios' };
    await kernel.observe([{ op: 'insert', table: 'instance', row: { ...row, ...needed } }]);
    return id;
  };
  const effective = (ask: Ask, query = '') => ask('GET', `/v1/settings/effective${query}`);

  it('begin with what the configuration file says', async () => {
    const { items } = expectStatus(await effective(root, `?key=${KEY}`), 200).json;
    expect(items).to.deep.equal([{ key: KEY, value: 50, level: 'configuration', overrides: [{ value: 60, level: 'default' }] }]);
    const { json } = await root('GET', '/v1/settings');
    expect(
      json.items.filter(({ configured }: { configured?: unknown }) => configured !== undefined).map(({ key }: { key: string }) => key),
    ).to.deep.equal(['auth.sessionHours', KEY]);
  });

  it('of an instance are told to its owner, but not where they come from', async () => {
    const id = await waiting(acme);
    const query = `?resourceKind=instance&resource=${id}`;
    await made(root, '/v1/setting-values/actions/set', { key: KEY, value: 40 });
    const inherited = { key: KEY, value: 40, level: 'inherited', overrides: [] };
    expect(expectStatus(await effective(acme.admin, query), 200).json.items).to.deep.equal([inherited]);
    await made(root, '/v1/setting-values/actions/set', { key: KEY, value: 30, resourceKind: 'instance', resourceId: id });
    const [own] = expectStatus(await effective(acme.admin, query), 200).json.items;
    expect(own).to.include({ value: 30, level: 'instance', resourceId: id }).and.not.have.any.keys('valueId');
    expect(own.overrides).to.deep.equal([]);
    const [whole] = (await effective(root, query)).json.items.filter(({ key }: { key: string }) => key === KEY);
    expect(whole.overrides.map(({ level }: { level: string }) => level)).to.deep.equal(['global', 'configuration', 'default']);
  });

  it('are otherwise the operator’s, to read and to change', async () => {
    const id = await waiting(acme);
    const other = await at.tenant('other');
    const set = { key: KEY, value: 1, resourceKind: 'instance', resourceId: id };
    expect((await acme.admin('POST', '/v1/setting-values/actions/set', set)).status).to.equal(403);
    expect((await effective(acme.admin)).status).to.equal(403);
    expect((await effective(acme.admin, '?resourceKind=host&resource=hv1')).status).to.equal(403);
    const foreign = await effective(other.admin, `?resourceKind=instance&resource=${id}`);
    const absent = await effective(other.admin, '?resourceKind=instance&resource=00000000-0000-7000-8000-00000000ffff');
    expect([foreign.status, absent.status]).to.deep.equal([404, 404]);
    expect((await acme.admin('GET', `/v1/settings/effective?resourceKind=instance&resource=${id}&key=images.bytesMax`)).status).to.equal(
      400,
    );
    const joined = await acme.admin('GET', `/v1/instances?${new URLSearchParams({ filter: `settingValues.key = '${KEY}'` })}`);
    expect(joined.status).to.equal(403);
  });

  it('say how long a session lasts, from the next one on', async () => {
    const hours = async () => {
      const body = { account: 'acme', user: 'admin', password: 'correct horse battery' };
      const answer = expectStatus(await at.server.ask('POST', '/v1/sessions', { body, headers: { authorization: '' } }), 200);
      return Math.round((Date.parse(answer.json.expiresAt) - Date.now()) / 3600_000);
    };
    expect(await hours()).to.equal(3);
    const valueId = await made(root, '/v1/setting-values/actions/set', { key: 'auth.sessionHours', value: 7 });
    expect(await hours()).to.equal(7);
    await made(root, `/v1/setting-values/${valueId}/reset`, {});
    expect(await hours()).to.equal(3);
  });

  it('take no value of a setting that does not fit from the file', async () => {
    const wrong = Tenancy.open({ config: { kvm: { enabled: false }, settings: { 'images.sizeMax': 1 } } });
    const message = await wrong.then(
      () => 'started',
      (error: Error) => error.message,
    );
    expect(message).to.include('images.sizeMax').and.include('no plugin declares');
  });
});
