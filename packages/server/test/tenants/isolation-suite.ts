import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { create, type Route, routesOf, systemTag } from '@pileus/core/kernel';
import { type Sown, sample, sow } from '@pileus/core/testing';
import { expect } from 'chai';
import { bodyWith, idPlaces, NOT_TOLD, queryOf, rest } from './ids-in-bodies.ts';
import type { Ask, Tenancy, Tenant } from './tenancy.ts';
import { expectStatus, made } from './tenancy.ts';

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

/** @param open with what the tests want of the configuration */
export const describeIsolation = (title: string, open: typeof Tenancy.open) =>
  describe(title, () => {
    let at: Tenancy;
    let alpha: Tenant;
    let bravo: Tenant;
    let own: Sown;
    let sown: Sown;
    let routes: readonly Route[];
    /** All that tells of the other: his ids and his name. */
    let secrets: readonly string[];
    /** Where webhooks lead, and all that came there. */
    let receiver: Server;
    let posted = '';
    let hook: { readonly url: string; readonly secret: string };
    const askers = new Map<string, Ask>();

    before(async () => {
      receiver = createServer((request, response) => {
        request.setEncoding('utf8').on('data', (text: string) => {
          posted += text;
        });
        request.on('end', () => response.writeHead(204).end());
      }).listen(0, '127.0.0.1');
      await once(receiver, 'listening');
      const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
      at = await open({ config: { kvm: { enabled: false }, webhooks: { urls: [url] } } });
      hook = { url, secret: `whsec_${Buffer.alloc(32, 7).toString('base64')}` };
      [alpha, bravo] = [await at.tenant('alpha'), await at.tenant('bravo')];
      const { kernel } = at.server.plane;
      routes = routesOf(kernel.registry);
      own = await sow(kernel, { mark: 'alpha', projectId: alpha.projectId, accountId: alpha.accountId });
      sown = await sow(kernel, { mark: 'bravo', projectId: bravo.projectId, accountId: bravo.accountId });
      secrets = [...sown.ids.values(), bravo.projectId, bravo.accountId, 'bravo'];
      askers.set('accountAdmin', alpha.admin);
      askers.set('projectAdmin', at.as(await at.user(alpha.projectId, 'alpha', 'project-admin', { role: 'projectAdmin' })));
      askers.set('no role', at.as(await at.user(alpha.projectId, 'alpha', 'bare')));
    });
    after(async () => {
      await at.close();
      receiver.close();
    });

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

    /** The same request about the other's and about nothing: the same answer. Answers its status, by who asked. */
    const compare = async (probe: Probe, nothing: Probe, whose: readonly string[] = [...askers.keys()]) => {
      const statuses = new Map<string, number>();
      for (const [who, ask] of askers) {
        if (!whose.includes(who)) continue;
        const send = ({ method, path, body, headers = {} }: Probe) => ask(method, path, body, { prefer: '', ...headers });
        const [foreign, absent] = [await send(probe), await send(nothing)];
        assertClean(probe, foreign.text, who);
        const what = `${who}: ${JSON.stringify(probe)}`;
        expect(foreign.status, what).to.equal(absent.status);
        expect(foreign.status, what).to.be.lessThan(500);
        expect(shape(foreign.text), what).to.equal(shape(absent.text));
        statuses.set(who, absent.status);
      }
      return statuses;
    };

    const rehearsed = (probe: Probe): Probe => ({ ...probe, path: `${probe.path}?dryRun=true` });

    const named = (route: Route): string | undefined => {
      const segment = route.path.split('/')[2];
      return at.server.plane.kernel.registry.kinds().find(({ plural }) => plural === segment)?.name;
    };

    it('is nothing, by an id or a name in a path', async () => {
      const before = await held();
      const otherwise: string[] = [];
      for (const route of routes) {
        const kind = named(route) ?? '';
        const id = sown.ids.get(kind);
        if (!route.path.includes('{') || id === undefined) continue;
        const body = route.method === 'GET' || route.method === 'DELETE' ? undefined : bodyFor(route, new Map());
        const probe = (name: string): Probe => ({
          method: route.method,
          path: route.path.replace(/\{[^}]+\}/, name) + queryOf(route, ABSENT),
          ...(body === undefined ? {} : { body }),
        });
        const status = (await compare(probe(id), probe(ABSENT))).get('accountAdmin');
        if (status !== 404 && status !== 403) otherwise.push(`${route.operationId}: ${status}`);
        if (route.type === 'action') await compare(rehearsed(probe(id)), rehearsed(probe(ABSENT)));
        await compare(probe(`bravo-${kind.toLowerCase()}`), probe('nobody-has-this'));
      }
      expect(otherwise, 'refused for what stands beside the id').to.deep.equal([]);
      expect(await held()).to.equal(before);
    }).timeout(300_000);

    /** A body with all that is required, and ids where ids are wanted. */
    const bodyFor = (route: Route, ids: ReadonlyMap<string, string>, fallback = ABSENT): unknown => {
      const schema =
        route.type === 'action' ? route.action.input : route.type === 'endpoint' && 'body' in route.endpoint ? route.endpoint.body : {};
      return sample((schema ?? {}) as never, ids, 'probe', fallback);
    };

    it('is nothing, by an id in a body, wherever one belongs', async () => {
      const { kernel } = at.server.plane;
      await rest(kernel, own);
      await made(at.root(), '/v1/instance-types', { name: 'probe', vcpus: 1, memoryBytes: 2 ** 30 });
      const before = await held();
      const { places, unknown } = idPlaces(routes, kernel);
      expect(unknown).to.deep.equal([]);
      const unreached: string[] = [];
      for (const place of places) {
        const { route, path, kind } = place;
        const target = own.ids.get(named(route) ?? '') ?? '';
        const probe = (id: string): Probe => ({
          method: route.method,
          path: route.path.replace(/\{[^}]+\}/, target),
          body: bodyWith(place, id, own.ids, ABSENT),
        });
        const [foreign, nothing] = [probe(sown.ids.get(kind) ?? ''), probe(ABSENT)];
        await compare(foreign, nothing);
        if (route.type === 'action') await compare(rehearsed(foreign), rehearsed(nothing), ['accountAdmin']);
        const { status, json } = await alpha.admin(nothing.method, nothing.path, nothing.body, { prefer: '' });
        const title = `${route.operationId} /${path.join('/')}`;
        // A list may be pointed at as a whole.
        const isTold = status === 404 && `/${path.join('/')}`.startsWith(json.pointer ?? 'nowhere');
        if (isTold === title in NOT_TOLD) unreached.push(`${title}: ${status} ${json.code} ${json.pointer ?? ''} ${json.detail}`);
      }
      expect(unreached, 'ids that were never looked at').to.deep.equal([]);
      expect(await held()).to.equal(before);
    }).timeout(300_000);

    it('is nothing, by lists, filters, counts, groups and joins', async () => {
      const { kernel } = at.server.plane;
      for (const kind of kernel.registry.kinds().filter(({ scope }) => scope !== 'cloud')) {
        const id = sown.ids.get(kind.name) ?? '';
        const cursor = Buffer.from(JSON.stringify(['', id])).toString('base64url');
        const along = kind.refs
          .map(({ field }) => field.replace(/Id$/, ''))
          .flatMap((path) => [
            `filter=${path}.name = 'bravo-${path.toLowerCase()}'`,
            ...['sort', 'groupBy', 'max'].map((parameter) => `${parameter}=${path}.name`),
          ]);
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
    }).timeout(300_000);

    it('is nothing, by events, changes and the audit', async () => {
      const after = '1.0';
      await bravo.admin('PATCH', '/v1/projects/default', { description: 'bravo has changed it' });
      /** All of them, page by page. */
      const changes = async (ask: Ask): Promise<readonly string[]> => {
        const pages: string[] = [];
        for (let from = after, more = true; more; ) {
          const { json, text } = await ask('GET', `/v1/changes?after=${from}&limit=1000`);
          pages.push(text);
          more = json.items.length > 0;
          from = json.next;
        }
        return pages;
      };
      // It is there to be seen.
      const own = [...(await changes(bravo.admin)), (await bravo.admin('GET', '/v1/audit?of=account&limit=1000')).text];
      expect(own.filter((text) => text.includes('bravo has changed it'))).to.have.length.of.at.least(2);
      for (const [who, ask] of askers) {
        const pages = await changes(ask);
        expect(pages.join(), who).to.include('"row"');
        for (const text of pages) assertClean({ method: 'GET', path: '/v1/changes' }, text, who);
        for (const whose of ['project', 'account', 'cloud']) {
          const { text } = await ask('GET', `/v1/audit?of=${whose}&limit=1000`);
          assertClean({ method: 'GET', path: '/v1/audit' }, text, who);
        }
        expect((await ask('GET', '/v1/changes?allProjects=true')).status).to.equal(403);
      }
    });

    it('is nothing, by webhooks and by what is streamed', async () => {
      const { kernel } = at.server.plane;
      const kinds = kernel.registry.kinds().flatMap(({ name, scope }) => (scope === 'project' ? [name] : []));
      await made(alpha.admin, '/v1/webhooks', { ...hook, kinds });
      const response = await fetch(`${at.server.url}/v1/events`, { headers: { authorization: `Bearer ${alpha.token}` } });
      const { accountId } = bravo;
      const projectId = await made(bravo.admin, '/v1/projects', { name: 'bravo-two' });
      await sow(kernel, { mark: 'bravo-again', projectId, accountId });
      for (const verb of ['PATCH', 'DELETE'])
        await bravo.admin(
          verb,
          `/v1/images/${await made(bravo.admin, '/v1/images', { name: `bravo-${verb.toLowerCase()}` })}`,
          verb === 'PATCH' ? { description: 'x' } : undefined,
        );
      // The operator's own word about a thing of the tenant's.
      const id = kernel.services.ids.mint('systemTag') as never;
      const about = { resourceKind: 'image', resourceId: ABSENT, tag: 'racks.only', token: 'racks.only', value: 'bravo' };
      expect(
        (await kernel.observe([create(systemTag, { id, name: id, projectId: alpha.projectId as never, ...about, adminOnly: true })])).ok,
      ).to.equal(true);
      await made(alpha.admin, '/v1/images', { name: 'the-last' });
      let streamed = '';
      const decoder = new TextDecoder();
      for await (const bytes of response.body as ReadableStream<Uint8Array>) {
        streamed += decoder.decode(bytes, { stream: true });
        if (streamed.includes('the-last')) break;
      }
      for (const endMs = Date.now() + 60_000; !posted.includes('the-last') && Date.now() < endMs; )
        await new Promise((resolve) => setTimeout(resolve, 10));
      for (const text of [streamed, posted]) {
        expect(text).to.include('the-last');
        assertClean({ method: 'GET', path: '/v1/events' }, text, 'alpha');
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
          const { name } = (await alpha.admin('GET', `/v1/images/${image}`)).json;
          const named = await alpha.admin('GET', `/v1/images/${name}`);
          expect([named.status, named.json.params?.shared], 'what others share has no name here, and an id').to.deep.equal([404, [image]]);
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
          expect((await alpha.admin('GET', `/v1/images/${name}`)).json.params).to.equal(undefined);
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
        // How others use it is not his to know.
        expect(await sees(`/v1/networks/${network}/deletion`)).to.equal(403);
      });

      it('names nothing of others to who cannot delete it', async () => {
        const { kernel } = at.server.plane;
        const { json } = await alpha.admin('GET', '/v1/nics');
        const nic = await kernel.reader.get({ name: 'nic' } as never, json.items[0].id);
        const plugged = {
          op: 'update',
          table: 'nic',
          key: (nic as { id: string }).id,
          set: { networkId: network, ...OTHERS_PORT },
        } as const;
        expect((await kernel.observe([plugged])).ok).to.equal(true);
        const refused = await bravo.admin('DELETE', `/v1/networks/${network}`);
        expect(refused.text).not.to.include('alpha').and.not.include(plugged.key);
      });
    });
  });
