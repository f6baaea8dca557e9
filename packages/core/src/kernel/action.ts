import type { Static, TObject } from 'typebox';
import type { Principal } from './access.ts';
import { inWords } from './article.ts';
import { CloudError, type ErrorRecord } from './errors.ts';
import type { Gate } from './hook.ts';
import type { Id } from './id.ts';
import type { JsonObject } from './json.ts';
import type { AnyKind, NameOf, RowOf, StateOf } from './kind.ts';
import type { Reader } from './reader.ts';
import type { Saga } from './saga/definition.ts';
import type { Abandoned, Unwound } from './saga/subject.ts';
import type { CommitResult, Statement } from './store.ts';

export interface AcceptRequest<K, I> {
  /** Of the new row for a create, of the row for all others. */
  readonly id: Id<NameOf<K>>;
  readonly input: I;
  /** Of what is made: that of the row it is done to, or else the one that the caller has chosen. */
  readonly projectId: Id<'project'>;
  /** Who asks, at work in that project. */
  readonly principal: Principal;
  readonly reader: Reader;
  readonly mint: <N extends string>(kind: N) => Id<N>;
  /** Seals a secret value; the answer goes into rows and params in its place, the statement into the transaction. */
  readonly seal: (value: string) => Promise<{ readonly reference: string; readonly statement: Statement }>;
  /** How often this acceptance was tried before and lost against another (0 = first). */
  readonly attempt: number;
  /** Nothing will come of it, it is a dry run: what is remembered of what was chosen, beside the store, is left as it is. */
  readonly rehearses: boolean;
}

/** What one accepted request writes and starts. All of it is committed in one transaction with the operation. */
export interface Acceptance<P> {
  readonly params: P;
  readonly statements: readonly Statement[];
  /** What a request to a collection turns out to be about, where that is there already. Default: what it makes. */
  readonly about?: string;
  /** Every key that the saga touches beside its own resource: ids of resources it must not share meanwhile. */
  readonly keys?: readonly string[];
  /** Of a new beginning: others may hold some of its keys. If so it waits for them, at the end of their queues. */
  readonly queue?: true;
  /** What has to come before it can begin, e.g. `capacity`: until it is taken up (`WaitingRoom`) nothing but these statements is done for it. */
  readonly waitsFor?: string;
  /** Shown on the operation: why it was decided so. */
  readonly notes?: JsonObject;
  /** Whoever's it is about: the audit tells the operator alone what was asked for. */
  readonly forOperators?: true;
  /** All is as asked already: it succeeds at once, and `params` are for nothing. */
  readonly satisfied?: true;
}

/** An attempt of an operation, unwound. */
export interface Failed<P> {
  readonly operationId: string;
  readonly params: P;
  readonly error: ErrorRecord;
  /** 0 = the first. */
  readonly attempt: number;
  readonly reader: Reader;
}

export interface ActionSpec<K extends AnyKind, T extends TObject, P, C> {
  readonly kind: K;
  readonly verb: string;
  readonly description: string;
  /** `collection` makes a new row, `resource` works on one. */
  readonly target: 'collection' | 'resource';
  /** Of a verb on a resource: what it makes beside it, of the first of these kinds whose id is in the notes, e.g. as `volumeId`. */
  readonly makes?: readonly AnyKind[];
  readonly input: T;
  /** Default: kind.verb */
  readonly permission?: string;
  /** States in which it may run: checked at acceptance when nothing is ahead in the queue, and at its head. */
  readonly from?: readonly StateOf<K>[];
  /** Tells what holds a row in a state that is not in `from`, and what to do about it. Without it, or its word, the refusal tells the states. */
  readonly heldBy?: (row: RowOf<K>, reader: Reader) => Promise<CloudError | undefined>;
  /** It already is as asked: succeeds at once with the same body. At the head of a queue, and of rows that are gone, it is asked without the input. */
  readonly satisfied?: (row: RowOf<K>, input?: Static<T>) => boolean;
  readonly gate?: Gate<{ readonly row: RowOf<K> | undefined; readonly input: Static<T> }>;
  /** Reads, decides, and says what to write; changes nothing itself. @throws CloudError */
  readonly accept: (request: AcceptRequest<K, Static<T>> & { readonly row: RowOf<K> }) => Promise<Acceptance<P>> | Acceptance<P>;
  /** Says what a guard that failed at acceptance means. Without a word of its own, a clash of unique values is refused and anything else asked again. */
  readonly refused?: (failure: Extract<CommitResult, { ok: false }>, statement: Statement | undefined) => Error | 'again' | undefined;
  readonly saga: Saga<C, P>;
  readonly context: () => C;
  /** Row changes that take the acceptance back (row to deleted, quota and capacity back), committed with the end of an unwound operation. */
  readonly unwound?: (params: P) => readonly Statement[] | Promise<readonly Statement[]>;
  /**
   * Reservations beyond the row of an operation that a forced one takes the place of, which does not know of them: by the steps that are done. Of what it answers
   * only counters are committed. Default: those that `unwound` gives back, unless the action makes the row.
   */
  readonly abandoned?: (params: P, isDone: (step: string) => boolean) => readonly Statement[] | Promise<readonly Statement[]>;
  /** Of a deletion: ids of the rows that go for good. What is stuck on them is passed when it is forced. */
  readonly takes?: (params: P) => readonly string[];
  /**
   * After a complete unwind: begin anew with other parameters, or undefined to fail, or the error to fail with instead. `statements` release the old and
   * reserve the new in one write.
   */
  readonly again?: (failed: Failed<P>) => Promise<Acceptance<P> | CloudError | undefined>;
}

export interface Action {
  readonly name: string;
  readonly kind: AnyKind;
  readonly verb: string;
  readonly description: string;
  readonly target: 'collection' | 'resource';
  readonly makes: readonly AnyKind[];
  readonly input: TObject;
  readonly permission: string;
  readonly from: readonly string[] | undefined;
  readonly heldBy: ((row: RowOf<AnyKind>, reader: Reader) => Promise<CloudError | undefined>) | undefined;
  readonly satisfied: ((row: RowOf<AnyKind>, input?: unknown) => boolean) | undefined;
  readonly gate: Gate<{ readonly row: RowOf<AnyKind> | undefined; readonly input: unknown }> | undefined;
  readonly accept: (
    request: AcceptRequest<AnyKind, unknown> & { readonly row: RowOf<AnyKind> },
  ) => Promise<Acceptance<unknown>> | Acceptance<unknown>;
  readonly refused:
    | ((failure: Extract<CommitResult, { ok: false }>, statement: Statement | undefined) => Error | 'again' | undefined)
    | undefined;
  readonly saga: Saga<unknown, unknown>;
  readonly context: () => unknown;
  readonly unwound: Unwound | undefined;
  readonly abandoned: Abandoned | undefined;
  readonly takes: ((params: unknown) => readonly string[]) | undefined;
  readonly again: ((failed: Failed<unknown>) => Promise<Acceptance<unknown> | CloudError | undefined>) | undefined;
}

/** Declares an action: the only way anything changes. */
export function defineAction<K extends AnyKind, T extends TObject, P, C>(spec: ActionSpec<K, T, P, C>): Action {
  return {
    makes: [],
    from: undefined,
    heldBy: undefined,
    satisfied: undefined,
    gate: undefined,
    refused: undefined,
    unwound: undefined,
    abandoned: undefined,
    takes: undefined,
    again: undefined,
    permission: `${spec.kind.name}.${spec.verb}`,
    ...spec,
    name: `${spec.kind.name}.${spec.verb}`,
  } as unknown as Action;
}

/** Verbs that end a row for good, or put it into the trash. With force they pass what is stuck on it. */
export const DELETING: ReadonlySet<string> = new Set(['delete', 'expunge']);

/** Why the row's state does not allow the action, or undefined. Forced, it also takes what an abandoned creation has left. */
export function stateProblem(
  action: Action,
  row: { readonly state: string; readonly name: string },
  forced = false,
): CloudError | undefined {
  if (row.state === 'deleted') return new CloudError('not_found', `${inWords(action.kind.name)} ${row.name} is deleted.`);
  if (action.from === undefined || action.from.includes(row.state) || (forced && row.state === action.kind.initial)) return undefined;
  return new CloudError(
    'conflict',
    `${inWords(action.kind.name)} ${row.name} is ${row.state}; ${action.verb} needs ${action.from.join(' or ')}.`,
    {
      params: { state: row.state, allowed: [...action.from] },
    },
  );
}
