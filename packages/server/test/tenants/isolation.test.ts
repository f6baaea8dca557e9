import { type Route, routesOf } from '@pileus/core/kernel';
import { expect } from 'chai';
import { type Sown, sample, sow } from './sown.ts';
import { type Ask, expectStatus, made, Tenancy, type Tenant } from './tenancy.ts';

const OTHERS_PORT = { address: '10.0.0.77', mac: '52:54:00:00:00:77' };
const ABSENT = '00000000-0000-7000-8000-00000000ffff';
/** Of operations that are sown, the actor is no tenant's. */
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

interface Probe {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

describe('server: what one tenant learns of another', () => {
  let at: Tenancy;
  let alpha: Tenant;
  let bravo: Tenant;
  let sown: Sown;
  let routes: readonly Route[];
  /** All that tells of the other: his ids and his name. */
  let secrets: readonly string[];
  const askers = new Map<string, Ask>();

  before(async () => {
    at = await Tenancy.open();
    [alpha, bravo] = [await at.tenant('alpha'), await at.tenant('bravo')];
    const { kernel } = at.server.plane;
    routes = routesOf(kernel.registry);
    await sow(kernel, { mark: 'alpha', projectId: alpha.projectId, accountId: alpha.accountId });
    sown = await sow(kernel, { mark: 'bravo', projectId: bravo.projectId, accountId: bravo.accountId });
    secrets = [...sown.ids.values(), bravo.projectId, bravo.accountId, 'bravo'];
    askers.set('accountAdmin', alpha.admin);
    askers.set('projectAdmin', at.as(await at.user(alpha.projectId, 'alpha', 'project-admin', { role: 'projectAdmin' })));
    askers.set('no role', at.as(await at.user(alpha.projectId, 'alpha', 'bare')));
  });
  after(() => at.close());

  /** Rows of the other as they are now. */
  const held = async () => {
    const { kernel } = at.server.plane;
    const rows = await Promise.all([...sown.ids].map(([kind, id]) => kernel.reader.text(kernel.registry.kind(kind), id)));
    return rows.join('\n');
  };

  /** Nothing that the request did not say itself. */
  const assertClean = (probe: Probe, text: string, who: string) => {
    const said = JSON.stringify(probe);
    for (const secret of secrets)
      if (!said.includes(secret) && text.includes(secret)) throw new Error(`${who} learns ${secret} by ${said}: ${text}`);
  };

  const shape = (text: string): string =>
    text
      .replaceAll(UUID, 'ID')
      .replaceAll(/bravo(-[a-z]+)?|nobody-has-this|ID/g, 'IT')
      .replaceAll(/"cursor":"[^"]*"|"generation":\d+/g, '');

  /** The same request about the other's and about nothing: the same answer. */
  const compare = async (probe: Probe, nothing: Probe) => {
    for (const [who, ask] of askers) {
      const send = ({ method, path, body, headers = {} }: Probe) => ask(method, path, body, { prefer: '', ...headers });
      const [foreign, absent] = [await send(probe), await send(nothing)];
      assertClean(probe, foreign.text, who);
      const what = `${who}: ${JSON.stringify(probe)}`;
      expect(foreign.status, what).to.equal(absent.status);
      expect(foreign.status, what).to.be.lessThan(500);
      expect(shape(foreign.text), what).to.equal(shape(absent.text));
    }
  };

  const named = (route: Route): string | undefined => {
    const segment = route.path.split('/')[2];
    return at.server.plane.kernel.registry.kinds().find(({ plural }) => plural === segment)?.name;
  };

  it('is nothing, by an id or a name in a path', async () => {
    const before = await held();
    for (const route of routes) {
      const kind = named(route) ?? '';
      const id = sown.ids.get(kind);
      if (!route.path.includes('{') || id === undefined) continue;
      const body = route.method === 'GET' || route.method === 'DELETE' ? undefined : bodyFor(route, new Map());
      const probe = (name: string): Probe => ({
        method: route.method,
        path: route.path.replace(/\{[^}]+\}/, name),
        ...(body === undefined ? {} : { body }),
      });
      await compare(probe(id), probe(ABSENT));
      await compare(probe(`bravo-${kind.toLowerCase()}`), probe('nobody-has-this'));
    }
    expect(await held()).to.equal(before);
  }).timeout(60_000);

  /** A body with all that is required, and ids where ids are wanted. */
  const bodyFor = (route: Route, ids: ReadonlyMap<string, string>, fallback = ABSENT): unknown => {
    const schema =
      route.type === 'action' ? route.action.input : route.type === 'endpoint' && 'body' in route.endpoint ? route.endpoint.body : {};
    return sample((schema ?? {}) as never, ids, 'probe', fallback);
  };

  it('is nothing, by an id in a body', async () => {
    const before = await held();
    let asked = 0;
    for (const route of routes.filter(({ type, method }) => type === 'action' && method !== 'DELETE')) {
      if (route.type !== 'action') continue;
      const fields = Object.keys(route.action.input.properties).filter((field) => /Id$|Ids$|^with$|^image$|^network$/.test(field));
      for (const field of fields)
        for (const [kind, id] of sown.ids) {
          if (!field.toLowerCase().includes(kind.toLowerCase().slice(0, 5))) continue;
          const target = named(route) ?? '';
          const own = (await alpha.admin('GET', `/v1/${route.path.split('/')[2]}/alpha-${target.toLowerCase()}`)).json?.id as string;
          const probe = (value: string): Probe => ({
            method: route.method,
            path: route.path.replace(/\{[^}]+\}/, own),
            body: { ...(bodyFor(route, new Map()) as object), [field]: field.endsWith('Ids') ? [value] : value },
          });
          await compare(probe(id), probe(ABSENT));
          asked += 1;
        }
    }
    expect(asked).to.be.greaterThan(15);
    expect(await held()).to.equal(before);
  }).timeout(60_000);

  it('is nothing, by lists, filters, counts, groups and joins', async () => {
    const { kernel } = at.server.plane;
    for (const kind of kernel.registry.kinds().filter(({ scope }) => scope !== 'cloud')) {
      const id = sown.ids.get(kind.name) ?? '';
      const cursor = Buffer.from(JSON.stringify(['', id])).toString('base64url');
      const along = kind.refs
        .map(({ field }) => field.replace(/Id$/, ''))
        .map((path) => `filter=${path}.name = 'bravo-${path.toLowerCase()}'`);
      const queries = [
        ...['', 'deleted=true', 'count=true', 'groupBy=name', 'max=name', 'sort=-createdAt', `after=${cursor}`, `after=${cursor}&sort=`],
        ...[
          `id=${id}`,
          `filter=id = '${id}'`,
          `name=bravo-${kind.name.toLowerCase()}`,
          "filter=name like 'bravo%'",
          "filter=not (name = 'x')",
        ],
        ...['projectId', 'accountId'].map((field) => `${field}=${field === 'projectId' ? bravo.projectId : bravo.accountId}`),
        ...[`filter=projectId = '${bravo.projectId}'`, `filter=accountId = '${bravo.accountId}'`, ...along, 'allProjects=true'],
      ];
      for (const [who, ask] of askers)
        for (const query of queries) {
          const probe = { method: 'GET', path: `/v1/${kind.plural}?${query.replaceAll(' ', '%20')}` };
          const { status, text, json } = await ask(probe.method, probe.path);
          assertClean(probe, text, who);
          expect(status, JSON.stringify(probe)).to.be.lessThan(500);
          const ids = (json.items ?? []).map((row: { id: string }) => row.id);
          expect(ids, `${who} ${query}`).not.to.include(id);
          if (query.includes('bravo') && status === 200 && query !== 'count=true') expect(ids, `${who} ${query}`).to.deep.equal([]);
        }
      const body = { where: { field: 'id', op: '=', value: id }, count: true };
      const counted = await alpha.admin('POST', `/v1/${kind.plural}/query`, body);
      if (counted.status === 200) expect(counted.json).to.deep.include({ items: [], count: 0 });
    }
  }).timeout(60_000);

  it('is nothing, by events, changes and the audit', async () => {
    const after = '1.0';
    await bravo.admin('PATCH', '/v1/projects/default', { description: 'bravo has changed it' });
    for (const [who, ask] of askers) {
      for (let from = after, more = true; more; ) {
        const { json, text } = await ask('GET', `/v1/changes?after=${from}&limit=1000`);
        assertClean({ method: 'GET', path: '/v1/changes' }, text, who);
        more = json.items.length > 0;
        from = json.next;
      }
      for (const whose of ['project', 'account', 'cloud']) {
        const { text } = await ask('GET', `/v1/audit?of=${whose}&limit=1000`);
        assertClean({ method: 'GET', path: '/v1/audit' }, text, who);
      }
      expect((await ask('GET', '/v1/changes?allProjects=true')).status).to.equal(403);
    }
  });

  it('is nothing, by the keys of his requests', async () => {
    const body = { name: 'with-a-key' };
    const headers = { 'idempotency-key': 'the same key' };
    const first = expectStatus(await bravo.admin('POST', '/v1/images', body, headers), 200).json;
    const second = expectStatus(await alpha.admin('POST', '/v1/images', body, headers), 200).json;
    expect(second.resourceId).not.to.equal(first.resourceId);
    const other = await alpha.admin('POST', '/v1/networks', { name: 'x' }, { 'idempotency-key': 'bravo only' });
    expect(other.status).not.to.equal(422);
  });

  it('is nothing, by his operations, and they go on', async () => {
    const operationId = (await bravo.admin('POST', '/v1/images', { name: 'own-operation' })).json.operationId as string;
    for (const verb of ['cancel', 'retry', 'skip'])
      expect((await alpha.admin('POST', `/v1/operations/${operationId}/${verb}`)).status).to.equal(404);
    expect((await alpha.admin('GET', `/v1/operations/${operationId}?waitSeconds=1`)).status).to.equal(404);
  });

  describe('but for what is shared', () => {
    let image: string;
    let network: string;
    before(async () => {
      image = sown.ids.get('image') ?? '';
      network = sown.ids.get('network') ?? '';
    });
    const sees = async (path: string) => (await alpha.admin('GET', path)).status;
    const listed = async (plural: string) =>
      (await alpha.admin('GET', `/v1/${plural}`)).json.items.map((row: { id: string }) => row.id) as string[];

    for (const audience of ['project', 'account', 'all'] as const)
      it(`shows it to ${audience === 'all' ? 'everybody' : `the ${audience}`}, until it is taken back`, async () => {
        const to = { project: alpha.projectId, account: alpha.accountId, all: 'all' }[audience];
        expect(await sees(`/v1/images/${image}`)).to.equal(404);
        const share = await made(bravo.admin, '/v1/shares', { resourceKind: 'image', resourceId: image, with: to });
        expect(await sees(`/v1/images/${image}`)).to.equal(200);
        expect(await listed('images')).to.include(image);
        for (const [method, path, body] of [
          ['PATCH', `/v1/images/${image}`, { name: 'mine' }],
          ['DELETE', `/v1/images/${image}`, undefined],
          ['PUT', `/v1/images/${image}/content`, {}],
        ] as const)
          expect((await alpha.admin(method, path, body)).status, `${method} ${path}`).to.equal(403);
        expect(await sees(`/v1/shares/${share}`)).to.equal(404);
        const again = await alpha.admin('POST', '/v1/shares', { resourceKind: 'image', resourceId: image, with: 'all' });
        expect(again.status).to.equal(404);
        expectStatus(await bravo.admin('DELETE', `/v1/shares/${share}`), 200);
        expect(await sees(`/v1/images/${image}`)).to.equal(404);
        expect(await listed('images')).not.to.include(image);
      });

    it('tells of its changes to whom it is shared with', async () => {
      await made(bravo.admin, '/v1/shares', { resourceKind: 'network', resourceId: network, with: alpha.projectId });
      const { json: now } = await alpha.admin('GET', '/v1/changes');
      expectStatus(await bravo.admin('PATCH', `/v1/networks/${network}`, { description: 'changed' }), 200);
      const { json } = await alpha.admin('GET', `/v1/changes?kinds=network&after=${now.next}`);
      expect(json.items.map((entry: { id: string }) => entry.id)).to.deep.equal([network]);
    });

    it('comes with its subnets, and takes none from others', async () => {
      const subnet = sown.ids.get('subnet') ?? '';
      expect(await sees(`/v1/networks/${network}`)).to.equal(200);
      expect(await sees(`/v1/subnets/${subnet}`)).to.equal(200);
      const added = await alpha.admin('POST', '/v1/subnets', { networkId: network, cidr: '10.9.0.0/24' });
      expect([added.status, added.json.pointer]).to.deep.equal([404, '/networkId']);
    });

    it('names nothing of others to who cannot delete it', async () => {
      const { kernel } = at.server.plane;
      const { json } = await alpha.admin('GET', '/v1/nics');
      const nic = await kernel.reader.get({ name: 'nic' } as never, json.items[0].id);
      const plugged = { op: 'update', table: 'nic', key: (nic as { id: string }).id, set: { networkId: network, ...OTHERS_PORT } } as const;
      expect((await kernel.observe([plugged])).ok).to.equal(true);
      const refused = await bravo.admin('DELETE', `/v1/networks/${network}`);
      expect(refused.text).not.to.include('alpha').and.not.include(plugged.key);
    });
  });
});
