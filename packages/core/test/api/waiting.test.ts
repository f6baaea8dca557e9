import { expect } from 'chai';
import { made, type OpenApi, openApi, parsed } from './harness.ts';
import { PROJECT, principalOf } from './widgets.ts';

describe('api: what an operation waits for', () => {
  let api: OpenApi;
  let open: () => void;
  const shut = (): void => {
    api.workshop.gate = new Promise((resolve) => {
      open = resolve;
    });
  };
  const start = async (options = {}): Promise<void> => {
    api = await openApi(options);
  };
  afterEach(async () => {
    open();
    await api.close();
  });

  const principal = principalOf(PROJECT);
  const spin = async (id: string, of = principal): Promise<string> =>
    parsed(await api.ask('POST', `/v1/widgets/${id}/spin-up`, { body: {}, principal: of })).operationId as string;
  const get = (id: string, headers = {}) => api.ask('GET', `/v1/operations/${id}`, { principal, headers });
  const waitingOf = async (id: string) => parsed(await get(id)).waiting;

  it('names who holds what it needs, and how many go before it, until it begins; its entity tag knows of both', async () => {
    await start();
    const id = await made(api, 'one');
    shut();
    const first = await spin(id);
    const second = await spin(id);
    const third = await spin(id);
    const { state, startedAt: since } = parsed(await get(first));
    const holder = { keys: [id], operationId: first, action: 'widget.spinUp', resourceKind: 'widget', resourceId: id, state, since };
    expect(state).to.equal('running');
    expect(await waitingOf(first)).to.equal(undefined);
    expect(await waitingOf(second)).to.deep.equal({ for: 'operations', ahead: 1, heldBy: [holder] });
    expect(await waitingOf(third)).to.deep.equal({ for: 'operations', ahead: 2, heldBy: [holder] });
    const before = await get(third);
    const tag = String(before.headers.etag);
    expect((await get(third, { 'if-none-match': tag })).status).to.equal(304);
    open();
    const ended = parsed(await api.ask('GET', `/v1/operations/${third}?waitSeconds=60`, { principal }));
    expect([ended.state, ended.waiting]).to.deep.equal(['succeeded', undefined]);
    expect((await get(third, { 'if-none-match': tag })).status).to.equal(200);
  });

  it('tells of what the caller may not see that it is there, and nothing else', async () => {
    await start();
    const id = await made(api, 'one');
    shut();
    const theirs = await spin(id);
    const actor = 'key:of-its-own';
    const onlyOwn = (permission: string) =>
      permission === 'operation.read' ? ({ field: 'actor', op: '=', value: actor } as const) : undefined;
    const other = { ...principal, actor, limits: onlyOwn };
    const mine = await spin(id, other);
    const response = await api.ask('GET', `/v1/operations/${mine}`, { principal: other });
    expect(parsed(response).waiting).to.deep.equal({ for: 'operations', ahead: 1, heldBy: [{ keys: [id] }] });
    expect(String(response.body)).not.to.include(theirs);
    expect((await api.ask('GET', `/v1/operations/${theirs}`, { principal: other })).status).to.equal(404);
  });

  it('tells it in lists, too, without who holds what; filters, counts and projections are of the rows', async () => {
    await start();
    const id = await made(api, 'one');
    shut();
    const [first, second, third] = [await spin(id), await spin(id), await spin(id)];
    const list = async (query: string) => parsed(await api.ask('GET', `/v1/operations?resourceId=${id}&${query}`, { principal }));
    const { items } = await list('sort=createdAt');
    const told = new Map((items as { id: string; waiting?: unknown }[]).map((row) => [row.id, row.waiting]));
    expect([first, second, third].map((each) => told.get(each))).to.deep.equal([
      undefined,
      { for: 'operations', ahead: 1 },
      { for: 'operations', ahead: 2 },
    ]);
    expect((await list('state=queued&count=true&limit=0')).count).to.equal(2);
    expect((await list(`filter=${encodeURIComponent(`id = '${second}'`)}&fields=id,state`)).items).to.deep.equal([
      { id: second, state: 'queued' },
    ]);
    open();
    await api.ask('GET', `/v1/operations/${third}?waitSeconds=60`, { principal });
    expect((await list('state=succeeded')).items.filter((row: object) => 'waiting' in row)).to.deep.equal([]);
  });

  it('tells when its turn comes, where as many as may are at work', async () => {
    await start({ runningMax: 1 });
    const ids = [await made(api, 'one'), await made(api, 'two'), await made(api, 'three')];
    shut();
    const [first = '', second = '', third = ''] = [await spin(ids[0] ?? ''), await spin(ids[1] ?? ''), await spin(ids[2] ?? '')];
    expect(await waitingOf(first)).to.equal(undefined);
    expect(await waitingOf(second)).to.deep.equal({ for: 'turn', ahead: 0, atWorkMax: 1 });
    expect(await waitingOf(third)).to.deep.equal({ for: 'turn', ahead: 1, atWorkMax: 1 });
  });
});
