import { isFinished, type Operation, quotaKey } from '@pileus/core/kernel';
import type { SimCloud } from '@pileus/core/testing';

export type Row = Readonly<Record<string, unknown>>;

/** One row as it was and as it is; undefined where it does not live. */
export interface Touched {
  readonly table: string;
  readonly id: string;
  readonly revision: number;
  readonly before: Row | undefined;
  readonly after: Row | undefined;
  /** Counters in which an operation holds something beside the rows, or held it until now. */
  readonly held: readonly string[];
}

const CHANGES_AT_ONCE = 1000;
/** What is asked for is reserved at acceptance, and in the row when it is there: between, a counter has more than the rows. */
const GROWING = new Set(['instance.resize', 'volume.resize', 'volume.move']);
/** A machine has room on two hosts from the acceptance on, and both places in its group, until its row says that it is there. */
const LEAVING = new Set(['instance.migrate', 'instance.evacuate']);
/** What their parts will use of quotas is reserved with them. */
const RESERVING = /^stack\.(create|apply|rollback)$/;
const NONE: ReadonlyMap<string, Row> = new Map();

/** What is moved is reserved in both places until it has left the one. */
const goal = ({ action, notes }: Operation): readonly string[] =>
  action === 'volume.move' && notes?.toPoolId !== undefined ? [`capacity/pool/${notes.toPoolId}/bytes`] : [];

/** What an operation holds for a machine that is to go to another host. */
interface Elsewhere {
  readonly instanceId: string;
  readonly hostId: string;
  readonly counts: readonly (readonly [string, number])[];
}

/** All live rows of a cloud, kept by its change feed, so that a look after each commit costs what has changed. With them, what counters should be. */
export class Mirror {
  readonly #sim: SimCloud;
  readonly #tables = new Map<string, Map<string, Row>>();
  readonly #sums = new Map<string, number>();
  readonly #unfinished = new Map<string, Operation>();
  /** Counters that an unfinished operation may hold something of beside the rows, by its id. */
  readonly #growing = new Map<string, readonly string[]>();
  readonly #quotas: ReadonlyMap<string, Readonly<Record<string, 1 | string>>>;
  /** By kind: the field that says that a row is there for the operator alone, and counts for nobody. */
  readonly #uncounted: ReadonlyMap<string, string | undefined>;
  /** By the operation, until the machine is there or the operation has ended. */
  readonly #leaving = new Map<string, Elsewhere>();
  /** Machines that were asked to go to another host, ever. */
  readonly elsewhere = new Set<string>();
  #revision = 0;

  constructor(sim: SimCloud) {
    this.#sim = sim;
    this.#quotas = new Map(
      sim.kernel.registry.kinds().map(({ name, quota = {} }) => [name, quota as Readonly<Record<string, 1 | string>>]),
    );
    this.#uncounted = new Map(sim.kernel.registry.kinds().map(({ name, operatorsIf }) => [name, operatorsIf]));
  }

  rows(table: string): ReadonlyMap<string, Row> {
    return this.#tables.get(table) ?? NONE;
  }

  row(table: string, id: unknown): Row | undefined {
    return this.rows(table).get(String(id));
  }

  /** Operations that have not ended. */
  get unfinished(): ReadonlyMap<string, Operation> {
    return this.#unfinished;
  }

  /** What the rows count for, and what goes elsewhere holds there, by the key of the counter. */
  get sums(): ReadonlyMap<string, number> {
    return this.#sums;
  }

  /** Takes in what has changed since the last time. */
  sync(): readonly Touched[] {
    const touched: Touched[] = [];
    for (;;) {
      const changes = this.#sim.changes(this.#revision, CHANGES_AT_ONCE);
      for (const { table, key, row, revision } of changes) touched.push(this.#put(table, key, JSON.parse(row) as Row, revision));
      this.#revision = changes.at(-1)?.revision ?? this.#revision;
      if (changes.length === 0) return touched;
    }
  }

  #put(table: string, id: string, row: Row, revision: number): Touched {
    const rows = this.#tables.get(table) ?? new Map<string, Row>();
    this.#tables.set(table, rows);
    const before = rows.get(id);
    const after = row.deletedAt === undefined || row.deletedAt === null ? row : undefined;
    if (before !== undefined) this.#count(table, before, -1);
    if (after === undefined) rows.delete(id);
    else {
      rows.set(id, after);
      this.#count(table, after, 1);
    }
    if (table === 'operation')
      return { table, id, revision, before, after, held: this.#operation(id, after as unknown as Operation | undefined) };
    const arrived = table === 'instance' && before !== undefined && before.hostId !== after?.hostId ? this.#arrives(id, after?.hostId) : [];
    return { table, id, revision, before, after, held: arrived };
  }

  /** Answers the counters in which it holds more than the rows count for, or has let go of it now. */
  #operation(id: string, row: Operation | undefined): readonly string[] {
    const known = this.#unfinished.get(id);
    if (row === undefined || isFinished(row)) {
      const released = [...(this.#growing.get(id) ?? []), ...this.#leaves(id)];
      this.#growing.delete(id);
      this.#unfinished.delete(id);
      return released;
    }
    this.#unfinished.set(id, row);
    if (known !== undefined) return [];
    if (LEAVING.has(row.action)) return this.#goes(id, row);
    if (RESERVING.test(row.action)) {
      this.#growing.set(id, this.#quotasOf(row));
      return [];
    }
    const grown = GROWING.has(row.action) ? this.row(row.resourceKind, row.resourceId) : undefined;
    if (grown !== undefined) this.#growing.set(id, [...this.counted(row.resourceKind, grown).map(([key]) => key), ...goal(row)]);
    return [];
  }

  /** All counters of its project and of the account. */
  #quotasOf({ projectId }: Operation): readonly string[] {
    const scopes = [
      { scope: 'project', id: String(projectId) },
      { scope: 'account', id: String(this.row('project', projectId)?.accountId) },
    ] as const;
    const counters = new Set([...this.#quotas.values()].flatMap((quota) => Object.keys(quota)));
    return scopes.flatMap((at) => [...counters].map((counter) => quotaKey({ ...at, counter })));
  }

  /** As accepted: its operation tells which host was chosen, and its group what a place there is. */
  #goes(id: string, { resourceId, notes }: Operation): readonly string[] {
    const { chosen } = (notes?.placement ?? {}) as { readonly chosen?: string };
    const to = [...this.rows('host').values()].find(({ name }) => name === chosen);
    const row = this.row('instance', resourceId);
    if (to === undefined || row === undefined) throw new Error(`operation ${id} moves what is not there: ${chosen}, ${resourceId}`);
    const counts: [string, number][] = [
      [`capacity/host/${to.id}/vcpus`, Number(row.vcpus)],
      [`capacity/host/${to.id}/memoryBytes`, Number(row.memoryBytes)],
    ];
    const group = this.row('placementGroup', row.placementGroupId);
    if (group !== undefined) {
      const domain = group.over === 'host' ? to.id : group.over === 'cluster' ? to.clusterId : to.failureDomain;
      if (row.placementDomain !== domain) counts.push([`placement/group/${group.id}/${domain}`, 1]);
    }
    for (const [key, amount] of counts) this.#add(key, amount);
    this.elsewhere.add(resourceId);
    this.#leaving.set(id, { instanceId: resourceId, hostId: String(to.id), counts });
    return counts.map(([key]) => key);
  }

  /** The row counts there from now on, and no operation. */
  #arrives(instanceId: string, hostId: unknown): readonly string[] {
    const [id] =
      [...this.#leaving].find(
        ([operationId, to]) =>
          to.instanceId === instanceId && to.hostId === hostId && this.#unfinished.get(operationId)?.state !== 'queued',
      ) ?? [];
    return id === undefined ? [] : this.#leaves(id);
  }

  #leaves(operationId: string): readonly string[] {
    const { counts = [] } = this.#leaving.get(operationId) ?? {};
    this.#leaving.delete(operationId);
    for (const [key, amount] of counts) this.#add(key, -amount);
    return counts.map(([key]) => key);
  }

  /** Whether more may be reserved than the rows count for. */
  grows(key: string): boolean {
    for (const keys of this.#growing.values()) if (keys.includes(key)) return true;
    return false;
  }

  #count(table: string, row: Row, sign: 1 | -1): void {
    for (const [key, amount] of this.counted(table, row)) this.#add(key, sign * amount);
  }

  #add(key: string, amount: number): void {
    const sum = (this.#sums.get(key) ?? 0) + amount;
    if (sum === 0) this.#sums.delete(key);
    else this.#sums.set(key, sum);
  }

  /** Which counters a row counts in, and for how much. */
  counted(table: string, row: Row): readonly (readonly [string, number])[] {
    const counts: [string, number][] = [];
    const add = (key: string, amount: unknown) => counts.push([key, Number(amount ?? 0)]);
    if (table === 'instance') {
      if (row.placementDomain !== undefined) add(`placement/group/${row.placementGroupId}/${row.placementDomain}`, 1);
      if (row.hostId !== undefined) {
        add(`capacity/host/${row.hostId}/vcpus`, row.vcpus);
        add(`capacity/host/${row.hostId}/memoryBytes`, row.memoryBytes);
      }
    } else if (table === 'volume') add(`capacity/pool/${row.poolId}/bytes`, row.sizeBytes);
    else if (table === 'host') add(`capacity/cluster/${row.clusterId}/hosts`, 1);
    const { projectId } = row;
    const accountId = projectId === undefined ? row.accountId : this.row('project', projectId)?.accountId;
    if (row[this.#uncounted.get(table) ?? ''] === true) return counts;
    for (const [counter, by] of Object.entries(this.#quotas.get(table) ?? {})) {
      const amount = by === 1 ? 1 : row[by];
      if (projectId !== undefined) add(quotaKey({ scope: 'project', id: String(projectId), counter }), amount);
      if (accountId !== undefined) add(quotaKey({ scope: 'account', id: String(accountId), counter }), amount);
    }
    return counts;
  }
}
