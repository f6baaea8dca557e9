import { Api, CloudError, type Principal, type Route, routesOf } from '@pileus/core/kernel';
import { nextTurn, nodeEnvironment } from '@pileus/core/node';
import { SimWorld, simulated } from '@pileus/core/testing';
import { expect } from 'chai';
import { Health } from '../src/http/health.ts';
import { Metrics } from '../src/http/metrics.ts';
import { HttpServer } from '../src/http/server.ts';
import { Admission } from '../src/limits/admission.ts';
import { openServer, type TestServer } from './server.ts';

/** Answers without a key: what it is shown, a password or a ticket of the path, stands for one. */
const OPEN = ['sessions.create', 'sessions.token', 'agent-outcomes.create', 'consoles.connect'];
/** Answers whoever has a key: of himself, or of what is no secret. */
const FOR_ALL = ['access.explain', 'access.get', 'access.getRoles', 'capabilities.get', 'logout.create', 'openapi.get', 'password.create'];
/** Need the permission to read one of the kinds that are asked for, here all. */
const BY_KIND = ['changes.list', 'events.watch'];

const own = {
  projectId: '00000000-0000-7000-8000-000000000001' as Principal['projectId'],
  accountId: '00000000-0000-7000-8000-000000000002' as Principal['accountId'],
};
const principals: Record<string, Principal> = {
  operator: { actor: 'key:operator', ...own, allows: () => true },
  nobody: { actor: 'key:nobody', ...own, allows: () => false },
};

describe('server: who may ask what', () => {
  let server: TestServer;
  let api: Api;
  let http: HttpServer;
  let routes: readonly Route[];
  const metrics = new Metrics();

  before(async () => {
    const environment = nodeEnvironment();
    server = await openServer({ cloud: true, plugins: [simulated({ world: new SimWorld(environment, {}), environment })] });
    const { kernel } = server.plane;
    api = new Api(kernel);
    await api.start();
    http = new HttpServer({
      api,
      authenticator: {
        authenticate({ authorization }) {
          if (authorization === undefined) return undefined;
          const principal = principals[authorization];
          if (principal === undefined) throw new CloudError('unauthenticated', 'Nobody is called so.');
          return { principal };
        },
      },
      environment,
      health: new Health(kernel.services.store, environment),
      metrics,
      mintRequestId: () => kernel.services.ids.mint('request'),
      admission: new Admission({ clock: environment.clock, nextTurn, limits: { requests: 100, streams: 100 } }),
      limits: { bodyBytes: 1_000_000, bodySeconds: 5 },
      origins: [],
    });
    await http.listen('127.0.0.1', 0);
    routes = routesOf(kernel.registry);
  });
  after(async () => {
    api.stop();
    await http.close(1000);
    metrics.close();
    await server.close();
  });

  const ask = async (method: string, path: string, who?: string) => {
    const headers: Record<string, string> = who === undefined ? {} : { authorization: who };
    const response = await fetch(http.address + path.replaceAll(/\{[^}]+\}/g, 'nothing'), { method, headers });
    const isProblem = response.headers.get('content-type')?.startsWith('application/problem+json') === true;
    const problem = isProblem ? ((await response.json()) as { code: string; params?: unknown }) : undefined;
    if (problem === undefined) await response.body?.cancel();
    return { status: response.status, problem };
  };
  const named = (permission: string) => routes.filter((route) => route.permission === permission).map(({ operationId }) => operationId);

  it('needs a permission of its own for every route but a few', () => {
    expect(named('none')).to.deep.equal(OPEN);
    expect(named('authenticated').sort()).to.deep.equal([...BY_KIND, ...FOR_ALL].sort());
    expect(routes.length).to.be.greaterThan(90);
  });

  it('answers 401 to who shows no key or a wrong one, on every route', async () => {
    for (const { method, path, operationId } of routes)
      for (const who of OPEN.includes(operationId) ? ['stranger'] : [undefined, 'stranger'])
        expect((await ask(method, path, who)).status, `${method} ${path}`).to.equal(401);
  });

  it('answers 403, and names what is lacking, to who is allowed nothing, on every route', async () => {
    for (const { method, path, operationId, permission } of routes) {
      if (OPEN.includes(operationId)) continue;
      const { status, problem } = await ask(method, path, 'nobody');
      if (FOR_ALL.includes(operationId) && permission === 'authenticated') {
        const own =
          operationId === 'password.create' || operationId === 'access.explain' ? 400 : operationId === 'logout.create' ? 409 : 200;
        expect(status, `${method} ${path}`).to.equal(own);
        continue;
      }
      const lacks = BY_KIND.includes(operationId) ? 'operation.read' : permission;
      expect([status, problem?.params], `${method} ${path}`).to.deep.equal([403, { permission: lacks }]);
    }
  });

  it('lets the operator in on every route', async () => {
    for (const { method, path } of routes) {
      const { status, problem } = await ask(method, path, 'operator');
      expect([401, 403], `${method} ${path} ${JSON.stringify(problem)}`).not.to.include(status);
      expect(status, `${method} ${path} ${JSON.stringify(problem)}`).to.be.lessThan(500);
    }
  });

  it('tells its health to anybody, its figures to who may read them', async () => {
    for (const path of ['/health/live', '/health/ready']) expect((await ask('GET', path)).status).to.equal(200);
    expect((await ask('GET', '/metrics')).status).to.equal(401);
    expect((await ask('GET', '/metrics', 'nobody')).problem?.params).to.deep.equal({ permission: 'metrics.read' });
    expect((await ask('GET', '/metrics', 'operator')).status).to.equal(200);
  });
});
