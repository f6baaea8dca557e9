import type { Action } from './action.ts';
import { type Environment, sleep, timestamp } from './environment.ts';
import { CloudError, describeChain, type ErrorRecord, toErrorRecord } from './errors.ts';
import type { Ids } from './id.ts';
import { isFinished, type JournalEntry, type Operation, operation, UNFINISHED } from './operation.ts';
import { Queues } from './queues.ts';
import type { Reader } from './reader.ts';
import type { Registry } from './registry.ts';
import { type RunPorts, SagaRun } from './saga/run.ts';
import type { CommitResult, Statement, Store } from './store.ts';

/** An accepted operation as this node holds it until it has ended. */
interface Live {
  readonly id: string;
  readonly action: string;
  readonly saga: string;
  readonly resourceId: string;
  readonly keys: readonly string[];
  readonly forced: boolean;
  readonly attempt: number;
  cancelRequested: boolean;
  journal: readonly JournalEntry[] | undefined;
  nextNumber: number;
  run?: SagaRun;
  abandoned?: boolean;
}

export interface OperationsOptions {
  readonly environment: Environment;
  readonly store: Store;
  readonly reader: Reader;
  readonly registry: Registry;
  readonly ids: Ids;
  readonly node: string;
  /** Sagas at work at once; the others wait at the head of their queues. */
  readonly runningMax: number;
  readonly around?: RunPorts['around'];
}

const COMMIT_BACKOFF_MS = 100;
const COMMIT_BACKOFF_MS_MAX = 5000;

/** Runs accepted operations, each when it is first in all its queues, from acceptance or from the journal after a restart, to its end. */
export class Operations {
  readonly #options: OperationsOptions;
  readonly #queues = new Queues();
  readonly #live = new Map<string, Live>();
  readonly #ready: string[] = [];
  readonly #waiters = new Map<string, Set<() => void>>();
  #running = 0;
  #stopping = false;
  #idle = Promise.withResolvers<void>();

  constructor(options: OperationsOptions) {
    this.#options = options;
  }

  get unfinished(): number {
    return this.#live.size;
  }

  /** Ids of the operations at and behind the head of a key's queue. */
  queue(key: string): readonly string[] {
    return this.#queues.of(key);
  }

  /** All unfinished operations, in order of acceptance, taken up where the journal ends. */
  async recover(): Promise<number> {
    const rows = await this.#options.reader.list(operation, { field: 'state', op: 'in', value: [...UNFINISHED] });
    for (const row of rows)
      this.enqueue({
        id: row.id,
        action: row.action,
        saga: row.saga,
        resourceId: row.resourceId,
        keys: row.keys,
        forced: row.forced === true,
        attempt: row.attempt,
        cancelRequested: row.cancelRequested === true,
      });
    return rows.length;
  }

  /** Takes an operation whose acceptance is durable. */
  enqueue(accepted: Omit<Live, 'journal' | 'nextNumber' | 'run'>, params?: unknown): void {
    const journal: readonly JournalEntry[] | undefined = params === undefined ? undefined : [{ type: 'accepted', params }];
    this.#live.set(accepted.id, { ...accepted, journal, nextNumber: 1 });
    if (accepted.forced) this.#passStuckHeads(accepted);
    if (this.#queues.add(accepted.id, accepted.keys)) this.#makeReady(accepted.id);
  }

  /** The operation when it has ended, or as it is when the time is over. @throws CloudError not_found */
  async wait(id: string, timeoutMs: number, signal?: AbortSignal): Promise<Operation> {
    const ended = Promise.withResolvers<void>();
    const waiters = this.#waiters.get(id) ?? new Set();
    waiters.add(ended.resolve);
    this.#waiters.set(id, waiters);
    const cancel = this.#options.environment.timers.after(timeoutMs, ended.resolve);
    signal?.addEventListener('abort', () => ended.resolve(), { once: true });
    try {
      const row = await this.#options.reader.get(operation, id);
      if (isFinished(row) || timeoutMs <= 0) return row;
      await ended.promise;
      return await this.#options.reader.get(operation, id);
    } finally {
      cancel();
      waiters.delete(ended.resolve);
      if (waiters.size === 0) this.#waiters.delete(id);
    }
  }

  /** Asks an operation to unwind. @throws CloudError conflict when it has ended or can only go on. */
  async cancel(id: string): Promise<void> {
    const live = this.#liveOrThrow(await this.#options.reader.get(operation, id));
    if (live.run !== undefined && !live.run.cancel())
      throw new CloudError('conflict', 'The operation has begun what cannot be taken back; it can only go on.');
    live.cancelRequested = true;
    await this.commit([{ op: 'update', table: 'operation', key: id, set: { cancelRequested: true }, expect: { state: [...UNFINISHED] } }]);
  }

  /** Steers an operation that needs attention. @throws CloudError conflict when it does not. */
  async steer(id: string, verb: 'retry' | 'skip'): Promise<void> {
    const row = await this.#options.reader.get(operation, id);
    const live = this.#liveOrThrow(row);
    if (row.state !== 'needs_attention' || live.run === undefined)
      throw new CloudError('conflict', `The operation is ${row.state}; only one that needs attention takes ${verb}.`);
    live.run.steer(verb);
  }

  /** Lets every step at work end and journal, starts no other, and keeps the rest for the next start. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const live of this.#live.values()) live.run?.park();
    if (this.#running > 0) await this.#idle.promise;
  }

  /**
   * Durable when it answers. An unknown outcome (the store rejects) is asked again until it is known: the first statement of a repeated commit fails
   * `exists` exactly when the first try landed, because it inserts a row whose key is minted once.
   */
  async commit(statements: readonly Statement[]): Promise<CommitResult> {
    const { store, environment, node } = this.#options;
    for (let attempt = 0; ; attempt += 1) {
      try {
        const result = await store.commit({ node, epoch: store.epoch, at: timestamp(environment.clock), statements });
        if (attempt > 0 && !result.ok && result.reason === 'exists' && isMintedOnce(statements[result.statement]))
          return { ok: true, revision: 0 };
        if (!result.ok && result.reason === 'fenced') throw new Fenced();
        return result;
      } catch (error) {
        if (error instanceof Fenced || (this.#stopping && attempt > 3)) throw error;
        environment.logger.error({ error: describeChain(error) }, 'commit failed; trying again');
        await sleep(environment.timers, Math.min(COMMIT_BACKOFF_MS * 2 ** attempt, COMMIT_BACKOFF_MS_MAX));
      }
    }
  }

  #liveOrThrow(row: Operation): Live {
    const live = this.#live.get(row.id);
    if (live === undefined) throw new CloudError('conflict', `The operation has ended: ${row.state}.`);
    return live;
  }

  /** A forced operation takes over from a head that is stuck: that one ends as it is, its effects are for the forced one to remove. */
  #passStuckHeads(forced: Pick<Live, 'id' | 'keys'>): void {
    for (const key of forced.keys) {
      const head = this.#live.get(this.#queues.of(key)[0] ?? '');
      if (head?.run?.stuck === true) head.run.abandon(new CloudError('conflict', `Superseded by the forced operation ${forced.id}.`));
    }
  }

  #makeReady(id: string): void {
    this.#ready.push(id);
    this.#pump();
  }

  #pump(): void {
    while (!this.#stopping && this.#running < this.#options.runningMax && this.#ready.length > 0) {
      const live = this.#live.get(this.#ready.shift() ?? '');
      if (live !== undefined) void this.#drive(live);
    }
  }

  async #drive(live: Live): Promise<void> {
    this.#running += 1;
    try {
      if ((await this.#runToEnd(live)) === 'ended') this.#ended(live);
    } catch (error) {
      this.#options.environment.logger.error({ operationId: live.id, error: describeChain(error) }, 'operation left for the next start');
    } finally {
      this.#running -= 1;
      if (this.#running === 0 && this.#stopping) this.#idle.resolve();
      this.#pump();
    }
  }

  #ended(live: Live): void {
    this.#live.delete(live.id);
    for (const next of this.#queues.remove(live.id)) this.#makeReady(next);
    for (const wake of this.#waiters.get(live.id) ?? []) wake();
  }

  async #runToEnd(live: Live): Promise<'ended' | 'left'> {
    await this.#loadJournal(live);
    const journal = live.journal ?? [];
    const action = this.#options.registry.action(live.action);
    const saga = this.#options.registry.saga(live.saga);
    if (saga === undefined) {
      await this.commit([{ op: 'update', table: 'operation', key: live.id, set: { state: 'parked' } }]);
      this.#options.environment.logger.error({ operationId: live.id, saga: live.saga }, 'unknown saga version; parked');
      return 'left';
    }
    if (journal.length === 1 && (await this.#settledAtHead(live, action))) return 'ended';
    live.run = new SagaRun(
      {
        environment: this.#options.environment,
        ids: this.#options.ids,
        commit: (statements) => this.commit(statements),
        definition: (key) => this.#options.registry.saga(key),
        ...(this.#options.around === undefined ? {} : { around: this.#options.around }),
      },
      {
        operationId: live.id,
        saga,
        ctx: action.context(),
        journal,
        nextNumber: live.nextNumber,
        attempt: live.attempt,
        cancelRequested: live.cancelRequested,
        unwound: action.unwound,
        again:
          action.again === undefined
            ? undefined
            : (failed) => action.again?.({ ...failed, reader: this.#options.reader }) ?? Promise.resolve(undefined),
      },
    );
    return (await live.run.run()) === 'parked' ? 'left' : 'ended';
  }

  async #loadJournal(live: Live): Promise<void> {
    if (live.journal !== undefined) return;
    const texts = await this.#options.store.list({
      table: 'journal',
      where: { field: 'operationId', op: '=', value: live.id },
      order: [{ field: 'number' }],
    });
    const entries = texts.map((text) => JSON.parse(text) as JournalEntry & { number: number });
    live.journal = entries;
    live.nextNumber = (entries.at(-1)?.number ?? 0) + 1;
  }

  /** State is checked again at the head: what went before in the queues may have changed it. */
  async #settledAtHead(live: Live, action: Action): Promise<boolean> {
    const end = async (state: 'succeeded' | 'failed' | 'cancelled', error?: ErrorRecord) => {
      const params = (live.journal?.[0] as { params?: unknown } | undefined)?.params;
      const back = state === 'succeeded' ? [] : (action.unwound?.(params) ?? []);
      const set = {
        state,
        endedAt: timestamp(this.#options.environment.clock),
        ...(state === 'succeeded' ? { percent: 100 } : {}),
        ...(error === undefined ? {} : { error }),
      };
      const entry: Statement = {
        op: 'insert',
        table: 'journal',
        row: { operationId: live.id, number: live.nextNumber, type: 'ended', state },
      };
      await this.commit([entry, { op: 'update', table: 'operation', key: live.id, set }, ...back]);
      return true;
    };
    if (live.cancelRequested) return end('cancelled', toErrorRecord(new CloudError('cancelled', 'Cancelled before it began.')));
    if (action.target === 'collection') return false;
    const row = await this.#options.reader.find(action.kind, live.resourceId);
    if (row === undefined) return end('failed', { code: 'not_found', message: `No ${action.kind.name} ${live.resourceId}.` });
    if (action.satisfied?.(row) === true) return end('succeeded');
    const problem = live.forced ? undefined : stateProblem(action, row);
    return problem === undefined ? false : end('failed', toErrorRecord(problem));
  }
}

/** Why the row's state does not allow the action, or undefined. */
export function stateProblem(action: Action, row: { readonly state: string; readonly name: string }): CloudError | undefined {
  if (row.state === 'deleted') return new CloudError('not_found', `${action.kind.name} ${row.name} is deleted.`);
  if (action.from === undefined || action.from.includes(row.state)) return undefined;
  return new CloudError('conflict', `${action.kind.name} ${row.name} is ${row.state}; ${action.verb} needs ${action.from.join(' or ')}.`, {
    params: { state: row.state, allowed: [...action.from] },
  });
}

class Fenced extends Error {
  constructor() {
    super('another node holds a newer epoch');
  }
}

const isMintedOnce = (statement: Statement | undefined): boolean =>
  statement?.op === 'insert' && (statement.table === 'journal' || statement.table === 'operation');
