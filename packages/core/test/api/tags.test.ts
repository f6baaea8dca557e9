import { expect } from 'chai';
import { type ListQuery, type Principal, tag, tagging } from '../../src/kernel/index.ts';
import { inlineSqlite } from '../../src/sqlite/index.ts';
import { made, type OpenApi, openApi, parsed } from './harness.ts';
import { OTHER_PROJECT, principalOf } from './widgets.ts';

interface Asked {
  readonly principal?: Principal;
  readonly headers?: Readonly<Record<string, string>>;
}

describe('api: tags', () => {
  let at: OpenApi;
  let first: string;
  let second: string;
  const stranger = principalOf(OTHER_PROJECT);

  beforeEach(async () => {
    at = await openApi({ plugins: (services) => [tagging(services)] });
    first = await made(at, 'first');
    second = await made(at, 'second');
  });
  afterEach(() => at.close());

  const post = async (path: string, body: object, { principal, headers }: Asked = {}) => {
    const response = await at.ask('POST', `/v1/${path}`, {
      body,
      headers: { prefer: 'wait=60', ...headers },
      ...(principal === undefined ? {} : { principal }),
    });
    return Object.assign(parsed(response), { status: response.status });
  };
  const attach = (resourceIds: readonly string[], tags: object, asked: Asked = {}) =>
    post('tags/actions/attach', { resourceKind: 'widget', resourceIds, tags }, asked);
  const detach = (resourceIds: readonly string[], keys: readonly string[], asked: Asked = {}) =>
    post('tags/actions/detach', { resourceKind: 'widget', resourceIds, keys }, asked);
  const get = async (path: string, principal: Principal = principalOf()) => parsed(await at.ask('GET', `/v1/${path}`, { principal }));
  const found = async (filter: string, principal?: Principal) =>
    (await get(`widgets?${new URLSearchParams({ filter })}`, principal)).items.map(({ name }) => name);
  const tagsOf = async (resourceId: string, principal?: Principal) => {
    const { items } = await get(`tags?${new URLSearchParams({ filter: `resourceId = '${resourceId}'`, sort: 'key' })}`, principal);
    return Object.fromEntries(items.map(({ key, value }) => [key, value]));
  };

  it('are put on many resources at once, changed and taken away', async () => {
    expect((await attach([first, second], { env: 'prod', team: 'blue' })).status).to.equal(200);
    expect((await attach([second], { env: 'test' })).status).to.equal(200);
    expect(await tagsOf(first)).to.deep.equal({ env: 'prod', team: 'blue' });
    expect(await tagsOf(second)).to.deep.equal({ env: 'test', team: 'blue' });
    expect((await detach([first, second], ['team', 'none'])).status).to.equal(200);
    expect(await tagsOf(first)).to.deep.equal({ env: 'prod' });
    expect((await attach([first], { env: 'prod' })).status).to.equal(200);
    expect(await tagsOf(first)).to.deep.equal({ env: 'prod' });
  });

  it('find resources, by themselves and along the graph', async () => {
    await attach([first, second], { env: 'prod' });
    await attach([second], { 'cost-center': '42', env: 'test' });
    expect(await found("tags.env = 'prod'")).to.deep.equal(['first']);
    expect(await found("tags.env in ('prod', 'test')")).to.deep.equal(['first', 'second']);
    expect(await found("tags.env != 'prod'")).to.deep.equal(['second']);
    expect(await found("not tags.env = 'prod'")).to.deep.equal(['second']);
    expect(await found("tags.env like 'p%' and name = 'first'")).to.deep.equal(['first']);
    expect(await found("has(tags: key = 'cost-center' and value = '42')")).to.deep.equal(['second']);
    await detach([second], ['env']);
    expect(await found('tags.env is null')).to.deep.equal(['second']);
    expect(await found('tags.env is not null')).to.deep.equal(['first']);
    const groups = await get("tags?filter=key%20%3D%20'env'&groupBy=value");
    expect(groups.groups).to.deep.equal([{ by: { value: 'prod' }, count: 1 }]);
  });

  it('sort and group resources', async () => {
    await attach([first], { env: 'prod' });
    const names = async (sort: string) => (await get(`widgets?sort=${sort}`)).items.map(({ name }) => name);
    expect([await names('tags.env'), await names('-tags.env')]).to.deep.equal([
      ['second', 'first'],
      ['first', 'second'],
    ]);
    expect((await get('widgets?groupBy=tags.env')).groups).to.deep.equal([
      { by: { 'tags.env': null }, count: 1 },
      { by: { 'tags.env': 'prod' }, count: 1 },
    ]);
    expect((await at.ask('GET', '/v1/widgets?sort=tags.key')).status).to.equal(400);
  });

  it('are asked for by an index, however many there are', async () => {
    await attach([first], { env: 'prod' });
    const page = await get(`widgets?${new URLSearchParams({ filter: "tags.env = 'prod'" })}`);
    expect(page).to.not.have.property('unindexed');
    const byValue = await get(`widgets?${new URLSearchParams({ filter: "has(tags: value = 'prod')" })}`);
    expect(byValue.items).to.have.lengthOf(1);
  });

  it('are of keys and values that are one line, and of no name that is a field', async () => {
    for (const tags of [{ 'a b': 'x' }, { env: 'a\nb' }, { env: 'x'.repeat(256) }, {}, { name: 'web' }, { ['k'.repeat(128)]: 'x' }]) {
      const refused = await attach([first], tags);
      expect([refused.status, refused.code], JSON.stringify(tags)).to.deep.equal([400, 'invalid_input']);
    }
    expect((await attach([first], { name: 'web' })).pointer).to.equal('/tags/name');
    const wrongKind = await post('tags/actions/attach', { resourceKind: 'operation', resourceIds: [first], tags: { a: 'b' } });
    expect([wrongKind.code, wrongKind.pointer]).to.deep.equal(['invalid_input', '/resourceKind']);
  });

  it('are fifty of one resource at most, also when they come side by side', async () => {
    const some = (from: number, count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`key-${from + index}`, 'x']));
    await attach([first], some(0, 40));
    const answers = await Promise.all([1, 2, 3].map((round) => attach([first], some(100 * round, 5))));
    expect(answers.map(({ status }) => status).sort()).to.deep.equal([200, 200, 409]);
    const refused = answers.find(({ status }) => status === 409);
    expect([refused?.code, refused?.params]).to.deep.equal(['conflict', { limit: 50 }]);
    await detach([first], ['key-0', 'key-1', 'key-2', 'key-3', 'key-4']);
    expect((await attach([first], some(900, 5))).status).to.equal(200);
    expect(Object.keys(await tagsOf(first))).to.have.lengthOf(50);
  });

  it('go with their resource, and leave no counter', async () => {
    await attach([first, second], { env: 'prod' });
    expect((await at.ask('DELETE', `/v1/widgets/${first}`, { headers: { prefer: 'wait=60' } })).status).to.equal(200);
    expect(await tagsOf(first)).to.deep.equal({});
    expect(await tagsOf(second)).to.deep.equal({ env: 'prod' });
    const counters = await at.store.counters('attached/');
    expect(counters.filter(({ value, limit }) => value !== 0 || limit !== null).map(({ key, value }) => [key, value])).to.deep.equal([
      [`attached/tag/${second}`, 1],
    ]);
    const gone = await attach([first], { env: 'prod' });
    expect([gone.status, gone.pointer]).to.deep.equal([404, '/resourceIds/0']);
  });

  it('go with a resource that is deleted while they come', async () => {
    const tagged = [attach([first], { a: '1' }), attach([first], { b: '1' }), attach([first], { c: '1' })];
    await Promise.all([at.ask('DELETE', `/v1/widgets/${first}`, { headers: { prefer: 'wait=60' } }), ...tagged]);
    expect(await tagsOf(first)).to.deep.equal({});
    expect(await at.kernel.reader.list(tag)).to.deep.equal([]);
  });

  it('go, too, when they come between the look at what is there and the deletion', async () => {
    await at.close();
    let between: (() => Promise<unknown>) | undefined;
    const list = async (query: ListQuery): Promise<readonly string[]> => {
      const texts = await base.list(query);
      const isLook = query.table === 'tag' && query.where !== undefined && 'field' in query.where && query.where.field === 'resourceId';
      const act = isLook ? between : undefined;
      if (act !== undefined) between = undefined;
      await act?.();
      return texts;
    };
    const base = inlineSqlite();
    const store = new Proxy(base, {
      get: (target, name) => {
        const member: unknown = name === 'list' ? list : Reflect.get(target, name);
        return typeof member === 'function' && name !== 'list' ? member.bind(target) : member;
      },
    });
    at = await openApi({ store, plugins: (services) => [tagging(services)] });
    first = await made(at, 'first');
    let late: number | undefined;
    between = async () => {
      late = (await attach([first], { late: 'yes' })).status;
    };
    expect((await at.ask('DELETE', `/v1/widgets/${first}`, { headers: { prefer: 'wait=60' } })).status).to.equal(200);
    expect(late).to.equal(200);
    expect(await at.kernel.reader.list(tag)).to.deep.equal([]);
  });

  it('are nothing to other projects: neither theirs to put on, nor to see', async () => {
    await attach([first], { env: 'prod' });
    const refused = await attach([first], { env: 'mine' }, { principal: stranger });
    expect([refused.status, refused.code]).to.deep.equal([404, 'not_found']);
    expect((await detach([first], ['env'], { principal: stranger })).status).to.equal(404);
    expect(await tagsOf(first, stranger)).to.deep.equal({});
    expect(await found("tags.env = 'prod'", stranger)).to.deep.equal([]);
    const groups = await get('tags?groupBy=value', stranger);
    expect(groups.groups).to.deep.equal([]);
    const feed = await get('changes?after=0.0&kinds=tag', stranger);
    expect(feed.items).to.deep.equal([]);
  });

  it('are put on by who has the permission for the kind, on rows that it reaches', async () => {
    const reader = principalOf(undefined, (permission) => permission !== 'widget.tag');
    const lacking = await attach([first], { env: 'prod' }, { principal: reader });
    expect([lacking.status, lacking.params]).to.deep.equal([403, { permission: 'widget.tag' }]);
    const limited: Principal = {
      ...principalOf(),
      limits: (permission) => (permission === 'widget.tag' ? { field: 'name', op: '=', value: 'second' } : undefined),
    };
    expect((await attach([first], { env: 'prod' }, { principal: limited })).status).to.equal(403);
    expect((await attach([second], { env: 'prod' }, { principal: limited })).status).to.equal(200);
    const blind = principalOf(undefined, (permission) => permission !== 'tag.read');
    expect((await get(`widgets?${new URLSearchParams({ filter: "tags.env = 'prod'" })}`, blind)).code).to.equal('permission_denied');
  });

  it('come with what is made, and are asked for by a policy of the project', async () => {
    expect((await post('widgets', { name: 'third', sizeBytes: 1, tags: { env: 'prod' } })).status).to.equal(200);
    expect(await found("tags.env = 'prod'")).to.deep.equal(['third']);
    const policy = { name: 'envs', key: 'env', kinds: ['widget'], required: true, values: ['prod', 'test'] };
    expect((await post('tag-policies', policy)).status).to.equal(200);
    const bare = await post('widgets', { name: 'fourth', sizeBytes: 1, tags: { team: 'blue' } });
    expect([bare.status, bare.code, bare.pointer]).to.deep.equal([409, 'refused', '/tags/env']);
    expect(bare.detail).to.contain('without the tag env');
    expect((await post('widgets', { name: 'fourth', sizeBytes: 1, tags: { env: 'none' } })).code).to.equal('refused');
    expect((await post('widgets', { name: 'fourth', sizeBytes: 1, tags: { env: 'test' } })).status).to.equal(200);
    expect((await attach([first], { env: 'none' })).code).to.equal('refused');
    expect((await detach([first], ['env'])).code).to.equal('refused');
    expect((await post('widgets', { name: 'theirs', sizeBytes: 1 }, { principal: stranger })).status).to.equal(200);
    expect((await at.ask('DELETE', '/v1/tag-policies/envs', { headers: { prefer: 'wait=60' } })).status).to.equal(200);
    expect((await post('widgets', { name: 'fifth', sizeBytes: 1 })).status).to.equal(200);
  });
});
