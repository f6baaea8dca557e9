import { readFile, writeFile } from 'node:fs/promises';
import { BUILT_IN_ROLES } from '@pileus/core';
import { type Route, routesOf } from '@pileus/core/kernel';
import { type Sown, sow } from '@pileus/core/testing';
import { expect } from 'chai';
import { expectStatus, Tenancy, type Tenant } from './tenancy.ts';

const FILE = new URL('access-matrix.txt', import.meta.url);
const FOREIGN = '00000000-0000-7000-8000-00000000ffff';

/** Keys and sessions are also one's own. */
const isOfOthers = (route: Route): boolean => route.type === 'action' && !['apiKey', 'session'].includes(route.action.kind.name);

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly type?: Route['type'];
  readonly kind?: string;
}

/** Served beside the API. */
const BESIDE: readonly Asked[] = ['/health/live', '/health/ready', '/metrics'].map((path) => ({ method: 'GET', path }));

const askedOf = (route: Route): Asked => {
  const { method, path, type } = route;
  const kind = 'kind' in route ? route.kind.name : 'action' in route ? route.action.kind.name : undefined;
  return { method, path, type, ...(kind === undefined ? {} : { kind }) };
};

describe('server: every route, by every built-in role', () => {
  let at: Tenancy;
  let acme: Tenant;
  let sown: Sown;
  let routes: readonly Route[];
  let all: readonly Asked[];
  /** By role, and for whom there is none. */
  const keys = new Map<string, string | undefined>([['nobody', undefined]]);

  before(async () => {
    at = await Tenancy.open();
    acme = await at.tenant('acme');
    const { kernel } = at.server.plane;
    sown = await sow(kernel, { mark: 'acme', projectId: acme.projectId, accountId: acme.accountId });
    routes = routesOf(kernel.registry);
    all = [...routes.map(askedOf), ...BESIDE];
    keys.set('no role', await keyOf('bare'));
    for (const [role, { levels }] of Object.entries(BUILT_IN_ROLES))
      for (const level of levels) keys.set(`${role}/${level}`, await keyOf(`${role}-${level}`.toLowerCase(), { role, level }));
  });
  after(() => at.close());

  /** The operator's staff is of the default account. */
  const keyOf = async (name: string, binding?: { readonly role: string; readonly level: string }) => {
    const isStaff = binding?.level === 'cloud';
    const projectId = isStaff ? '00000000-0000-7000-8000-000000000001' : acme.projectId;
    const session = await at.user(projectId, isStaff ? 'default' : 'acme', name, binding);
    return expectStatus(await at.as(session)('POST', '/v1/api-keys', { name }), 200).json.key as string;
  };

  /** What is read is there, in the project of those who are not the operator's; what changes something names nothing, or lacks its input. */
  const ask = async ({ method, path, type, kind }: Asked, key: string | undefined): Promise<Response> => {
    const isRead = type === 'get' || type === 'deletion';
    const named = path.replace('{idOrName}', (isRead ? sown.ids.get(kind ?? '') : undefined) ?? FOREIGN).replaceAll(/\{[^}]+\}/g, FOREIGN);
    const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
    if (type === 'query') headers['content-type'] = 'application/json';
    const response = await fetch(at.server.url + named, { method, headers, ...(type === 'query' ? { body: '{}' } : {}) });
    if (response.status === 200) await response.body?.cancel();
    return response;
  };

  it('answers each with the status that was decided: what is new is decided, too', async () => {
    const columns = [...keys.keys()];
    const lines: string[] = [];
    for (const route of [...all].sort((a, b) => (a.path + a.method < b.path + b.method ? -1 : 1))) {
      const cells: string[] = [];
      for (const column of columns) {
        const { status } = await ask(route, keys.get(column));
        expect(status, `${column}: ${route.method} ${route.path}`).to.be.lessThan(500).and.not.equal(429);
        cells.push(String(status).padEnd(column.length));
      }
      lines.push(`${cells.join('  ')}  ${route.method.padEnd(6)} ${route.path}`.trimEnd());
    }
    const shown = `${columns.join('  ')}\n${lines.join('\n')}\n`;
    if (process.env.UPDATE_SNAPSHOTS === '1') await writeFile(FILE, shown);
    expect(shown, 'decide who may what, and write it down with UPDATE_SNAPSHOTS=1').to.equal(await readFile(FILE, 'utf8'));
  }).timeout(300_000);

  it('lists every route: those of the registry, those of the document, and those beside the API', async () => {
    const listed = (await readFile(FILE, 'utf8')).split('\n').flatMap((line) => /([A-Z]+) +(\/\S+)$/.exec(line)?.slice(1).join(' ') ?? []);
    expect(listed).to.have.members(all.map(({ method, path }) => `${method} ${path}`));
    const { json } = await at.root()('GET', '/v1/openapi.json');
    const documented = Object.entries(json.paths as Record<string, object>).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(documented.length).to.be.greaterThan(500);
    expect(listed).to.include.members(documented);
  });

  it('tells who is refused what he lacks, what was looked at, and which role would do', async () => {
    const key = keys.get('viewer/project') ?? '';
    expect(routes.filter(isOfOthers)).to.have.length.above(100);
    for (const route of routes.filter(isOfOthers)) {
      const response = await ask(askedOf(route), key);
      const { code, params } = (await response.json()) as { code: string; params: Record<string, unknown> };
      expect([response.status, code], `${route.method} ${route.path}`).to.deep.equal([403, 'permission_denied']);
      expect(params).to.include({ permission: route.permission });
      expect(params.grantedBy).to.include('operator').and.not.include('viewer');
      // A role that is bound at no such level lets nobody do it.
      if (params.level === 'cloud') expect(params.grantedBy).not.to.include('accountAdmin').and.not.include('projectAdmin');
      expect(params.bindings).to.have.length(1);
    }
  });
});
