import { assert, expect } from 'chai';
import { CloudError, isStreamed } from '../../src/kernel/index.ts';
import { made, type OpenApi, openApi, parsed } from './harness.ts';
import { OTHER_PROJECT, principalOf } from './widgets.ts';

describe('api: actions and rows', () => {
  let at: OpenApi;
  beforeEach(async () => {
    at = await openApi();
  });
  afterEach(() => at.close());

  it('accepts a create and says where its operation is', async () => {
    const response = await at.ask('POST', '/v1/widgets', { body: { name: 'one', sizeBytes: 1 } });
    const accepted = parsed(response);
    expect(response.status).to.equal(202);
    expect(Object.keys(accepted)).to.deep.equal(['operationId', 'action', 'resourceKind', 'resourceId', 'acceptedAt']);
    expect(response.headers.location).to.equal(`/v1/operations/${accepted.operationId}`);
    const ended = await at.ask('GET', `${response.headers.location}?waitSeconds=5`);
    expect(parsed(ended)).to.include({ state: 'succeeded', action: 'widget.create' });
  });

  it('answers 200 with the operation when the caller prefers to wait and it ends in time', async () => {
    const response = await at.ask('POST', '/v1/widgets', { body: { name: 'one', sizeBytes: 1 }, headers: { prefer: 'wait=60' } });
    expect(response.status).to.equal(200);
    expect(response.headers['preference-applied']).to.equal('wait=60');
    expect(parsed(response).operation).to.include({ state: 'succeeded' });
  });

  it('answers 202 when it does not end in time', async () => {
    const hold = Promise.withResolvers<void>();
    at.workshop.gate = hold.promise;
    const response = await at.ask('POST', '/v1/widgets', {
      body: { name: 'one', sizeBytes: 1 },
      headers: { prefer: 'respond-async, wait=0' },
    });
    expect(response.status).to.equal(202);
    expect(response.headers['preference-applied']).to.equal('wait=0');
    expect(parsed(response)).not.to.have.property('operation');
    hold.resolve();
  });

  it('answers a row by id and by name, with its generation as ETag', async () => {
    const id = await made(at, 'one');
    const byId = await at.ask('GET', `/v1/widgets/${id}`);
    const byName = await at.ask('GET', '/v1/widgets/one');
    expect(byId.body).to.equal(byName.body);
    expect(byId.headers.etag).to.equal(`"${parsed(byId).generation}"`);
    const known = await at.ask('GET', '/v1/widgets/one', { headers: { 'if-none-match': String(byId.headers.etag) } });
    expect([known.status, known.body]).to.deep.equal([304, '']);
  });

  it('runs verbs by kebab-case path; one that is satisfied succeeds at once', async () => {
    await made(at, 'one');
    const first = await at.ask('POST', '/v1/widgets/one/spin-up', { headers: { prefer: 'wait=60' } });
    const again = await at.ask('POST', '/v1/widgets/one/spin-up', { headers: { prefer: 'wait=60' } });
    expect([first.status, again.status, at.workshop.spins]).to.deep.equal([200, 200, 1]);
  });

  it('merges a patch, and null clears', async () => {
    await made(at, 'one', { note: 'first' });
    await at.ask('PATCH', '/v1/widgets/one', { body: { sizeBytes: 20 }, headers: { prefer: 'wait=60' } });
    expect(parsed(await at.ask('GET', '/v1/widgets/one'))).to.include({ sizeBytes: 20, note: 'first' });
    await at.ask('PATCH', '/v1/widgets/one', { body: { note: null }, headers: { prefer: 'wait=60' } });
    expect(parsed(await at.ask('GET', '/v1/widgets/one'))).not.to.have.property('note');
  });

  it('refuses a write when the row is not as If-Match has it', async () => {
    const id = await made(at, 'one');
    const row = parsed(await at.ask('GET', `/v1/widgets/${id}`));
    const late = await at.ask('PATCH', `/v1/widgets/${id}`, { body: { sizeBytes: 5 }, headers: { 'if-match': '"99"' } });
    expect([late.status, parsed(late).code]).to.deep.equal([412, 'precondition_failed']);
    const headers = { 'if-match': `"${row.generation}"`, prefer: 'wait=60' };
    expect((await at.ask('PATCH', `/v1/widgets/${id}`, { body: { sizeBytes: 5 }, headers })).status).to.equal(200);
  });

  it('answers a repeat with the same bytes, also when the first try deleted or renamed what it names', async () => {
    await made(at, 'one');
    const rename = () =>
      at.ask('PATCH', '/v1/widgets/one', { body: { name: 'two' }, headers: { 'idempotency-key': 'r1', prefer: 'wait=60' } });
    expect((await rename()).body).to.equal((await rename()).body);
    const remove = () => at.ask('DELETE', '/v1/widgets/two', { headers: { 'idempotency-key': 'd1', prefer: 'wait=60' } });
    const first = await remove();
    expect(parsed(first).operation).to.include({ state: 'succeeded' });
    expect((await remove()).body).to.equal(first.body);
    const other = await at.ask('POST', '/v1/widgets', { body: { name: 'x', sizeBytes: 1 }, headers: { 'idempotency-key': 'd1' } });
    expect(other.status).to.equal(422);
  });

  it('takes a repeat with another If-Match for another request', async () => {
    await made(at, 'one');
    const change = (tag: string) =>
      at.ask('PATCH', '/v1/widgets/one', {
        body: { sizeBytes: 5 },
        headers: { 'idempotency-key': 'm1', 'if-match': tag, prefer: 'wait=60' },
      });
    const first = await change('"2"');
    expect([first.status, (await change('"2"')).body]).to.deep.equal([200, first.body]);
    expect((await change('"3"')).status).to.equal(422);
  });

  it('hides deleted rows unless asked for them', async () => {
    const id = await made(at, 'one');
    await at.ask('DELETE', `/v1/widgets/${id}?force=true`, { headers: { prefer: 'wait=60' } });
    expect((await at.ask('GET', `/v1/widgets/${id}`)).status).to.equal(404);
    expect(parsed(await at.ask('GET', `/v1/widgets/${id}?deleted=true`))).to.include({ state: 'deleted' });
    expect(parsed(await at.ask('GET', '/v1/widgets')).items).to.have.length(0);
    expect(parsed(await at.ask('GET', '/v1/widgets?deleted=true')).items).to.have.length(1);
  });

  it('answers for rows of other projects as for absent ones', async () => {
    const id = await made(at, 'one');
    const stranger = principalOf(OTHER_PROJECT);
    const foreign = parsed(await at.ask('GET', `/v1/widgets/${id}`, { principal: stranger }));
    const absent = parsed(await at.ask('GET', `/v1/widgets/${id.replace(/.$/, 'f')}`, { principal: stranger }));
    expect({ ...foreign, requestId: '', detail: '' }).to.deep.equal({ ...absent, requestId: '', detail: '' });
    expect((await at.ask('GET', '/v1/widgets/one', { principal: stranger })).status).to.equal(404);
    expect((await at.ask('DELETE', `/v1/widgets/${id}`, { principal: stranger })).status).to.equal(404);
    expect(parsed(await at.ask('GET', '/v1/widgets', { principal: stranger })).items).to.have.length(0);
    expect(parsed(await at.ask('GET', '/v1/operations', { principal: stranger })).items).to.have.length(0);
  });

  it('previews a deletion, bounded, and does exactly what was previewed', async () => {
    const shelf = parsed(await at.ask('POST', '/v1/shelves', { body: { name: 'full' }, headers: { prefer: 'wait=60' } })).resourceId;
    await made(at, 'stands', { shelf });
    const foreign = await made(
      { ask: (method, url, ask) => at.ask(method, url, { ...ask, principal: principalOf(OTHER_PROJECT) }) },
      'foreign',
      {
        shelf,
      },
    );
    const blocked = parsed(await at.ask('GET', '/v1/shelves/full/deletion'));
    expect(blocked).to.not.have.property('plan');
    expect(blocked.blocked).to.deep.include({ total: 1, hidden: true, kinds: [{ kind: 'widget', total: 1 }] });
    expect(JSON.stringify(blocked))
      .to.include('The shelfId of this widget is shelf full, which cannot go before it.')
      .and.not.include(foreign);
    const id = await made(at, 'goes');
    const preview = parsed(await at.ask('GET', '/v1/widgets/goes/deletion?limit=0'));
    expect(preview).to.deep.include({
      resourceKind: 'widget',
      resourceId: id,
      deleted: { total: 1, hidden: false, kinds: [{ kind: 'widget', total: 1 }], rows: [] },
      blocked: { total: 0, hidden: false, kinds: [], rows: [] },
    });
    expect((await at.ask('GET', '/v1/widgets/goes/deletion?limit=-1')).status).to.equal(400);
    expect((await at.ask('GET', '/v1/widgets/goes/deletion', { principal: principalOf(OTHER_PROJECT) })).status).to.equal(404);
    const readOnly = principalOf(undefined, (permission) => permission === 'widget.read');
    expect((await at.ask('GET', '/v1/widgets/goes/deletion', { principal: readOnly })).status).to.equal(403);
    const refused = await at.ask('DELETE', `/v1/widgets/goes?plan=widget.2-${'0'.repeat(32)}`);
    expect([refused.status, parsed(refused).code, parsed(refused).params]).to.deep.equal([
      409,
      'plan_changed',
      { differences: [{ kind: 'widget', effect: 'deleted', planned: 2, now: 1 }], plan: preview.plan },
    ]);
    expect((await at.ask('DELETE', `/v1/widgets/goes?plan=${String(preview.plan)}`, { headers: { prefer: 'wait=60' } })).status).to.equal(
      200,
    );
  });

  it('steers operations; cancelling what is cancelled succeeds', async () => {
    const hold = Promise.withResolvers<void>();
    at.workshop.gate = hold.promise;
    const accepted = parsed(await at.ask('POST', '/v1/widgets', { body: { name: 'one', sizeBytes: 1 } }));
    const cancelled = await at.ask('POST', `/v1/operations/${accepted.operationId}/cancel`);
    expect(parsed(cancelled)).to.include({ cancelRequested: true });
    const audit = (await at.store.list({ table: 'audit' })).map((text) => JSON.parse(text) as Record<string, unknown>);
    const { actor, projectId } = principalOf();
    expect(audit.at(-1)).to.include({ action: 'operation.cancel', actor, projectId, resourceId: accepted.operationId });
    hold.resolve();
    const ended = await at.ask('GET', `/v1/operations/${accepted.operationId}?waitSeconds=5`);
    expect(parsed(ended)).to.include({ state: 'cancelled' });
    expect((await at.ask('POST', `/v1/operations/${accepted.operationId}/cancel`)).status).to.equal(200);
    const skip = await at.ask('POST', `/v1/operations/${accepted.operationId}/skip`);
    expect([skip.status, parsed(skip).code]).to.deep.equal([409, 'conflict']);
  });

  it('keeps what an operation failed of', async () => {
    at.workshop.failure = new CloudError('no_capacity', 'Full.', { params: { reasons: [] } });
    const response = await at.ask('POST', '/v1/widgets', { body: { name: 'one', sizeBytes: 1 }, headers: { prefer: 'wait=60' } });
    expect((parsed(response).operation as Record<string, unknown>).error).to.include({ code: 'no_capacity', message: 'Full.' });
  });
});

describe('api: problems', () => {
  let at: OpenApi;
  before(async () => {
    at = await openApi({ operationsMax: 1 });
    await made(at, 'one');
  });
  after(() => at.close());

  const refused: readonly (readonly [string, Parameters<OpenApi['ask']>, number, Record<string, unknown>])[] = [
    [
      'an unknown path',
      ['GET', '/v1/nothing'],
      404,
      { code: 'not_found', detail: 'There is no such path. GET /v1/openapi.json tells of those that there are.' },
    ],
    ['a path with a trailing slash', ['GET', '/v1/widgets/'], 404, { code: 'not_found' }],
    ['a path that cannot be decoded', ['GET', '/v1/widgets/%zz'], 400, { code: 'invalid_input' }],
    ['a wrong method', ['PUT', '/v1/widgets'], 405, { code: 'method_not_allowed' }],
    ['no key', ['GET', '/v1/widgets', { principal: null }], 401, { code: 'unauthenticated' }],
    [
      'a key without the permission to read',
      ['GET', '/v1/widgets', { principal: principalOf(undefined, () => false) }],
      403,
      { params: { permission: 'widget.read' } },
    ],
    [
      'a key without the permission to act',
      ['POST', '/v1/widgets', { body: {}, principal: principalOf(undefined, () => false) }],
      403,
      { params: { permission: 'widget.create' } },
    ],
    ['a missing field', ['POST', '/v1/widgets', { body: { name: 'x' } }], 400, { pointer: '/sizeBytes' }],
    [
      'an unknown field',
      ['POST', '/v1/widgets', { body: { name: 'x', sizeBytes: 1, sise: 2 } }],
      400,
      { pointer: '/sise', detail: 'There is no field /sise; there is name, sizeBytes, color, shiny, note, shelf, password.' },
    ],
    ['a body that is no object', ['POST', '/v1/widgets', { body: [1] }], 400, { code: 'invalid_input' }],
    [
      'a reference to nothing',
      ['POST', '/v1/widgets', { body: { name: 'x', sizeBytes: 1, shelf: '00000000-0000-7000-8000-00000000dead' } }],
      404,
      { pointer: '/shelf' },
    ],
    ['an unknown name', ['POST', '/v1/widgets/nobody/spin-up'], 404, { code: 'not_found' }],
    ['an unknown parameter', ['GET', '/v1/widgets/one?colour=red'], 400, { params: { parameter: 'colour' } }],
    [
      'a parameter on an action',
      ['POST', '/v1/widgets?force=true', { body: { name: 'x', sizeBytes: 1 } }],
      400,
      { params: { parameter: 'force' } },
    ],
    ['a parameter of the wrong type', ['DELETE', '/v1/widgets/one?force=maybe'], 400, { params: { parameter: 'force' } }],
    [
      'a malformed If-Match',
      ['PATCH', '/v1/widgets/one', { body: {}, headers: { 'if-match': 'W/"1"' } }],
      400,
      { params: { header: 'If-Match' } },
    ],
    [
      'a malformed Idempotency-Key',
      ['PATCH', '/v1/widgets/one', { body: {}, headers: { 'idempotency-key': '' } }],
      400,
      { params: { header: 'Idempotency-Key' } },
    ],
    ['a taken name', ['POST', '/v1/widgets', { body: { name: 'one', sizeBytes: 1 } }], 409, { code: 'name_taken', pointer: '/name' }],
    ['a body of an endpoint that is wrong', ['POST', '/v1/widgets/one/measure', { body: { unit: 'mile' } }], 400, { pointer: '/unit' }],
    ['a socket over plain HTTP', ['GET', '/v1/widgets/one/echo'], 400, { code: 'invalid_input' }],
    ['a range outside', ['GET', '/v1/widgets/one/picture', { headers: { range: 'bytes=26-' } }], 416, { code: 'invalid_range' }],
  ];
  for (const [what, ask, status, fields] of refused)
    it(`answers ${what} with ${status} and changes nothing`, async () => {
      const { newest } = await at.store.bounds();
      const response = await at.ask(...ask);
      expect(response.status).to.equal(status);
      expect(response.headers['content-type']).to.equal('application/problem+json');
      const problem = parsed(response);
      expect(problem).to.deep.include({ status, ...fields });
      expect(problem).to.include.keys('type', 'title', 'detail', 'code', 'retry', 'requestId');
      expect((await at.store.bounds()).newest).to.equal(newest);
    });

  it('names the methods that a path takes', async () => {
    expect((await at.ask('PUT', '/v1/widgets')).headers.allow).to.equal('GET, HEAD, POST');
    expect((await at.ask('POST', '/v1/widgets/one')).headers.allow).to.equal('GET, HEAD, PATCH, DELETE');
  });

  it('answers HEAD wherever it answers GET, with the same head and no body', async () => {
    for (const url of ['/v1/widgets', '/v1/widgets/one', '/v1/widgets/none', '/v1/openapi.json', '/v1/widgets/one/picture', '/v1/events']) {
      const [get, head] = [await at.ask('GET', url), await at.ask('HEAD', url)];
      expect([head.status, head.body.toString(), head.route], url).to.deep.equal([get.status, '', get.route]);
      expect(head.headers, url).to.include(get.headers);
      const length = isStreamed(get.body) ? get.headers['content-length'] : String(Buffer.byteLength(get.body));
      expect(head.headers['content-length'], url).to.equal(length);
    }
    expect((await at.ask('HEAD', '/v1/widgets/one/echo')).status).to.equal(405);
    expect((await at.ask('HEAD', '/v1/widgets/one/polish')).headers.allow).to.equal('POST');
  });

  it('is busy beyond the limit and says when to come back', async () => {
    const hold = Promise.withResolvers<void>();
    at.workshop.gate = hold.promise;
    const first = await at.ask('POST', '/v1/widgets', { body: { name: 'a', sizeBytes: 1 } });
    const second = await at.ask('POST', '/v1/widgets', { body: { name: 'b', sizeBytes: 1 } });
    expect([first.status, second.status, second.headers['retry-after']]).to.deep.equal([202, 429, '2']);
    hold.resolve();
  });

  it('shows an unforeseen fault as internal, and its text to nobody', async () => {
    const fault = new Error('the text of the fault');
    const broken = await openApi();
    Object.assign(broken.store, { list: () => Promise.reject(fault) });
    const response = await broken.ask('GET', '/v1/widgets');
    expect(response.status).to.equal(500);
    assert.notInclude(String(response.body), fault.message);
    await broken.close();
  });
});
