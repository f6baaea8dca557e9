import { expect } from 'chai';
import {
  ANY_PROJECT,
  type AnyKind,
  Api,
  equals,
  type Id,
  type KernelServices,
  type Plugin,
  type PluginSource,
  type Principal,
  type Route,
  routesOf,
} from '../../src/kernel/index.ts';
import { SimCloud } from '../sim/cloud.ts';
import { type Sown, sample, sow } from './sown.ts';

const ABSENT = '00000000-0000-7000-8000-00000000ffff';
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

interface Ask {
  readonly method: string;
  readonly url: string;
  readonly body?: unknown;
}

/** What the routes of plugins tell one tenant of another: nothing. Both have a row of each kind there is. */
export function describeIsolation(name: string, { plugins }: { readonly plugins: readonly PluginSource[] }): void {
  describe(`isolation: ${name}`, () => {
    let stage: Stage;
    before(async () => {
      stage = await Stage.open(plugins);
    });
    after(() => stage.close());

    it('an id or a name of another tenant is as good as none', async () => {
      expect(stage.routes()).not.to.deep.equal([]);
      const before = await stage.foreignRows();
      for (const route of stage.routes())
        for (const [foreign, nothing] of [
          [(kind: AnyKind) => stage.bravo.ids.get(kind.name), ABSENT],
          [(kind: AnyKind) => `bravo-${kind.name.toLowerCase()}`, 'nobody-has-this'],
        ] as const) {
          const kind = stage.kindOf(route);
          if (kind === undefined || !route.path.includes('{')) continue;
          await stage.compare(stage.asked(route, String(foreign(kind))), stage.asked(route, nothing));
        }
      expect(await stage.foreignRows()).to.equal(before);
    });

    it('nor is one in a body', async () => {
      const before = await stage.foreignRows();
      for (const route of stage.routes())
        for (const [field, to] of refsOf(route)) {
          const own = stage.alpha.ids.get(stage.kindOf(route)?.name ?? '') ?? '';
          const about = (value: string | undefined) => stage.asked(route, own, { [field]: field.endsWith('Ids') ? [value] : value });
          await stage.compare(about(stage.bravo.ids.get(to)), about(ABSENT));
        }
      expect(await stage.foreignRows()).to.equal(before);
    });

    it('lists, filters, counts, groups and joins tell nothing', async () => {
      for (const kind of stage.kinds()) {
        const id = stage.bravo.ids.get(kind.name) ?? '';
        const along = kind.refs
          .map(({ field }) => field.replace(/Id$/, ''))
          .flatMap((path) => [`filter=${path}.name like 'bravo%'`, `sort=${path}.name`, `groupBy=${path}.name`]);
        const ids = kind.refs.map(({ field, kind: to }) => `filter=${field} = '${stage.bravo.ids.get(to)}'`);
        for (const query of [
          '',
          'deleted=true',
          'count=true',
          'groupBy=name',
          `filter=id = '${id}'`,
          "filter=name like 'bravo%'",
          ...along,
          ...ids,
        ]) {
          const { status, text } = await stage.ask({ method: 'GET', url: `/v1/${kind.plural}?${query.replaceAll(' ', '%20')}` });
          expect(status, query).to.equal(200);
          stage.assertClean(query, text);
        }
        const body = { where: { field: 'id', op: '=', value: id }, count: true };
        const { text } = await stage.ask({ method: 'POST', url: `/v1/${kind.plural}/query`, body });
        expect(JSON.parse(text)).to.deep.include({ items: [], count: 0 });
      }
    });

    it('nor do changes, and what plugins reckon', async () => {
      const kinds = stage.kinds().map((kind) => `kinds=${kind.name}`);
      const changes = await stage.ask({ method: 'GET', url: `/v1/changes?${['after=1.0', 'limit=1000', ...kinds].join('&')}` });
      expect(changes.status).to.equal(200);
      if (kinds.length > 0) expect(changes.text).to.include('alpha');
      stage.assertClean('changes', changes.text);
      for (const route of stage.routes()) {
        if (route.type !== 'endpoint' || route.path.includes('{')) continue;
        const { status, text } = await stage.ask(stage.asked(route, ''));
        expect(status, route.path).to.be.lessThan(500);
        stage.assertClean(route.path, text);
      }
    });
  });
}

const inputOf = (route: Route): object | undefined =>
  route.type === 'action' ? route.action.input : route.type === 'endpoint' && 'body' in route.endpoint ? route.endpoint.body : undefined;

/** Fields of the input that name rows, with the kinds of these. */
function refsOf(route: Route): readonly (readonly [string, string])[] {
  const { properties = {} } = (inputOf(route) ?? {}) as {
    readonly properties?: Readonly<Record<string, { readonly 'x-ref'?: { readonly kind: string } }>>;
  };
  return Object.entries(properties).flatMap(([field, schema]) => {
    const to = schema['x-ref']?.kind;
    return to === undefined ? [] : [[field, to] as const];
  });
}

/** Two tenants of a cloud in virtual time, of whom one asks. */
class Stage {
  readonly alpha: Sown;
  readonly bravo: Sown;
  readonly #sim: SimCloud;
  readonly #api: Api;
  readonly #asker: Principal;
  readonly #plugins: readonly Plugin[];

  private constructor(sim: SimCloud, plugins: readonly Plugin[], alpha: Sown, bravo: Sown) {
    this.#sim = sim;
    this.#api = new Api(sim.kernel);
    this.#plugins = plugins;
    this.alpha = alpha;
    this.bravo = bravo;
    // In his own project he may do everything: what keeps him off is whose the rows are.
    this.#asker = {
      actor: 'user:alpha',
      projectId: alpha.projectId as Id<'project'>,
      accountId: alpha.accountId as Id<'account'>,
      allows: (permission) => permission !== ANY_PROJECT,
    };
  }

  static async open(sources: readonly PluginSource[]): Promise<Stage> {
    const made: Plugin[] = [];
    const plugins = sources.map((source) => (services: KernelServices) => {
      const plugin = typeof source === 'function' ? source(services) : source;
      made.push(plugin);
      return plugin;
    });
    const sim = new SimCloud({ seed: 'isolation', plugins });
    await sim.start();
    const [alpha, bravo] = [await tenant(sim, 'alpha'), await tenant(sim, 'bravo')];
    const stage = new Stage(sim, made, alpha, bravo);
    await sim.environment.complete(stage.#api.start());
    return stage;
  }

  close(): void {
    this.#api.stop();
    this.#sim.dispose();
  }

  /** Those that the plugins declare, as far as they are tenants'. */
  kinds(): readonly AnyKind[] {
    return this.#plugins.flatMap(({ kinds = [] }) => kinds).filter(({ scope }) => scope !== 'cloud');
  }

  /** Those that there are because of the plugins. */
  routes(): readonly Route[] {
    const { registry } = this.#sim.kernel;
    const kinds = this.kinds();
    const actions = new Set(this.#plugins.flatMap(({ actions: own = [] }) => own.map((action) => action.name)));
    const endpoints = this.#plugins.flatMap(({ endpoints: own = [] }) => own);
    return routesOf(registry).filter((route) => {
      if (route.type === 'endpoint') return endpoints.includes(route.endpoint);
      const kind = this.kindOf(route);
      return (kind !== undefined && kinds.includes(kind)) || (route.type === 'action' && actions.has(route.action.name));
    });
  }

  /** The kind that the path is about. */
  kindOf({ path }: Route): AnyKind | undefined {
    const segment = path.split('/')[2];
    return this.#sim.kernel.registry.kinds().find(({ plural }) => plural === segment);
  }

  /** A request with all that its route wants, of its own beginning. */
  asked(route: Route, named: string, fields: object = {}): Ask {
    const input = inputOf(route);
    const body = input === undefined || route.method === 'GET' || route.method === 'DELETE' ? {} : { body: this.#bodyOf(input, fields) };
    return { method: route.method, url: route.path.replace(/\{[^}]+\}/, named), ...body };
  }

  #bodyOf(input: object, fields: object): object {
    return { ...(sample(input as never, this.alpha.ids, 'probe', ABSENT) as object), ...fields };
  }

  async ask({ method, url, body }: Ask): Promise<{ readonly status: number; readonly text: string }> {
    const response = await this.#sim.environment.complete(
      this.#api.handle({
        ...{ method, url, principal: this.#asker, requestId: 'isolation', acceptsSocket: false },
        headers: body === undefined ? {} : { 'content-type': 'application/json' },
        signal: new AbortController().signal,
        body: { json: async () => body, bytes: nothing },
      }),
    );
    const text = typeof response.body === 'string' || response.body instanceof Uint8Array ? Buffer.from(response.body).toString() : '';
    return { status: response.status, text };
  }

  /** The same answer to both, and nothing in it of whom they are about. */
  async compare(foreign: Ask, nothing: Ask): Promise<void> {
    const [told, known] = [await this.ask(foreign), await this.ask(nothing)];
    const what = JSON.stringify(foreign);
    this.assertClean(what, told.text);
    expect(told.status, what).to.be.lessThan(500);
    expect([told.status, shape(told.text)], what).to.deep.equal([known.status, shape(known.text)]);
  }

  /** Nothing of the other tenant that was not said before. */
  assertClean(said: string, text: string): void {
    for (const secret of [...this.bravo.ids.values(), this.bravo.projectId, this.bravo.accountId, 'bravo'])
      if (!said.includes(secret) && text.includes(secret)) throw new Error(`${said} tells ${secret}: ${text}`);
  }

  /** Rows of the other tenant as they are now. */
  async foreignRows(): Promise<string> {
    const { kernel, environment } = this.#sim;
    const read = [...this.bravo.ids].map(([kind, id]) => kernel.reader.text(kernel.registry.kind(kind), id));
    return (await environment.complete(Promise.all(read))).join('\n');
  }
}

/** An account with its project, and a row of each kind in it. */
async function tenant(sim: SimCloud, mark: string): Promise<Sown> {
  const accountId = await sim.done('account.create', { name: mark });
  const { kernel, environment } = sim;
  const [project] = await environment.complete(kernel.reader.texts(kernel.registry.kind('project'), equals('accountId', accountId)));
  const projectId = (JSON.parse(project ?? '{}') as { readonly id: string }).id;
  return environment.complete(sow(kernel, { mark, projectId, accountId }));
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

const shape = (text: string): string =>
  text
    .replaceAll(UUID, 'IT')
    .replaceAll(/bravo(-[a-z]+)?|nobody-has-this/g, 'IT')
    .replaceAll(/"cursor":"[^"]*"|"generation":\d+/g, '');
