import type { Call } from '../../strategy/index.ts';
import type { Json, JsonObject } from '../json.ts';
import type { Statement } from '../store.ts';

/** This effect leaves nothing that would have to be taken back (it reads, or fills a cache that is kept). */
export const NOTHING_TO_UNDO = 'nothing_to_undo';
/** This effect cannot be taken back: once it may have begun, the saga only goes on, retrying for ever, and can no longer be cancelled. */
export const FORWARD_ONLY = 'forward_only';

/**
 * Thrown by the first forward-only effect of a saga when it is certain that nothing of it has happened, nor will: the saga unwinds after all, with the cause as its error. From any other step it
 * is its cause.
 */
export class NeverHappened extends Error {
  constructor(cause: Error) {
    super('a forward-only step never happened', { cause });
  }
}

/** What a cleanup that could not be done now still has to remove, recorded with the step and retried until done. */
export interface Owed {
  /** Names the cleanup handler, e.g. `machine.remove`. */
  readonly task: string;
  /** Where it has to happen: usually a host id. It is tried when that place is reachable. */
  readonly place: string;
  readonly target: JsonObject;
}

/** What a step sees, and nothing else. `params` and `out` have been through the journal: plain JSON. */
export interface StepInput<C, P, O> {
  readonly ctx: C;
  readonly params: P;
  /** Outputs of the steps before this one, by step name. */
  readonly out: O;
  readonly operationId: string;
  readonly call: Call;
  /** An earlier life of the operation may have begun this step: what it called then may not have come to its end. */
  readonly mayHaveBegun: boolean;
  /** Leaves a cleanup as a visible debt instead of waiting for a place that is out of reach. */
  readonly owe: (debt: Owed) => void;
}

/** The pure view that decides fan-out, sub-sagas and writes; asked again after a crash, so it must answer the same. */
export type Known<C, P, O> = Pick<StepInput<C, P, O>, 'ctx' | 'params' | 'out' | 'operationId'>;

export interface RetryPolicy {
  /** Tries in all, for failures whose retry answer is `same_request`. */
  readonly attempts: number;
  /** After the first try; doubled each time, up to 30 s. At least 250 for what is tried for ever. */
  readonly backoffMs: number;
}

interface StepOptions {
  readonly retry?: RetryPolicy;
  /** For one try. */
  readonly timeoutMs?: number;
}

interface Need {
  /**
   * Those behind it cannot do without what it answers: an operator cannot pass over it. Only for a step that reads nothing but rows, so that it can never be in the
   * way for long.
   */
  readonly needed?: true;
}

interface Lightness {
  /**
   * Its journal entry may wait for the next one: that saves a durable write. Only for a step that returns nothing and is harmless to do again even after the
   * steps behind it have begun, up to the next that is not light. After a crash those are undone though they may not have begun.
   */
  readonly light?: true;
}

type Undo<I> = ((input: I) => void | Promise<void>) | typeof NOTHING_TO_UNDO;
type Own<N extends string, R> = { readonly [K in N]?: R };
type With<O, N extends string, R> = O & { readonly [K in N]: R };
/** What a step answers: an operator may pass over one from the first on that cannot be taken back, and then there is nothing of it. */
type Answer<R, OnlyOn extends boolean> = OnlyOn extends true ? R | undefined : R;
// biome-ignore lint/suspicious/noConfusingVoidType: a step that returns nothing is as good as one that returns JSON.
type Output = Json | void | JsonShaped;
/** Interfaces of JSON values, which TypeScript does not assign to an index signature. */
type JsonShaped = object;
type NotJson = Date | Map<unknown, unknown> | Set<unknown> | bigint | symbol | ((...args: never[]) => unknown);
type Journaled<R> = R extends NotJson ? never : R;
type Effect<I, R> = StepOptions & Lightness & { readonly do: (input: I) => Journaled<R> | Promise<Journaled<R>> };
interface Write<K> {
  readonly do: (known: K) => readonly Statement[];
}
interface Each<K, T> {
  readonly items: (known: K) => readonly T[];
  readonly limit: number;
}
type NewName<N extends string, O> = N extends keyof O ? never : N;

/** A saga made ready to run in the place of a step: definition, context, parameters. */
export interface BoundSaga {
  readonly saga: AnySaga;
  readonly ctx: unknown;
  readonly params: unknown;
}
export const bindSaga = <C, P, O>(saga: Saga<C, P, O>, ctx: C, params: P): BoundSaga => ({ saga, ctx, params });

export type StepNode =
  | ({
      readonly type: 'effect';
      readonly name: string;
      readonly do: (input: StepInput<unknown, unknown, unknown>) => unknown;
      readonly undo: Undo<StepInput<unknown, unknown, unknown>> | typeof FORWARD_ONLY;
    } & StepOptions &
      Lightness &
      Need)
  | {
      readonly type: 'write';
      readonly name: string;
      readonly do: (known: Known<unknown, unknown, unknown>) => readonly Statement[];
      readonly undo: ((known: Known<unknown, unknown, unknown>) => readonly Statement[]) | typeof NOTHING_TO_UNDO | typeof FORWARD_ONLY;
    }
  | ({
      readonly type: 'each';
      readonly name: string;
      readonly limit: number;
      readonly items: (known: Known<unknown, unknown, unknown>) => readonly unknown[];
      readonly do: (input: StepInput<unknown, unknown, unknown> & { readonly item: unknown }) => unknown;
      readonly undo: Undo<StepInput<unknown, unknown, unknown> & { readonly item: unknown }> | typeof FORWARD_ONLY;
    } & StepOptions &
      Lightness)
  | {
      readonly type: 'subs';
      readonly name: string;
      readonly limit: number;
      readonly run: (known: Known<unknown, unknown, unknown>) => readonly (readonly BoundSaga[])[];
    };

export interface Saga<C, P, O = unknown> {
  readonly name: string;
  readonly version: number;
  readonly steps: readonly StepNode[];
  /** Phantom: the types, never a value. */
  readonly types?: { readonly context: C; readonly params: P; readonly outputs: O };
}
// biome-ignore lint/suspicious/noExplicitAny: the only way to name "a saga of whatever types" in a constraint.
export type AnySaga = Saga<any, any, any>;

/** Changes when a step is added, removed, renamed, reordered or changes its nature; committed per `name@version`, so that such a change needs a new version. */
export const fingerprint = (saga: AnySaga): string =>
  saga.steps
    .map((step) => {
      const undo = 'undo' in step && typeof step.undo === 'string' ? `!${step.undo}` : '';
      return `${step.type}:${step.name}${undo}${'light' in step && step.light === true ? '~' : ''}`;
    })
    .join(' ');

export const sagaKey = (saga: AnySaga): string => `${saga.name}@${saga.version}`;

/**
 * Builds a saga step by step; each step sees the typed outputs of those before it. Rules: ids are minted before the saga starts; do and undo of an effect
 * are idempotent; what a step returns is plain JSON.
 */
export class SagaBuilder<C, P, O, OnlyOn extends boolean = false> {
  readonly #name: string;
  readonly #version: number;
  readonly #steps: readonly StepNode[];

  constructor(name: string, version: number, steps: readonly StepNode[] = []) {
    this.#name = name;
    this.#version = version;
    this.#steps = steps;
  }

  /**
   * Calls drivers; its output is journaled after. Undone also when it failed itself, so its undo sees its own output as optional. Where there is no way back any more
   * an operator may pass over it, so that those behind it see no output.
   */
  effect<const N extends string, R extends Output>(
    name: NewName<N, O>,
    step: Effect<StepInput<C, P, O>, R> & Required<Need> & { readonly undo: typeof NOTHING_TO_UNDO },
  ): SagaBuilder<C, P, With<O, N, R>, OnlyOn>;
  effect<const N extends string, R extends Output>(
    name: NewName<N, O>,
    step: Effect<StepInput<C, P, O>, R> & { readonly undo: typeof FORWARD_ONLY },
  ): SagaBuilder<C, P, With<O, N, R | undefined>, true>;
  effect<const N extends string, R extends Output>(
    name: NewName<N, O>,
    step: Effect<StepInput<C, P, O>, R> & { readonly undo: Undo<StepInput<C, P, O & Own<N, R>>> },
  ): SagaBuilder<C, P, With<O, N, Answer<R, OnlyOn>>, OnlyOn>;
  effect(name: string, step: object): unknown {
    return this.#with({ type: 'effect', name, ...step } as unknown as StepNode);
  }

  /** Synchronous; its guarded row changes are committed together with the journal entry. Undone only if it was committed. */
  write<const N extends string>(
    name: NewName<N, O>,
    step: Write<Known<C, P, O>> & { readonly undo: typeof FORWARD_ONLY },
  ): SagaBuilder<C, P, O, true>;
  write<const N extends string>(
    name: NewName<N, O>,
    step: Write<Known<C, P, O>> & { readonly undo: Write<Known<C, P, O>>['do'] | typeof NOTHING_TO_UNDO },
  ): SagaBuilder<C, P, O, OnlyOn>;
  write(name: string, step: object): unknown {
    return this.#with({ type: 'write', name, ...step } as unknown as StepNode);
  }

  /** The same effect for each item, at most `limit` at once. Its output is the list of outputs, in order. */
  each<const N extends string, T, R extends Output>(
    name: NewName<N, O>,
    step: Each<Known<C, P, O>, T> & Effect<StepInput<C, P, O> & { readonly item: T }, R> & { readonly undo: typeof FORWARD_ONLY },
  ): SagaBuilder<C, P, With<O, N, readonly (R | undefined)[]>, true>;
  each<const N extends string, T, R extends Output>(
    name: NewName<N, O>,
    step: Each<Known<C, P, O>, T> &
      Effect<StepInput<C, P, O> & { readonly item: T }, R> & { readonly undo: Undo<StepInput<C, P, O> & { readonly item: T }> },
  ): SagaBuilder<C, P, With<O, N, readonly Answer<R, OnlyOn>[]>, OnlyOn>;
  each(name: string, step: object): unknown {
    return this.#with({ type: 'each', name, ...step } as unknown as StepNode);
  }

  /** Whole sagas in the parent's place: stages one after the other, the sagas of a stage at most `limit` at once. Unwound with the parent. */
  subs<const N extends string>(
    name: NewName<N, O>,
    step: { readonly limit: number; readonly run: (known: Known<C, P, O>) => readonly (readonly BoundSaga[])[] },
  ): SagaBuilder<C, P, O, true> {
    return this.#with({ type: 'subs', name, ...step } as unknown as StepNode);
  }

  build(): Saga<C, P, O> {
    return { name: this.#name, version: this.#version, steps: this.#steps };
  }

  #with<O2, On extends boolean>(node: StepNode): SagaBuilder<C, P, O2, On> {
    if (this.#steps.some((step) => step.name === node.name)) throw new Error(`saga ${this.#name}: two steps named ${node.name}`);
    return new SagaBuilder(this.#name, this.#version, [...this.#steps, node]);
  }
}

export const saga = <C, P>(name: string, version: number): SagaBuilder<C, P, unknown> => new SagaBuilder(name, version);
