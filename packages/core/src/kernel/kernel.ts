import { Acceptances, type Accepting, type Place, type Refused } from './acceptance.ts';
import { lacks, type Principal } from './access.ts';
import type { Action } from './action.ts';
import { auditPlugin, RefusedSignIns, Sealer } from './audit/index.ts';
import { startExpiry } from './cascade/expiry.ts';
import { orphansPlugin } from './cascade/orphans.ts';
import { type DeletionPreview, type PreviewRequest, previewDeletion } from './cascade/preview.ts';
import { Causes, causesPlugin } from './causes.ts';
import type { OutcomeListener } from './commits.ts';
import { Debts } from './debts.ts';
import { dormantKinds, recordKinds, refuseNewer } from './dormant.ts';
import { type Environment, timestamp } from './environment.ts';
import { CloudError } from './errors.ts';
import { Ids } from './id.ts';
import { earlierRequest, type IdempotencyKey, idempotencyOf } from './idempotency.ts';
import type { RowBase } from './kind.ts';
import { type Operation, operation } from './operation.ts';
import { Operations } from './operations.ts';
import { Outbox } from './outbox.ts';
import { type PartRequest, Parts } from './parts.ts';
import { Places } from './places.ts';
import type { CallBack, Callbacks, Plugin } from './plugin.ts';
import { Reader } from './reader.ts';
import { awaitsConfirmation, confirmIncarnation } from './recovery.ts';
import { Registry } from './registry.ts';
import { type Rehearsal, rehearsal } from './rehearse.ts';
import { trashMs } from './retention.ts';
import { sagaKey } from './saga/definition.ts';
import type { RunPorts } from './saga/subject.ts';
import { Secrets } from './secrets.ts';
import type { Presets } from './settings/definition.ts';
import { Settings } from './settings/values.ts';
import { Slices } from './slices.ts';
import type { CommitResult, Statement, Store } from './store.ts';
import { startSweep } from './sweep.ts';
import { compileInput, type InputCheck } from './validation.ts';

export interface KernelOptions {
  readonly environment: Environment;
  readonly store: Store;
  /** Given the kernel's services; the plugins are made once, before the store is prepared. */
  readonly plugins: (services: KernelServices) => readonly Plugin[];
  /** What seals secrets: 32 bytes, or several times as many, the newest key last. */
  readonly sealKey: Uint8Array;
  readonly node?: string;
  /** Unfinished operations at most; beyond, requests are answered `busy`. Default 10,000. */
  readonly operationsMax?: number;
  /** Sagas at work at once. Default 256. */
  readonly runningMax?: number;
  /** What settings are where nothing is set, by name, in place of their defaults. */
  readonly presets?: Presets;
  readonly around?: RunPorts['around'];
  /** When the store has its tables, before anything is taken up: who throws ends the start. */
  readonly prepared?: () => Promise<void>;
}

/** What modules are built with. */
export interface KernelServices {
  readonly environment: Environment;
  readonly store: Store;
  readonly reader: Reader;
  readonly ids: Ids;
  readonly secrets: Secrets;
  /** What settings are now. */
  readonly settings: Settings;
  /** For background work over many rows. */
  readonly slices: Slices;
  /** Late bound: the kernel exists after its plugins. */
  readonly kernel: () => Kernel;
  /** While an operation at work waits for what may never answer, its place is another's. Answers how to go on. */
  readonly rest: (operationId: string) => () => void;
}

export interface SubmitRequest {
  readonly action: string;
  /** For actions on a resource. */
  readonly resourceId?: string;
  readonly input: unknown;
  readonly principal: Principal;
  /** Makes the request repeatable for 24 h. */
  readonly idempotencyKey?: string;
  /** The row must still have this generation. */
  readonly ifGeneration?: number;
  /** Is told how the operation ended. */
  readonly callbackUrl?: string;
}

/** The same whenever the same request is repeated with its key. */
export interface Accepted {
  readonly operationId: string;
  readonly action: string;
  readonly resourceKind: string;
  readonly resourceId: string;
  readonly acceptedAt: string;
}

/** The one way to change state: accepts requests durably, runs their operations, and hands everything else its services. */
export class Kernel {
  readonly registry: Registry;
  readonly reader: Reader;
  readonly operations: Operations;
  /** What operations ask for themselves. */
  readonly parts: Parts;
  readonly services: KernelServices;
  readonly audit: Sealer;
  readonly refusedSignIns: RefusedSignIns;
  readonly #options: KernelOptions;
  readonly #acceptances: Acceptances;
  readonly #checks = new Map<string, InputCheck>();
  readonly #outbox: Outbox;
  readonly #debts: Debts;
  readonly #room: Places;
  #stops: (() => Promise<void>)[] = [];
  #stopped = false;

  constructor(options: KernelOptions) {
    const { environment, store } = options;
    const ids = new Ids(environment.clock, environment.random);
    const causes = new Causes();
    this.#options = options;
    this.#room = new Places(options.operationsMax ?? 10_000);
    this.reader = new Reader(store);
    this.services = {
      environment,
      store,
      reader: this.reader,
      ids,
      secrets: new Secrets(options.sealKey, environment, ids, store),
      settings: new Settings({ environment, reader: this.reader, registry: () => this.registry }),
      slices: new Slices(environment.timers),
      kernel: () => this,
      rest: (operationId) => this.operations.atWork.rest(operationId),
    };
    this.registry = new Registry(
      [...options.plugins(this.services), auditPlugin(this.services), orphansPlugin(this.services), causesPlugin(store, causes)],
      environment,
      this.reader,
      { presets: options.presets ?? {}, trashMs: () => trashMs(this.services.settings), slices: this.services.slices },
    );
    this.audit = new Sealer({ environment, store, commit: (statements) => this.operations.commit(statements) });
    this.refusedSignIns = new RefusedSignIns({ environment, ids: this.services.ids, audit: this.audit });
    this.operations = new Operations({
      environment,
      store,
      reader: this.reader,
      registry: this.registry,
      ids,
      node: options.node ?? 'node-1',
      runningMax: options.runningMax ?? 256,
      places: this.#room,
      announced: () => void this.#outbox.look(),
      audited: (id) => this.audit.ended(id),
      runs: { failed: causes.failed, ...(options.around === undefined ? {} : { around: options.around }) },
    });
    this.onOutcome((statements, ok) => this.services.settings.heed(statements, ok));
    this.onOutcome((statements, ok, revision) => ok && this.audit.hear(statements, revision));
    this.#outbox = new Outbox(environment, store, this.registry.hooks, (statements) => this.operations.commit(statements));
    this.#debts = new Debts(this.services, this.registry, (statements) => this.operations.commit(statements));
    this.#acceptances = new Acceptances(this.services, this.registry, this.operations);
    this.parts = new Parts(this.reader, this.operations, (request) => this.#acceptPart(request));
    for (const action of this.registry.actions()) this.#checks.set(action.name, compileInput(action.input));
  }

  /** Prepares the store, takes up unfinished operations and begins background work. */
  async start(): Promise<void> {
    const { store } = this.#options;
    await refuseNewer(store, this.registry);
    await store.prepare(this.registry.schema());
    await this.#options.prepared?.();
    this.registry.addDormant(await dormantKinds(store, this.registry));
    await this.services.settings.load();
    await this.operations.commits.countAnew();
    await this.operations.recover(await awaitsConfirmation(this.#options.store));
    await this.#outbox.look();
    const commit = (statements: readonly Statement[]) => this.operations.commit(statements);
    const kinds = await recordKinds(store, this.registry);
    if (kinds.length > 0) await commit(kinds);
    const sweepPorts = { ...this.services, registry: this.registry, commit, holds: (key: string) => this.holds(key) };
    this.#stops.push(startSweep(sweepPorts));
    this.audit.start();
    const submit = (request: SubmitRequest) => this.submit(request);
    this.#stops.push(startExpiry({ ...sweepPorts, submit }));
    for (const plugin of this.registry.plugins) if (plugin.start !== undefined) this.#stops.push(await plugin.start());
  }

  /** Stops background work and parks the sagas; a later start goes on from there. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#outbox.stop();
    // The sagas first: a watch that is at a slow host must not keep them from parking.
    const parked = this.operations.stop();
    for (const stop of this.#stops.reverse()) await stop();
    await parked;
    await this.audit.stop();
  }

  /** An operator has looked through what a restored store does not explain: from now on things are removed, and unfinished operations go on, as before. */
  async confirmRecovery(
    commit: (statements: readonly Statement[]) => Promise<unknown> = (statements) => this.operations.commit(statements),
  ): Promise<void> {
    await commit(confirmIncarnation(this.#options.store));
    this.operations.release();
  }

  /** Pays what is owed to a place that has come back, until the signal aborts. Answers how many debts are left. */
  payDebts(place: string, signal: AbortSignal): Promise<number> {
    return this.#debts.pay(place, signal);
  }

  /** For reconcilers: observations, guarded by the generation that was looked at, outside of any operation. A failed guard means: look again. */
  observe(statements: readonly Statement[]): Promise<CommitResult> {
    return this.operations.commit(statements);
  }

  /** What the deletion would do if it were asked for now. */
  previewDeletion(action: Action, row: RowBase, request: Omit<PreviewRequest, 'idle'>): Promise<DeletionPreview> {
    return previewDeletion(this.registry.cascade, action, row, { ...request, idle: !this.holds(row.id) });
  }

  /** For caches: told of the statements of each transaction of this node as soon as its outcome is known. Answers how to stop. */
  onOutcome(listener: OutcomeListener): () => void {
    return this.operations.commits.onOutcome(listener);
  }

  /** True while an unfinished operation is in the queue of this key. */
  holds(key: string): boolean {
    return this.operations.queue(key).length > 0;
  }

  /** As `holds`, but for those that wait for this operation: it would wait for itself. */
  holdsAhead(key: string, operationId: string): boolean {
    return this.operations.isAhead(key, operationId);
  }

  /**
   * Accepts a request: operation, idempotency key, resource row, reservations, audit and first journal entry in one transaction. What is accepted ends,
   * whatever happens to this process.
   * @throws CloudError with everything that can be wrong with the request; nothing was changed then.
   */
  submit(request: SubmitRequest): Promise<Accepted> {
    return this.#admit(request, async (action) => {
      const key = idempotencyOf(request);
      const callBack = request.callbackUrl === undefined ? undefined : await this.#callbacks.prepare(request.callbackUrl);
      return (key === undefined ? undefined : await this.#repeated(key)) ?? (await this.#acceptOnce(request, action, key, callBack));
    });
  }

  /**
   * What `submit` would do, decided in the same way on the store as it is, but for the commit: nothing is written, and no key is kept.
   * @throws CloudError with what is wrong with the request itself; what stands in its way is answered
   */
  rehearse(request: SubmitRequest): Promise<Rehearsal> {
    return this.#admit(request, (action) => {
      const steps = action.saga.steps.map(({ name }) => name);
      const of = { action: action.name, resourceKind: action.kind.name, resourceId: request.resourceId, steps };
      return rehearsal(of, (decided) =>
        this.#acceptances.decide({ request, action, rehearses: true }, async (accepting) => {
          const statements = this.#acceptances.statements(accepting, this.#places(accepting));
          const { result, quota } = await this.operations.commits.rehearse(statements);
          decided({ notes: accepting.acceptance.notes, satisfied: accepting.satisfied, quota });
          return result.ok ? { answer: undefined } : { failure: result, statement: statements[result.statement] };
        }),
      );
    });
  }

  async #acceptPart({ operationId, causeId, along = [], ...request }: PartRequest): Promise<void> {
    if (this.#stopped) throw new CloudError('unavailable', 'This server is stopping.');
    const action = this.#permitted(request);
    this.#checks.get(action.name)?.assert(request.input);
    await this.#acceptances.decide({ request, action, part: { operationId, causeId, along } }, (accepting) => this.#write(accepting));
  }

  async #admit<T>(request: SubmitRequest, body: (action: Action) => Promise<T>): Promise<T> {
    if (this.#stopped) throw new CloudError('unavailable', 'This server is stopping.');
    const action = this.#permitted(request);
    this.#checks.get(action.name)?.assert(request.input);
    if (request.callbackUrl !== undefined) this.#callbacks.refuse(request.callbackUrl);
    const leave = this.#room.take(request.principal.accountId);
    if (leave === undefined) throw new CloudError('busy', 'Too many operations are under way.', { params: { retryAfterSeconds: 2 } });
    try {
      return await body(action);
    } finally {
      leave();
    }
  }

  /** @throws CloudError where no plugin calls back */
  get #callbacks(): Callbacks {
    const { callbacks } = this.registry;
    if (callbacks === undefined)
      throw new CloudError('invalid_input', 'Nobody is called back here.', { params: { header: 'X-Callback-Url' } });
    return callbacks;
  }

  #permitted({ action: name, principal }: SubmitRequest): Action {
    const action = this.registry.action(name);
    if (!principal.allows(action.permission)) throw lacks(action.permission, principal);
    return action;
  }

  async #acceptOnce(
    request: SubmitRequest,
    action: Action,
    key: IdempotencyKey | undefined,
    callBack: CallBack | undefined,
  ): Promise<Accepted> {
    try {
      return await this.#acceptances.decide({ request, action, key }, (accepting) => this.#write(accepting, callBack));
    } catch (error) {
      // Two tries of one request side by side: the second may meet what the first has changed.
      const first = key === undefined ? undefined : await this.#repeated(key);
      if (first !== undefined) return first;
      throw error;
    }
  }

  /** What an operation is told by; `queued` before it has its place. */
  #places({ id, action, acceptance, part }: Accepting): Place {
    const place = this.services.ids.mint('operation');
    return {
      ...(part === undefined ? { operationId: place } : { operationId: part.operationId, place }),
      keys: [...new Set([id, ...(acceptance.keys ?? [])])],
      at: timestamp(this.services.environment.clock),
      saga: sagaKey(action.saga),
      queued: false,
    };
  }

  async #write(accepting: Accepting, callBack?: CallBack): Promise<{ readonly answer: Accepted } | Refused> {
    const { action, id, acceptance, key, satisfied, forced, principal, part } = accepting;
    const named = this.#places(accepting);
    const { operationId, keys, at, saga } = named;
    // Nothing may come between the id and the place: both are the order of acceptance.
    const isFirst = satisfied || this.operations.place(operationId, keys, part?.causeId);
    const queued = !isFirst || acceptance.waitsFor !== undefined;
    const statements = [...this.#acceptances.statements(accepting, { ...named, queued }), ...(callBack?.(operationId) ?? [])];
    let accepted = false;
    try {
      const result = await this.operations.commit(statements, { patience: 'once', account: principal.accountId });
      accepted = result.ok;
      if (!result.ok) {
        const statement = statements[result.statement];
        const taken = key !== undefined && statement?.op === 'insert' && statement.table === 'idempotency';
        const first = taken ? await this.#repeated(key) : undefined;
        return first === undefined ? { failure: result, statement } : { answer: first };
      }
    } finally {
      if (!accepted && !satisfied) this.operations.withdraw(operationId);
      if (!accepted && callBack !== undefined) this.#callbacks.forget(operationId);
    }
    if (satisfied) this.audit.ended(operationId);
    else
      this.operations.enqueue(
        {
          id: operationId,
          account: principal.accountId,
          action: action.name,
          saga,
          resourceId: id,
          keys,
          forced,
          attempt: 0,
          cancelRequested: false,
          queued,
          ...(acceptance.waitsFor === undefined ? {} : { waitsFor: acceptance.waitsFor }),
        },
        acceptance.params,
      );
    return { answer: { operationId, action: action.name, resourceKind: action.kind.name, resourceId: id, acceptedAt: at } };
  }

  /** The first answer of a request that was made before with this key. @throws CloudError idempotency_mismatch */
  async #repeated(key: IdempotencyKey): Promise<Accepted | undefined> {
    const commit = (statements: readonly Statement[]) => this.operations.commit(statements);
    const kept = await earlierRequest(key, { ...this.services, commit });
    if (kept?.operationId === undefined) return undefined;
    const first: Operation = await this.reader.get(operation, kept.operationId);
    return {
      operationId: first.id,
      action: first.action,
      resourceKind: first.resourceKind,
      resourceId: first.resourceId,
      // As it was answered, which is a little before it was stored.
      acceptedAt: kept.acceptedAt,
    };
  }
}
