import { expect } from 'chai';
import { type Accepted, isFinished, Kernel, type Operation, type Principal, quotaKey } from '../../src/kernel/index.ts';
import type { JsonObject } from '../../src/kernel/json.ts';
import { entriesOf, type JournalEntry, type JournalRow } from '../../src/kernel/operation.ts';
import type { ListQuery, Store, StoreSchema, Transaction } from '../../src/kernel/store.ts';
import { StoreError } from '../../src/kernel/store-error.ts';
import { SimEnvironment } from '../sim/environment.ts';
import { OutsideStore } from '../sim/outside-store.ts';
import { boxPlugin, FULL_BOXES, LITRES, Shelf, WHOLE } from './saga-store-world.ts';
import type { StoreHarness } from './store-stage.ts';

/** What happens to a commit: the process ends before the store has it, or when it is durable; or it goes on and learns nothing of the outcome. */
export const STRIKES = ['killed before', 'killed after', 'lost', 'left without an answer'] as const;
/** Of the commits of one operation, the first being number 0: which is struck, and how. */
interface Strike {
  readonly at: number;
  readonly how: (typeof STRIKES)[number];
  operationId?: string;
  /** Commits of the operation until now. */
  seen: number;
}

interface Asked {
  readonly action: string;
  readonly input: JsonObject;
  readonly resourceId?: string;
  readonly idempotencyKey: string;
}

const PROJECT = '01890000-0000-7000-8000-000000000001' as Principal['projectId'];
const ACCOUNT = '01890000-0000-7000-8000-000000000002' as Principal['accountId'];
const principal: Principal = { actor: 'suite', projectId: PROJECT, accountId: ACCOUNT, allows: () => true };
const ENDS_WITHIN_MS = 600_000;
/** Long enough for all that is not struck to end. */
const ATTEMPT_MS = 5_000;

/** From a start to its crash. */
interface Life {
  readonly kernel: Kernel;
  readonly killed: Promise<undefined>;
  /** SIGKILL, from the view of whoever waits for something of it. */
  kill(): void;
}

/** A saga engine over boxes on a real store, in virtual time, which stands still while the store is at work. It is killed and started again on what was durable. */
export class SagaStoreStage {
  readonly shelf = new Shelf();
  readonly environment: SimEnvironment;
  readonly #harness: StoreHarness;
  #life: Life | undefined;
  /** Stays for looking at what a killed life has left, and until the next start. */
  #real: Store | undefined;
  readonly #cutOff: { readonly life: Life; readonly real: Store }[] = [];
  #schema: StoreSchema | undefined;
  /** Planned for operations that are still to come. */
  #planned: Strike[] = [];
  readonly #strikes = new Map<string, Strike>();
  #asked = 0;

  constructor(harness: StoreHarness, seed: string) {
    this.#harness = harness;
    this.environment = new SimEnvironment(seed);
  }

  get kernel(): Kernel {
    if (this.#life === undefined) throw new Error('the engine is not running');
    return this.#life.kernel;
  }

  get store(): Store {
    if (this.#real === undefined) throw new Error('the store is not open');
    return this.#real;
  }

  /** Plans each strike at each of so many commits, for as many operations to come. */
  strike(commits: number): readonly Strike[] {
    const all = STRIKES.flatMap((how) => Array.from({ length: commits }, (_, at): Strike => ({ at, how, seen: 0 })));
    this.#planned = [...all];
    return all;
  }

  /** Starts anew on what was durable, which tells one story whatever it was killed at. */
  async start(knows = true): Promise<void> {
    await this.reopen();
    if (this.#schema !== undefined) await this.expectOneStory();
    await this.begin(knows);
  }

  /** Another opening of the store alone; the life before it is killed. */
  async reopen(): Promise<void> {
    const before = this.#real;
    this.kill();
    this.#real = undefined;
    if (before !== undefined) await (this.#harness.crash === undefined ? before.close() : this.#harness.crash());
    this.#real = await this.#harness.open();
    if (this.#schema !== undefined) await this.#real.prepare(this.#schema);
  }

  /** Starts an engine on the store that is open. */
  async begin(knows = true): Promise<void> {
    const { store: real } = this;
    const incarnation = this.environment.incarnation();
    const { promise: killed, resolve } = Promise.withResolvers<undefined>();
    const store = new OutsideStore(real, incarnation);
    const kill = () => {
      store.kill();
      incarnation.kill();
      resolve(undefined);
    };
    const plugins = () => [boxPlugin(this.shelf, knows)];
    const kernel = new Kernel({
      environment: incarnation,
      store: this.#struck(store),
      plugins,
      sealKey: new Uint8Array(32),
      node: `node-${real.epoch}`,
    });
    this.#schema = kernel.registry.schema();
    this.#life = { kernel, killed, kill };
    await this.survive(kernel.start());
  }

  /** A second engine on the same store. The first is not told, and lives on until the end. */
  async takeOver(): Promise<void> {
    if (this.#life === undefined) throw new Error('the engine is not running');
    this.#cutOff.push({ life: this.#life, real: this.store });
    this.#real = await this.#harness.open();
    await this.begin();
  }

  /** SIGKILL: nothing of this life goes on, no `finally` runs. */
  kill(): void {
    this.#planned = [];
    this.#strikes.clear();
    const life = this.#life;
    this.#life = undefined;
    life?.kill();
  }

  async end(): Promise<void> {
    this.kill();
    for (const { life, real } of this.#cutOff) {
      life.kill();
      await real.close();
    }
    await this.#real?.close();
    await this.#harness.close();
  }

  /** Steps until the work of this life has settled; undefined when it was killed meanwhile, after which nothing of it ends. */
  async survive<T>(work: Promise<T>): Promise<T | undefined> {
    return this.#life && this.environment.complete(Promise.race([work, this.#life.killed]), ENDS_WITHIN_MS);
  }

  run(forMs: number): Promise<void> {
    return this.environment.run(this.environment.clock.monotonicMs() + forMs);
  }

  requests(action: string, count: number, of: (n: number) => Pick<Asked, 'input' | 'resourceId'>): readonly Asked[] {
    return Array.from({ length: count }, (_, n) => ({ action, ...of(n), idempotencyKey: `request-${this.#asked++}` }));
  }

  /** Asks for all at once, and lets them come as far as they do: what is struck comes no further. */
  async attempt(requests: readonly Asked[]): Promise<void> {
    const failures: unknown[] = [];
    for (const request of requests) this.kernel.submit({ ...request, principal }).catch((error: unknown) => failures.push(error));
    await this.run(ATTEMPT_MS);
    expect(failures).to.deep.equal([]);
  }

  /** As clients do: the same request again, until it is answered. */
  async answers(requests: readonly Asked[]): Promise<readonly Accepted[]> {
    return (await this.survive(Promise.all(requests.map((request) => this.kernel.submit({ ...request, principal }))))) ?? [];
  }

  async ask(action: string, input: JsonObject, resourceId?: string): Promise<Accepted> {
    const of = () => ({ input, ...(resourceId === undefined ? {} : { resourceId }) });
    const [answer] = await this.answers(this.requests(action, 1, of));
    if (answer === undefined) expect.fail(`${action} was not answered`);
    return answer;
  }

  make(name: string, litres = 1): Promise<Accepted> {
    return this.ask('box.create', { name, litres });
  }

  async made(name: string): Promise<string> {
    const { operationId, resourceId } = await this.make(name);
    expect(await this.ended(operationId)).to.include({ state: 'succeeded' });
    return resourceId;
  }

  /** @throws where only another life would end it */
  async endedInThisLife(operationId: string): Promise<void> {
    const { kernel } = this;
    await this.ended(operationId);
    expect(this.kernel).to.equal(kernel);
  }

  /** The operation when it has ended. Starts a killed engine again as often as it takes. */
  ended(operationId: string): Promise<Operation> {
    return this.until(operationId, isFinished);
  }

  async until(operationId: string, met: (row: Operation) => boolean): Promise<Operation> {
    const untilMs = this.environment.clock.monotonicMs() + ENDS_WITHIN_MS;
    for (;;) {
      if (this.#life === undefined) await this.start();
      const row = await this.operation(operationId);
      if (met(row)) return row;
      if (this.environment.clock.monotonicMs() > untilMs) expect.fail(`it has not come to that: ${JSON.stringify(row)}`);
      await this.run(20);
    }
  }

  async operation(id: string): Promise<Operation> {
    return (await this.row('operation', id)) as unknown as Operation;
  }

  async row(table: string, id: string): Promise<Record<string, unknown>> {
    const text = await this.store.read(table, id);
    if (text === undefined) expect.fail(`no ${table} ${id}`);
    return JSON.parse(text) as Record<string, unknown>;
  }

  async rows(table: string): Promise<readonly Record<string, unknown>[]> {
    return (await this.store.list({ table, deleted: true })).map((text) => JSON.parse(text) as Record<string, unknown>);
  }

  async journal(operationId: string): Promise<readonly JournalEntry[]> {
    return entriesOf(await this.#journalRows({ where: { field: 'operationId', op: '=', value: operationId } }));
  }

  async #journalRows(only: Pick<ListQuery, 'where'> = {}): Promise<readonly JournalRow[]> {
    const texts = await this.store.list({ table: 'journal', ...only, order: [{ field: 'number' }] });
    return texts.map((text) => JSON.parse(text) as JournalRow);
  }

  async counter(key: string): Promise<number> {
    return (await this.store.counter(key))?.value ?? 0;
  }

  /** Whatever was struck, and whenever one looks: the journal, rows, counters, notices and debts say the same. */
  async expectOneStory(): Promise<void> {
    const [operations, boxes, debts] = [await this.rows('operation'), await this.rows('box'), await this.rows('debt')];
    const journals = Map.groupBy(await this.#journalRows(), ({ operationId }) => operationId);
    const filled: string[] = [];
    const owed: string[] = [];
    for (const row of operations) {
      const id = String(row.id);
      const journal = entriesOf(journals.get(id) ?? []);
      expect(journal[0]?.type, `the first entry of ${id}`).to.equal('accepted');
      const ends = journal.flatMap((entry) => (entry.type === 'ended' ? [entry.state] : []));
      expect(ends, `ends of ${id}`).to.deep.equal(isFinished(row as unknown as Operation) ? [row.state] : []);
      for (const type of ['done', 'undone'] as const) {
        const paths = journal.flatMap((entry) => (entry.type === type ? [entry.path] : []));
        expect(paths, `${type} of ${id}`).to.deep.equal([...new Set(paths)]);
      }
      if (says(journal, 'done', 'full')) filled.push(id);
      if (this.shelf.owesLids && says(journal, 'undone', 'lid')) owed.push(id);
    }
    const full = boxes.filter(({ state }) => state === 'full').length;
    const live = boxes.filter(({ state }) => state !== 'deleted');
    const litres = live.reduce((sum, row) => sum + Number(row.litres), 0);
    expect(await this.counter(FULL_BOXES), 'full boxes').to.equal(full);
    expect(await this.counter(LITRES), 'litres').to.equal(litres);
    expect(await this.counter(quotaKey({ scope: 'project', id: String(PROJECT), counter: 'boxes' })), 'quota').to.equal(live.length);
    const waiting = (await this.rows('outbox')).map(({ subject }) => (subject as { readonly operationId: string }).operationId);
    expect([...new Set([...waiting, ...this.shelf.told])].sort(), 'notices').to.deep.equal(filled.sort());
    expect(debts.map(({ operationId }) => operationId).sort(), 'debts').to.deep.equal(owed.sort());
  }

  /** What is on the shelf is what belongs to the boxes that there are, once nothing is at work. */
  async expectNothingLeft(): Promise<void> {
    await this.expectOneStory();
    const full = (await this.rows('box')).filter(({ state }) => state !== 'deleted');
    const whole = full.map(({ id }) => [id, WHOLE] as const);
    const there = [...this.shelf.things].map(([id, things]) => [id, [...things].sort()] as const);
    expect(new Map(there)).to.deep.equal(new Map(whole));
  }

  /** The store, with the strikes that are planned. */
  #struck(store: Store): Store {
    const commit = async (transaction: Transaction) => {
      const how = this.#due(transaction);
      if (how === undefined) return store.commit(transaction);
      if (how === 'killed after' || how === 'left without an answer') await store.commit(transaction);
      if (how.startsWith('killed')) return new Promise<never>(() => undefined);
      throw new StoreError('struck by the suite', 'unknown');
    };
    const get = (_: Store, name: string | symbol): unknown => {
      const own: unknown = name === 'commit' ? commit : Reflect.get(store, name, store);
      return typeof own === 'function' ? own.bind(store) : own;
    };
    return new Proxy(store, { get });
  }

  #due(transaction: Transaction): Strike['how'] | undefined {
    const id = operationOf(transaction);
    const strike = id === undefined ? undefined : (this.#strikes.get(id) ?? this.#planned.shift());
    if (id === undefined || strike === undefined) return undefined;
    this.#strikes.set(id, strike);
    strike.operationId = id;
    const number = strike.seen;
    strike.seen += 1;
    // For this operation the process has ended: what it would still send is not sent.
    if (strike.how.startsWith('killed') && number > strike.at) return 'killed before';
    return number === strike.at ? strike.how : undefined;
  }
}

/** The operation whose journal or row it writes. */
function operationOf({ statements }: Transaction): string | undefined {
  for (const statement of statements) {
    if (statement.op === 'insert' && statement.table === 'journal') return String(statement.row.operationId);
    if (statement.op === 'update' && statement.table === 'operation') return statement.key;
  }
  return undefined;
}

export const says = (journal: readonly JournalEntry[], type: 'done' | 'undone', path: string): boolean =>
  journal.some((entry) => entry.type === type && entry.path === path);
