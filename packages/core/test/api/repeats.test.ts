import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { type ApiResponse, bytesBody, CloudError } from '../../src/kernel/index.ts';
import { made, type OpenApi, openApi, parsed } from './harness.ts';
import { principalOf } from './widgets.ts';

describe('api: calls that change something and are no actions', () => {
  let api: OpenApi;
  beforeEach(async () => {
    api = await openApi();
    await made(api, 'one');
    await made(api, 'two');
  });
  afterEach(() => api.close());

  const polish = (key: string | undefined, body: object = { times: 2 }, at: Pick<OpenApi, 'ask'> = api, name = 'one') =>
    at.ask('POST', `/v1/widgets/${name}/polish`, { body, headers: key === undefined ? {} : { 'idempotency-key': key } });
  const rows = async (table: string) => (await api.store.list({ table })).map((text) => JSON.parse(text));
  const audited = async (action: string) => (await rows('audit')).filter((row) => row.action === action);
  const picture = (bytes: string, key: string, headers: Record<string, string> = {}) => {
    let reads = 0;
    async function* content() {
      reads += 1;
      yield Buffer.from(bytes);
    }
    const answer: Promise<ApiResponse> = api.api.handle({
      ...{ method: 'PUT', url: '/v1/widgets/one/picture', headers: { 'idempotency-key': key, ...headers }, body: bytesBody(content()) },
      ...{ principal: principalOf(), requestId: 'r', signal: new AbortController().signal, acceptsSocket: false },
    });
    return answer.then((response) => ({ response, reads }));
  };

  it('are done once for one key and answered with the same bytes, also after a restart', async () => {
    const first = await polish('k');
    expect(parsed(first)).to.include({ polished: 2, again: false });
    expect((await polish('k')).body).to.equal(first.body);
    const second = await openApi({ store: api.store });
    expect((await polish('k', { times: 2 }, second)).body).to.equal(first.body);
    await second.close();
    expect(api.workshop.polished).to.equal(2);
    expect(second.workshop.polished).to.equal(0);
    await polish('another');
    await polish(undefined);
    expect(api.workshop.polished).to.equal(6);
  });

  it('are done once however many come at once', async () => {
    const hold = Promise.withResolvers<void>();
    api.workshop.gate = hold.promise;
    const answers = Array.from({ length: 10 }, () => polish('k'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    hold.resolve();
    expect(new Set((await Promise.all(answers)).map(({ body }) => body)).size).to.equal(1);
    expect(api.workshop.polished).to.equal(2);
  });

  it('are refused when the key was used with another body, target, route or action', async () => {
    await polish('k');
    const headers = { 'idempotency-key': 'k' };
    for (const other of [
      await polish('k', { times: 3 }),
      await polish('k', { times: 2 }, api, 'two'),
      await api.ask('POST', '/v1/widgets/one/ticket', { headers }),
      await api.ask('POST', '/v1/widgets', { headers, body: { name: 'three', sizeBytes: 1 } }),
      await api.ask('POST', '/v1/widgets/one/spin-up', { headers }),
    ])
      expect([other.status, parsed(other).code]).to.deep.equal([422, 'idempotency_mismatch']);
    await api.ask('POST', '/v1/widgets', { headers: { 'idempotency-key': 'made' }, body: { name: 'three', sizeBytes: 1 } });
    expect((await polish('made')).status).to.equal(422);
    expect(api.workshop.polished).to.equal(2);
    const other = principalOf(undefined, () => true);
    const answer = await api.ask('POST', '/v1/widgets/one/polish', {
      headers,
      body: { times: 3 },
      principal: { ...other, actor: 'key:other' },
    });
    expect(answer.status).to.equal(200);
  });

  it('leave no trace when they are refused, and free the key when they fail', async () => {
    expect((await polish('k', { times: 100 })).status).to.equal(409);
    expect((await polish('k', { times: 0 })).status).to.equal(400);
    expect((await polish('k', { times: 1 }, api, 'none')).status).to.equal(404);
    expect([await audited('widget.polish'), await rows('idempotency')]).to.deep.equal([[], []]);
    api.workshop.failure = new CloudError('unavailable', 'Not now.');
    expect((await polish('k')).status).to.equal(503);
    api.workshop.failure = undefined;
    expect((await polish('k')).status).to.equal(200);
    expect(await audited('widget.polish')).to.have.length(2);
  });

  it('are audited once, with who, where and what', async () => {
    await polish('k');
    await polish('k');
    const [entry, ...more] = await audited('widget.polish');
    const { id } = parsed(await api.ask('GET', '/v1/widgets/one'));
    expect(more).to.deep.equal([]);
    expect(entry).to.deep.include({
      actor: principalOf().actor,
      projectId: principalOf().projectId,
      resourceId: id,
      request: { times: 2 },
    });
  });

  it('know that they are a repeat when the process ended before the first was answered', async () => {
    api.workshop.gate = new Promise(() => undefined);
    void polish('k');
    while ((await audited('widget.polish')).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const [entry] = await audited('widget.polish');
    const next = await openApi({ store: api.store });
    const answer = parsed(await polish('k', { times: 2 }, next));
    expect(answer).to.include({ polished: 2, again: true });
    expect(String(answer.at) <= entry.at).to.equal(true);
    expect(await audited('widget.polish')).to.have.length(1);
    expect(parsed(await polish('k', { times: 2 }, next))).to.deep.equal(answer);
    await next.close();
  });

  it('keep no one-time secret: a repeat gets another, each is audited, and the key still stands for one request', async () => {
    const ticket = (name: string) => api.ask('POST', `/v1/widgets/${name}/ticket`, { headers: { 'idempotency-key': 'k' } });
    const answers = [parsed(await ticket('one')), parsed(await ticket('one'))];
    expect(answers).to.deep.equal([{ ticket: 'secret-1' }, { ticket: 'secret-2' }]);
    expect((await ticket('two')).status).to.equal(422);
    expect(await audited('widget.ticket')).to.have.length(2);
    for (const table of ['idempotency', 'audit', 'setting']) expect(JSON.stringify(await rows(table))).not.to.include('secret-');
  });

  it('tell a repeated upload from another by its bytes', async () => {
    const first = await picture('abc', 'k');
    expect(parsed(first.response)).to.deep.equal({ sizeBytes: 3 });
    api.workshop.uploaded = 0;
    expect((await picture('abc', 'k')).response.body).to.equal(first.response.body);
    expect((await picture('abd', 'k')).response.status).to.equal(422);
    const digest = createHash('sha256').update('abc').digest('base64');
    const told = await picture('abc', 'k', { 'repr-digest': `sha-256=:${digest}:` });
    expect([told.response.status, told.reads]).to.deep.equal([200, 0]);
    expect(api.workshop.uploaded).to.equal(0);
    expect(await audited('widget.picture')).to.have.length(1);
  });

  it('steer an operation once', async () => {
    const hold = Promise.withResolvers<void>();
    api.workshop.gate = hold.promise;
    const { operationId } = parsed(await api.ask('POST', '/v1/widgets', { body: { name: 'three', sizeBytes: 1 } }));
    const cancel = (key: string) => api.ask('POST', `/v1/operations/${operationId}/cancel`, { headers: { 'idempotency-key': key } });
    const first = await cancel('k');
    expect([first.status, parsed(first).cancelRequested]).to.deep.equal([200, true]);
    hold.resolve();
    const ended = parsed(await api.ask('GET', `/v1/operations/${operationId}?waitSeconds=5`));
    expect((await cancel('k')).body).to.equal(first.body);
    expect(parsed(await cancel('another')).state).to.equal(ended.state);
    expect(await audited('operation.cancel')).to.have.length(1);
    const retry = await api.ask('POST', `/v1/operations/${operationId}/retry`, { headers: { 'idempotency-key': 'k' } });
    expect(retry.status).to.equal(422);
  });
});
