import { expect } from 'chai';
import { type AnyKind, Api, create, type Id, jsonBody, routesOf } from '../../src/kernel/index.ts';
import { SimCloud, type Sown, sample, sow } from '../../testing/index.ts';
import { cloudRegistry } from '../../testing/query/registry.ts';

const ABSENT = '00000000-0000-7000-8000-00000000ffff';
const MARK = 'every';

/** Rows of kinds that take no tags: what happens by itself, and what is attached to others. */
const UNTAGGED = ['debt', 'operation', 'settingValue', 'stackResource', 'systemTag', 'tag'];

/** A cloud with a row of each kind that there is. */
class Stage {
  readonly ids: ReadonlyMap<string, string>;
  readonly #sim: SimCloud;
  readonly #api: Api;

  private constructor(sim: SimCloud, api: Api, ids: ReadonlyMap<string, string>) {
    this.#sim = sim;
    this.#api = api;
    this.ids = ids;
  }

  static async open(): Promise<Stage> {
    const sim = new SimCloud({ seed: MARK });
    await sim.start();
    const api = new Api(sim.kernel);
    await sim.environment.complete(api.start());
    const { projectId, accountId } = sim.principal;
    const sown: Sown = await sim.environment.complete(sow(sim.kernel, { mark: MARK, projectId, accountId }));
    const others = sim.kernel.registry.kinds().filter(({ scope }) => scope === 'cloud');
    const ids = new Map([
      ...sown.ids,
      ...others.map((kind) => [kind.name as string, sim.kernel.services.ids.mint(kind.name) as string] as const),
    ]);
    const rows = others.map((kind) => {
      const id = ids.get(kind.name) as Id<string>;
      const refs = Object.fromEntries(kind.refs.map(({ field, kind: to }) => [field, ids.get(to)]));
      const fields = sample(kind.schema as never, ids, MARK, id) as object;
      return create(kind, { ...fields, ...refs, id, name: `${MARK}-${kind.name.toLowerCase()}` } as never);
    });
    const result = await sim.environment.complete(sim.kernel.observe(rows));
    if (!result.ok) throw new Error(`not planted: ${JSON.stringify(result)} ${JSON.stringify(rows[result.statement])}`);
    return new Stage(sim, api, ids);
  }

  close(): void {
    this.#api.stop();
    this.#sim.dispose();
  }

  get registry() {
    return this.#sim.kernel.registry;
  }

  // biome-ignore lint/suspicious/noExplicitAny: JSON of any shape.
  async ask(method: string, url: string, body?: object): Promise<{ readonly status: number; readonly json: any }> {
    const { environment, principal } = this.#sim;
    const response = await environment.complete(
      this.#api.handle({
        ...{ method, url: `/v1/${url.replaceAll(' ', '%20')}`, principal, requestId: MARK, acceptsSocket: false },
        headers: {},
        signal: new AbortController().signal,
        ...(body === undefined ? {} : { body: jsonBody(body) }),
      }),
    );
    const json = JSON.parse(String(response.body));
    if (response.status === 202) await this.#sim.ended(json.operationId);
    return { status: response.status, json };
  }

  quotaProblems(): Promise<readonly string[]> {
    return this.#sim.quotaProblems();
  }
}

describe('every kind, by its definition alone', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open();
  });
  after(() => stage.close());

  const idOf = ({ name }: AnyKind): string => stage.ids.get(name) ?? ABSENT;

  for (const kind of cloudRegistry().kinds())
    describe(kind.plural, () => {
      it('are read, listed, counted and asked about', async () => {
        const id = idOf(kind);
        const { status, json: row } = await stage.ask('GET', `${kind.plural}/${id}`);
        expect(status, JSON.stringify(row)).to.equal(200);
        expect(row).to.include({ id, state: row.state, generation: 1 });
        const listed = await stage.ask('GET', `${kind.plural}?filter=id = '${id}'&count=true`);
        expect(listed.json).to.deep.include({ items: [row], count: 1 });
        const asked = { where: { field: 'state', op: '=', value: row.state }, groupBy: ['state'] };
        const { groups } = (await stage.ask('POST', `${kind.plural}/query`, asked)).json;
        expect(groups).to.have.length(1);
        expect(groups[0]).to.deep.include({ by: { state: row.state } });
      });

      it('are told of when they come, once', async () => {
        const { json } = await stage.ask('GET', `changes?after=1.0&kinds=${kind.name}&limit=1000`);
        const told = json.items.filter((change: { id: string }) => change.id === idOf(kind));
        expect(told.map(({ type }: { type: string }) => type)).to.deep.equal(['created']);
      });

      it(UNTAGGED.includes(kind.name) ? 'take no tags, and say so' : 'are found by a tag, until it is taken away', async () => {
        const of = { resourceKind: kind.name, resourceIds: [idOf(kind)] };
        const put = await stage.ask('POST', 'tags/actions/attach', { ...of, tags: { [MARK]: kind.name } });
        if (UNTAGGED.includes(kind.name)) {
          expect([put.status, put.json.pointer]).to.deep.equal([400, '/resourceKind']);
          return;
        }
        expect(put.status, JSON.stringify(put.json)).to.equal(202);
        const found = async () =>
          (await stage.ask('GET', `${kind.plural}?filter=tags.${MARK} = '${kind.name}'`)).json.items.map(({ id }: { id: string }) => id);
        expect(await found()).to.deep.equal([idOf(kind)]);
        await stage.ask('POST', 'tags/actions/detach', { ...of, keys: [MARK] });
        expect(await found()).to.deep.equal([]);
      });

      it('tell before a deletion what goes with them, what stands in its way, and change nothing', async () => {
        const url = `${kind.plural}/${idOf(kind)}/deletion`;
        const isThere = routesOf(stage.registry).some(({ path }) => path === `/v1/${kind.plural}/{idOrName}/deletion`);
        const { status, json } = await stage.ask('GET', url);
        if (!isThere) {
          expect(status).to.equal(404);
          return;
        }
        const before = (await stage.ask('GET', `${kind.plural}/${idOf(kind)}`)).json;
        expect(status, JSON.stringify(json)).to.equal(200);
        expect(json.deleted.rows[0]).to.include({ kind: kind.name, id: idOf(kind), depth: 0 });
        expect(json).to.include.keys('blocked', 'detached');
        expect((await stage.ask('GET', `${kind.plural}/${idOf(kind)}`)).json).to.deep.equal(before);
      });
    });

  it('counts for the quotas that it names', async () => {
    expect(await stage.quotaProblems()).to.deep.equal([]);
    const { items } = (await stage.ask('GET', 'quota')).json;
    const used = new Map(items.map((item: { counter: string; used: number }) => [item.counter, item.used]));
    // Rows that may be the operator's own count for nobody then.
    const counting = stage.registry.kinds().filter(({ operatorsIf }) => operatorsIf === undefined);
    const counters = new Set(counting.flatMap(({ quota = {} }) => Object.keys(quota)));
    expect(counters.size).to.be.above(10);
    expect([...counters].filter((counter) => !(Number(used.get(counter)) > 0))).to.deep.equal([]);
  });
});
