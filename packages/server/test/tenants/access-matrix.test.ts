import { readFile, writeFile } from 'node:fs/promises';
import { BUILT_IN_ROLES } from '@pileus/core';
import { type Route, routesOf } from '@pileus/core/kernel';
import { expect } from 'chai';
import { expectStatus, Tenancy, type Tenant } from './tenancy.ts';

const FILE = new URL('access-matrix.txt', import.meta.url);
const FOREIGN = '00000000-0000-7000-8000-00000000ffff';

/** Keys and sessions are also one's own. */
const isOfOthers = (route: Route): boolean => route.type === 'action' && !['apiKey', 'session'].includes(route.action.kind.name);

describe('server: every route, by every built-in role', () => {
  let at: Tenancy;
  let acme: Tenant;
  let routes: readonly Route[];
  /** By role, and for whom there is none. */
  const keys = new Map<string, string | undefined>([['nobody', undefined]]);

  before(async () => {
    at = await Tenancy.open();
    acme = await at.tenant('acme');
    routes = routesOf(at.server.plane.kernel.registry);
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

  /** Nothing is there that is named, so that a request is refused for who makes it, or for what it names, or for its input. */
  const ask = async ({ method, path }: Route, key: string | undefined): Promise<Response> => {
    const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
    const response = await fetch(at.server.url + path.replaceAll(/\{[^}]+\}/g, FOREIGN), { method, headers });
    if (response.status === 200) await response.body?.cancel();
    return response;
  };

  it('is as it was decided: what is new is decided, too', async () => {
    const columns = [...keys.keys()];
    const lines: string[] = [];
    for (const route of [...routes].sort((a, b) => (a.path + a.method < b.path + b.method ? -1 : 1))) {
      const cells: string[] = [];
      for (const column of columns) {
        const { status } = await ask(route, keys.get(column));
        expect(status, `${column}: ${route.method} ${route.path}`).to.be.lessThan(500);
        cells.push((status === 401 || status === 403 ? String(status) : 'yes').padEnd(column.length));
      }
      lines.push(`${cells.join('  ')}  ${route.method.padEnd(6)} ${route.path}`.trimEnd());
    }
    const shown = `${columns.join('  ')}\n${lines.join('\n')}\n`;
    if (process.env.UPDATE_SNAPSHOTS === '1') await writeFile(FILE, shown);
    expect(shown, 'decide who may what, and write it down with UPDATE_SNAPSHOTS=1').to.equal(await readFile(FILE, 'utf8'));
  }).timeout(300_000);

  it('tells who is refused what he lacks, what was looked at, and which role would do', async () => {
    const key = keys.get('viewer/project') ?? '';
    for (const route of routes.filter(isOfOthers)) {
      const response = await ask(route, key);
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
