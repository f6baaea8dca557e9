import { crashMatrix, type Scenario, type SimCloud, type StoreFaults } from '@pileus/core/testing';
import { expect } from 'chai';
import { account, DEFAULT_ACCOUNT_ID, DEFAULT_PROJECT_ID, project, quotaRequest, systemPrincipal } from '../../../src/cloud/index.ts';
import { type Id, inProject, isCloudError, type Principal, quotaKey, toErrorRecord } from '../../../src/kernel/index.ts';
import { codeOf, LittleCloud } from '../little-cloud.ts';
import { scenarios } from '../scenarios.ts';

/** Short days: the cloud looks at its host all the while. */
const DAY_MS = 10 * 60_000;
const KIB = 1024;

/** A cloud with a pool, and a tenant's account with two projects. */
class Tenants {
  readonly cloud: LittleCloud;
  readonly accountId: Id<'account'>;
  readonly first: Principal;
  readonly second: Principal;

  private constructor(cloud: LittleCloud, accountId: Id<'account'>, projects: readonly [string, string]) {
    this.cloud = cloud;
    this.accountId = accountId;
    const at = (id: string) => inProject(systemPrincipal(), id as Id<'project'>, accountId);
    this.first = at(projects[0]);
    this.second = at(projects[1]);
  }

  static async open(options: ConstructorParameters<typeof LittleCloud>[0] = {}): Promise<Tenants> {
    const cloud = await LittleCloud.open(options);
    await cloud.pool(await cloud.host('hv1'));
    const accountId = (await cloud.sim.done('account.create', { name: 'acme' })) as Id<'account'>;
    const [made] = (await cloud.rows(project)).filter((row) => row.accountId === accountId);
    const second = await cloud.sim.done('project.create', { name: 'second', accountId });
    return new Tenants(cloud, accountId, [String(made?.id), second]);
  }

  get sim(): SimCloud {
    return this.cloud.sim;
  }

  ask(principal: Principal, action: string, input: object, resourceId?: string) {
    return this.sim.kernel.submit({ action, input, principal, ...(resourceId === undefined ? {} : { resourceId }) });
  }

  async done(principal: Principal, action: string, input: object, resourceId?: string): Promise<string> {
    const accepted = await this.sim.environment.complete(this.ask(principal, action, input, resourceId));
    const row = await this.sim.ended(accepted.operationId);
    if (row.state !== 'succeeded') throw new Error(JSON.stringify(row.error));
    return accepted.resourceId;
  }

  volume(principal: Principal, name: string, sizeBytes = KIB): Promise<string> {
    return this.done(principal, 'volume.create', { name, sizeBytes });
  }

  used(scope: 'project' | 'account', id: string, counter: string): number {
    const key = quotaKey({ scope, id, counter });
    return this.sim.counters().find((one) => one.key === key)?.value ?? 0;
  }

  /** What a refused request is told. */
  async refused(principal: Principal, action: string, input: object, resourceId?: string): Promise<object> {
    const error: unknown = await this.sim.environment
      .complete(this.ask(principal, action, input, resourceId))
      .catch((thrown: unknown) => thrown);
    expect(isCloudError(error), `${action} was accepted`).to.equal(true);
    const { code, params } = toErrorRecord(error);
    return { code, ...(params as object) };
  }
}

describe('quotas', () => {
  let at: Tenants;
  beforeEach(async () => {
    at = await Tenants.open({ presets: { 'hosts.heartbeatSeconds': 30 } });
  });
  afterEach(async () => {
    expect(await at.sim.quotaProblems()).to.deep.equal([]);
    at.sim.dispose();
  });

  const limitProject = (limits: object) => at.sim.done('project.setQuota', { limits }, at.first.projectId);
  const limitAccount = (limits: object) => at.sim.done('account.setQuota', { limits }, at.accountId);

  it('are without limits until some are set', async () => {
    for (let number = 0; number < 5; number += 1) await at.volume(at.first, `v${number}`);
    expect((await at.cloud.row(account, DEFAULT_ACCOUNT_ID)).limits).to.equal(undefined);
    expect((await at.cloud.row(project, DEFAULT_PROJECT_ID)).limits).to.equal(undefined);
    expect(at.used('project', at.first.projectId, 'volumes')).to.equal(5);
    expect(at.used('account', at.accountId, 'volumes')).to.equal(5);
    expect(at.used('account', DEFAULT_ACCOUNT_ID, 'volumes')).to.equal(0);
  });

  it('refuse what goes over the limit of a project, and say by how much', async () => {
    await limitProject({ volumes: 2, volumeBytes: 4 * KIB });
    await at.volume(at.first, 'a');
    const over = { code: 'quota_exceeded', scope: 'project', id: at.first.projectId };
    expect(await at.refused(at.first, 'volume.create', { name: 'b', sizeBytes: 4 * KIB })).to.deep.equal({
      ...{ ...over, counter: 'volumeBytes', used: KIB, limit: 4 * KIB, asked: 4 * KIB },
    });
    await at.volume(at.first, 'b');
    expect(await at.refused(at.first, 'volume.create', { name: 'c', sizeBytes: KIB })).to.deep.equal({
      ...{ ...over, counter: 'volumes', used: 2, limit: 2, asked: 1 },
    });
    await at.volume(at.second, 'c');
  });

  it('bound what all projects of an account use together', async () => {
    await limitAccount({ volumes: 3 });
    for (const [principal, name] of [
      [at.first, 'a'],
      [at.first, 'b'],
      [at.second, 'a'],
    ] as const)
      await at.volume(principal, name);
    const over = { code: 'quota_exceeded', scope: 'account', id: at.accountId, counter: 'volumes', used: 3, limit: 3, asked: 1 };
    expect(await at.refused(at.second, 'volume.create', { name: 'b', sizeBytes: KIB })).to.deep.equal(over);
    const [row] = await at.cloud.sim.environment.complete(at.sim.kernel.reader.counters(`quota/account/${at.accountId}/volumes`));
    expect(row).to.include({ value: 3, limit: 3 });
  });

  it('count projects, too', async () => {
    await limitAccount({ projects: 2 });
    expect(await at.refused(at.first, 'project.create', { name: 'third' })).to.include({ counter: 'projects', used: 2, limit: 2 });
    await at.sim.done('project.delete', {}, at.second.projectId);
    await at.done(at.first, 'project.create', { name: 'third' });
  });

  it('below what is in use only stop growth, and may be lifted', async () => {
    const a = await at.volume(at.first, 'a');
    await at.volume(at.first, 'b');
    await limitProject({ volumes: 0, instances: 9 });
    expect(await at.refused(at.first, 'volume.create', { name: 'c', sizeBytes: KIB })).to.include({ used: 2, limit: 0 });
    await at.sim.done('volume.update', { description: 'still mine' }, a);
    await at.sim.done('volume.delete', {}, a);
    expect(await at.refused(at.first, 'volume.create', { name: 'c', sizeBytes: KIB })).to.include({ used: 1, limit: 0 });
    expect((await at.cloud.row(project, at.first.projectId)).limits).to.deep.equal({ volumes: 0, instances: 9 });
    await limitProject({ volumes: null });
    expect((await at.cloud.row(project, at.first.projectId)).limits).to.deep.equal({ instances: 9 });
    await at.volume(at.first, 'c');
    await limitProject({ instances: null });
    expect((await at.cloud.row(project, at.first.projectId)).limits).to.equal(undefined);
  });

  it('take what something grows by at once, whatever becomes of it', async () => {
    const id = await at.volume(at.first, 'a');
    await limitProject({ volumeBytes: 3 * KIB });
    expect(await at.refused(at.first, 'volume.resize', { sizeBytes: 4 * KIB }, id)).to.include({ code: 'quota_exceeded', asked: 3 * KIB });
    const grown = await at.sim.environment.complete(at.ask(at.first, 'volume.resize', { sizeBytes: 3 * KIB }, id));
    expect(at.used('project', at.first.projectId, 'volumeBytes')).to.equal(3 * KIB);
    expect((await at.sim.ended(grown.operationId)).state).to.equal('succeeded');
    expect(at.used('project', at.first.projectId, 'volumeBytes')).to.equal(3 * KIB);
  });

  it('are known by name', async () => {
    const unknown = { limits: { horses: 1 } };
    expect(await at.refused(at.first, 'project.setQuota', unknown, at.first.projectId)).to.include({ code: 'invalid_input' });
    expect(await at.refused(at.first, 'project.setQuota', { limits: { projects: 1 } }, at.first.projectId)).to.include({
      code: 'invalid_input',
    });
    expect(await at.refused(at.first, 'project.setQuota', { limits: {} }, at.first.projectId)).to.include({ code: 'invalid_input' });
    expect(await at.refused(at.first, 'quotaRequest.create', unknown)).to.include({ code: 'invalid_input' });
  });

  it('set side by side are all set', async () => {
    const counters = ['volumes', 'volumeBytes', 'instances', 'vcpus', 'memoryBytes', 'networks', 'images'];
    const asked = counters.map((counter, index) =>
      at.ask(at.first, 'project.setQuota', { limits: { [counter]: index } }, at.first.projectId),
    );
    for (const { operationId } of await at.sim.environment.complete(Promise.all(asked)))
      expect((await at.sim.ended(operationId)).state).to.equal('succeeded');
    const all = Object.fromEntries(counters.map((counter, index) => [counter, index]));
    expect((await at.cloud.row(project, at.first.projectId)).limits).to.deep.equal(all);
  });

  it('of a project that is deleted are forgotten', async () => {
    await at.sim.done('project.setQuota', { limits: { volumes: 2, vcpus: 3 } }, at.second.projectId);
    await at.sim.done('project.delete', {}, at.second.projectId);
    expect(at.sim.counters().filter(({ key, limit }) => key.includes(at.second.projectId) && limit !== null)).to.deep.equal([]);
  });

  it('are told for the project and its account', async () => {
    await limitProject({ volumes: 7 });
    await limitAccount({ projects: 4 });
    await at.volume(at.first, 'a');
    const told = async (query: object) => {
      const { items } = (await at.cloud.ask('GET', '/quota', { principal: at.first, query } as never)) as {
        readonly items: readonly Record<string, unknown>[];
      };
      return items;
    };
    const all = await told({});
    const own = { scope: 'project', id: at.first.projectId, name: 'default' };
    expect(all).to.deep.include({ ...own, counter: 'volumes', used: 1, limit: 7 });
    expect(all).to.deep.include({ ...own, counter: 'vcpus', used: 0, limit: null });
    expect(all).to.deep.include({ scope: 'account', id: at.accountId, name: 'acme', counter: 'projects', used: 2, limit: 4 });
    expect(all.some(({ scope, counter }) => scope === 'project' && counter === 'projects')).to.equal(false);
    expect((await told({ project: 'second' })).every(({ name }) => name === 'second')).to.equal(true);
    expect((await told({ account: 'acme' })).every(({ scope }) => scope === 'account')).to.equal(true);
    expect(await codeOf(told({ project: 'nobody' }))).to.equal('not_found');
    expect(await codeOf(told({ project: 'second', account: 'acme' }))).to.equal('invalid_input');
  });

  it('are asked for, and granted for good', async () => {
    await limitProject({ volumes: 1 });
    await at.volume(at.first, 'a');
    const id = await at.done(at.first, 'quotaRequest.create', {
      projectId: at.first.projectId,
      limits: { volumes: 2, vcpus: 8 },
      reason: 'We grow.',
    });
    expect(await at.cloud.row(quotaRequest, id as Id<'quotaRequest'>)).to.include({ state: 'requested', requestedBy: 'system' });
    expect(await at.refused(at.first, 'volume.create', { name: 'b', sizeBytes: KIB })).to.include({ limit: 1 });
    await at.done(at.first, 'quotaRequest.approve', { answer: 'Well.' }, id);
    const row = await at.cloud.row(quotaRequest, id as Id<'quotaRequest'>);
    expect(row).to.deep.include({ state: 'applied', decidedBy: 'system', answer: 'Well.', before: { volumes: 1, vcpus: null } });
    expect((await at.cloud.row(project, at.first.projectId)).limits).to.deep.equal({ volumes: 2, vcpus: 8 });
    await at.volume(at.first, 'b');
    await at.sim.run(4 * DAY_MS);
    expect(await at.refused(at.first, 'quotaRequest.deny', {}, id)).to.include({ code: 'conflict' });
    expect((await at.cloud.row(project, at.first.projectId)).limits).to.deep.equal({ volumes: 2, vcpus: 8 });
  });

  it('are asked for, and denied', async () => {
    const id = await at.done(at.first, 'quotaRequest.create', { limits: { volumes: 2 } });
    await at.done(at.first, 'quotaRequest.deny', { answer: 'No.' }, id);
    expect(await at.cloud.row(quotaRequest, id as Id<'quotaRequest'>)).to.include({ state: 'denied', answer: 'No.' });
    expect(await at.refused(at.first, 'quotaRequest.approve', {}, id)).to.include({ code: 'conflict' });
    expect((await at.cloud.row(account, at.accountId)).limits).to.equal(undefined);
    await at.done(at.first, 'quotaRequest.delete', {}, id);
  });

  describe('granted until a day', () => {
    const inDays = (days: number) => new Date(at.sim.environment.clock.nowMs() + days * DAY_MS).toISOString();
    const grant = async (limits: object, days: number) => {
      const asked = { projectId: at.first.projectId, limits, expiresAt: inDays(days) };
      const id = await at.done(at.first, 'quotaRequest.create', asked);
      await at.done(at.first, 'quotaRequest.approve', {}, id);
      return id as Id<'quotaRequest'>;
    };
    const limits = async () => (await at.cloud.row(project, at.first.projectId)).limits;

    it('go back to what they were, also when the day falls into a time without a server', async () => {
      await limitProject({ volumes: 1 });
      const id = await grant({ volumes: 5, vcpus: 2 }, 2);
      expect(await limits()).to.deep.equal({ volumes: 5, vcpus: 2 });
      await at.sim.run(1.9 * DAY_MS);
      expect(await limits()).to.deep.equal({ volumes: 5, vcpus: 2 });
      at.sim.crash();
      await at.sim.run(DAY_MS);
      await at.sim.start();
      await at.sim.run(120_000);
      expect(await limits()).to.deep.equal({ volumes: 1 });
      expect((await at.cloud.row(quotaRequest, id)).state).to.equal('expired');
    });

    it('leave alone what was set otherwise since', async () => {
      await limitProject({ volumes: 1 });
      await grant({ volumes: 5, vcpus: 2 }, 2);
      await limitProject({ volumes: 6 });
      await at.sim.run(3 * DAY_MS);
      expect(await limits()).to.deep.equal({ volumes: 6 });
    });

    it('one on top of another, go back to what was before both, whichever ends first', async () => {
      for (const [one, other] of [
        [2, 4],
        [4, 2],
      ] as const) {
        await limitProject({ volumes: 1 });
        await grant({ volumes: 5 }, one);
        await grant({ volumes: 8 }, other);
        expect(await limits()).to.deep.equal({ volumes: 8 });
        await at.sim.run(3 * DAY_MS);
        expect(await limits()).to.deep.equal({ volumes: one < other ? 8 : 5 });
        await at.sim.run(2 * DAY_MS);
        expect(await limits()).to.deep.equal({ volumes: 1 });
      }
    });

    it('are not granted when the day is over', async () => {
      const asked = { projectId: at.first.projectId, limits: { volumes: 3 } };
      expect(await at.refused(at.first, 'quotaRequest.create', { ...asked, expiresAt: inDays(-1) })).to.include({ code: 'invalid_input' });
      const id = await at.done(at.first, 'quotaRequest.create', { ...asked, expiresAt: inDays(1) });
      await at.sim.run(2 * DAY_MS);
      expect(await at.refused(at.first, 'quotaRequest.approve', {}, id)).to.include({ code: 'conflict' });
    });
  });
});

describe('200 requests at the edge of a quota', () => {
  it('end in exactly the quota, in two projects of one account, over a faulty store and a crash', async function () {
    this.timeout(300_000);
    for (const seed of [1, 2]) {
      const storeFaults: StoreFaults = {};
      const at = await Tenants.open({ seed, storeFaults });
      await at.sim.done('project.setQuota', { limits: { volumes: 30 } }, at.first.projectId);
      await at.sim.done('account.setQuota', { limits: { volumes: 50 } }, at.accountId);
      Object.assign(storeFaults, { commitFails: 0.1, acknowledgementLost: 0.1 });
      const asked = Array.from({ length: 200 }, (_, index) =>
        at.ask(index % 2 === 0 ? at.first : at.second, 'volume.create', { name: `v${index}`, sizeBytes: KIB }),
      );
      const answers = await at.sim.environment.complete(Promise.allSettled(asked));
      const accepted = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
      for (const answer of answers) if (answer.status === 'rejected') expect(answer.reason).to.include({ code: 'quota_exceeded' });
      expect(accepted).to.have.length(50);
      await at.sim.run(20);
      at.sim.crash();
      for (const { operationId } of accepted) expect((await at.sim.ended(operationId)).state).to.equal('succeeded');
      expect(at.used('account', at.accountId, 'volumes')).to.equal(50);
      expect(at.used('project', at.first.projectId, 'volumes')).to.be.at.most(30);
      expect(at.sim.rows('volume')).to.have.length(50);
      expect(await at.sim.quotaProblems()).to.deep.equal([]);
      at.sim.dispose();
    }
  });
});

describe('quotas of new accounts and projects', () => {
  const config = { quota: { project: { volumes: 2 }, account: { projects: 3, volumes: 4 } } };

  it('are those of the configuration, but for the operator’s own', async () => {
    const at = await Tenants.open({ config });
    const row = await at.cloud.row(account, at.accountId);
    expect(row.limits).to.deep.equal({ projects: 3, volumes: 4 });
    for (const { projectId } of [at.first, at.second])
      expect((await at.cloud.row(project, projectId)).limits).to.deep.equal({ volumes: 2 });
    for (const name of ['a', 'b']) await at.volume(at.first, name);
    expect(await at.refused(at.first, 'volume.create', { name: 'c', sizeBytes: KIB })).to.include({ scope: 'project', limit: 2 });
    const own = await at.sim.done('project.create', { name: 'mine' });
    expect((await at.cloud.row(project, own as Id<'project'>)).limits).to.equal(undefined);
    for (let number = 0; number < 6; number += 1) await at.cloud.volume(KIB);
    at.sim.dispose();
  });

  it('that name no counter keep the cloud from starting', async () => {
    const cloud = new LittleCloud({ config: { quota: { project: { horses: 2 }, account: {} } } });
    expect(String(await cloud.sim.start().catch(String))).to.include('horses');
    cloud.sim.dispose();
  });
});

/** Limits that leave room for the action and for nothing more. */
const atTheEdge = (scenario: Scenario): Scenario => ({
  ...scenario,
  prepare: async (options) => {
    const sim = await scenario.prepare(options);
    const used = new Map(sim.counters().map(({ key, value }) => [key, value]));
    const limits = Object.fromEntries(
      ['instances', 'vcpus', 'memoryBytes', 'volumes', 'volumeBytes'].map((counter) => {
        const now = used.get(quotaKey({ scope: 'project', id: DEFAULT_PROJECT_ID, counter })) ?? 0;
        return [counter, now + (ROOM[scenario.name]?.[counter] ?? 0)];
      }),
    );
    await sim.done('project.setQuota', { limits }, DEFAULT_PROJECT_ID);
    return sim;
  },
});

const GIB = 2 ** 30;
const ROOM: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'volume.create': { volumes: 1, volumeBytes: 8192 },
  'volume.resize': { volumeBytes: 8192 },
  'instance.create': { instances: 1, vcpus: 1, memoryBytes: GIB, volumes: 1, volumeBytes: 4096 },
  'instance.resize': { vcpus: 1, memoryBytes: GIB },
};

describe('at the edge of its quota', () => {
  for (const scenario of scenarios.filter(({ name }) => name in ROOM))
    it(`${scenario.name} ends whole or not at all, and is never refused on its way`, async function () {
      this.timeout(300_000);
      expect(await crashMatrix(atTheEdge(scenario))).to.be.above(1);
    });
});
