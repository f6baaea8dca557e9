import { isVisible, lacks, type Principal, readPermission } from './access.ts';
import { type Acceptance, type AcceptRequest, type Action, DELETING, stateProblem } from './action.ts';
import { inWords } from './article.ts';
import { auditStatement, toldOf } from './audit/index.ts';
import type { Refusal } from './commits.ts';
import { CloudError, toldTo } from './errors.ts';
import type { Id } from './id.ts';
import { type IdempotencyKey, idempotencyRow } from './idempotency.ts';
import type { JsonObject } from './json.ts';
import type { KernelServices, SubmitRequest } from './kernel.ts';
import type { AnyKind, RowOf } from './kind.ts';
import { reservations } from './live-operation.ts';
import { keysJournaled, keysShown, operation } from './operation.ts';
import type { Operations } from './operations.ts';
import { assertWithin, ownerGone, ownerGuard, ownerOf } from './owner.ts';
import { quotaExceeded } from './quota/index.ts';
import { acceptanceFailed, refuseTaken, takenBy, tooLong } from './refusals.ts';
import type { Registry } from './registry.ts';
import { create } from './rows.ts';
import type { Statement } from './store.ts';

const ACCEPT_ATTEMPTS = 5;
/** Where others are chosen after a clash. Each that is lost was won by another request, so that this many side by side do not keep one from its turn. */
const CLASH_ATTEMPTS = 20;

interface Asked {
  readonly request: SubmitRequest;
  readonly action: Action;
  readonly key?: IdempotencyKey | undefined;
  /** Only to tell what would come of it. */
  readonly rehearses?: boolean;
  readonly part?: Part | undefined;
}

/** Of what an operation asks for: its own id, chosen before, and that of who asks. */
interface Part {
  readonly operationId: Id<'operation'>;
  readonly causeId: string;
  readonly along: readonly Statement[];
}

interface Found {
  readonly row: RowOf<AnyKind> | undefined;
  readonly satisfied: boolean;
  readonly forced: boolean;
}
export interface Accepting extends Found {
  readonly request: SubmitRequest;
  /** At work where the row is. */
  readonly principal: Principal;
  readonly action: Action;
  readonly id: string;
  readonly acceptance: Acceptance<unknown>;
  /** That who gets a new row is still there. */
  readonly guards: readonly Statement[];
  readonly key: IdempotencyKey | undefined;
  readonly part: Part | undefined;
}
/** What the operation of an acceptance is told by. */
export interface Place {
  readonly operationId: Id<'operation'>;
  /** In the order of acceptance, when that is not its id. */
  readonly place?: Id<'operation'>;
  readonly keys: string[];
  readonly at: string;
  readonly saga: string;
  /** Others are before it. */
  readonly queued: boolean;
}
export interface Refused {
  readonly failure: Refusal;
  readonly statement: Statement | undefined;
}
type Written<T> = { readonly answer: T } | Refused;

/** Decides requests: looks at what they are about, asks their actions, and says what is to be written. */
export class Acceptances {
  readonly #services: KernelServices;
  readonly #registry: Registry;
  readonly #operations: Operations;

  constructor(services: KernelServices, registry: Registry, operations: Operations) {
    this.#services = services;
    this.#registry = registry;
    this.#operations = operations;
  }

  /**
   * Asks for the decision and has it written; where others were first, again. `write` answers what has come of it, or which guard refused it.
   * @throws CloudError with what is wrong with the request, or stands in its way
   */
  async decide<T>(asked: Asked, write: (accepting: Accepting) => Promise<Written<T>>): Promise<T> {
    try {
      return await this.#decide(asked, write);
    } catch (error) {
      throw toldTo(asked.request.principal, error);
    }
  }

  async #decide<T>(
    { request, action, key, part, rehearses = false }: Asked,
    write: (accepting: Accepting) => Promise<Written<T>>,
  ): Promise<T> {
    const services = this.#services;
    const ports = { registry: this.#registry, reader: services.reader };
    const id = (request.resourceId ?? services.ids.mint(action.kind.name)) as Id<string>;
    for (let attempt = 0; ; attempt += 1) {
      const found = await this.#look(request, action, id);
      const { row, satisfied } = found;
      const principal = await ownerOf(ports, row, request.principal);
      const guards = ownerGuard(ports, action, principal);
      if (attempt === 0 && action.gate !== undefined && !satisfied)
        await this.#registry.hooks.pass(action.gate, { row: row as RowOf<AnyKind> | undefined, input: request.input });
      const ask = {
        id,
        row,
        input: request.input,
        projectId: principal.projectId,
        principal,
        reader: services.reader,
        mint: (kind: string) => services.ids.mint(kind),
        seal: (value: string) => services.secrets.seal(value),
        attempt,
        rehearses,
      };
      const acceptance: Acceptance<unknown> = satisfied
        ? { params: null, statements: [] }
        : await action.accept(ask as unknown as AcceptRequest<AnyKind, unknown> & { row: RowOf<AnyKind> });
      await assertWithin(action, { id, row, input: request.input, statements: acceptance.statements }, principal, ports);
      if (row !== undefined && action.verb === 'update' && !satisfied) await refuseTaken(services.reader, action.kind, row, request.input);
      const isDone = satisfied || acceptance.satisfied === true;
      const written = await write({
        request,
        principal,
        action,
        id: acceptance.about ?? id,
        acceptance,
        guards,
        key,
        part,
        ...found,
        satisfied: isDone,
      });
      if ('answer' in written) return written.answer;
      if (written.failure.quota !== undefined) throw quotaExceeded(written.failure.quota);
      // Of nothing that another try would change.
      if (written.failure.reason === 'too_long') throw tooLong(written.failure.fields);
      const refusal = ownerGone(guards, written.statement) ?? action.refused?.(written.failure, written.statement);
      if (refusal instanceof Error) throw refusal;
      if (refusal === 'again') {
        if (attempt + 1 < CLASH_ATTEMPTS) continue;
        throw new CloudError('busy', 'Other requests took what was chosen each time; ask again.');
      }
      const { failure, statement } = written;
      if (failure.reason === 'exists' && statement?.op === 'insert') {
        const kind = this.#registry.findKind(statement.table);
        if (kind !== undefined) throw await takenBy(services.reader, kind, failure, statement);
      }
      if (failure.reason === 'exists' || attempt + 1 >= ACCEPT_ATTEMPTS) throw acceptanceFailed(action, failure, statement);
    }
  }

  /** The row as it is now, and whether the request fits it. What waits behind others is checked at the head of its queues. */
  async #look(request: SubmitRequest, action: Action, id: string): Promise<Found> {
    const forced = DELETING.has(action.verb) && (request.input as { force?: unknown } | undefined)?.force === true;
    if (action.target === 'collection') return { row: undefined, satisfied: false, forced };
    const row = await this.#target(action, id, request);
    if (request.ifGeneration !== undefined && row.generation !== request.ifGeneration)
      throw new CloudError('precondition_failed', `It has generation ${row.generation} now, not ${request.ifGeneration}.`, {
        params: { generation: row.generation },
      });
    const idle = this.#operations.queue(id).length === 0;
    const satisfied = idle && action.satisfied?.(row, request.input) === true;
    const problem = idle && !satisfied ? stateProblem(action, row, forced) : undefined;
    if (problem !== undefined) throw (await action.heldBy?.(row, this.#services.reader)) ?? problem;
    return { row, satisfied, forced };
  }

  async #target(action: Action, id: string, request: SubmitRequest): Promise<RowOf<AnyKind>> {
    const row = await this.#services.reader.find(action.kind, id);
    const absent = row === undefined || (row.deletedAt !== undefined && action.satisfied?.(row) !== true);
    if (absent || !(await isVisible(action.kind, row, request.principal, readPermission(action.kind), this.#services.reader)))
      throw new CloudError('not_found', `No ${inWords(action.kind.name)} ${id}.`);
    // What one may see, one may be told not to change.
    if (!(await isVisible(action.kind, row, request.principal, action.permission, this.#services.reader)))
      throw lacks(action.permission, request.principal);
    return row;
  }

  /** All that goes into the one transaction of an acceptance. */
  statements(
    { request, principal, action, id, row, acceptance, guards, key, part, satisfied, forced }: Accepting,
    { operationId, place, keys, at, saga, queued }: Place,
  ): readonly Statement[] {
    const { actor, projectId, accountId } = principal;
    const cause = part === undefined ? {} : { causeId: part.causeId };
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
        ...keysShown(keys),
        ...this.#operations.stamp,
        incarnation: this.#services.store.incarnation,
        attempt: 0,
        stepsDone: 0,
        percent: satisfied ? 100 : 0,
        ...(forced ? { forced } : {}),
        ...(place === undefined ? {} : { place }),
        ...cause,
        ...(acceptance.notes === undefined ? {} : { notes: acceptance.notes as Record<string, unknown> }),
        ...(acceptance.waitsFor === undefined ? {} : { waitsFor: acceptance.waitsFor }),
        ...(queued ? {} : { startedAt: at }),
        ...(satisfied ? { endedAt: at } : {}),
      }),
      auditStatement({
        ...(acceptance.forOperators === true ? {} : { projectId, accountId }),
        ...{ id: operationId, at, actor, action: action.name, resourceKind: action.kind.name, resourceId: id },
        ...cause,
        ...toldOf(action, request.input, row as JsonObject | undefined),
      }),
      ...(key === undefined ? [] : [idempotencyRow(key, { operationId, acceptedAt: at }, this.#services.environment)]),
      ...(satisfied
        ? []
        : [
            {
              op: 'insert',
              table: 'journal',
              row: {
                operationId,
                number: 0,
                ...this.#operations.stamp,
                type: 'accepted',
                params: acceptance.params as JsonObject,
                ...(keysJournaled(keys) as JsonObject),
              },
            } as const,
          ]),
      ...(request.ifGeneration === undefined || row === undefined
        ? []
        : [{ op: 'expect', table: action.kind.name, key: id, expect: { generation: request.ifGeneration } } as const]),
      // What is gone by now reserves nothing, not even until the head of its queue finds out.
      ...(row === undefined || reservations(acceptance.statements).length === 0
        ? []
        : [{ op: 'expect', table: action.kind.name, key: row.id, expect: { deletedAt: null } } as const]),
      ...guards,
      ...acceptance.statements,
      ...(part?.along ?? []),
    ];
  }
}
