import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { expect } from 'chai';
import { eventually, made, openServer, type TestServer } from './server.ts';

describe('server: under more load than it takes', () => {
  let server: TestServer;
  afterEach(() => server.close());

  it('answers the excess 429 with Retry-After, and nothing accepted is stuck', async () => {
    server = await openServer({ config: { limits: { operations: 20, requests: 100 } } });
    const hold = Promise.withResolvers<void>();
    server.workshop.gate = hold.promise;
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) => server.ask('POST', '/v1/widgets', { body: { name: `w${index}`, sizeBytes: 1 } })),
    );
    const accepted = answers.filter(({ status }) => status === 202);
    const busy = answers.filter(({ status }) => status === 429);
    expect(accepted.length + busy.length).to.equal(200);
    expect(accepted.length).to.equal(20);
    for (const { headers, json } of busy) {
      expect(headers.get('retry-after')).to.match(/^[1-9]\d*$/);
      expect(json.retry).to.equal('same_request');
    }
    hold.resolve();
    await eventually(() => server.plane.kernel.operations.unfinished === 0);
    expect((await server.ask('GET', '/v1/widgets?state=still&limit=1000')).json.items).to.have.length(20);
    expect((await server.ask('POST', '/v1/widgets', { body: { name: 'after', sizeBytes: 1 } })).status).to.equal(202);
  });

  it('bounds requests that wait, apart from all others', async () => {
    server = await openServer({ config: { limits: { requests: 1, streams: 5 } } });
    // One that comes while it is looked whether there are five is refused, and comes again.
    const wait = async (): Promise<unknown> => {
      for (;;) {
        const answer = await server.ask('GET', '/v1/changes?after=0.0&waitSeconds=60').catch((error: unknown) => error as Error);
        if (answer instanceof Error || answer.status !== 429) return answer;
      }
    };
    const waits = Array.from({ length: 5 }, wait);
    await eventually(async () => (await server.ask('GET', '/v1/changes?after=0.0&waitSeconds=0')).status === 429);
    expect((await server.ask('POST', '/v1/widgets', { body: {}, headers: { prefer: 'wait=1' } })).status).to.equal(429);
    expect((await server.ask('PUT', '/v1/widgets/one/picture')).status).to.equal(429);
    expect((await server.ask('GET', '/v1/widgets')).status).to.equal(200);
    // They wait for this.
    expect((await server.ask('POST', '/v1/widgets', { body: { name: 'one', sizeBytes: 1 } })).status).to.equal(202);
    await Promise.all(waits);
    expect((await server.ask('GET', '/v1/changes?after=0.0&waitSeconds=0')).status).to.equal(200);
  });

  it('limits the rate of each key, tells what is left, and never that of health', async () => {
    server = await openServer({ config: { limits: { keyRequestsPerSecond: 0.001, keyBurst: 10 } } });
    const answers = [];
    for (let index = 0; index < 12; index += 1) answers.push(await server.ask('GET', '/v1/widgets'));
    const granted = answers.filter(({ status }) => status === 200);
    // One was for the document that answers are checked against.
    expect(granted).to.have.length(9);
    expect(granted.map(({ headers }) => headers.get('ratelimit')?.split(';')[1])).to.deep.equal(
      Array.from({ length: 9 }, (_, index) => `r=${8 - index}`),
    );
    const [refused] = answers.slice(9);
    expect([refused?.status, refused?.json.code, refused?.json.retry]).to.deep.equal([429, 'busy', 'same_request']);
    expect(refused?.headers.get('ratelimit-policy')).to.equal('"key";q=10;w=10000');
    expect(refused?.headers.get('ratelimit')).to.match(/^"key";r=0;t=\d+$/);
    expect(Number(refused?.headers.get('retry-after'))).to.be.within(900, 1000);
    expect((await server.ask('POST', '/v1/widgets', { body: { name: 'late', sizeBytes: 1 } })).status).to.equal(429);
    for (const path of ['/health/live', '/health/ready']) expect((await fetch(server.url + path)).status).to.equal(200);
    const metrics = await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${server.key}` } });
    expect(metrics.status).to.equal(200);
  });

  it('lets who does not heed refusals wait for them, and nobody else', async () => {
    server = await openServer({ config: { limits: { keyRequestsPerSecond: 0.001, keyBurst: 2 } } });
    const refuse = () => server.ask('GET', '/v1/widgets');
    for (let index = 0; index < 21; index += 1) await refuse();
    const startedMs = performance.now();
    const answers = await Promise.all(Array.from({ length: 20 }, refuse));
    expect(answers.every(({ status }) => status === 429)).to.equal(true);
    expect(performance.now() - startedMs).to.be.greaterThan(900);
    expect((await fetch(`${server.url}/health/ready`)).status).to.equal(200);
  });

  it('gives a client that never sends its body up', async () => {
    server = await openServer({ config: { limits: { bodySeconds: 0.2 } } });
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode('{')),
    });
    const answer = await server.ask('POST', '/v1/widgets', { raw: body, headers: { 'content-type': 'application/json' } });
    expect([answer.status, answer.json.detail]).to.deep.equal([400, 'The body did not arrive in time.']);
  });

  it('cuts an upload that comes to a halt, and none that is stored slowly', async () => {
    server = await openServer({ config: { limits: { bodySeconds: 1 } } });
    await made(server, 'one');
    const halted = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(1000)) });
    const cut = await server.ask('PUT', '/v1/widgets/one/picture', { raw: halted }).catch((error: Error) => error);
    expect(cut).to.be.instanceOf(Error);
    expect(server.workshop.uploaded).to.equal(1000);
    server.workshop.gate = new Promise((resolve) => setTimeout(resolve, 2500));
    const stored = await server.ask('PUT', '/v1/widgets/one/picture', { raw: new Uint8Array(500_000) });
    expect(stored.json).to.deep.equal({ sizeBytes: 500_000 });
  });

  it('lets who signs in, and agents, not wait for who has no key either and sends bodies that never end', async () => {
    server = await openServer({ cloud: true, config: { limits: { bodySeconds: 3600 } } });
    const { port, hostname: host } = new URL(server.url);
    const signIn = (sizeBytes: number) => {
      const headers = { 'content-type': 'application/json', 'content-length': sizeBytes };
      return request({ host, port, headers, localAddress: '127.0.0.2', method: 'POST', path: '/v1/sessions' });
    };
    const halted = Array.from({ length: 20 }, () => signIn(100).on('error', () => undefined));
    try {
      await Promise.all(halted.map((each) => new Promise<void>((resolve) => each.write('{', () => resolve()))));
      // While others are at work an account has a few in work.
      expect((await server.ask('GET', '/v1/zones')).status).to.equal(200);
      const body = { account: 'default', user: 'nobody', password: 'wrong' };
      expect((await server.ask('POST', '/v1/sessions', { body, headers: { authorization: '' } })).status).to.equal(401);
    } finally {
      for (const each of halted) each.destroy();
    }
    // Those that had waited for their turn are gone as well: their address is served again.
    for (let count = 0; count < 30; count += 1) {
      const [answer] = (await once(signIn(2).end('{}'), 'response')) as [IncomingMessage];
      answer.resume();
      expect(answer.statusCode).to.equal(400);
    }
  });
});
