import { expect } from 'chai';
import { type Body, eventually, made, openServer, type TestServer } from './server.ts';

describe('server: requests', () => {
  let server: TestServer;
  before(async () => {
    server = await openServer();
  });
  after(() => server.close());

  it('serves every kind of route, each answer as the document has it', async () => {
    const { ask } = server;
    const id = await made(server, 'one', { color: 'red', password: 'hidden' });
    expect((await ask('GET', '/v1/widgets?color=red')).json.items).to.have.length(1);
    expect((await ask('GET', `/v1/widgets/${id}`)).headers.get('etag')).to.equal('"2"');
    expect((await ask('GET', '/v1/widgets/one', { headers: { 'if-none-match': '"2"' } })).status).to.equal(304);
    const patched = await ask('PATCH', '/v1/widgets/one', {
      raw: '{"note":"new"}',
      headers: { 'content-type': 'application/merge-patch+json', prefer: 'wait=60', 'if-match': '"2"' },
    });
    expect([patched.status, patched.headers.get('preference-applied')]).to.deep.equal([200, 'wait=60']);
    const spun = await ask('POST', '/v1/widgets/one/spin-up');
    expect(spun.status).to.equal(202);
    expect((await ask('GET', `${spun.headers.get('location')}?waitSeconds=5`)).json.state).to.equal('succeeded');
    expect((await ask('GET', '/v1/operations?action=widget.spinUp')).json.items).to.have.length(1);
    expect((await ask('POST', `/v1/operations/${spun.json.operationId}/cancel`)).status).to.equal(409);
    expect((await ask('POST', '/v1/widgets/one/measure?precise=true', { body: { unit: 'mm' } })).json).to.deep.equal({
      id,
      unit: 'mm',
      precise: true,
    });
    expect((await ask('GET', '/v1/changes?after=0.0&limit=3')).json.items).to.have.length(3);
    expect((await ask('DELETE', '/v1/widgets/one?force=false', { headers: { prefer: 'wait=60' } })).json.operation.state).to.equal(
      'succeeded',
    );
    expect((await ask('GET', '/v1/widgets/one')).status).to.equal(404);
  });

  it('takes uploads of any type as they come, and serves ranges of downloads', async () => {
    await made(server, 'pictured');
    const bytes = new Uint8Array(3_000_000).fill(1);
    const uploaded = await server.ask('PUT', '/v1/widgets/pictured/picture', { raw: bytes, headers: { 'content-type': 'image/png' } });
    expect(uploaded.json).to.deep.equal({ sizeBytes: 3_000_000 });
    const chunked = new ReadableStream({
      start(controller) {
        controller.enqueue(bytes);
        controller.enqueue(bytes);
        controller.close();
      },
    });
    expect((await server.ask('PUT', '/v1/widgets/pictured/picture', { raw: chunked })).json).to.deep.equal({ sizeBytes: 6_000_000 });
    const headers = { 'content-range': 'bytes 1-2/3' };
    const part = await server.ask('PUT', '/v1/widgets/pictured/picture', { raw: bytes, headers });
    expect([part.status, part.json.params]).to.deep.equal([400, { header: 'Content-Range' }]);
    const whole = await server.ask('GET', '/v1/widgets/pictured/picture');
    expect([whole.text, whole.headers.get('content-length')]).to.deep.equal(['abcdefghijklmnopqrstuvwxyz', '26']);
    const ranges: Record<string, string> = {
      'bytes=0-0': 'a',
      'bytes=8-11': 'ijkl',
      'bytes=20-': 'uvwxyz',
      'bytes=-3': 'xyz',
      'bytes=25-99': 'z',
    };
    for (const [range, text] of Object.entries(ranges)) {
      const part = await server.ask('GET', '/v1/widgets/pictured/picture', { headers: { range } });
      expect([part.status, part.text]).to.deep.equal([206, text]);
    }
    const tag = whole.headers.get('etag') ?? '';
    const rest = (condition: string) =>
      server.ask('GET', '/v1/widgets/pictured/picture', { headers: { range: 'bytes=20-', 'if-range': condition } });
    expect([(await rest(tag)).status, (await rest('"other"')).status]).to.deep.equal([206, 200]);
  });

  const malformed: readonly (readonly [string, { raw: Body; headers: Record<string, string> }, number, string])[] = [
    ['half a JSON value', { raw: '{"name":', headers: { 'content-type': 'application/json' } }, 400, 'invalid_input'],
    [
      'bytes that are no UTF-8',
      { raw: new Uint8Array([0x22, 0xff, 0x22]), headers: { 'content-type': 'application/json' } },
      400,
      'invalid_input',
    ],
    ['a body without a type', { raw: new Uint8Array([0x7b, 0x7d]), headers: {} }, 415, 'unsupported_media_type'],
    [
      'a body of another type',
      { raw: 'name=x', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      415,
      'unsupported_media_type',
    ],
    ['a type that cannot be read', { raw: '{}', headers: { 'content-type': ';;' } }, 415, 'unsupported_media_type'],
    ['more than the limit', { raw: `"${'x'.repeat(1_100_000)}"`, headers: { 'content-type': 'application/json' } }, 413, 'too_large'],
  ];
  for (const [what, options, status, code] of malformed)
    it(`refuses ${what} with ${status}`, async () => {
      const { newest } = await server.plane.kernel.services.store.bounds();
      const answer = await server.ask('POST', '/v1/widgets', options);
      expect([answer.status, answer.json.code]).to.deep.equal([status, code]);
      expect((await server.plane.kernel.services.store.bounds()).newest).to.equal(newest);
    });

  it('takes JSON that is nested as deep as anything wants, and braces in a text for what they are', async () => {
    for (const [fields, says] of [
      [`"note":"\\"${'{['.repeat(500)}"`, 'The field /sizeBytes is missing.'],
      [`"sizeBytes":${'['.repeat(127)}${']'.repeat(127)}`, 'The field /sizeBytes must be a whole number.'],
      [`"sizeBytes":${'['.repeat(128)}${']'.repeat(128)}`, 'The body is nested more than 128 deep.'],
    ]) {
      const { json } = await server.ask('POST', '/v1/widgets', {
        raw: `{"name":"deep",${fields}}`,
        headers: { 'content-type': 'application/json' },
      });
      expect(json.detail).to.equal(says);
    }
  });

  it('answers what it cannot read of a head as a problem, too', async () => {
    for (const [path, says] of [
      ['/v1/widgets/%ff', 'The path of the URL cannot be decoded.'],
      [`/v1/widgets?filter=${'x'.repeat(20_000)}`, 'The URL and the headers of a request are less than 16384 bytes.'],
    ] as const) {
      const { json, ...answer } = await server.ask('GET', path);
      expect([answer.status, json.code, json.detail]).to.deep.equal([400, 'invalid_input', says]);
      expect(answer.headers.get('content-type')).to.include('application/problem+json');
    }
  });

  it('looks through as many rows without an index as the configuration lets it', async () => {
    const small = await openServer({ config: { limits: { unindexedRows: 1 } } });
    for (const name of ['a', 'b']) await made(small, name, { note: 'x' });
    for (const [{ ask }, status, code] of [
      [small, 400, 'needs_index'],
      [server, 200, undefined],
    ] as const) {
      const answer = await ask('GET', "/v1/widgets?filter=note%20=%20'x'");
      expect([answer.status, answer.json.code]).to.deep.equal([status, code]);
    }
    await small.close();
  });

  it('refuses who shows no key, or a wrong one, before it reads anything', async () => {
    for (const authorization of ['', 'Bearer pil_wrong', `Basic ${server.key}`, `Bearer ${server.key}x`]) {
      const response = await fetch(`${server.url}/v1/widgets`, { method: 'POST', headers: { authorization }, body: 'x' });
      expect([response.status, response.headers.get('www-authenticate')]).to.deep.equal([401, 'Bearer realm="pileus"']);
      expect((await fetch(`${server.url}/metrics`, { headers: { authorization } })).status).to.equal(401);
    }
  });

  it('answers a request id that the log knows', async () => {
    const answer = await server.ask('POST', '/v1/widgets', { body: {} });
    expect(answer.json.requestId).to.equal(answer.headers.get('x-request-id'));
    expect(server.log()).to.include(answer.json.requestId);
  });

  it('is live, ready and measured', async () => {
    expect((await fetch(`${server.url}/health/live`)).status).to.equal(200);
    expect(await (await fetch(`${server.url}/health/ready`)).json()).to.deep.equal({ status: 'ready' });
    const { text } = await server.ask('GET', '/metrics');
    for (const line of [
      /^pileus_http_requests_total\{route="widgets\.create",method="POST",status="200"\} \d+$/m,
      /^pileus_operations\{state="queued"\} \d+$/m,
      /^pileus_queue_depth \d+$/m,
      /^pileus_event_loop_lag_p99_seconds \d/m,
      /^pileus_store_commit_seconds_count [1-9]/m,
    ])
      expect(text).to.match(line);
  });

  it('gives all of 200 requests in flight their answer', async () => {
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        index % 2 === 0
          ? server.ask('GET', '/v1/widgets')
          : server.ask('POST', '/v1/widgets', { body: { name: `many-${index}`, sizeBytes: 1 } }),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).to.have.length(100);
    expect(answers.filter(({ status }) => status === 202)).to.have.length(100);
    await eventually(() => server.plane.kernel.operations.unfinished === 0);
  });

  it('has parallel repeats of one request take effect once, with one answer', async () => {
    const headers = { 'idempotency-key': 'parallel' };
    const creates = await Promise.all(
      Array.from({ length: 20 }, () => server.ask('POST', '/v1/widgets', { body: { name: 'once', sizeBytes: 1 }, headers })),
    );
    expect(new Set(creates.map(({ text }) => text)).size).to.equal(1);
    expect((await server.ask('GET', '/v1/widgets?name=once')).json.items).to.have.length(1);
    await eventually(() => server.plane.kernel.operations.unfinished === 0);
    const before = server.workshop.spins;
    const spins = await Promise.all(
      Array.from({ length: 20 }, () => server.ask('POST', '/v1/widgets/once/spin-up', { headers: { prefer: 'wait=60' } })),
    );
    expect(spins.map(({ json }) => json.operation?.state)).to.deep.equal(spins.map(() => 'succeeded'));
    expect(server.workshop.spins).to.equal(before + 1);
  });
});
