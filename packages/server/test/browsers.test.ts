import { expect } from 'chai';
import { ConfigError, parseConfig } from '../src/index.ts';
import { made, openServer, type TestServer } from './server.ts';

const ORIGIN = 'https://console.example.org';
const PREFLIGHT = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,idempotency-key' };

describe('server: calls from web pages', () => {
  let server: TestServer;
  beforeEach(async () => {
    server = await openServer({ config: { cors: { origins: [ORIGIN] } } });
    await made(server, 'one');
  });
  afterEach(() => server.close());

  const call = (method: string, path: string, headers: Record<string, string>) =>
    fetch(server.url + path, { method, headers: { authorization: `Bearer ${server.key}`, ...headers } });
  const letThrough = ({ headers }: Response) => headers.get('access-control-allow-origin');

  it('are let through to pages of allowed origins, failures and streams included', async () => {
    for (const [path, status] of [
      ['/v1/widgets/one', 200],
      ['/v1/widgets/none', 404],
      ['/v1/nothing', 404],
      ['/v1/widgets/one/picture', 200],
    ] as const) {
      const response = await call('GET', path, { origin: ORIGIN });
      expect([response.status, response.headers.get('access-control-allow-origin')], path).to.deep.equal([status, ORIGIN]);
      expect(response.headers.get('vary'), path).to.include('Origin');
      expect(response.headers.get('access-control-expose-headers'), path).to.include('ETag');
      await response.body?.cancel();
    }
  });

  it('are announced without a key, and may then send what calls need', async () => {
    const response = await fetch(`${server.url}/v1/widgets`, { method: 'OPTIONS', headers: { origin: ORIGIN, ...PREFLIGHT } });
    expect(response.status).to.equal(204);
    expect(response.headers.get('access-control-allow-origin')).to.equal(ORIGIN);
    expect(response.headers.get('access-control-allow-methods')).to.include('PATCH');
    expect(response.headers.get('access-control-allow-headers')).to.include('Idempotency-Key').and.include('Authorization');
    expect(response.headers.get('access-control-allow-credentials')).to.equal(null);
  });

  it('are not let through to pages of any other origin', async () => {
    for (const origin of ['https://evil.example.org', `${ORIGIN}.evil.org`, 'null']) {
      expect(letThrough(await call('GET', '/v1/widgets/one', { origin })), origin).to.equal(null);
      const preflight = await fetch(`${server.url}/v1/widgets`, { method: 'OPTIONS', headers: { origin, ...PREFLIGHT } });
      expect(letThrough(preflight), origin).to.equal(null);
    }
  });

  it('are not let through at all unless origins are named', async () => {
    await server.close();
    server = await openServer();
    expect(letThrough(await call('GET', '/v1/widgets', { origin: ORIGIN }))).to.equal(null);
    expect((await call('OPTIONS', '/v1/widgets', { origin: ORIGIN, ...PREFLIGHT })).status).to.equal(405);
    for (const origin of ['*', 'console.example.org', `${ORIGIN}/`])
      expect(() => parseConfig({ cors: { origins: [origin] } }), origin).to.throw(ConfigError);
  });
});

describe('server: HEAD', () => {
  it('answers the head that GET would, on every path, and holds nothing', async () => {
    const server = await openServer({ config: { limits: { streams: 1 } } });
    await made(server, 'one');
    const paths = ['/v1/widgets', '/v1/widgets/one', '/v1/widgets/one/picture', '/v1/events', '/health/live', '/health/ready', '/metrics'];
    for (const path of paths) {
      const ask = (method: string) => fetch(server.url + path, { method, headers: { authorization: `Bearer ${server.key}` } });
      for (let round = 0; round < 3; round += 1) {
        const head = await ask('HEAD');
        expect([head.status, await head.text()], path).to.deep.equal([200, '']);
        if (path === '/metrics' || path === '/v1/events') continue;
        const get = await ask('GET');
        const length = (await get.arrayBuffer()).byteLength;
        expect(Number(head.headers.get('content-length')), path).to.equal(length);
        expect(head.headers.get('content-type'), path).to.equal(get.headers.get('content-type'));
        expect(head.headers.get('etag'), path).to.equal(get.headers.get('etag'));
      }
    }
    await server.close();
  });
});
