import {
  type Accepted,
  isFinished,
  type JsonObject,
  Kernel,
  type KernelServices,
  type Logger,
  type Operation,
  type Plugin,
  type Presets,
  type Principal,
  type Statement,
  type StepPoint,
  type SubmitRequest,
} from '../../src/kernel/index.ts';
import { entriesOf, type JournalEntry, type JournalRow } from '../../src/kernel/operation.ts';
import { SqliteEngine } from '../../src/sqlite/engine.ts';
import { type Incarnation, SimEnvironment, SimulatedStore, type StoreFaults } from '../../testing/index.ts';

export interface SimKernelOptions {
  readonly seed?: string | number;
  readonly plugins: (services: KernelServices) => readonly Plugin[];
  readonly operationsMax?: number;
  readonly runningMax?: number;
  readonly presets?: Presets;
  readonly logger?: Logger;
}

export const PROJECT = '01890000-0000-7000-8000-000000000001' as Principal['projectId'];
const ACCOUNT = '01890000-0000-7000-8000-000000000002' as Principal['accountId'];
export const tester: Principal = { actor: 'tester', projectId: PROJECT, accountId: ACCOUNT, allows: () => true };

export type Asked = Omit<SubmitRequest, 'principal' | 'input'> & { readonly principal?: Principal; readonly input?: unknown };

/** A kernel in virtual time that can be killed, stopped and started again on what was durable. Faults of its store may be changed while it runs. */
export class SimKernel {
  readonly environment: SimEnvironment;
  readonly faults: StoreFaults = {};
  plugins: SimKernelOptions['plugins'];
  around: (<R>(point: StepPoint, body: () => Promise<R>) => Promise<R>) | undefined;
  readonly #options: SimKernelOptions;
  readonly #engine = new SqliteEngine({ path: ':memory:', incarnation: 'simulated' });
  #life:
    | { readonly incarnation: Incarnation; readonly store: SimulatedStore; readonly kernel: Kernel; readonly kill: () => void }
    | undefined;

  constructor(options: SimKernelOptions) {
    this.#options = options;
    this.plugins = options.plugins;
    this.environment = new SimEnvironment(options.seed ?? 'kernel', options.logger === undefined ? {} : { logger: options.logger });
  }

  get kernel(): Kernel {
    if (this.#life === undefined) throw new Error('the kernel is not running');
    return this.#life.kernel;
  }

  #epoch = 0;

  async start(): Promise<this> {
    const incarnation = this.environment.incarnation();
    const store = new SimulatedStore(this.#engine, incarnation, this.faults);
    const { operationsMax, runningMax, presets } = this.#options;
    const kernel = new Kernel({
      environment: incarnation,
      store,
      plugins: this.plugins,
      sealKey: new Uint8Array(32),
      around: (point, body) => (this.around === undefined ? body() : this.around(point, body)),
      ...(operationsMax === undefined ? {} : { operationsMax }),
      ...(runningMax === undefined ? {} : { runningMax }),
      ...(presets === undefined ? {} : { presets }),
    });
    this.#epoch = store.epoch;
    // Killed while it starts, it never does: the time of others does not pass for that.
    const { promise: killed, resolve: kill } = Promise.withResolvers<void>();
    this.#life = { incarnation, store, kernel, kill };
    await this.environment.complete(Promise.race([kernel.start(), killed]));
    return this;
  }

  /** SIGKILL. */
  crash(): void {
    this.#life?.store.kill();
    this.#life?.incarnation.kill();
    this.#life?.kill();
    this.#life = undefined;
  }

  async stop(): Promise<void> {
    await this.environment.complete(this.kernel.stop());
    this.#life = undefined;
  }

  get alive(): boolean {
    return this.#life !== undefined;
  }

  run(forMs: number): Promise<void> {
    return this.environment.run(this.environment.clock.monotonicMs() + forMs);
  }

  /** Not driven: for several at once. */
  ask({ principal = tester, input = {}, ...rest }: Asked): Promise<Accepted> {
    return this.kernel.submit({ principal, input, ...rest });
  }

  submit(asked: Asked): Promise<Accepted> {
    return this.environment.complete(this.ask(asked));
  }

  /** The operation when it has ended. Starts a crashed kernel again. */
  async ended(operationId: string, withinMs = 600_000): Promise<Operation> {
    const untilMs = this.environment.clock.monotonicMs() + withinMs;
    for (;;) {
      if (!this.alive) await this.start();
      const row = this.operation(operationId);
      if (isFinished(row)) return row;
      if (this.environment.clock.monotonicMs() > untilMs) throw new Error(`operation has not ended: ${JSON.stringify(row)}`);
      await this.run(20);
    }
  }

  async done(asked: Asked): Promise<Operation> {
    return this.ended((await this.submit(asked)).operationId);
  }

  operation(id: string): Operation {
    return this.row('operation', id) as unknown as Operation;
  }

  row(table: string, id: string): Record<string, unknown> {
    const text = this.#engine.reader.read(table, id);
    if (text === undefined) throw new Error(`no ${table} ${id}`);
    return JSON.parse(text) as Record<string, unknown>;
  }

  /** As the engine holds them: seen without the kernel, and without time passing. */
  rows(table: string): readonly Record<string, unknown>[] {
    return this.#engine.reader.list({ table }).map((text) => JSON.parse(text) as Record<string, unknown>);
  }

  /** Deleted ones, too. */
  allRows(table: string): readonly Record<string, unknown>[] {
    return this.#engine.reader.list({ table, deleted: true }).map((text) => JSON.parse(text) as Record<string, unknown>);
  }

  journal(operationId: string): readonly JournalEntry[] {
    return entriesOf((this.rows('journal') as unknown as JournalRow[]).filter((row) => row.operationId === operationId));
  }

  counter(key: string): number {
    return this.#engine.reader.counter(key)?.value ?? 0;
  }

  limit(counter: string, limit: number): void {
    this.#apply({ op: 'limit', counter, limit });
  }

  /** Behind the kernel's back. */
  change(table: string, key: string, set: JsonObject): void {
    this.#apply({ op: 'update', table, key, set });
  }

  /** Behind the kernel's back. */
  insert(table: string, row: JsonObject): void {
    this.#apply({ op: 'insert', table, row });
  }

  /** Behind the kernel's back. */
  remove(table: string, key: string): void {
    this.#apply({ op: 'remove', table, key });
  }

  #apply(statement: Statement): void {
    const at = '2030-01-01T00:00:00.000Z';
    const [outcome] = this.#engine.apply([{ node: 'test', epoch: this.#epoch, at, statements: [statement] }]);
    if (outcome === undefined || !('ok' in outcome) || !outcome.ok) throw new Error(`refused: ${JSON.stringify(outcome)}`);
  }
}
