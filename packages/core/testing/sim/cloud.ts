import { type CloudConfig, cloud, type PostUrl, systemPrincipal } from '../../src/cloud/index.ts';
import type { FetchUrl, OpenFile } from '../../src/cloud/storage/image-store.ts';
import {
  type Accepted,
  type Change,
  type Counter,
  type Endpoint,
  isFinished,
  type Json,
  Kernel,
  type Operation,
  type PluginSource,
  type Presets,
  type StepPoint,
  timestamp,
  type Uploaded,
  type UploadRequest,
} from '../../src/kernel/index.ts';
import { SqliteEngine } from '../../src/sqlite/engine.ts';
import { SimAgents } from './agents.ts';
import { canonical } from './canonical.ts';
import { giveBack, takeEngine } from './engines.ts';
import { type Incarnation, SimEnvironment } from './environment.ts';
import { SimImageStore } from './image-store.ts';
import { OutsideStore, type SimBackend } from './outside-store.ts';
import { type SimulatedOptions, simulated } from './plugin.ts';
import { quotaProblems } from './recount.ts';
import { SimulatedStore, type StoreFaults } from './store.ts';
import { SimWorld, type WorldOptions } from './world.ts';

export interface SimCloudOptions {
  readonly seed: string | number;
  readonly world?: WorldOptions;
  readonly storeFaults?: StoreFaults;
  /** Default: an embedded store in memory, which goes wrong as `storeFaults` say. */
  readonly backend?: SimBackend;
  readonly config?: Partial<CloudConfig>;
  /** What settings are where nothing is set. */
  readonly presets?: Presets;
  readonly without?: SimulatedOptions['without'];
  readonly plugins?: readonly PluginSource[];
  /** What plugins have made in a world of their own, as a value of JSON: part of what `residue` compares. */
  readonly outside?: () => Json;
  readonly fetchUrl?: FetchUrl;
  readonly openFile?: OpenFile;
  /** What the outside answers to events. */
  readonly postUrl?: PostUrl;
  /** Sagas at work at once. */
  readonly runningMax?: number;
  readonly onTrace?: (line: string) => void;
}

/** Called around each step of each saga: where tests look, fail and crash. */
export type Around = <R>(point: StepPoint, body: () => Promise<R>, sim: SimCloud) => Promise<R>;

async function* nothing(): AsyncGenerator<Uint8Array> {}

const RESTORED = 'restored';

/** From a start to its crash. */
interface Life {
  readonly incarnation: Incarnation;
  readonly store: SimulatedStore | OutsideStore;
  readonly kernel: Kernel;
  /** Resolves with the crash. */
  readonly killed: Promise<undefined>;
  readonly kill: () => void;
}

/** A whole control plane over a simulated world in virtual time. It can be killed at any instant and started again on what was durable. */
export class SimCloud {
  readonly environment: SimEnvironment;
  readonly world: SimWorld;
  readonly imageStore: SimImageStore;
  readonly agents = new SimAgents();
  around: Around | undefined;
  readonly #options: SimCloudOptions;
  /** Undefined once disposed. */
  #held: SqliteEngine | undefined;
  #life: Life | undefined;

  constructor(options: SimCloudOptions) {
    this.#options = options;
    this.environment = new SimEnvironment(options.seed, options.onTrace === undefined ? {} : { onTrace: options.onTrace });
    this.imageStore = new SimImageStore(this.environment);
    this.world = new SimWorld(this.environment, options.world);
    this.#held = takeEngine();
  }

  get #engine(): SqliteEngine {
    if (this.#held === undefined) throw new Error('the cloud has been disposed of');
    return this.#held;
  }

  /** The store, seen without the kernel, and without time passing. */
  get #witness(): SimBackend['witness'] {
    const { reader } = this.#engine;
    return (
      this.#options.backend?.witness ?? {
        read: async (table, key) => reader.read(table, key),
        list: async (query) => reader.list(query),
        counters: async (prefix) => reader.counters(prefix),
      }
    );
  }

  get kernel(): Kernel {
    if (this.#life === undefined) throw new Error('the control plane is not running');
    return this.#life.kernel;
  }

  get alive(): boolean {
    return this.#life !== undefined;
  }

  async start(): Promise<void> {
    const incarnation = this.environment.incarnation();
    const { postUrl } = this.#options;
    const { agents } = this;
    const store = await this.#open(incarnation);
    const drivers = simulated({ world: this.world, environment: incarnation, without: this.#options.without ?? [] });
    const kernel = new Kernel({
      environment: incarnation,
      store,
      plugins: cloud({
        cloudId: 'simulated-cloud',
        imageStore: this.imageStore,
        plugins: [drivers, ...(this.#options.plugins ?? [])],
        config: this.#options.config ?? {},
        ...(this.#options.fetchUrl === undefined ? {} : { fetchUrl: this.#options.fetchUrl }),
        ...(this.#options.openFile === undefined ? {} : { openFile: this.#options.openFile }),
        agentLink: {
          callbackUrl: agents.callbackUrl,
          ask: (agent, request) => incarnation.port(() => agents.ask(agent, request)),
        },
        ...(postUrl === undefined ? {} : { postUrl: (post) => incarnation.port(() => postUrl(post)) }),
      }),
      sealKey: new Uint8Array(32),
      presets: this.#options.presets ?? {},
      ...(this.#options.runningMax === undefined ? {} : { runningMax: this.#options.runningMax }),
      around: (point, body) => (this.around === undefined ? body() : this.around(point, body, this)),
    });
    const { promise: killed, resolve: kill } = Promise.withResolvers<undefined>();
    this.#life = { incarnation, store, kernel, killed, kill: () => kill(undefined) };
    await this.survive(kernel.start());
  }

  /** Steps until the work of this life has settled; undefined when it was killed meanwhile, after which nothing of it ends. */
  async survive<T>(work: Promise<T>): Promise<T | undefined> {
    return this.#life && this.environment.complete(Promise.race([work, this.#life.killed]));
  }

  async #open(incarnation: Incarnation): Promise<SimulatedStore | OutsideStore> {
    const { backend, storeFaults = {} } = this.#options;
    return backend === undefined
      ? new SimulatedStore(this.#engine, incarnation, storeFaults)
      : new OutsideStore(await backend.open(), incarnation);
  }

  /** SIGKILL: nothing of this life goes on, no `finally` runs. */
  crash(): void {
    const life = this.#life;
    this.#life = undefined;
    life?.store.kill();
    life?.incarnation.kill();
    life?.kill();
  }

  /** Writes what is durable now into a new file, as an online backup does. */
  backup(path: string): void {
    this.#engine.reader.vacuumInto(path);
  }

  /** SIGKILL, and a start on a backup as another incarnation, while the world is what has become of it. The file is in use until `dispose`. */
  async restore(path: string): Promise<void> {
    this.crash();
    this.#engine.close();
    const copy = new SqliteEngine({ path, incarnation: RESTORED });
    copy.reincarnate(RESTORED);
    // Reopened, it knows its new name.
    copy.close();
    this.#held = new SqliteEngine({ path, incarnation: RESTORED });
    await this.start();
  }

  /** The end of it. A store in memory is memory that no garbage collector sees. */
  dispose(): void {
    const engine = this.#held;
    if (engine === undefined) return;
    this.crash();
    this.#held = undefined;
    // Plugins bring tables of their own, and a file is this history's.
    if (engine.path === ':memory:' && this.#options.plugins === undefined) giveBack(engine);
    else engine.close();
  }

  /** Lets virtual time pass. */
  run(forMs: number): Promise<void> {
    return this.environment.run(this.environment.clock.monotonicMs() + forMs);
  }

  readonly principal = systemPrincipal();

  submit(action: string, input: unknown, resourceId?: string): Promise<Accepted> {
    return this.environment.complete(
      this.kernel.submit({ action, input, principal: this.principal, ...(resourceId === undefined ? {} : { resourceId }) }),
    );
  }

  /** Asks an endpoint as the API does when it knows who asks and has checked what was sent. Time is not moved. */
  async call(method: Endpoint['method'], path: string, request: Partial<UploadRequest> = {}): Promise<unknown> {
    const endpoint = this.kernel.registry.endpoints().find((entry) => entry.method === method && entry.path === path);
    if (endpoint === undefined) throw new Error(`no endpoint ${method} ${path}`);
    const asked = { principal: this.principal, params: {}, query: {}, body: {}, headers: {}, signal: new AbortController().signal };
    const begin: UploadRequest['begin'] = async (statements = []) => {
      if (statements.length > 0) await this.kernel.observe(statements);
    };
    const change = { at: timestamp(this.environment.clock), again: false, rehearses: false, begin, bytes: nothing() };
    const answer = await endpoint.handle({ ...asked, ...change, ...request });
    return endpoint.type === 'upload' ? (answer as Uploaded).answer : answer;
  }

  /** The operation, ended; starts a crashed control plane again as often as it takes. */
  async ended(operationId: string, withinMs = 3600_000): Promise<Operation> {
    const untilMs = this.environment.clock.monotonicMs() + withinMs;
    for (;;) {
      if (!this.alive) await this.start();
      const text = await this.#witness.read('operation', operationId);
      const row = text === undefined ? undefined : (JSON.parse(text) as Operation);
      if (row !== undefined && isFinished(row)) return row;
      if (this.environment.clock.monotonicMs() > untilMs) throw new Error(`operation ${operationId} has not ended: ${text}`);
      await this.run(50);
    }
  }

  /** Submits and waits for success. Answers the id of the resource. */
  async done(action: string, input: unknown, resourceId?: string): Promise<string> {
    const accepted = await this.submit(action, input, resourceId);
    const row = await this.ended(accepted.operationId);
    if (row.state !== 'succeeded') throw new Error(`${action} ${row.state}: ${JSON.stringify(row.error)}`);
    return accepted.resourceId;
  }

  /** The live rows of a table as the embedded store holds them: seen without the kernel, and without time passing. */
  rows(table: string): readonly Readonly<Record<string, unknown>>[] {
    return this.#engine.reader.list({ table }).map((text) => JSON.parse(text) as Record<string, unknown>);
  }

  row(table: string, id: string): Readonly<Record<string, unknown>> | undefined {
    const text = this.#engine.reader.read(table, id);
    return text === undefined ? undefined : (JSON.parse(text) as Record<string, unknown>);
  }

  /** What has changed after a revision, in order: seen as rows are. */
  changes(after: number, limit: number): readonly Change[] {
    return this.#engine.reader.changes(after, limit);
  }

  counter(key: string): Counter | undefined {
    return this.#engine.reader.counter(key);
  }

  counters(): readonly Counter[] {
    return this.#engine.reader.counters('');
  }

  /** Where the use of quotas is not what the rows count for. Seen without time passing. */
  async quotaProblems(): Promise<readonly string[]> {
    const kinds = this.kernel.registry.kinds();
    const read = kinds.map(async ({ name }) => [name, await this.#witness.list({ table: name })] as const);
    const rows = new Map((await Promise.all(read)).map(([name, texts]) => [name, texts.map((text) => JSON.parse(text))]));
    return quotaProblems({ kinds, rows: (kind) => rows.get(kind) ?? [], counters: await this.#witness.counters('quota/') });
  }

  /**
   * The world as a crash matrix compares it: all live rows but those of operations, all counters, and everything that the backends list. Ids are replaced by
   * names, values drawn by chance and stamps are left out, so that two runs of one history with different faults compare.
   */
  async residue(): Promise<string> {
    const tables = this.kernel.registry.kinds().filter((kind) => kind.name !== 'operation');
    // At once: a real store answers what comes together together.
    const lists = await Promise.all(
      tables.map(async ({ name: table }) => (await this.#witness.list({ table })).map((text) => ({ table, row: JSON.parse(text) as Row }))),
    );
    const rows = lists.flat();
    const names = new Map(rows.map(({ table, row }) => [String(row.id), `<${table}:${withoutHex(String(row.name))}>`]));
    const counters = (await this.#witness.counters('')).filter((counter) => counter.value !== 0 || counter.limit !== null);
    // That a fabric is in use is known with the first look at it, whenever that is.
    const isNews = ({ table, row }: (typeof rows)[number]) => table !== 'fabric' || row.state !== 'ready';
    const live = rows.filter(isNews).map(({ table, row }) => ({
      table,
      ...Object.fromEntries(Object.entries(row).filter(([field]) => !STAMPS.has(field))),
    }));
    const text = canonical({
      live,
      counters,
      world: withoutCaches(JSON.parse(this.world.snapshot()) as WorldView, names),
      violations: this.world.violations,
      outside: this.#options.outside?.() ?? null,
    });
    const renamed = text
      .replaceAll(UUID, (id) => names.get(id) ?? '<id>')
      .replaceAll(MAC, '<mac>')
      .replaceAll(HEX_NAME, '$1$2-*$1');
    return sorted(renamed);
  }
}

type Row = Readonly<Record<string, unknown>>;

interface WorldView {
  readonly stored: readonly { readonly kind: string; readonly id: string }[];
}

/** A pool's copy of an image that lives is a cache: having it or not is the same. One whose image is gone is residue. */
const withoutCaches = (world: WorldView, live: ReadonlyMap<string, string>): WorldView => ({
  ...world,
  stored: world.stored.filter((thing) => thing.kind !== 'image' || !live.has(thing.id)),
});

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const MAC = /([0-9a-f]{2}:){5}[0-9a-f]{2}/g;
/** Also in texts of JSON, as they are kept with machines. */
const HEX_NAME = /(\\?")([a-z-]+)-[0-9a-f]{8,12}\1/g;
/** And what a backup has put anew: what a try that was interrupted has put is not new any more. */
const STAMPS = new Set([
  'takenAt',
  'backedUpAt',
  'checkedAt',
  'nextRunAt',
  'lastRunAt',
  'recoveryPointAt',
  'newBytes',
  'generation',
  'observedGeneration',
  'createdAt',
  'updatedAt',
  'revision',
  'stateReason',
  'freeBytes',
  // When a volume was last elsewhere; also after a move that was unwound.
  'leftPools',
  'pastPools',
  // When a pool could not be had: what has happened to it stays its past.
  'outages',
]);
const withoutHex = (name: string): string => name.replaceAll(UUID, '*').replace(/-[0-9a-f]{8,12}$/, '-*');

/** Lists compare as sets: their order followed the ids that were replaced. */
function sorted(text: string): string {
  const sort = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(sort).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, sort(part)]));
  };
  return JSON.stringify(sort(JSON.parse(text)), undefined, 1);
}
