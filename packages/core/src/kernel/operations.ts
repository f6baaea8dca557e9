// Long because it is where all that happens to an operation comes together; what can stand by itself is beside it.
import { AtWork } from './at-work.ts';
import { steeringAudit } from './audit/calls.ts';
import { type CommitFor, Commits, type CommitsOptions, type Committed, Fenced } from './commits.ts';
import { type Environment, timestamp } from './environment.ts';
import { CloudError, describeChain } from './errors.ts';
import { FairQueue } from './fair-queue.ts';
import { checkedAtHead, SATISFIED } from './head-check.ts';
import type { Ids } from './id.ts';
import {
  type AcceptedOperation,
  beginAnew,
  type Live,
  leftOver,
  liveAgain,
  loadJournal,
  paramsOf,
  parked,
  placeOf,
  refuseAside,
  reservations,
  satisfiedAt,
  unfinishedOf,
} from './live-operation.ts';
import { isFinished, type Operation, onlyForward, operation, UNFINISHED } from './operation.ts';
import { Passing } from './passing.ts';
import { patiently } from './patience.ts';
import type { Places } from './places.ts';
import { Queues } from './queues.ts';
import type { Reader } from './reader.ts';
import type { Registry } from './registry.ts';
import { SagaRun } from './saga/run.ts';
import type { RunPorts } from './saga/subject.ts';
import { heldFrom, type Standing } from './standing.ts';
import type { Statement, Store } from './store.ts';
import { type WaitEnds, Waiters } from './waiters.ts';
import { WaitingRoom } from './waiting-room.ts';

export interface OperationsOptions extends Pick<CommitsOptions, 'announced'> {
  readonly environment: Environment;
  readonly store: Store;
  readonly reader: Reader;
  readonly registry: Registry;
  readonly ids: Ids;
  readonly node: string;
  /** Sagas at work at once; the others wait at the head of their queues. */
  readonly runningMax: number;
  /** Each unfinished operation takes one. */
  readonly places: Places;
  /** Told of each audited call that has ended, by the id of its row. */
  readonly audited: (id: string) => void;
  readonly runs: Pick<RunPorts, 'around' | 'failed'>;
}

/** Runs accepted operations, each when it is first in all its queues, from acceptance or from the journal after a restart, to its end. */
export class Operations {
  readonly #options: OperationsOptions;
  readonly commits: Commits;
  readonly #queues = new Queues();
  readonly #live = new Map<string, Live>();
  readonly #ready = new FairQueue<string>();
  /** Of a restored store, until the restore is confirmed. */
  readonly #held = new Set<string>();
  readonly waiting: WaitingRoom;
  readonly #passing: Passing;
  readonly #waiters: Waiters;
  readonly atWork: AtWork;
  #stopping = false;
  #idle = Promise.withResolvers<void>();

  constructor(options: OperationsOptions) {
    this.#options = options;
    this.commits = new Commits(options);
    this.atWork = new AtWork(options.runningMax, () => this.#pump());
    this.#waiters = new Waiters(options.environment.timers);
    this.#passing = new Passing({
      queues: this.#queues,
      live: (id) => this.#live.get(id),
      ready: (id) => this.#makeReady(id),
      isKnown: ({ action, saga }) =>
        this.#options.registry.findAction(action) !== undefined && this.#options.registry.saga(saga) !== undefined,
      takesBack: ({ action }) => this.#options.registry.findAction(action)?.unwound !== undefined,
      takes: ({ action, resourceId }, params) => this.#options.registry.findAction(action)?.takes?.(params) ?? [resourceId],
      extend: (live, keys) => void this.#extend(live, keys),
      drive: (live) => this.#drive(live),
    });
    this.waiting = new WaitingRoom({
      ...options,
      live: (id) => this.#live.get(id),
      queue: (key) => this.#queues.of(key),
      stamp: () => this.stamp,
      commit: (statements, whose) => this.commit(statements, whose),
      extend: (live, keys) => void this.#extend(live, keys),
      ready: (id) => this.#makeReady(id),
    });
  }

  /** Who accepts operations and writes the journal, in every row and entry. */
  get stamp(): { readonly node: string; readonly epoch: number } {
    return { node: this.#options.node, epoch: this.#options.store.epoch };
  }

  get unfinished(): number {
    return this.#live.size;
  }

  /** Ids of the operations at and behind the head of a key's queue. */
  readonly queue = (key: string): readonly string[] => this.#queues.of(key);
  /** @see Queues.isAhead */
  readonly isAhead = (key: string, operationId: string): boolean => this.#queues.isAhead(key, operationId);

  /** What one that has not begun, or stands aside, waits for at this instant; undefined where nothing keeps it. */
  standing(id: string): Standing | undefined {
    const live = this.#live.get(id);
    if (live?.asideFor !== undefined) return { for: 'operations', ahead: 1, held: new Map([[live.asideFor, live.keys]]) };
    const held = live?.queued === true ? heldFrom(this.#queues, id, live.keys) : undefined;
    if (live === undefined || held !== undefined) return held;
    if (live.queued && this.#held.has(id)) return { for: 'recovery' };
    if (live.queued && live.waitsFor !== undefined) return { for: live.waitsFor };
    const ahead = this.#ready.ahead(live.account, id);
    return ahead === undefined ? undefined : { for: 'turn', ahead, atWorkMax: this.#options.runningMax };
  }

  /**
   * All unfinished operations, in the order of their queues, taken up where the journal ends. With `hold` those of before the restore only take their places,
   * until `release`; what had begun of them shows as parked.
   */
  async recover(hold = false): Promise<number> {
    const { store, reader, ids, registry } = this.#options;
    const unfinished = await unfinishedOf(store, reader, (kind) => registry.findDormant(kind) !== undefined);
    const held = hold ? unfinished.filter(({ row }) => row.incarnation !== store.incarnation) : [];
    for (const { row } of held) this.#held.add(row.id);
    for (const { row } of held)
      if (row.state !== 'queued') await this.commit([parked(row.id, 'The store was restored; it goes on when the recovery is confirmed.')]);
    for (const { row, keys } of unfinished) this.#queues.add(row.id, keys, row.causeId);
    const lives = unfinished.map(({ row, keys }) => liveAgain(row, keys));
    this.#passing.restore(lives);
    for (const live of lives) this.#take(live);
    const newest = unfinished
      .map(({ row }) => placeOf(row))
      .sort()
      .pop();
    if (newest !== undefined) ids.follow(newest);
    return unfinished.length;
  }

  /** Lets go on what `recover` has held. */
  release(): void {
    const held = [...this.#held];
    this.#held.clear();
    for (const id of held) if (this.#live.has(id) && this.#queues.isFirst(id)) this.#makeReady(id);
  }

  /**
   * Takes its place in the queues, before its acceptance is durable: places are taken in the order of ids, so that a restart, which knows only the ids, finds
   * the same order. True when it is first everywhere. Either `enqueue` or `withdraw` follows.
   */
  place(id: string, keys: readonly string[], causeId?: string): boolean {
    return this.#queues.add(id, keys, causeId);
  }

  /** Gives the place up again: it was not accepted. */
  withdraw(id: string): void {
    this.#leaveQueues(id);
  }

  /** Takes an operation that has its place and whose acceptance is durable. */
  enqueue(accepted: AcceptedOperation, params: unknown): void {
    this.#take({ ...accepted, resumed: false, journal: [{ type: 'accepted', params }], nextNumber: 1, percent: 0 });
  }

  #take(live: Live): void {
    this.#live.set(live.id, live);
    this.#options.places.add(live.account);
    if (live.forced) void this.#awaitTurn(live);
    this.waiting.yieldTo(live);
    if (this.#queues.isFirst(live.id)) this.#makeReady(live.id);
  }

  /** The operation when it has ended, or as it is when the time is over or the wait is ended. @throws CloudError not_found */
  async wait(id: string, timeoutMs: number, ends: WaitEnds = {}): Promise<Operation> {
    const waiter = this.#waiters.add(id, timeoutMs, ends);
    try {
      // One that is at work here has not ended, whatever its row says.
      if (timeoutMs <= 0 || !this.#live.has(id)) {
        const row = await this.#options.reader.get(operation, id);
        if (isFinished(row) || timeoutMs <= 0) return row;
      }
      await waiter.over;
      return await this.#options.reader.get(operation, id);
    } finally {
      waiter.leave();
    }
  }

  /** Asks an operation to unwind; `also` is committed with it. @throws CloudError conflict when it has ended or can only go on. */
  async cancel(id: string, actor = 'system', also: readonly Statement[] = []): Promise<void> {
    const row = await this.#options.reader.get(operation, id);
    const live = this.#liveOrThrow(row);
    refuseAside(live);
    if (live.run !== undefined && !live.run.cancel()) throw onlyForward(row);
    live.cancelRequested = true;
    const set = { cancelRequested: true };
    const audit = steeringAudit(row, 'cancel', actor, this.#options);
    const result = await this.commit([
      audit.statement,
      { op: 'update', table: 'operation', key: id, set, expect: { state: [...UNFINISHED] } },
      ...also,
    ]);
    if (!result.ok) throw new CloudError('conflict', 'The operation has ended meanwhile.');
    this.waiting.leave(id);
    this.#options.audited(audit.id);
  }

  /** Steers an operation that needs attention; `also` is committed with it. @throws CloudError conflict when it does not, or cannot do without the step */
  async steer(id: string, verb: 'retry' | 'skip', actor = 'system', also: readonly Statement[] = []): Promise<void> {
    const row = await this.#options.reader.get(operation, id);
    const live = this.#liveOrThrow(row);
    refuseAside(live);
    if (row.state === 'needs_attention' && live.run?.stuck !== true)
      throw new CloudError('conflict', 'The operation is being tried again.');
    if (row.state !== 'needs_attention' || live.run === undefined)
      throw new CloudError('conflict', `The operation is ${row.state}; only one that needs attention takes ${verb}.`);
    if (verb === 'skip' && live.run.needed !== undefined)
      throw new CloudError('conflict', `What comes behind the step ${live.run.needed} cannot do without it; retry it.`);
    const guard = { op: 'expect', table: 'operation', key: id, expect: { state: 'needs_attention' } } as const;
    const audit = steeringAudit(row, verb, actor, this.#options);
    const result = await this.commit([audit.statement, guard, ...also]);
    if (!result.ok) throw new CloudError('conflict', 'The operation has gone on meanwhile.');
    this.#options.audited(audit.id);
    live.run.steer(verb);
  }

  /** Interrupts every step at work, starts no other, and keeps the rest for the next start, which does the interrupted ones again. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.commits.stop();
    for (const live of this.#live.values()) live.run?.park();
    if (this.atWork.running > 0) await this.#idle.promise;
  }

  /** @see Commits.commit */
  commit(statements: readonly Statement[], whose?: CommitFor): Promise<Committed> {
    return this.commits.commit(statements, whose);
  }

  #liveOrThrow(row: Operation): Live {
    const live = this.#live.get(row.id);
    if (live === undefined) throw new CloudError('conflict', `The operation has ended: ${row.state}.`);
    return live;
  }

  #makeReady(id: string): void {
    const live = this.#live.get(id);
    if (live === undefined || live.isDriven === true || live.asideFor !== undefined || this.#held.has(id)) return;
    if (this.#passing.isHeldUp(live) || this.waiting.admit(live)) return;
    this.#ready.push(live.account, id);
    this.#pump();
  }

  #pump(): void {
    while (!this.#stopping) {
      const [next] = this.#ready.shiftEach(1, (account) => this.atWork.hasRoomFor(account));
      if (next === undefined) return;
      const live = this.#live.get(next[1]);
      if (live !== undefined) void this.#drive(live);
    }
  }

  async #drive(live: Live): Promise<void> {
    if (live.isDriven === true) return;
    live.isDriven = true;
    this.atWork.begin(live.id, live.account);
    try {
      const how = await this.#runToEnd(live);
      if (how === 'ended') this.#ended(live);
      if (how === 'moved') this.#moved(live);
      if (how === 'left' && live.asideFor !== undefined && !this.#stopping) this.#passing.standAside(live);
      else if (how === 'left' && !this.#stopping) this.#passing.giveBack(live);
    } catch (error) {
      this.#options.environment.logger.error({ operationId: live.id, error: describeChain(error) }, 'operation left for the next start');
      if (!(error instanceof Fenced) && !this.#stopping && live.supersededBy === undefined)
        await this.commit([parked(live.id, 'An unexpected fault on our side stopped it; it goes on at the next start.')]).catch(
          () => undefined,
        );
    } finally {
      this.atWork.end(live.id);
      if (this.atWork.running === 0 && this.#stopping) this.#idle.resolve();
      this.#pump();
    }
  }

  #ended(live: Live): void {
    this.#live.delete(live.id);
    this.#options.places.remove(live.account);
    this.#passing.giveBack(live);
    this.#leaveQueues(live.id);
    this.#waiters.wake(live.id);
    this.#options.audited(live.id);
  }

  /** One whose acceptance is not durable yet is made ready by `enqueue`. */
  #leaveQueues(id: string): void {
    const keys = this.#queues.keysOf(id);
    for (const next of this.#queues.remove(id)) if (this.#live.has(next)) this.#makeReady(next);
    this.#passing.look(keys);
  }

  async #awaitTurn(forced: Live): Promise<void> {
    const { store, environment } = this.#options;
    try {
      this.#passing.wait(forced, await this.#asked(() => paramsOf(store, forced)));
    } catch (error) {
      if (!this.#stopping)
        environment.logger.error({ operationId: forced.id, error: describeChain(error) }, 'waits like any other, though forced');
    }
  }

  readonly #asked = <T>(read: () => Promise<T>): Promise<T> => patiently(this.#options.environment, () => this.#stopping, read);

  async #runToEnd(live: Live): Promise<'ended' | 'left' | 'moved'> {
    await this.#asked(() => loadJournal(this.#options.store, live));
    const journal = live.journal ?? [];
    const action = this.#options.registry.findAction(live.action);
    const saga = this.#options.registry.saga(live.saga);
    if (saga === undefined || action === undefined) {
      await this.commit([parked(live.id, 'This release does not know what it would have to do.')]);
      this.#options.environment.logger.error(
        { operationId: live.id, action: live.action, saga: live.saga },
        'unknown to this release; parked',
      );
      return 'left';
    }
    const last = journal.at(-1)?.type;
    const refused =
      live.refused ??
      (live.queued || (last === 'accepted' && live.supersededBy === undefined)
        ? await this.#asked(() => checkedAtHead(this.#options.reader, live, action))
        : undefined);
    if (refused === SATISFIED) {
      await this.commit(satisfiedAt(live, timestamp(this.#options.environment.clock), this.stamp), live);
      return 'ended';
    }
    const neverBegun = live.queued;
    if (live.queued && refused === undefined && live.supersededBy === undefined) await this.#leaveQueued(live);
    const supersede = this.#passing.supersedes(live);
    live.run = new SagaRun(
      {
        environment: this.#options.environment,
        ids: this.#options.ids,
        stamp: this.stamp,
        commit: (statements) => this.commit(statements, live),
        definition: (key) => this.#options.registry.saga(key),
        onStuck: () => {
          this.atWork.stick(live.id);
          this.#passing.look(live.keys);
        },
        onFreed: () => this.atWork.free(live.id),
        rest: () => this.atWork.rest(live.id),
        ...(supersede === undefined ? {} : { beforePivot: supersede }),
        ...this.#options.runs,
      },
      {
        operationId: live.id,
        saga,
        ctx: action.context(),
        journal,
        nextNumber: live.nextNumber,
        percent: live.percent,
        attempt: live.attempt,
        cancelRequested: live.cancelRequested,
        resumed: live.resumed,
        waitsFor: live.waitsFor,
        refused,
        unwound: action.unwound,
        abandoned: async (params, isDone) => {
          if (neverBegun)
            return leftOver((await this.#asked(async () => action.unwound?.(params))) ?? [], live, action.target === 'collection');
          const ask = action.abandoned ?? (action.target === 'resource' ? action.unwound : undefined);
          return reservations((await this.#asked(async () => ask?.(params, isDone))) ?? []);
        },
        holds: (more) => this.#extend(live, more),
        move: (keys) => this.#move(live, keys),
        again:
          action.again === undefined
            ? undefined
            : (failed) => this.#asked(async () => action.again?.({ ...failed, operationId: live.id, reader: this.#options.reader })),
      },
    );
    // Told to stop while this was being prepared: there was no run yet that could be parked.
    if (this.#stopping) live.run.park();
    if (live.supersededBy !== undefined)
      live.run.abandon(new CloudError('conflict', `Superseded by the operation ${live.supersededBy.id}.`));
    const outcome = await live.run.run();
    return outcome === 'parked' ? 'left' : outcome === 'moved' ? outcome : 'ended';
  }

  #extend(live: Live, keys: readonly string[]): readonly string[] {
    this.#queues.extend(live.id, keys);
    live.keys = [...live.keys, ...keys];
    return live.keys;
  }

  /** Nothing may come between the place and its number, as in an acceptance: both are the order. */
  #move(live: Live, keys: readonly string[]): { readonly place: string; readonly stay: () => void } | undefined {
    const held = new Set(live.keys);
    // What stands aside for it does so for what it was to delete before.
    if (keys.every((key) => held.has(key)) && !this.#passing.hasPassed(live)) return undefined;
    const place = this.#options.ids.mint('operation');
    const all = [...new Set([live.resourceId, ...keys])];
    this.#queues.move(live.id, all);
    live.next = all;
    live.nextPlace = place;
    return {
      place,
      stay: () => {
        for (const head of this.#queues.stay(live.id)) if (this.#live.has(head)) this.#makeReady(head);
      },
    };
  }

  #moved(live: Live): void {
    const keys = live.keys;
    beginAnew(live);
    delete live.asideFor;
    this.#queues.back(live.id);
    this.#passing.giveBack(live);
    for (const head of this.#queues.moved(live.id)) if (this.#live.has(head)) this.#makeReady(head);
    this.#passing.look(keys);
    if (live.forced) void this.#awaitTurn(live);
  }

  /** Durable before anything begins: after a crash, what is still queued has left nothing behind. */
  async #leaveQueued(live: Live): Promise<void> {
    const set = { state: 'running', startedAt: timestamp(this.#options.environment.clock) };
    await this.commit([{ op: 'update', table: 'operation', key: live.id, set }], live);
    live.queued = false;
  }
}
