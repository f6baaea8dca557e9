import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { quotaKey } from '../../src/kernel/index.ts';
import { made, type OpenApi, openApi, parsed } from './harness.ts';
import { OTHER_PROJECT, PROJECT, principalOf } from './widgets.ts';

const WIDGETS = quotaKey({ scope: 'project', id: PROJECT, counter: 'widgets' });
const BYTES = quotaKey({ scope: 'project', id: PROJECT, counter: 'widgetBytes' });

describe('api: dry runs', () => {
  let api: OpenApi;
  beforeEach(async () => {
    api = await openApi();
  });
  afterEach(() => api.close());

  const limit = async (counter: string, to: number) =>
    expect((await api.kernel.observe([{ op: 'limit', counter, limit: to }])).ok).to.equal(true);
  const creating = (name: string, more: object = {}, headers = {}) =>
    api.ask('POST', '/v1/widgets?dryRun=true', { body: { name, sizeBytes: 10, ...more }, headers });
  const state = async () => {
    const tables = api.kernel.registry.schema().tables.map(({ name }) => name);
    const rows = await Promise.all(tables.map((table) => api.store.list({ table, deleted: true })));
    return { rows, counters: await api.store.counters(''), bounds: await api.store.bounds() };
  };

  it('tell what would be done, and do nothing', async () => {
    await made(api, 'one');
    const before = await state();
    const response = await creating('two', {}, { 'idempotency-key': 'k', prefer: 'wait=60' });
    expect(response.status).to.equal(200);
    expect(parsed(response)).to.deep.equal({
      dryRun: true,
      accepted: true,
      action: 'widget.create',
      resourceKind: 'widget',
      quota: [
        { scope: 'project', id: PROJECT, counter: 'widgets', by: 1, used: 1, limit: null },
        { scope: 'project', id: PROJECT, counter: 'widgetBytes', by: 10, used: 10, limit: null },
      ],
      steps: ['build', 'still'],
      blockers: [],
    });
    expect(await state()).to.deep.equal(before);
    expect(
      (await api.ask('POST', '/v1/widgets', { body: { name: 'other', sizeBytes: 1 }, headers: { 'idempotency-key': 'k' } })).status,
    ).to.equal(202);
  });

  it('tell all that stands in the way, as the request would be answered', async () => {
    const id = await made(api, 'one');
    await limit(WIDGETS, 1);
    await limit(BYTES, 15);
    const told = parsed(await creating('two'));
    expect(told.accepted).to.equal(false);
    expect(told.blockers).to.have.length(2);
    const { requestId, ...problem } = parsed(await api.ask('POST', '/v1/widgets', { body: { name: 'two', sizeBytes: 10 } }));
    expect(requestId).to.equal('request');
    expect((told.blockers as unknown[])[0]).to.deep.equal(problem);
    expect(problem).to.deep.include({
      code: 'quota_exceeded',
      status: 409,
      detail: 'The quota widgets of the project is used up: 1 of 1 in use, 1 more asked for.',
      params: { counter: 'widgets', used: 1, limit: 1, asked: 1, scope: 'project', id: PROJECT },
    });
    const named = parsed(await creating('one'));
    expect((named.blockers as { code: string }[]).map(({ code }) => code)).to.deep.equal([
      'name_taken',
      'quota_exceeded',
      'quota_exceeded',
    ]);
    await api.ask('DELETE', `/v1/widgets/${id}`, { headers: { prefer: 'wait=60' } });
    expect(parsed(await creating('one')).accepted).to.equal(true);
  });

  it('know every HTTP method of actions', async () => {
    const id = await made(api, 'one');
    const before = await state();
    const update = parsed(await api.ask('PATCH', '/v1/widgets/one?dryRun=true', { body: { sizeBytes: 30 } }));
    expect(update).to.deep.include({ accepted: true, resourceId: id, steps: ['set'] });
    expect(update.quota).to.deep.equal([{ scope: 'project', id: PROJECT, counter: 'widgetBytes', by: 20, used: 10, limit: null }]);
    expect(parsed(await api.ask('DELETE', '/v1/widgets/one?dryRun=true&force=true'))).to.deep.include({ accepted: true, resourceId: id });
    expect(parsed(await api.ask('POST', '/v1/widgets/one/spin-up?dryRun=true'))).to.deep.include({
      accepted: true,
      steps: ['turn', 'spinning'],
    });
    expect(await state()).to.deep.equal(before);
    await api.ask('POST', '/v1/widgets/one/spin-up', { headers: { prefer: 'wait=60' } });
    expect(parsed(await api.ask('POST', '/v1/widgets/one/spin-up?dryRun=true'))).to.deep.include({ accepted: true, steps: [] });
    expect((await api.ask('POST', '/v1/widgets/one/spin-up?dryRun=false', { headers: { prefer: 'wait=60' } })).status).to.equal(200);
  });

  it('answer what is wrong with the request itself as ever', async () => {
    await made(api, 'one');
    const code = async (...asked: Parameters<OpenApi['ask']>) => parsed(await api.ask(...asked)).code;
    expect(await code('POST', '/v1/widgets?dryRun=true', { body: { name: 'two' } })).to.equal('invalid_input');
    expect(await code('POST', '/v1/widgets/none/spin-up?dryRun=true')).to.equal('not_found');
    expect(await code('POST', '/v1/widgets/one/spin-up?dryRun=true', { principal: principalOf(OTHER_PROJECT) })).to.equal('not_found');
    expect(await code('DELETE', '/v1/widgets/one?dryRun=true', { headers: { 'if-match': '"99"' } })).to.equal('precondition_failed');
    const nobody = principalOf(PROJECT, (permission) => permission === 'widget.read');
    expect(await code('POST', '/v1/widgets/one/spin-up?dryRun=true', { principal: nobody })).to.equal('permission_denied');
  });

  it('of calls that are no actions go as far as where those begin', async () => {
    const id = await made(api, 'one');
    const before = await state();
    const headers = { 'idempotency-key': 'k' };
    const polish = (times: number, query = '?dryRun=true') =>
      api.ask('POST', `/v1/widgets/one/polish${query}`, { body: { times }, headers });
    expect(parsed(await polish(3))).to.deep.equal({
      ...{ dryRun: true, accepted: true, action: 'widget.polish', resourceKind: 'widget', resourceId: id },
      ...{ quota: [], steps: [], notes: { times: 3 }, blockers: [] },
    });
    const worn = parsed(await polish(100));
    expect([worn.accepted, (worn.blockers as { code: string }[])[0]?.code]).to.deep.equal([false, 'conflict']);
    for (const [times, url, code] of [
      [0, 'one', 'invalid_input'],
      [1, 'none', 'not_found'],
    ] as const)
      expect(parsed(await api.ask('POST', `/v1/widgets/${url}/polish?dryRun=true`, { body: { times } })).code).to.equal(code);
    expect([api.workshop.polished, await state()]).to.deep.equal([0, before]);
    // The key was not taken.
    expect(parsed(await polish(4, '?dryRun=false')).polished).to.equal(4);
  });

  it('of what is no action, too, count what it would use of quotas', async () => {
    const shelve = () => api.ask('POST', '/v1/shelved?dryRun=true', { body: { name: 'two' } });
    const before = await state();
    const effect = { scope: 'project', id: PROJECT, counter: 'widgets', by: 1, used: 0, limit: null };
    expect(parsed(await shelve())).to.deep.include({ accepted: true });
    expect(parsed(await shelve()).quota).to.deep.include(effect);
    expect(await state()).to.deep.equal(before);
    await limit(WIDGETS, 0);
    expect((parsed(await shelve()).blockers as object[]).map((each) => (each as { code: string }).code)).to.deep.equal(['quota_exceeded']);
    expect(parsed(await api.ask('POST', '/v1/shelved', { body: { name: 'two' } })).code).to.equal('quota_exceeded');
  });

  it('are of what changes something: elsewhere, and misspelled, the parameter is refused', async () => {
    await made(api, 'one');
    const before = await state();
    for (const [method, url, body] of [
      ['POST', '/v1/widgets/one/ticket?dryRun=true', undefined],
      ['POST', '/v1/widgets/one/polish?dryRun=perhaps', {}],
      ['POST', '/v1/operations/none/cancel?dryRun=true', undefined],
      ['GET', '/v1/widgets?dryRun=true', undefined],
      ['POST', '/v1/widgets/one/spin-up?dryrun=true', undefined],
      ['POST', '/v1/widgets/one/spin-up?dryRun=yes', undefined],
      ['DELETE', '/v1/widgets/one?dryRun=1', undefined],
      ['DELETE', '/v1/widgets/one?dry-run=true', undefined],
    ] as const)
      expect(parsed(await api.ask(method, url, body === undefined ? {} : { body })).code, url).to.equal('invalid_input');
    expect(await state()).to.deep.equal(before);
  });

  it('of what grows and is refused later count as the real thing: taken at acceptance', async () => {
    await made(api, 'one');
    await limit(BYTES, 25);
    const patch = (sizeBytes: number) => api.ask('PATCH', '/v1/widgets/one', { body: { sizeBytes }, headers: { prefer: 'wait=60' } });
    expect(parsed(await patch(26))).to.deep.include({ code: 'quota_exceeded' });
    expect((await patch(25)).status).to.equal(200);
    expect((await api.store.counter(BYTES))?.value).to.equal(25);
    expect((await patch(5)).status).to.equal(200);
    expect((await api.store.counter(BYTES))?.value).to.equal(5);
  });
});

/** What is asked by POST since the question is long, and changes nothing. */
const READS = /^(access\.explain|reachability\.explain|stacks\.plan|[a-z-]+\.query)$/;

/** Decided one by one: whatever else changes something takes a dry run. */
const WITHOUT = [
  ...['operations.cancel', 'operations.retry', 'operations.skip'],
  ...['sessions.create', 'sessions.token', 'logout.create', 'password.create'],
  ...['recovery.confirm', 'images.uploadContent', 'instances.console', 'instances.consoleRevoke'],
];

interface Call {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string }[];
}

describe('api: calls that take no dry run', () => {
  it('are these, each with its reason in the reference, and no other', async () => {
    const read = (path: string) => readFile(new URL(`../../../../docs/reference/${path}`, import.meta.url), 'utf8');
    const { paths } = JSON.parse(await read('openapi.json')) as {
      readonly paths: Readonly<Record<string, Readonly<Record<string, Call>>>>;
    };
    const changing = Object.values(paths)
      .flatMap((item) => Object.entries(item))
      .flatMap(([method, call]) => (method === 'get' || READS.test(call.operationId) ? [] : [call]));
    const takes = (call: Call, parameter: string) => (call.parameters ?? []).some(({ name }) => name === parameter);
    // A read among them would take none.
    expect(changing.filter((call) => !takes(call, 'Idempotency-Key')).map(({ operationId }) => operationId)).to.deep.equal([]);
    const without = changing.filter((call) => !takes(call, 'dryRun')).map(({ operationId }) => operationId);
    expect(without.sort(), 'what takes no dry run is decided here').to.deep.equal([...WITHOUT].sort());
    const [, reasons = ''] = (await read('actions.md')).split('\n## Calls without a dry run\n');
    const told = [...reasons.matchAll(/^\| `([^`]+)` \| (.+) \|$/gm)].map(([, name, why = '']) => [name, why.length > 20]);
    expect(told.sort()).to.deep.equal([...WITHOUT].sort().map((name) => [name, true]));
    const names = changing.filter((call) => takes(call, 'dryRun')).map(({ operationId }) => operationId);
    expect(names).to.include.members(['instances', 'volumes', 'images'].flatMap((kind) => [`${kind}.recover`, `${kind}.expunge`]));
    expect(names).to.include.members(['api-keys.create', 'api-keys.rotate', 'users.password', 'backups.create']);
  });
});
