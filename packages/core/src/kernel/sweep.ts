import { ANCHOR, chainEnd, placeStatements } from './audit/places.ts';
import { AUDIT_TABLE, type AuditRow, UNSEALED } from './audit/record.ts';
import { type Environment, sleep } from './environment.ts';
import { describeChain } from './errors.ts';
import { type IdempotencyKey, type KeptRequest, keyOfRow } from './idempotency.ts';
import type { JsonObject } from './json.ts';
import type { AnyKind, RowBase } from './kind.ts';
import { isFinished, type Operation, UNFINISHED } from './operation.ts';
import { awaitsConfirmation } from './recovery.ts';
import type { Registry } from './registry.ts';
import { retentionNow, rowsNeeded } from './retention.ts';
import type { Settings } from './settings/values.ts';
import type { CommitResult, ListQuery, Statement, Store } from './store.ts';

const SWEEP_MS = 3600_000;
/** Rows looked at and statements committed at once, and the pause after that: small enough that no request waits for a sweep. */
const BATCH_LENGTH = 100;
const PAUSE_MS = 20;

export interface SweepPorts {
  readonly environment: Environment;
  readonly store: Store;
  readonly registry: Registry;
  readonly settings: Settings;
  readonly commit: (statements: readonly Statement[]) => Promise<CommitResult>;
  /** Whether an unfinished operation is in the queue of this key. */
  readonly holds: (key: string) => boolean;
}

/** Once an hour removes what has been kept long enough. Answers how to stop. */
export function startSweep(ports: SweepPorts): () => Promise<void> {
  const { environment } = ports;
  const stopping = new AbortController();
  const sweep = new Sweep(ports, stopping.signal);
  const ended = (async () => {
    while (!stopping.signal.aborted) {
      await sleep(environment.timers, SWEEP_MS, stopping.signal).catch(() => undefined);
      try {
        await sweep.run();
      } catch (error) {
        if (!stopping.signal.aborted) environment.logger.warn({ error: describeChain(error) }, 'sweep failed');
      }
    }
  })();
  return async () => {
    stopping.abort();
    await ended;
  };
}

type Transaction = readonly Statement[];

class Sweep {
  readonly #ports: SweepPorts;
  readonly #signal: AbortSignal;

  constructor(ports: SweepPorts, signal: AbortSignal) {
    this.#ports = ports;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    await this.#idempotencyKeys();
    const needed = await this.#named();
    await this.#operations(needed);
    // What a restored store calls deleted may be none of it any more, and only its rows can tell.
    if (!(await awaitsConfirmation(this.#ports.store))) await this.#deletedRows(needed);
    await this.#audit();
  }

  /** RFC 3339. */
  #ago(ms: number): string {
    return new Date(this.#ports.environment.clock.nowMs() - ms).toISOString();
  }

  /** Each transaction by itself, all of them with one flush to disk. @throws when the sweep is to stop */
  async #commit(transactions: readonly Transaction[]): Promise<readonly CommitResult[]> {
    this.#signal.throwIfAborted();
    if (transactions.length === 0) return [];
    const results = await Promise.all(transactions.map((statements) => this.#ports.commit(statements)));
    await sleep(this.#ports.environment.timers, PAUSE_MS, this.#signal);
    return results;
  }

  /** Every row once, whatever becomes of those before it. */
  async *#pages<R>(query: ListQuery, placeOf: (row: R) => readonly (string | number | null)[]): AsyncGenerator<readonly R[]> {
    for (let after: ListQuery['after']; ; ) {
      this.#signal.throwIfAborted();
      const texts = await this.#ports.store.list({ ...query, limit: BATCH_LENGTH, ...(after === undefined ? {} : { after }) });
      const rows = texts.map((text) => JSON.parse(text) as R);
      const last = rows.at(-1);
      if (last !== undefined) yield rows;
      if (last === undefined || rows.length < BATCH_LENGTH) return;
      after = placeOf(last);
    }
  }

  /** One that is taken anew meanwhile expires another time. */
  async #idempotencyKeys(): Promise<void> {
    const query = {
      table: 'idempotency',
      where: { field: 'expiresAt', op: '<', value: this.#ago(0) },
      order: [{ field: 'expiresAt' }],
    } as const;
    for await (const page of this.#pages<IdempotencyKey & KeptRequest>(query, (row) => [row.expiresAt, keyOfRow(row)]))
      await this.#commit(
        page.map((row) => [
          { op: 'expect', table: query.table, key: keyOfRow(row), expect: { expiresAt: row.expiresAt } },
          { op: 'remove', table: query.table, key: keyOfRow(row) },
        ]),
      );
  }

  /** What debts name: a cleanup goes by those rows, and what it has removed may turn up once more. So a debt keeps them as long as it is kept itself. */
  async #named(): Promise<Set<string>> {
    const named = new Set<string>();
    for await (const page of this.#pages<{ id: string; operationId: string; target: JsonObject }>(
      { table: 'debt', deleted: true },
      ({ id }) => [id],
    ))
      for (const { operationId, target } of page)
        for (const value of [operationId, ...Object.values(target)]) if (typeof value === 'string') named.add(value);
    return named;
  }

  /** Ids are in order of acceptance: behind a page of which all were accepted since, none can have ended before. */
  async #operations(needed: ReadonlySet<string>): Promise<void> {
    const before = this.#ago(retentionNow(this.#ports.settings).operationsMs);
    const unfinished = { table: 'operation', where: { field: 'state', op: 'in', value: [...UNFINISHED] } } as const;
    const asking = new Set((await this.#ports.store.list(unfinished)).map((text) => (JSON.parse(text) as Operation).id as string));
    for await (const page of this.#pages<Operation>({ table: 'operation' }, ({ id }) => [id])) {
      // By what it has asked for an operation finds what it has to take back.
      const isNeeded = ({ id, causeId }: Operation) => needed.has(id) || (causeId !== undefined && asking.has(causeId));
      const expired = page.filter((row) => isFinished(row) && (row.endedAt ?? row.updatedAt) < before && !isNeeded(row));
      await this.#removeOperations(expired);
      if (page.every((row) => row.createdAt >= before)) return;
    }
  }

  /** Several at once, as many as fill a batch. */
  async #removeOperations(rows: readonly Operation[]): Promise<void> {
    let batch: Transaction[] = [];
    for (const row of rows) {
      batch.push(await this.#operation(row));
      if (batch.flat().length < BATCH_LENGTH) continue;
      await this.#commit(batch);
      batch = [];
    }
    await this.#commit(batch);
  }

  /** The journal goes with the row, and what is too much of it before: until the row is gone, the next sweep finds the rest. */
  async #operation({ id, state }: Operation): Promise<Transaction> {
    const texts = await this.#ports.store.list({ table: 'journal', where: { field: 'operationId', op: '=', value: id } });
    const entries = texts.map((text): Statement => {
      const { number } = JSON.parse(text) as { readonly number: number };
      return { op: 'remove', table: 'journal', key: `${id}/${number}` };
    });
    while (entries.length > BATCH_LENGTH) await this.#commit([entries.splice(0, BATCH_LENGTH)]);
    // Whoever follows operations is told that it is gone.
    const gone = { op: 'update', table: 'operation', key: id, set: { deletedAt: true }, expect: { state } } as const;
    return [...entries, gone, { op: 'remove', table: 'operation', key: id }];
  }

  /** What refers goes before what it refers to, and what is kept keeps that too. */
  async #deletedRows(needed: Set<string>): Promise<void> {
    const { registry, holds } = this.#ports;
    const before = this.#ago(retentionNow(this.#ports.settings).deletedMs);
    for (const kind of referrersFirst(registry)) {
      const query: ListQuery = {
        table: kind.name,
        deleted: true,
        where: { field: 'deletedAt', op: '<', value: before },
        order: [{ field: 'deletedAt' }],
      };
      for await (const page of this.#pages<RowBase>(query, (row) => [row.deletedAt ?? null, row.id])) {
        const free = page.filter(({ id }) => !needed.has(id) && !holds(id));
        const ids = free.map(({ id }) => id);
        const kept = new Set(ids.length === 0 ? [] : (await registry.hooks.collect(rowsNeeded, { kind: kind.name, ids })).flat());
        const removable = free.filter(({ id }) => !kept.has(id));
        const results = await this.#commit(removable.map(({ id }) => this.#removal(kind, id)));
        const removed = new Set(removable.filter((_, index) => results[index]?.ok === true));
        for (const row of page) if (!removed.has(row)) for (const id of idsIn(kind, row)) needed.add(id);
      }
    }
  }

  /** Nothing that lives refers to it, and no operation on it is kept. */
  #removal(kind: AnyKind, id: string): Transaction {
    const referrers = this.#ports.registry.edgesTo(kind.name).map((edge) => ({ table: edge.kind.name as string, field: edge.edge.field }));
    return [
      ...[...referrers, { table: 'operation', field: 'resourceId' }].map(
        ({ table, field }): Statement => ({ op: 'vacant', table, where: { [field]: id } }),
      ),
      { op: 'remove', table: kind.name, key: id },
    ];
  }

  /** From the oldest end only, up to the first link that is kept, so that what is left stays one chain: the anchor is what it follows. */
  async #audit(): Promise<void> {
    const { auditMs } = retentionNow(this.#ports.settings);
    if (auditMs === undefined) return;
    const before = this.#ago(auditMs);
    const query: ListQuery = { table: AUDIT_TABLE, where: { field: 'number', op: '>', value: UNSEALED }, order: [{ field: 'number' }] };
    for await (const page of this.#pages<AuditRow>(query, ({ number, id }) => [number, id])) {
      const keptFrom = page.findIndex(({ at }) => at >= before);
      const expired = keptFrom < 0 ? page : page.slice(0, keptFrom);
      const last = expired.at(-1);
      if (last !== undefined) {
        const anchor = placeStatements(ANCHOR, await chainEnd(this.#ports.store, ANCHOR), { number: last.number, hash: last.hash ?? '' });
        await this.#commit([[...anchor, ...expired.map(({ id }): Statement => ({ op: 'remove', table: AUDIT_TABLE, key: id }))]]);
      }
      if (keptFrom >= 0) return;
    }
  }
}

const idsIn = (kind: AnyKind, row: RowBase): readonly string[] =>
  kind.refs.flatMap(({ field }) => (row as unknown as Record<string, string | undefined>)[field] ?? []);

/** Each kind before those that it refers to. */
function referrersFirst(registry: Registry): readonly AnyKind[] {
  const order = new Set<AnyKind>();
  const visit = (kind: AnyKind, path: readonly AnyKind[]) => {
    if (order.has(kind) || path.includes(kind)) return;
    for (const edge of registry.edgesTo(kind.name)) visit(edge.kind, [...path, kind]);
    order.add(kind);
  };
  for (const kind of registry.kinds()) visit(kind, []);
  return [...order];
}
