import { inProject, isVisible, lacks, type Principal, readPermission } from './access.ts';
import { type Acceptance, type AcceptRequest, type Action, stateProblem } from './action.ts';
import { auditPlugin, auditStatement, Sealer, toldOf } from './audit/index.ts';
import { Debts } from './debts.ts';
import { type Environment, timestamp } from './environment.ts';
import { CloudError } from './errors.ts';
import { type Id, Ids } from './id.ts';
import { earlierRequest, type IdempotencyKey, idempotencyOf, idempotencyRow } from './idempotency.ts';
import type { JsonObject } from './json.ts';
import type { AnyKind, RowOf } from './kind.ts';
import { type Operation, operation } from './operation.ts';
import { Operations } from './operations.ts';
import { Outbox } from './outbox.ts';
import type { Plugin } from './plugin.ts';
import { Reader } from './reader.ts';
import { awaitsConfirmation, confirmIncarnation } from './recovery.ts';
import { acceptanceFailed, refuseTaken } from './refusals.ts';
import { Registry } from './registry.ts';
import { type Retention, retentionOf } from './retention.ts';
import { create } from './rows.ts';
import { sagaKey } from './saga/definition.ts';
import type { RunPorts } from './saga/subject.ts';
import { Secrets } from './secrets.ts';
import type { CommitResult, Statement, Store } from './store.ts';
import { startSweep } from './sweep.ts';
import { compileInput, type InputCheck } from './validation.ts';

export interface KernelOptions {
  readonly environment: Environment;
  readonly store: Store;
  /** Given the kernel's services; the plugins are made once, before the store is prepared. */
  readonly plugins: (services: KernelServices) => readonly Plugin[];
  /** 32 bytes that seal secrets. */
  readonly sealKey: Uint8Array;
  readonly node?: string;
  /** Unfinished operations at most; beyond, requests are answered `busy`. Default 10,000. */
  readonly operationsMax?: number;
  /** Sagas at work at once. Default 256. */
  readonly runningMax?: number;
  /** How long what has ended is kept. Default: operations and deleted rows 30 days, the audit for ever. */
  readonly retention?: Partial<Retention>;
  readonly around?: RunPorts['around'];
}

/** What modules are built with. */
export interface KernelServices {
  readonly environment: Environment;
  readonly store: Store;
  readonly reader: Reader;
  readonly ids: Ids;
  readonly secrets: Secrets;
  /** Late bound: the kernel exists after its plugins. */
  readonly kernel: () => Kernel;
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
}

/** The same whenever the same request is repeated with its key. */
export interface Accepted {
  readonly operationId: string;
  readonly action: string;
  readonly resourceKind: string;
  readonly resourceId: string;
  readonly acceptedAt: string;
}

const ACCEPT_ATTEMPTS = 5;
/** Where others are chosen after a clash. Each that is lost was won by another request, so that this many side by side do not keep one from its turn. */
const CLASH_ATTEMPTS = 20;

/** The one way to change state: accepts requests durably, runs their operations, and hands everything else its services. */
export class Kernel {
  readonly registry: Registry;
  readonly reader: Reader;
  readonly operations: Operations;
  readonly services: KernelServices;
  readonly audit: Sealer;
  readonly #options: KernelOptions;
  readonly #checks = new Map<string, InputCheck>();
  readonly #outbox: Outbox;
  readonly #debts: Debts;
  readonly #retention: Retention;
  #stops: (() => Promise<void>)[] = [];
  #accepting = 0;
  #stopped = false;

  constructor(options: KernelOptions) {
    const { environment, store } = options;
    const ids = new Ids(environment.clock, environment.random);
    this.#options = options;
    this.#retention = retentionOf(options.retention);
    this.reader = new Reader(store);
    this.services = {
      environment,
      store,
      reader: this.reader,
      ids,
      secrets: new Secrets(options.sealKey, environment, ids, store),
      kernel: () => this,
    };
    this.registry = new Registry([...options.plugins(this.services), auditPlugin(this.services)], environment, this.reader);
    this.audit = new Sealer({ environment, store, commit: (statements) => this.operations.commit(statements) });
    this.operations = new Operations({
      environment,
      store,
      reader: this.reader,
      registry: this.registry,
      ids,
      node: options.node ?? 'node-1',
      runningMax: options.runningMax ?? 256,
      announced: () => void this.#outbox.look(),
      audited: (id) => this.audit.ended(id),
      ...(options.around === undefined ? {} : { around: options.around }),
    });
    this.#outbox = new Outbox(environment, store, this.registry.hooks, (statements) => this.operations.commit(statements));
    this.#debts = new Debts(this.services, this.registry, (statements) => this.operations.commit(statements));
    for (const action of this.registry.actions()) this.#checks.set(action.name, compileInput(action.input));
  }

  /** Prepares the store, takes up unfinished operations and begins background work. */
  async start(): Promise<void> {
    await this.#options.store.prepare(this.registry.schema());
    await this.operations.recover(await awaitsConfirmation(this.#options.store));
    await this.#outbox.look();
    const commit = (statements: readonly Statement[]) => this.operations.commit(statements);
    const sweepPorts = { ...this.services, registry: this.registry, commit, holds: (key: string) => this.holds(key) };
    this.#stops.push(startSweep(sweepPorts, this.#retention));
    this.audit.start();
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

  /** True while an unfinished operation is in the queue of this key. */
  holds(key: string): boolean {
    return this.operations.queue(key).length > 0;
  }

  /**
   * Accepts a request: operation, idempotency key, resource row, reservations, audit and first journal entry in one transaction. What is accepted ends,
   * whatever happens to this process.
   * @throws CloudError with everything that can be wrong with the request; nothing was changed then.
   */
  async submit(request: SubmitRequest): Promise<Accepted> {
    if (this.#stopped) throw new CloudError('unavailable', 'This server is stopping.');
    const action = this.#permitted(request);
    this.#checks.get(action.name)?.assert(request.input);
    if (this.operations.unfinished + this.#accepting >= (this.#options.operationsMax ?? 10_000))
      throw new CloudError('busy', 'Too many operations are under way.', { params: { retryAfterSeconds: 2 } });
    this.#accepting += 1;
    try {
      const key = idempotencyOf(request);
      return (key === undefined ? undefined : await this.#repeated(key)) ?? (await this.#acceptOnce(request, action, key));
    } finally {
      this.#accepting -= 1;
    }
  }

  #permitted({ action: name, principal }: SubmitRequest): Action {
    const action = this.registry.action(name);
    if (!principal.allows(action.permission)) throw lacks(action.permission);
    return action;
  }

  async #acceptOnce(request: SubmitRequest, action: Action, key: IdempotencyKey | undefined): Promise<Accepted> {
    try {
      return await this.#accept(request, action, key);
    } catch (error) {
      // Two tries of one request side by side: the second may meet what the first has changed.
      const first = key === undefined ? undefined : await this.#repeated(key);
      if (first !== undefined) return first;
      throw error;
    }
  }

  async #accept(request: SubmitRequest, action: Action, key: IdempotencyKey | undefined): Promise<Accepted> {
    const { services } = this;
    const id = (request.resourceId ?? services.ids.mint(action.kind.name)) as Id<string>;
    for (let attempt = 0; ; attempt += 1) {
      const found = await this.#look(request, action, id);
      const { row, satisfied } = found;
      const principal = await this.#ownerOf(row, request.principal);
      if (attempt === 0 && action.gate !== undefined && !satisfied)
        await this.registry.hooks.pass(action.gate, { row: row as RowOf<AnyKind> | undefined, input: request.input });
      const ask = {
        id,
        row,
        input: request.input,
        projectId: principal.projectId,
        principal,
        reader: this.reader,
        mint: (kind: string) => services.ids.mint(kind),
        seal: (value: string) => services.secrets.seal(value),
        attempt,
      };
      const acceptance: Acceptance<unknown> = satisfied
        ? { params: null, statements: [] }
        : await action.accept(ask as unknown as AcceptRequest<AnyKind, unknown> & { row: RowOf<AnyKind> });
      if (row !== undefined && action.verb === 'update' && !satisfied) await refuseTaken(this.reader, action.kind, row, request.input);
      const written = await this.#write({ request, principal, action, id, acceptance, key, ...found });
      if ('operationId' in written) return written;
      if (key !== undefined && written.statement?.op === 'insert' && written.statement.table === 'idempotency') {
        const answer = await this.#repeated(key);
        if (answer !== undefined) return answer;
      }
      const refusal = action.refused?.(written.failure, written.statement);
      if (refusal instanceof Error) throw refusal;
      if (refusal === 'again') {
        if (attempt + 1 < CLASH_ATTEMPTS) continue;
        throw new CloudError('busy', 'Other requests took what was chosen each time; ask again.');
      }
      if (written.failure.reason === 'exists' || attempt + 1 >= ACCEPT_ATTEMPTS)
        throw acceptanceFailed(action, written.failure, written.statement);
    }
  }

  /** The row as it is now, and whether the request fits it. What waits behind others is checked at the head of its queues. */
  async #look(request: SubmitRequest, action: Action, id: string): Promise<Found> {
    const forced = action.verb === 'delete' && (request.input as { force?: unknown } | undefined)?.force === true;
    if (action.target === 'collection') return { row: undefined, satisfied: false, forced };
    const row = await this.#target(action, id, request);
    if (request.ifGeneration !== undefined && row.generation !== request.ifGeneration)
      throw new CloudError('precondition_failed', `It has generation ${row.generation} now, not ${request.ifGeneration}.`, {
        params: { generation: row.generation },
      });
    const idle = this.operations.queue(id).length === 0;
    const satisfied = idle && action.satisfied?.(row) === true;
    const problem = idle && !satisfied ? stateProblem(action, row, forced) : undefined;
    if (problem !== undefined) throw (await action.heldBy?.(row, this.reader)) ?? problem;
    return { row, satisfied, forced };
  }

  async #target(action: Action, id: string, request: SubmitRequest): Promise<RowOf<AnyKind>> {
    const row = await this.reader.find(action.kind, id);
    const absent = row === undefined || (row.deletedAt !== undefined && action.satisfied?.(row) !== true);
    if (absent || !(await isVisible(action.kind, row, request.principal, readPermission(action.kind), this.reader)))
      throw new CloudError('not_found', `No ${action.kind.name} ${id}.`);
    // What one may see, one may be told not to change.
    if (!(await isVisible(action.kind, row, request.principal, action.permission, this.reader))) throw lacks(action.permission);
    return row;
  }

  /** The caller at work where the row is: the operator may be in another project. */
  async #ownerOf(row: RowOf<AnyKind> | undefined, principal: Principal): Promise<Principal> {
    const { projectId } = row ?? {};
    if (projectId === undefined || projectId === principal.projectId) return principal;
    const kind = this.registry.findKind('project');
    const { accountId = principal.accountId } = (kind && (await this.reader.find(kind, projectId))) ?? {};
    return inProject(principal, projectId, accountId);
  }

  async #write(accepting: Accepting): Promise<Accepted | Refused> {
    const { action, id, acceptance, satisfied, forced } = accepting;
    const operationId = this.services.ids.mint('operation');
    const keys = [...new Set([id, ...(acceptance.keys ?? [])])];
    // Nothing may come between the id and the place: both are the order of acceptance.
    const queued = !satisfied && !this.operations.place(operationId, keys);
    const at = timestamp(this.services.environment.clock);
    const saga = sagaKey(action.saga);
    const statements = this.#statements(accepting, { operationId, keys, at, saga, queued });
    let accepted = false;
    try {
      const result = await this.operations.commit(statements, 'once');
      accepted = result.ok;
      if (!result.ok) return { failure: result, statement: statements[result.statement] };
    } finally {
      if (!accepted && !satisfied) this.operations.withdraw(operationId);
    }
    if (satisfied) this.audit.ended(operationId);
    else
      this.operations.enqueue(
        { id: operationId, action: action.name, saga, resourceId: id, keys, forced, attempt: 0, cancelRequested: false, queued },
        acceptance.params,
      );
    return { operationId, action: action.name, resourceKind: action.kind.name, resourceId: id, acceptedAt: at };
  }

  #statements(
    { request, principal: { actor, projectId, accountId }, action, id, row, acceptance, key, satisfied, forced }: Accepting,
    { operationId, keys, at, saga, queued }: { operationId: Id<'operation'>; keys: string[]; at: string; saga: string; queued: boolean },
  ): readonly Statement[] {
    const state = satisfied ? 'succeeded' : queued ? 'queued' : 'running';
    return [
      create(operation, {
        id: operationId,
        projectId,
        name: operationId,
        state,
        action: action.name,
        resourceKind: action.kind.name,
        resourceId: id,
        actor,
        accountId,
        saga,
        keys,
        node: this.operations.node,
        epoch: this.services.store.epoch,
        incarnation: this.services.store.incarnation,
        attempt: 0,
        stepsDone: 0,
        percent: satisfied ? 100 : 0,
        ...(forced ? { forced } : {}),
        ...(acceptance.notes === undefined ? {} : { notes: acceptance.notes as Record<string, unknown> }),
        ...(queued ? {} : { startedAt: at }),
        ...(satisfied ? { endedAt: at } : {}),
      }),
      auditStatement({
        ...{ id: operationId, at, actor, action: action.name, projectId, accountId, resourceKind: action.kind.name, resourceId: id },
        ...toldOf(action, request.input, row as JsonObject | undefined),
      }),
      ...(key === undefined ? [] : [idempotencyRow(key, { operationId, acceptedAt: at }, this.services.environment)]),
      ...(satisfied
        ? []
        : [
            {
              op: 'insert',
              table: 'journal',
              row: { operationId, number: 0, ...this.operations.stamp, type: 'accepted', params: acceptance.params as JsonObject },
            } as const,
          ]),
      ...(request.ifGeneration === undefined || row === undefined
        ? []
        : [{ op: 'expect', table: action.kind.name, key: id, expect: { generation: request.ifGeneration } } as const]),
      ...acceptance.statements,
    ];
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

interface Found {
  readonly row: RowOf<AnyKind> | undefined;
  readonly satisfied: boolean;
  readonly forced: boolean;
}
interface Accepting extends Found {
  readonly request: SubmitRequest;
  /** At work where the row is. */
  readonly principal: Principal;
  readonly action: Action;
  readonly id: string;
  readonly acceptance: Acceptance<unknown>;
  readonly key: IdempotencyKey | undefined;
}
interface Refused {
  readonly failure: Extract<CommitResult, { ok: false }>;
  readonly statement: Statement | undefined;
}
