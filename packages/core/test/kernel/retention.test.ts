import { expect } from 'chai';
import { Type } from 'typebox';
import {
  Api,
  type ApiResponse,
  create,
  debt,
  defineAction,
  defineDeletion,
  defineKind,
  FORWARD_ONLY,
  type Id,
  Kernel,
  NOTHING_TO_UNDO,
  onContribution,
  type Plugin,
  type Presets,
  ref,
  resourceName,
  rowsNeeded,
  saga,
  transition,
} from '../../src/kernel/index.ts';
import { inlineSqlite } from '../../src/sqlite/index.ts';
import { SimEnvironment } from '../../testing/index.ts';
import { SimKernel, tester } from './sim-kernel.ts';

const HOUR_MS = 3600_000;
const DAY_MS = 24 * HOUR_MS;

const STATES = { ready: ['deleting', 'deleted'], deleting: ['deleted'] } as const;
const box = defineKind({
  name: 'box',
  plural: 'boxes',
  description: 'Holds items.',
  scope: 'project',
  schema: Type.Object({}),
  states: STATES,
  initial: 'ready',
});
const item = defineKind({
  name: 'item',
  plural: 'items',
  description: 'Lies in a box.',
  scope: 'project',
  schema: Type.Object({ boxId: ref('box', 'restrict') }),
  states: STATES,
  initial: 'ready',
});

const deletionOf = (kind: typeof box | typeof item, owed: () => boolean) =>
  defineDeletion({
    kind,
    from: ['ready'],
    remove: saga<null, { readonly id: string }>(`${kind.name}.remove`, 1)
      .effect('real', {
        do: ({ params, owe }) => {
          if (owed()) owe({ task: 'clean', place: 'far-away', target: { id: params.id } });
        },
        undo: FORWARD_ONLY,
      })
      .write('deleted', {
        do: ({ params }) => [transition(kind, params.id as never, { from: 'deleting', to: 'deleted' })],
        undo: FORWARD_ONLY,
      })
      .build(),
    context: () => null,
    params: (row) => ({ id: row.id }),
  });

/** Boxes and items, some of which something still goes by. */
class Stage {
  readonly needed = new Set<string>();
  owing = false;
  paid: string[] = [];
  readonly sim: SimKernel;

  constructor(presets: Presets = {}, seed = 1) {
    this.sim = new SimKernel({ seed, plugins: () => [this.#plugin()], presets });
  }

  static async open(presets: Presets = {}, seed = 1): Promise<Stage> {
    const stage = new Stage(presets, seed);
    await stage.sim.start();
    return stage;
  }

  async make(action: 'box.create' | 'item.create', input: object): Promise<string> {
    return (await this.sim.done({ action, input })).resourceId;
  }

  async remove(kind: 'box' | 'item', id: string): Promise<void> {
    expect(await this.sim.done({ action: `${kind}.delete`, resourceId: id })).to.include({ state: 'succeeded' });
  }

  #plugin(): Plugin {
    const named = Type.Object({ name: resourceName() });
    return {
      id: 'boxes',
      version: '1',
      kinds: [box, item],
      actions: [
        defineAction({
          kind: box,
          verb: 'create',
          description: 'Makes a box.',
          target: 'collection',
          input: named,
          accept: ({ id, input, projectId }) => ({ params: null, statements: [create(box, { id, projectId, name: input.name })] }),
          saga: saga<null, null>('box.create', 1)
            .effect('look', { do: () => undefined, undo: NOTHING_TO_UNDO })
            .build(),
          context: () => null,
        }),
        defineAction({
          kind: item,
          verb: 'create',
          description: 'Makes an item.',
          target: 'collection',
          input: Type.Object({ name: resourceName(), boxId: Type.String() }),
          accept: ({ id, input, projectId }) => ({
            params: null,
            statements: [create(item, { id, projectId, name: input.name, boxId: input.boxId as Id<'box'> })],
          }),
          saga: saga<null, null>('item.create', 1).build(),
          context: () => null,
        }),
      ],
      deletions: [deletionOf(box, () => false), deletionOf(item, () => this.owing)],
      debts: [{ task: 'clean', pay: async ({ id }) => void this.paid.push(String(id)) }],
      hooks: [onContribution(rowsNeeded, ({ ids }) => ids.filter((id) => this.needed.has(id)))],
    };
  }
}

const there = (sim: SimKernel, table: string) => sim.allRows(table).map((row) => row.id);

describe('retention: operations', () => {
  it('go with their journals after 30 days; what has not ended or has ended since stays', async () => {
    const stage = await Stage.open();
    const { sim } = stage;
    for (let index = 0; index < 150; index += 1) await stage.make('box.create', { name: `b${index}` });
    const parked = sim.rows('operation')[70] as { id: string };
    sim.change('operation', parked.id, { state: 'parked' });
    await sim.run(29.9 * DAY_MS);
    expect(sim.rows('operation')).to.have.length(150);
    await stage.make('box.create', { name: 'late' });
    const late = sim.rows('operation').at(-1) as { id: string };
    await sim.run(2 * HOUR_MS + 0.1 * DAY_MS);
    expect(there(sim, 'operation')).to.deep.equal([parked.id, late.id]);
    expect(new Set(sim.rows('journal').map((entry) => entry.operationId))).to.deep.equal(new Set([parked.id, late.id]));
    expect(sim.rows('box')).to.have.length(151);
    expect(sim.rows('audit')).to.have.length(151);
  });

  it('that another has asked for stay until that one has ended', async () => {
    const { sim } = await Stage.open().then(async (stage) => {
      for (const name of ['asking', 'part']) await stage.make('box.create', { name });
      return stage;
    });
    const [asking, part] = sim.rows('operation') as { id: string }[];
    sim.change('operation', asking?.id ?? '', { state: 'parked' });
    sim.change('operation', part?.id ?? '', { causeId: asking?.id ?? '' });
    await sim.run(40 * DAY_MS);
    expect(there(sim, 'operation')).to.have.members([asking?.id, part?.id]);
    sim.change('operation', asking?.id ?? '', { state: 'succeeded' });
    await sim.run(40 * DAY_MS);
    expect(there(sim, 'operation')).to.deep.equal([]);
  });

  it('are told of as deleted, and the change feed goes on from any cursor that it keeps', async () => {
    const stage = await Stage.open();
    const { sim } = stage;
    const api = new Api(sim.kernel, { feedRevisionsMax: 1000 });
    await sim.environment.complete(api.start());
    const ask = (method: string, url: string): Promise<ApiResponse> =>
      sim.environment.complete(
        api.handle({
          method,
          url,
          headers: {},
          principal: tester,
          requestId: 'r',
          signal: new AbortController().signal,
          acceptsSocket: false,
        }),
      );
    const id = await stage.make('box.create', { name: 'one' });
    const { next } = JSON.parse(String((await ask('GET', '/v1/changes')).body));
    await stage.remove('box', id);
    expect((await ask('GET', `/v1/boxes/${id}?deleted=true`)).status).to.equal(200);
    expect((await ask('DELETE', `/v1/boxes/${id}`)).status).to.equal(202);
    await sim.run(32 * DAY_MS);
    expect((await ask('GET', `/v1/boxes/${id}?deleted=true`)).status).to.equal(404);
    expect((await ask('DELETE', `/v1/boxes/${id}`)).status).to.equal(404);
    const { items } = JSON.parse(String((await ask('GET', `/v1/changes?after=${next}&limit=1000`)).body));
    const seen = items.map(({ type, kind }: { type: string; kind: string }) => `${kind} ${type}`);
    expect(seen.filter((line: string) => line.startsWith('box'))).to.deep.equal(['box updated', 'box deleted']);
    expect(seen.filter((line: string) => line === 'operation deleted')).to.have.length(3);
    await sim.environment.complete(sim.kernel.services.store.trimChanges(Number(next.split('.')[0]) + 1));
    expect((await ask('GET', `/v1/changes?after=${next}`)).status).to.equal(410);
    api.stop();
  });

  it('are kept for as long as a repeated request is answered from them', () => {
    const make = (days: number) =>
      new Kernel({
        environment: new SimEnvironment(1).incarnation(),
        store: inlineSqlite(),
        plugins: () => [],
        sealKey: new Uint8Array(32),
        presets: { 'retention.operationDays': days },
      });
    expect(() => make(0.9)).to.throw('retention.operationDays of plugin kernel has a wrong value: The field /value must be at least 1');
    make(1);
  });
});

describe('retention: deleted rows', () => {
  it('go after 30 days, what refers before what it refers to; what lives stays', async () => {
    const stage = await Stage.open();
    const { sim } = stage;
    const [full, empty, kept] = [
      await stage.make('box.create', { name: 'full' }),
      await stage.make('box.create', { name: 'empty' }),
      await stage.make('box.create', { name: 'kept' }),
    ];
    const inside = await stage.make('item.create', { name: 'inside', boxId: full });
    await stage.remove('item', inside);
    await stage.remove('box', full);
    await sim.run(10 * DAY_MS);
    await stage.remove('box', empty);
    await sim.run(19 * DAY_MS);
    expect([there(sim, 'box'), there(sim, 'item')]).to.deep.equal([[full, empty, kept], [inside]]);
    await sim.run(1.1 * DAY_MS);
    expect([there(sim, 'box'), there(sim, 'item')]).to.deep.equal([[empty, kept], []]);
    await sim.run(10 * DAY_MS);
    expect(there(sim, 'box')).to.deep.equal([kept]);
  });

  it('stay while a module needs them, an operation on them is kept, or a row that stays refers to them', async () => {
    const stage = await Stage.open();
    const { sim } = stage;
    const boxes = [await stage.make('box.create', { name: 'one' }), await stage.make('box.create', { name: 'two' })] as const;
    const items = [
      await stage.make('item.create', { name: 'one', boxId: boxes[0] }),
      await stage.make('item.create', { name: 'two', boxId: boxes[1] }),
    ] as const;
    for (const id of items) await stage.remove('item', id);
    for (const id of boxes) await stage.remove('box', id);
    stage.needed.add(items[0]);
    await sim.run(20 * DAY_MS);
    // Deleting what is deleted succeeds, and is an operation of its own.
    await stage.remove('item', items[1]);
    await sim.run(11 * DAY_MS);
    expect([there(sim, 'item'), there(sim, 'box')]).to.deep.equal([items, boxes]);
    stage.needed.clear();
    await sim.run(2 * HOUR_MS);
    expect([there(sim, 'item'), there(sim, 'box')]).to.deep.equal([[items[1]], [boxes[1]]]);
    await sim.run(20 * DAY_MS);
    expect([there(sim, 'item'), there(sim, 'box')]).to.deep.equal([[], []]);
  });

  it('stay while a debt names them, and as long again after it was paid', async () => {
    const stage = await Stage.open();
    const { sim } = stage;
    const boxId = await stage.make('box.create', { name: 'one' });
    const id = await stage.make('item.create', { name: 'one', boxId });
    stage.owing = true;
    await stage.remove('item', id);
    await stage.remove('box', boxId);
    await sim.run(100 * DAY_MS);
    expect([there(sim, 'item'), there(sim, 'box')]).to.deep.equal([[id], [boxId]]);
    const [owed] = sim.rows('debt') as [{ operationId: string }];
    expect(there(sim, 'operation')).to.deep.equal([owed.operationId]);
    await sim.environment.complete(sim.kernel.payDebts('far-away', new AbortController().signal));
    expect(stage.paid).to.deep.equal([id]);
    await sim.run(29 * DAY_MS);
    expect(there(sim, 'item')).to.deep.equal([id]);
    await sim.run(2 * DAY_MS);
    expect([there(sim, debt.name), there(sim, 'item'), there(sim, 'box'), there(sim, 'operation')]).to.deep.equal([[], [], [], []]);
  });

  it('stay while a restore waits to be confirmed', async () => {
    const stage = await Stage.open({ 'retention.operationDays': 1, 'retention.deletedDays': 1 });
    const { sim } = stage;
    const id = await stage.make('box.create', { name: 'one' });
    await stage.remove('box', id);
    sim.insert('setting', { name: 'incarnation.confirmed', value: 'another' });
    await sim.run(10 * DAY_MS);
    expect(there(sim, 'box')).to.deep.equal([id]);
    await sim.environment.complete(sim.kernel.confirmRecovery());
    await sim.run(2 * HOUR_MS);
    expect(there(sim, 'box')).to.deep.equal([]);
  });
});

describe('retention: the audit', () => {
  it('goes from its oldest end only, and only where that is asked for', async () => {
    const stage = await Stage.open({ 'retention.auditDays': 3 });
    const { sim } = stage;
    for (let index = 0; index < 220; index += 1) await stage.make('box.create', { name: `b${index}` });
    const before = sim.rows('audit');
    sim.change('audit', String(before[150]?.id), { at: '2900-01-01T00:00:00.000Z' });
    await sim.run(2.9 * DAY_MS);
    expect(sim.rows('audit')).to.have.length(220);
    await sim.run(0.2 * DAY_MS);
    expect(sim.rows('audit').map((row) => row.id)).to.deep.equal(before.slice(150).map((row) => row.id));
  });
});

describe('retention: the sweep', () => {
  it('goes in small batches with pauses, and leaves nothing half removed when the process is killed', async () => {
    for (const seed of [1, 2, 3]) {
      const stage = await Stage.open({ 'retention.operationDays': 1, 'retention.deletedDays': 1 }, seed);
      const { sim } = stage;
      for (let index = 0; index < 60; index += 1) {
        const id = await stage.make('box.create', { name: `b${index}` });
        await stage.remove('box', id);
      }
      Object.assign(sim.faults, { commitFails: 0.1, acknowledgementLost: 0.1 });
      await sim.run(DAY_MS);
      const { store } = sim.kernel.services;
      const sizes: number[] = [];
      const commit = store.commit.bind(store);
      store.commit = (transaction) => {
        sizes.push(transaction.statements.length);
        return commit(transaction);
      };
      // The first sweep finds them too young; of the second, only the first batches are awaited.
      while (sim.rows('operation').length === 120) await sim.run(100);
      expect(Math.max(...sizes)).to.be.at.most(102);
      sim.crash();
      const known = new Set(there(sim, 'operation'));
      expect(sim.rows('journal').filter((entry) => !known.has(entry.operationId))).to.deep.equal([]);
      await sim.start();
      await sim.run(3 * HOUR_MS);
      expect([sim.rows('operation'), sim.rows('journal'), sim.allRows('box')]).to.deep.equal([[], [], []]);
    }
  });
});
