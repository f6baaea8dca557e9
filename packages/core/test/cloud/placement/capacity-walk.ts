import { cluster, host, pool, storageClass } from '../../../src/cloud/index.ts';
import { hostCapacity, isPlaceTaken, type PlacementRequest, poolCapacity } from '../../../src/cloud/placement/contract.ts';
import { TwoLevelPlacement } from '../../../src/cloud/placement/two-level.ts';
import { isCloudError, Reader, type Statement, type StoreSchema, sleep, timestamp } from '../../../src/kernel/index.ts';
import { SqliteEngine } from '../../../src/sqlite/engine.ts';
import { type Incarnation, SimEnvironment, SimulatedStore, type StoreFaults } from '../../../testing/index.ts';

const HOSTS = 6;
const CLIENTS = 32;
const ATTEMPTS = 4;
/** There is nothing to do it to. */
const NOTHING = 'nothing';
const THINK_MS = 10;
/** A life is no longer than that. */
const LIFE_MS = 400;
const HOST_LIMITS = { vcpus: 40, memoryBytes: 64 };
const POOL_BYTES = 120;

/** What one machine takes, as a row of its own tells it beside the counters. */
interface Parcel {
  readonly id: string;
  readonly version: number;
  readonly hostId: string;
  readonly poolId: string;
  readonly vcpus: number;
  readonly memoryBytes: number;
  readonly sizeBytes: number;
}

const table = (name: string, type: 'resource' | 'plain') => ({ name, type, key: ['id'], columns: {}, unique: [], indexes: [] });
const SCHEMA: StoreSchema = {
  tables: [...[cluster, host, pool, storageClass].map(({ name }) => table(name, 'resource')), table('parcel', 'plain')],
  migrations: [],
};

/** What there is from one start to the next crash. */
interface Life {
  readonly incarnation: Incarnation;
  readonly store: SimulatedStore;
  readonly reader: Reader;
  readonly placement: TwoLevelPlacement;
  readonly tell: (statements: readonly Statement[], ok: boolean) => void;
}

/**
 * Reservations of capacity as machines make and give them back: places by the placement itself, with its guards, in transactions of the embedded store. Clients
 * work side by side; groups of commits fail, or are not acknowledged; the process is killed at random, and the next one knows what the store has. The saga engine
 * is not in it: that is what `test/simulation` plays, a thousand times more slowly.
 */
export class CapacityWalk {
  readonly problems: string[] = [];
  /** How each operation ended whose end was told. */
  readonly ends: Record<string, number> = {};
  crashes = 0;
  readonly #environment: SimEnvironment;
  readonly #engine = new SqliteEngine({ path: ':memory:', incarnation: 'simulated' });
  readonly #faults: StoreFaults = { commitFails: 0.01, acknowledgementLost: 0.01, onApplied: () => this.#look() };
  readonly #seen = new Map<string, { readonly value: number; readonly limit: number }>();
  /** Under way, with their counters: a group of commits may hold one, what is taken by it, and the next. */
  readonly #limits = new Set<{ readonly counter: string; readonly limit: number }>();
  #minted = 0;
  #operations = 0;

  constructor(seed: string) {
    this.#environment = new SimEnvironment(seed);
  }

  async play(operations: number): Promise<void> {
    const store = new SimulatedStore(this.#engine, this.#environment);
    await this.#environment.complete(store.prepare(SCHEMA));
    await this.#environment.complete(this.#write(store, site()));
    while (this.#operations < operations && this.problems.length === 0) {
      const life = this.#begin();
      const clients = Array.from({ length: CLIENTS }, () => this.#work(life));
      for (const client of clients) client.catch((error: Error) => this.problems.push(String(error.stack)));
      await this.#environment.run(this.#environment.clock.monotonicMs() + this.#random.between(1, LIFE_MS));
      life.store.kill();
      life.incarnation.kill();
      this.crashes += 1;
      this.#recount();
    }
    this.#engine.close();
  }

  get #random() {
    return this.#environment.random;
  }

  #begin(): Life {
    this.#limits.clear();
    const incarnation = this.#environment.incarnation();
    const store = new SimulatedStore(this.#engine, incarnation, this.#faults);
    let tell: Life['tell'] = () => undefined;
    const placement = new TwoLevelPlacement({
      clock: incarnation.clock,
      hooks: () => ({ has: () => false, collect: async () => [] }),
      listen: (listener) => {
        tell = listener;
        return () => undefined;
      },
    });
    return { incarnation, store, reader: new Reader(store), placement, tell: (statements, ok) => tell(statements, ok) };
  }

  /** One client, until it is killed. */
  async #work(life: Life): Promise<void> {
    while (life.incarnation.alive) {
      // Who is told at once that there is no room asks for something else later.
      await sleep(life.incarnation.timers, this.#random.between(0, THINK_MS));
      const drawn = this.#random.next();
      const end = await (drawn < 0.38
        ? this.#take(life)
        : drawn < 0.77
          ? this.#giveBack(life)
          : drawn < 0.87
            ? this.#resize(life)
            : drawn < 0.97
              ? this.#move(life)
              : this.#limit(life));
      if (end !== NOTHING) this.#operations += 1;
      this.ends[end] = (this.ends[end] ?? 0) + 1;
    }
  }

  async #take(life: Life): Promise<string> {
    this.#minted += 1;
    const size = { vcpus: 1 + this.#random.below(8), memoryBytes: 1 + this.#random.below(12), sizeBytes: 1 + this.#random.below(20) };
    const id = `parcel-${this.#minted}`;
    return this.#placed(life, { ...size }, ({ hostId, poolId, reserve }) => [
      { op: 'insert', table: 'parcel', row: { id, version: 1, hostId, poolId, ...size } },
      ...reserve,
    ]).then((end) => `take ${end}`);
  }

  async #giveBack(life: Life): Promise<string> {
    const parcel = await this.#any(life);
    if (parcel === undefined) return NOTHING;
    const statements: readonly Statement[] = [same(parcel), { op: 'remove', table: 'parcel', key: parcel.id }, ...back(parcel)];
    return `give back ${await this.#write(life.store, statements, life.tell)}`;
  }

  async #resize(life: Life): Promise<string> {
    const parcel = await this.#any(life);
    if (parcel === undefined) return NOTHING;
    const vcpus = 1 + this.#random.below(8);
    const memoryBytes = 1 + this.#random.below(12);
    const more = { vcpus: vcpus - parcel.vcpus, memoryBytes: memoryBytes - parcel.memoryBytes };
    return `resize ${await this.#write(
      life.store,
      [changed(parcel, { vcpus, memoryBytes }), ...hostCapacity(parcel.hostId, more, 1)],
      life.tell,
    )}`;
  }

  /** To another host, as a saga does whose host has died: release and reserve in one. */
  async #move(life: Life): Promise<string> {
    const parcel = await this.#any(life);
    if (parcel === undefined) return NOTHING;
    const end = await this.#placed(life, parcel, ({ hostId, poolId, reserve }) => [
      changed(parcel, { hostId, poolId }),
      ...back(parcel),
      ...reserve,
    ]);
    return `move ${end}`;
  }

  /** An operator promises more or less of a host, also less than is taken. */
  async #limit(life: Life): Promise<string> {
    const hostId = hostIdOf(this.#random.below(HOSTS));
    const limit = 10 + this.#random.below(HOST_LIMITS.vcpus);
    const asked = { counter: `capacity/host/${hostId}/vcpus`, limit };
    this.#limits.add(asked);
    const end = await this.#write(life.store, [{ op: 'limit', ...asked }], life.tell);
    this.#limits.delete(asked);
    return `limit ${end}`;
  }

  async #any({ reader }: Life): Promise<Parcel | undefined> {
    const from = `parcel-${this.#random.below(this.#minted + 1)}`;
    const some = (op: '>=' | '<') => reader.list({ name: 'parcel' } as never, { field: 'id', op, value: from }, { limit: 20 });
    const after = await some('>=');
    const rows = after.length > 0 ? after : await some('<');
    return rows[this.#random.below(rows.length)] as unknown as Parcel | undefined;
  }

  async #placed(
    { placement, reader, store, tell }: Life,
    { vcpus, memoryBytes, sizeBytes, hostId }: Pick<Parcel, 'vcpus' | 'memoryBytes' | 'sizeBytes'> & { readonly hostId?: string },
    statements: (at: { readonly hostId: string; readonly poolId: string; readonly reserve: readonly Statement[] }) => readonly Statement[],
  ): Promise<string> {
    const request: PlacementRequest = {
      ...{ vcpus, memoryBytes, volumes: [{ id: 'root', sizeBytes }], attempt: 0 },
      ...(hostId === undefined ? {} : { exceptHosts: [hostId] }),
    };
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      try {
        const { hostId: at, poolIds, reserve } = await placement.place({ ...request, attempt }, reader);
        const end = await this.#write(store, statements({ hostId: at, poolId: poolIds[0] ?? '', reserve }), tell);
        if (end !== 'place taken') return end;
      } catch (error) {
        if (!isCloudError(error) || error.code !== 'no_capacity') throw error;
        return 'no capacity';
      }
    }
    return 'lost its place too often';
  }

  /** As the kernel's commits do: until the outcome is known. What comes a second time fails at its row, which comes first. */
  async #write(store: SimulatedStore, statements: readonly Statement[], tell: Life['tell'] = () => undefined): Promise<string> {
    for (let attempt = 0; ; attempt += 1) {
      const result = await store
        .commit({ node: 'n', epoch: store.epoch, at: timestamp(this.#environment.clock), statements })
        .catch(() => undefined);
      if (result === undefined) continue;
      const isLanded = !result.ok && result.statement === 0 && attempt > 0;
      tell(statements, result.ok || isLanded);
      if (result.ok || isLanded) return 'done';
      return isPlaceTaken(statements[result.statement]) ? 'place taken' : result.reason;
    }
  }

  /** After each group that is durable. A limit may be set below what is taken; nothing grows there then. */
  #look(): void {
    for (const { key, value, limit } of this.#engine.reader.counters('capacity/')) {
      const before = this.#seen.get(key);
      const asked = [...this.#limits].filter(({ counter }) => counter === key);
      const most = Math.max(limit ?? 0, before?.limit ?? 0, before?.value ?? 0, ...asked.map((each) => each.limit));
      if (value < 0 || value > most) this.problems.push(`${key} is ${value} of ${limit}, and was ${before?.value} of ${before?.limit}`);
      this.#seen.set(key, { value, limit: limit ?? 0 });
    }
  }

  /** What the rows take, against the counters. */
  #recount(): void {
    const sums = new Map<string, number>();
    for (const text of this.#engine.reader.list({ table: 'parcel' })) {
      const parcel = JSON.parse(text) as Parcel;
      for (const statement of [...hostCapacity(parcel.hostId, parcel, 1), poolCapacity(parcel.poolId, parcel.sizeBytes, 1)])
        if (statement.op === 'adjust') sums.set(statement.counter, (sums.get(statement.counter) ?? 0) + statement.by);
    }
    for (const { key, value } of this.#engine.reader.counters('capacity/'))
      if (value !== (sums.get(key) ?? 0)) this.problems.push(`${key} is ${value}, but the rows take ${sums.get(key) ?? 0}`);
  }
}

const hostIdOf = (index: number): string => `h${index}`;
const same = ({ id, version }: Parcel): Statement => ({ op: 'expect', table: 'parcel', key: id, expect: { version } });
const changed = ({ id, version }: Parcel, set: Partial<Parcel>): Statement => ({
  ...{ op: 'update', table: 'parcel', key: id },
  set: { ...set, version: version + 1 },
  expect: { version },
});
const back = (parcel: Parcel): readonly Statement[] => [
  ...hostCapacity(parcel.hostId, parcel, -1),
  poolCapacity(parcel.poolId, parcel.sizeBytes, -1),
];

/** Two clusters; every other host has a pool of its own, and the others share that of their cluster. */
function site(): readonly Statement[] {
  const insert = (kind: { readonly name: string }, row: { readonly id: string }): Statement => ({ op: 'insert', table: kind.name, row });
  const pools = [
    { id: 'p0', scope: 'cluster', clusterId: 'c0' },
    { id: 'p1', scope: 'cluster', clusterId: 'c1' },
    ...[0, 2, 4].map((index) => ({ id: `p${index + 2}`, scope: 'host', hostId: hostIdOf(index) })),
  ];
  return [
    ...['c0', 'c1'].map((id) => insert(cluster, { id, name: id, zoneId: 'z', allowEmulation: true } as never)),
    ...Array.from({ length: HOSTS }, (_, index) => {
      const more = {
        state: 'enabled',
        status: 'connected',
        roles: ['compute', 'storage'],
        virtType: 'kvm',
        failureDomain: `rack-${index}`,
      };
      return insert(host, { id: hostIdOf(index), name: hostIdOf(index), clusterId: `c${index % 2}`, ...more } as never);
    }),
    ...pools.map((each) =>
      insert(pool, { name: each.id, state: 'available', status: 'connected', storageClass: 'default', ...each } as never),
    ),
    ...pools.map(({ id }): Statement => ({ op: 'limit', counter: `capacity/pool/${id}/bytes`, limit: POOL_BYTES })),
    ...Array.from({ length: HOSTS }, (_, index) =>
      Object.entries(HOST_LIMITS).map(
        ([resource, limit]): Statement => ({ op: 'limit', counter: `capacity/host/${hostIdOf(index)}/${resource}`, limit }),
      ),
    ).flat(),
  ];
}
