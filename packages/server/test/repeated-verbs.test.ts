import { type Route, routesOf } from '@pileus/core/kernel';
import type { Scenario, SimCloud } from '@pileus/core/testing';
import { expect } from 'chai';
import { FULL } from '../../../tools/test/slice.ts';
import { scenarios } from '../../core/test/cloud/scenarios.ts';
import { smallCloud } from '../../core/test/cloud/small-cloud.ts';
import { leftOut, type RepeatedCall, repeatedCalls, strayScenarios } from './repeated-calls.ts';
import { type Ask, expectStatus, made, PASSWORD, Tenancy } from './tenants/tenancy.ts';
import { type Got, type Sent, VirtualServer } from './virtual-server.ts';

/** How often a request comes at once. It comes once more after its end. */
const AT_ONCE = 3;
const KEY = 'the-same-request';
/** After an operation has ended, for what it leads to. */
const QUIET_MS = 2000;
const TRACES = ['operation', 'audit'] as const;

type Action = Extract<Route, { type: 'action' }>;

const changes = (route: Route): boolean =>
  ['action', 'steer'].includes(route.type) || (route.type === 'endpoint' && ['change', 'upload'].includes(route.endpoint.type));

const actionOf = ({ name }: Scenario): string => name.split(' ')[0] ?? '';
/** The first way of each action, in a full run all of them. */
const played = [...scenarios, ...strayScenarios].filter(
  (scenario, index) => FULL || scenarios.slice(0, index).every((other) => actionOf(other) !== actionOf(scenario)),
);

/** Rows that have come to these tables since it was made. */
class News {
  readonly #sim: SimCloud;
  readonly #known: ReadonlySet<unknown>;

  constructor(sim: SimCloud) {
    this.#sim = sim;
    this.#known = new Set(TRACES.flatMap((table) => sim.rows(table).map(({ id }) => id)));
  }

  of(table: (typeof TRACES)[number]): readonly Readonly<Record<string, unknown>>[] {
    return this.#sim.rows(table).filter(({ id }) => !this.#known.has(id));
  }
}

/** As the SDK sends it. */
function sentFor(route: Action, input: unknown, resourceId = ''): Sent {
  const path = route.path.replace('{idOrName}', resourceId);
  if (route.input === 'body') return { method: route.method, path, body: input };
  const query = Object.fromEntries(Object.entries(input as object).map(([name, value]) => [name, String(value)]));
  return { method: route.method, path: `${path}?${new URLSearchParams(query)}` };
}

describe('server: every change, asked for several times at once and again after its end', () => {
  let server: VirtualServer;
  let routes: readonly Route[];
  before(async () => {
    server = await VirtualServer.open();
    const { sim } = await smallCloud();
    routes = routesOf(sim.kernel.registry).filter(changes);
    sim.dispose();
  });
  after(() => server.close());

  const send = (times: number, sent: Sent) => server.send(times, { ...sent, headers: { 'idempotency-key': KEY, ...sent.headers } });

  /** All that is told to clients is the same to each. */
  function same(answers: readonly Got[], first: Got, what: string): void {
    for (const answer of answers) expect(answer, what).to.deep.equal(first);
  }

  /** The scenario, asked for so many times over HTTP. Answers what there is of the resource after it. */
  async function play(scenario: Scenario, times: number): Promise<unknown> {
    const sim = await scenario.prepare();
    await server.serve(sim);
    const route = routes.find((each): each is Action => each.type === 'action' && each.action.name === actionOf(scenario)) as Action;
    const news = new News(sim);
    let ask: Sent | undefined;
    let first: Got | undefined;
    const submit: SimCloud['submit'] = async (action, input, resourceId) => {
      expect(action).to.equal(route.action.name);
      ask = sentFor(route, input, resourceId);
      const answers = await send(times, ask);
      [first] = answers;
      expect(first?.status, first?.text).to.equal(202);
      same(answers, first as Got, 'at once');
      return JSON.parse(first?.text ?? '');
    };
    const operationId = await scenario.act(
      new Proxy(sim, {
        get(_, name) {
          const member: unknown = name === 'submit' ? submit : Reflect.get(sim, name, sim);
          return typeof member === 'function' ? member.bind(sim) : member;
        },
      }),
    );
    const { state, resourceId, error } = await sim.ended(operationId);
    expect(state, JSON.stringify(error)).to.equal('succeeded');
    await sim.run(QUIET_MS);
    const left = () => sim.row(route.action.kind.name, resourceId);
    const after = left();
    same(await send(1, ask as Sent), first as Got, 'again');
    await sim.run(QUIET_MS);
    expect(left(), 'the resource').to.deep.equal(after);
    expect(
      news
        .of('operation')
        .filter(({ action }) => action === route.action.name)
        .map(({ id }) => id),
    ).to.deep.equal([operationId]);
    expect(news.of('audit').filter(({ action }) => action === route.action.name)).to.have.length(1);
    sim.dispose();
    return after?.generation;
  }

  for (const scenario of played)
    it(`${scenario.name} happens once`, async () => {
      const generation = await play(scenario, AT_ONCE);
      if (FULL) expect(generation, 'the generation').to.equal(await play(scenario, 1));
    }).timeout(60_000);

  /** The call over HTTP. */
  async function playCall({ prepare, action, oneTime = [], goOn }: RepeatedCall): Promise<void> {
    const { sim, sent } = await prepare();
    await server.serve(sim);
    const news = new News(sim);
    const told = (answers: readonly Got[]) =>
      answers.map(({ status, text }) => {
        expect(status, text).to.equal(200);
        return Object.fromEntries(Object.entries(JSON.parse(text)).filter(([field]) => !oneTime.includes(field)));
      });
    const answers = await send(AT_ONCE, sent);
    const [first] = answers;
    if (oneTime.length === 0) same(answers, first as Got, 'at once');
    await goOn?.(sim);
    const again = await send(1, sent);
    if (oneTime.length === 0) same(again, first as Got, 'again');
    for (const answer of told([...answers, ...again])) expect(answer).to.deep.equal(told(answers)[0]);
    const secrets = new Set([...answers, ...again].map(({ text }) => JSON.parse(text)[oneTime[0] ?? '']));
    expect(secrets).to.have.length(oneTime.length === 0 ? 1 : AT_ONCE + 1);
    expect(news.of('audit').filter((row) => row.action === action)).to.have.length(oneTime.length === 0 ? 1 : AT_ONCE + 1);
    sim.dispose();
  }

  for (const call of repeatedCalls) it(`${call.operationId} happens once`, () => playCall(call)).timeout(60_000);

  it('leaves no route out but for a reason', () => {
    const actions = new Set(played.map(actionOf));
    const asked = new Set([
      ...routes.flatMap((route) => (route.type === 'action' && actions.has(route.action.name) ? [route.operationId] : [])),
      ...repeatedCalls.map(({ operationId }) => operationId),
    ]);
    const others = routes.map(({ operationId }) => operationId).filter((name) => !asked.has(name));
    expect(others.toSorted(), 'say how it is prepared, or why it cannot be').to.deep.equal(Object.keys(leftOut).toSorted());
  });
});

describe('server: what changes something in real time, asked for several times at once and again after its end', () => {
  let at: Tenancy;
  before(async () => {
    at = await Tenancy.open();
  });
  after(() => at.close());

  const told = async (action: string): Promise<readonly unknown[]> => {
    const rows = await at.server.plane.kernel.services.store.list({ table: 'audit' });
    return rows.map((text) => JSON.parse(text)).filter((row) => row.action === action);
  };

  async function repeated(ask: Ask, action: string, sent: Parameters<Ask>): Promise<void> {
    const [method, path, body] = sent;
    const before = (await told(action)).length;
    const once = () => ask(method, path, body, { 'idempotency-key': `${action} ${path}` });
    const atOnce = await Promise.all(Array.from({ length: AT_ONCE }, once));
    for (const { status, text } of [...atOnce, await once()]) expect([status, text]).to.deep.equal([200, atOnce[0]?.text]);
    expect(await told(action), action).to.have.length(before + 1);
  }

  it('a password that is changed, and one that is set', async () => {
    const { admin } = await at.tenant('acme');
    expectStatus(await admin('POST', '/v1/users', { name: 'ann' }), 200);
    await repeated(admin, 'user.changePassword', ['POST', '/v1/password', { current: PASSWORD, password: `${PASSWORD} 2` }]);
    await at.signIn('acme', 'admin', `${PASSWORD} 2`);
    await repeated(admin, 'user.setPassword', ['POST', '/v1/users/ann/password', { password: PASSWORD }]);
    await at.signIn('acme', 'ann');
  });

  it('the content of an image', async () => {
    const id = await made(at.root(), '/v1/images', { name: 'image-2' });
    const bytes = new Uint8Array(8192).fill(7);
    const upload: Ask = (method, path, _, headers) =>
      at.server.ask(method, path, { raw: bytes, headers: { ...headers, 'content-type': 'application/octet-stream' } });
    await repeated(upload, 'image.upload', ['PUT', `/v1/images/${id}/content`]);
  });
});
