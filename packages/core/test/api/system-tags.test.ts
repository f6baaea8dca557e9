import { expect } from 'chai';
import { Type } from 'typebox';
import {
  defineSystemTag,
  isSealed,
  onNotice,
  type Plugin,
  type Principal,
  systemTag,
  systemTagChanged,
  systemTagValues,
  tagging,
} from '../../src/kernel/index.ts';
import { inlineSqlite } from '../../src/sqlite/index.ts';
import { made, type OpenApi, openApi, parsed } from './harness.ts';
import { OTHER_PROJECT, principalOf } from './widgets.ts';

const speed = defineSystemTag({
  name: 'spin.speed',
  description: 'How fast it spins.',
  kinds: ['widget'],
  value: Type.Integer({ minimum: 1, maximum: 10 }),
  check: (value, row) => (row.name === 'slow' && value > 5 ? { reason: 'too_fast' } : undefined),
});
const owner = defineSystemTag({
  name: 'spin.owner',
  description: 'Who is billed.',
  kinds: ['widget', 'shelf'],
  value: Type.String({ maxLength: 20 }),
  many: true,
  adminOnly: true,
});
const token = defineSystemTag({
  name: 'spin.token',
  description: 'A key.',
  kinds: ['widget'],
  value: Type.String({ minLength: 4 }),
  secret: true,
});
const dizzy = defineSystemTag({
  name: 'spin.dizzy',
  description: 'For now.',
  kinds: ['widget'],
  value: Type.Boolean(),
  lifecycle: 'ephemeral',
});

describe('api: system tags', () => {
  let at: OpenApi;
  let id: string;
  let told: string[];
  const operator = principalOf(undefined, () => true);
  const stranger = principalOf(OTHER_PROJECT);

  const spins = (): Plugin => ({
    id: 'spins',
    version: '1',
    systemTags: [speed, owner, token, dizzy],
    hooks: [onNotice(systemTagChanged, ({ tag, resourceId, change }) => void told.push(`${tag} ${change} ${resourceId === id}`))],
  });
  const open = (store = inlineSqlite()) => openApi({ store, plugins: (services) => [tagging(services), spins()] });

  beforeEach(async () => {
    told = [];
    at = await open();
    id = await made(at, 'one');
  });
  afterEach(() => at.close());

  const act = async (verb: 'set' | 'clear', body: object, principal: Principal = principalOf()) => {
    const response = await at.ask('POST', `/v1/system-tags/actions/${verb}`, {
      body: { resourceKind: 'widget', resourceId: id, ...body },
      headers: { prefer: 'wait=60' },
      principal,
    });
    return Object.assign(parsed(response), { status: response.status });
  };
  const shown = async (principal?: Principal) => {
    const { items } = parsed(await at.ask('GET', '/v1/system-tags', principal === undefined ? {} : { principal }));
    return items.map(({ tag, value }) => `${tag}=${value}`).sort();
  };
  const found = async (filter: string, principal: Principal = principalOf()) =>
    parsed(await at.ask('GET', `/v1/widgets?${new URLSearchParams({ filter })}`, { principal })).items.map(({ name }) => name);
  const heard = async (count: number) => {
    for (let round = 0; told.length < count && round < 6000; round += 1) await new Promise((resolve) => setTimeout(resolve, 5));
    return [...told];
  };

  it('hold no more than can be searched by, whatever their schema says', async () => {
    const motto = defineSystemTag({ name: 'words.motto', description: 'Any text.', kinds: ['widget'], value: Type.String() });
    const words: Plugin = { id: 'words', version: '1', systemTags: [motto] };
    await at.close();
    at = await openApi({ plugins: (services) => [tagging(services), words] });
    id = await made(at, 'one');
    expect((await act('set', { tag: 'words.motto', value: 'x'.repeat(2_000) })).status).to.equal(200);
    for (const value of ['x'.repeat(2_601), 'ä'.repeat(1_500)])
      expect(await act('set', { tag: 'words.motto', value })).to.deep.include({
        ...{ status: 400, code: 'invalid_input', pointer: '/value' },
        params: { field: 'value', bytesMax: 2_600 },
      });
  });

  it('hold what their schema says, one value or several, and tell of each change once', async () => {
    for (const value of ['3', '4', '4']) expect((await act('set', { tag: 'spin.speed', value })).status).to.equal(200);
    for (const value of ['ada', 'bob']) await act('set', { tag: 'spin.owner', value }, operator);
    expect(await shown(operator)).to.deep.equal(['spin.owner=ada', 'spin.owner=bob', 'spin.speed=4']);
    expect(await systemTagValues(at.kernel.reader, speed, id)).to.deep.equal([4]);
    expect(await found('has(systemTags: number > 3)')).to.deep.equal(['one']);
    await act('clear', { tag: 'spin.owner', value: 'ada' }, operator);
    await act('clear', { tag: 'spin.speed' });
    expect(await shown(operator)).to.deep.equal(['spin.owner=bob']);
    await at.ask('DELETE', `/v1/widgets/${id}`, { headers: { prefer: 'wait=60' } });
    expect(await at.kernel.reader.list(systemTag)).to.deep.equal([]);
    const expected = [
      ...['speed', 'speed', 'owner', 'owner'].map((tag) => `spin.${tag} set true`),
      ...['owner', 'speed', 'owner'].map((tag) => `spin.${tag} cleared true`),
    ];
    expect((await heard(expected.length)).sort()).to.deep.equal(expected.sort());
    expect(parsed(await at.ask('GET', '/v1/system-tags/known')).items.map(({ name }) => name)).to.deep.equal([
      'spin.speed',
      'spin.token',
      'spin.dizzy',
    ]);
  });

  it('refuse what they do not take, and say which', async () => {
    const cases: readonly (readonly [object, number, string, Principal?])[] = [
      [{ tag: 'spin.speed', value: '11' }, 400, '/value'],
      [{ tag: 'spin.speed', value: 'fast' }, 400, '/value'],
      [{ tag: 'spin.speed' }, 400, '/value'],
      [{ tag: 'spin.token', value: 'open' }, 400, '/secretValue'],
      [{ tag: 'spin.token', secretValue: 'abc' }, 400, '/secretValue'],
      [{ tag: 'spin.speed', value: '3', resourceKind: 'shelf' }, 400, '/resourceKind'],
      [{ tag: 'spin.none', value: '3' }, 400, '/tag'],
      [{ tag: 'spin.owner', value: 'ada' }, 400, '/tag'],
    ];
    for (const [body, status, pointer] of cases) {
      const refused = await act('set', body);
      expect([refused.status, refused.pointer], JSON.stringify(body)).to.deep.equal([status, pointer]);
      expect((refused.params as { tag: string }).tag).to.match(/^spin\./);
      expect(JSON.stringify(refused)).to.not.contain('abc');
    }
    id = await made(at, 'slow');
    const fast = await act('set', { tag: 'spin.speed', value: '6' });
    expect([fast.status, fast.code, fast.params]).to.deep.equal([409, 'refused', { tag: 'spin.speed', reason: 'too_fast' }]);
  });

  it('are the operator’s alone where they say so, and nothing to other projects', async () => {
    await act('set', { tag: 'spin.owner', value: 'ada' }, operator);
    await act('set', { tag: 'spin.speed', value: '3' });
    expect(await shown()).to.deep.equal(['spin.speed=3']);
    expect(await shown(stranger)).to.deep.equal([]);
    expect(await found("has(systemTags: value = 'ada')")).to.deep.equal([]);
    expect(await found("has(systemTags: value = 'ada')", operator)).to.deep.equal(['one']);
    const [row] = (await at.kernel.reader.list(systemTag)).filter(({ adminOnly }) => adminOnly);
    expect((await at.ask('GET', `/v1/system-tags/${row?.id}`)).status).to.equal(404);
    const feed = parsed(await at.ask('GET', '/v1/changes?after=0.0&kinds=systemTag'));
    expect(feed.items.map((change) => (change.row as { tag: string }).tag)).to.deep.equal(['spin.speed']);
    expect((await act('set', { tag: 'spin.speed', value: '4' }, stranger)).status).to.equal(404);
    const affected = await at.ask('GET', '/v1/system-tags/affected?tag=spin.owner');
    expect([affected.status, parsed(affected).params]).to.deep.equal([
      400,
      { tag: 'spin.owner', tags: ['spin.speed', 'spin.token', 'spin.dizzy'] },
    ]);
    const theirs = parsed(await at.ask('GET', `/v1/system-tags/affected?tag=spin.speed&resourceId=${id}`, { principal: stranger }));
    expect(theirs.affects).to.deep.equal([{ kind: 'widget', count: 0, items: [] }]);
    const ours = parsed(await at.ask('GET', '/v1/system-tags/affected?tag=spin.speed'));
    expect(ours.affects).to.deep.equal([{ kind: 'widget', count: 1, items: [{ id, name: 'one' }] }]);
  });

  it('keep secrets sealed, and forget them when they go', async () => {
    await act('set', { tag: 'spin.token', secretValue: 'hush-hush' });
    const [row] = await at.kernel.reader.list(systemTag);
    expect(row?.value).to.equal(undefined);
    expect(isSealed(row?.secretValue ?? '')).to.equal(true);
    expect(await at.kernel.services.secrets.open(row?.secretValue ?? '')).to.equal('hush-hush');
    for (const table of ['operation', 'journal', 'audit', 'systemTag', 'outbox'])
      expect((await at.store.list({ table })).join('')).to.not.contain('hush-hush');
    await act('set', { tag: 'spin.token', secretValue: 'other-one' });
    expect(await at.store.list({ table: 'sealed' })).to.have.lengthOf(1);
    await at.ask('DELETE', `/v1/widgets/${id}`, { headers: { prefer: 'wait=60' } });
    expect(await at.store.list({ table: 'sealed' })).to.deep.equal([]);
  });

  it('that are ephemeral are over when the server starts', async () => {
    await act('set', { tag: 'spin.dizzy', value: 'true' });
    await act('set', { tag: 'spin.speed', value: '3' });
    expect(await shown()).to.deep.equal(['spin.dizzy=true', 'spin.speed=3']);
    const { store } = at;
    await at.close();
    at = await open(store);
    expect(await shown()).to.deep.equal(['spin.speed=3']);
  });

  it('that contradict the kinds there are keep the server from starting', async () => {
    const start = (systemTags: NonNullable<Plugin['systemTags']>) =>
      openApi({ plugins: (services) => [tagging(services), { id: 'wrong', version: '1', systemTags }] }).then(
        () => 'started',
        (error: Error) => error.message,
      );
    expect(await start([{ ...speed, kinds: ['wheel'] }])).to.equal('system tag spin.speed is for wheel, which takes no tags');
    expect(await start([{ ...speed, affects: [{ kind: 'widget', by: 'wheelId' }] }])).to.contain('by the unknown field wheelId');
    expect(await start([speed, speed])).to.contain('both declare the system tag spin.speed');
    expect(() => defineSystemTag({ ...speed, name: 'Speed' })).to.throw('system tag Speed');
  });
});
