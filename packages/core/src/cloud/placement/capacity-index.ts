import type { AnyKind, Clock, Reader, RowOf, Statement } from '../../kernel/index.ts';
import { type DemandingClasses, demandingClasses, pool, storageClass } from '../storage/contract.ts';
import { cluster, host } from '../topology/contract.ts';
import { Account, IndexedCluster, IndexedHost, IndexedPool } from './indexed.ts';
import { hostCounter, poolCounter } from './placement.ts';

/** Rows of one page: between pages others get their turn. */
const PAGE_LENGTH = 1000;
/** What was promised to a request is held back for it so long, unless its commit tells before. */
const PROMISE_MS = 1000;

const CAPACITY = 'capacity/';
const SEATS = 'placement/';

const KINDS: ReadonlyMap<string, AnyKind> = new Map<string, AnyKind>([host, cluster, pool, storageClass].map((kind) => [kind.name, kind]));

/** What is held back for a request. */
interface Promised {
  readonly end: () => void;
  /** Whether nobody has looked at the counter since, who could have seen what was promised. */
  readonly isUnseen: () => boolean;
}

/** Hears of each transaction, once its outcome is known. Answers how to stop. */
export type Listen = (listener: (statements: readonly Statement[], ok: boolean) => void) => () => void;

/**
 * Hosts, clusters and pools with what is free of them, in memory, so that a placement reads nothing but what has changed since the last one. It hears of every
 * commit of this node and looks again at what that touched, but for what it has promised itself and counts: a counter that is read once too often does no
 * harm, and a double count lasts until the next look. It only ranks; the guards of the commit decide.
 */
export class CapacityIndex {
  readonly hosts = new Map<string, IndexedHost>();
  readonly clusters = new Map<string, IndexedCluster>();
  readonly pools = new Map<string, IndexedPool>();
  /** Pools that a whole zone reaches. */
  readonly zonePools = new Map<string, Set<IndexedPool>>();
  #demanding: DemandingClasses = new Map();
  #clusterList: readonly IndexedCluster[] | undefined;
  readonly #clock: Clock;
  readonly #accounts = new Map<string, Account>();
  /** Seats in placement groups, by counter, that are promised and not yet written. */
  readonly #seats = new Map<string, number>();
  readonly #promises = new Map<Statement, Promised & { readonly untilMs: number }>();
  readonly #changedRows = new Map<string, AnyKind>();
  readonly #changedCounters = new Set<string>();
  /** Looks that have not answered yet. */
  #looking = 0;
  #loading: Promise<void> | undefined;
  #refreshing: Promise<void> | undefined;
  #stop: () => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get clusterList(): readonly IndexedCluster[] {
    this.#clusterList ??= [...this.clusters.values()];
    return this.#clusterList;
  }

  /** The class of the pool that takes encrypted volumes only, by name. */
  demandedBy({ classId }: IndexedPool): string | undefined {
    return classId === undefined ? undefined : this.#demanding.get(classId);
  }

  /** Everything at first, then what has changed. The first who asks begins to listen. */
  async refresh(reader: Reader, listen: Listen): Promise<void> {
    this.#dropOldPromises();
    this.#loading ??= this.#load(reader, listen);
    await this.#loading;
    if (this.#changedRows.size === 0 && this.#changedCounters.size === 0) return;
    const before = this.#refreshing;
    const refreshing = this.#readChanges(reader).then(() => before);
    this.#refreshing = refreshing;
    try {
      await refreshing;
    } finally {
      if (this.#refreshing === refreshing) this.#refreshing = undefined;
    }
  }

  /** Until every change heard of so far is in. */
  async settle(reader: Reader, listen: Listen): Promise<void> {
    await this.#refreshing;
    await this.refresh(reader, listen);
  }

  stop(): void {
    this.#stop();
  }

  account(counter: string): Account {
    const known = this.#accounts.get(counter);
    if (known !== undefined) return known;
    const made = new Account();
    this.#accounts.set(counter, made);
    return made;
  }

  /** Seats of a group that others are about to take, by counter. */
  promisedSeats(prefix: string): readonly (readonly [counter: string, count: number])[] {
    return [...this.#seats].filter(([counter]) => counter.startsWith(prefix));
  }

  /** Takes what these statements will take off what is free, until their commit has told its outcome. */
  promise(statements: readonly Statement[]): void {
    const untilMs = this.#clock.monotonicMs() + PROMISE_MS;
    for (const statement of statements) {
      if (statement.op !== 'adjust') continue;
      const promised = statement.counter.startsWith(SEATS) ? this.#promiseSeat(statement.counter) : this.#promiseRoom(statement);
      if (promised !== undefined) this.#promises.set(statement, { ...promised, untilMs });
    }
  }

  #promiseRoom({ counter, by }: { readonly counter: string; readonly by: number }): Promised | undefined {
    const account = this.#accounts.get(counter);
    if (account === undefined) return undefined;
    account.promise(by);
    const { looks } = account;
    return { end: () => account.promise(-by), isUnseen: () => account.looks === looks };
  }

  #promiseSeat(counter: string): Promised {
    this.#seats.set(counter, (this.#seats.get(counter) ?? 0) + 1);
    const end = () => {
      const left = (this.#seats.get(counter) ?? 0) - 1;
      if (left > 0) this.#seats.set(counter, left);
      else this.#seats.delete(counter);
    };
    return { end, isUnseen: () => true };
  }

  /** In the order they were made, which is the order in which they end. */
  #dropOldPromises(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [statement, { end, untilMs }] of this.#promises) {
      if (untilMs > nowMs) return;
      end();
      this.#promises.delete(statement);
    }
  }

  #heard(statements: readonly Statement[], ok: boolean): void {
    for (const statement of statements) {
      if (statement.op === 'adjust' || statement.op === 'limit') this.#heardCounter(statement, ok);
      else if (ok && (statement.op === 'insert' || statement.op === 'update')) {
        const kind = KINDS.get(statement.table);
        const key = statement.op === 'update' ? statement.key : String(statement.row.id);
        if (kind !== undefined) this.#changedRows.set(key, kind);
      }
    }
  }

  #heardCounter(statement: Extract<Statement, { op: 'adjust' | 'limit' }>, ok: boolean): void {
    const promised = this.#promises.get(statement);
    promised?.end();
    this.#promises.delete(statement);
    if (!statement.counter.startsWith(CAPACITY)) return;
    if (ok && statement.op === 'adjust') this.#accounts.get(statement.counter)?.add(statement.by);
    // What was promised and came to be is known; but a look since then may have counted it already, or be about to answer as if it were not.
    if (!ok || promised?.isUnseen() !== true || this.#looking > 0) this.#changedCounters.add(statement.counter);
  }

  async #load(reader: Reader, listen: Listen): Promise<void> {
    this.#stop();
    this.#stop = listen((statements, ok) => this.#heard(statements, ok));
    try {
      this.#demanding = await demandingClasses(reader);
      for await (const row of everyRow(reader, cluster)) this.#putCluster(row);
      for await (const row of everyRow(reader, host)) this.#putHost(row);
      for await (const row of everyRow(reader, pool)) this.#putPool(row);
      for (const { key, value, limit } of await reader.counters(CAPACITY)) this.#accounts.get(key)?.set(value, limit);
    } catch (error) {
      this.#loading = undefined;
      throw error;
    }
  }

  async #readChanges(reader: Reader): Promise<void> {
    const rows = [...this.#changedRows];
    const counters = [...this.#changedCounters];
    this.#changedRows.clear();
    this.#changedCounters.clear();
    this.#looking += 1;
    try {
      const reads = Promise.all(counters.map((counter) => reader.counter(counter)));
      if (rows.some(([, kind]) => kind === storageClass)) this.#demanding = await demandingClasses(reader);
      for (const [index, row] of (await Promise.all(rows.map(([id, kind]) => reader.find(kind, id)))).entries()) {
        const [id, kind] = rows[index] as [string, AnyKind];
        this.#put(kind, id, row);
      }
      // After the rows, so that a new host has its accounts.
      for (const [index, found] of (await reads).entries())
        this.#accounts.get(counters[index] ?? '')?.set(found?.value ?? 0, found?.limit ?? null);
    } catch (error) {
      for (const [id, kind] of rows) this.#changedRows.set(id, kind);
      for (const counter of counters) this.#changedCounters.add(counter);
      throw error;
    } finally {
      this.#looking -= 1;
    }
  }

  #put(kind: AnyKind, id: string, row: RowOf<AnyKind> | undefined): void {
    const live = row === undefined || row.deletedAt !== undefined ? undefined : row;
    if (kind === host) live === undefined ? this.#dropHost(id) : this.#putHost(live as RowOf<typeof host>);
    else if (kind === pool) live === undefined ? this.#dropPool(id) : this.#putPool(live as RowOf<typeof pool>);
    else if (kind === cluster) live === undefined ? this.#dropCluster(id) : this.#putCluster(live as RowOf<typeof cluster>);
  }

  #putCluster(row: RowOf<typeof cluster>): void {
    const known = this.clusters.get(row.id);
    known?.show(row);
    if (known !== undefined) return;
    this.clusters.set(row.id, new IndexedCluster(row));
    this.#clusterList = undefined;
  }

  #dropCluster(id: string): void {
    this.clusters.delete(id);
    this.#clusterList = undefined;
  }

  #putHost(row: RowOf<typeof host>): void {
    const known = this.hosts.get(row.id);
    known?.show(row);
    if (known !== undefined) return;
    const of = this.clusters.get(row.clusterId);
    // A cluster that came and went meanwhile takes its hosts along.
    if (of === undefined) return;
    const made = new IndexedHost(row, of, {
      vcpus: this.account(hostCounter(row.id, 'vcpus')),
      memoryBytes: this.account(hostCounter(row.id, 'memoryBytes')),
    });
    this.hosts.set(row.id, made);
    of.add(made);
    for (const each of this.pools.values()) if (each.hostId === row.id) made.pools.add(each);
    for (const resource of ['vcpus', 'memoryBytes'] as const) this.#changedCounters.add(hostCounter(row.id, resource));
  }

  #dropHost(id: string): void {
    const known = this.hosts.get(id);
    if (known === undefined) return;
    this.hosts.delete(id);
    known.cluster.remove(known);
    for (const resource of ['vcpus', 'memoryBytes'] as const) this.#accounts.delete(hostCounter(id, resource));
  }

  #putPool(row: RowOf<typeof pool>): void {
    const known = this.pools.get(row.id);
    known?.show(row);
    if (known !== undefined) return;
    const made = new IndexedPool(row, this.account(poolCounter(row.id)));
    this.pools.set(row.id, made);
    this.#reachedFrom(made)?.add(made);
    this.#changedCounters.add(poolCounter(row.id));
  }

  #dropPool(id: string): void {
    const known = this.pools.get(id);
    if (known === undefined) return;
    this.pools.delete(id);
    this.#reachedFrom(known)?.delete(known);
    this.#accounts.delete(poolCounter(id));
  }

  #reachedFrom({ hostId, clusterId, zoneId }: IndexedPool): Set<IndexedPool> | undefined {
    if (hostId !== undefined) return this.hosts.get(hostId)?.pools;
    if (clusterId !== undefined) return this.clusters.get(clusterId)?.pools;
    if (zoneId === undefined) return undefined;
    const known = this.zonePools.get(zoneId) ?? new Set();
    this.zonePools.set(zoneId, known);
    return known;
  }
}

async function* everyRow<K extends AnyKind>(reader: Reader, kind: K): AsyncGenerator<RowOf<K>> {
  for (let after: string | undefined; ; ) {
    const page: readonly RowOf<K>[] = await reader.list(kind, undefined, {
      limit: PAGE_LENGTH,
      ...(after === undefined ? {} : { after: [after] }),
    });
    yield* page;
    after = page.at(-1)?.id;
    if (page.length < PAGE_LENGTH) return;
  }
}
