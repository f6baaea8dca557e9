import type { Retry } from './errors.ts';
import { Reply } from './reply.ts';

/** What a change would do, as the server has found out without doing it. */
export interface DryRun {
  readonly dryRun: true;
  /** False when something stands in its way: see `blockers`. */
  readonly accepted: boolean;
  /** e.g. `instance.create` */
  readonly action: string;
  readonly resourceKind: string;
  /** Of what is there; what would be made has no id before it is. */
  readonly resourceId?: string;
  /** What it would use of quotas at its acceptance, or give back. */
  readonly quota: readonly {
    readonly scope: 'project' | 'account';
    /** Of the project or account. */
    readonly id: string;
    /** e.g. `vcpus` */
    readonly counter: string;
    readonly used: number;
    /** `null` = none. */
    readonly limit: number | null;
    readonly by: number;
  }[];
  /** Names of its steps, in order; none when it is satisfied already. */
  readonly steps: readonly string[];
  /** Why it would be decided so, e.g. the placement of an instance. */
  readonly notes?: Readonly<Record<string, unknown>>;
  /** Errors as the change would be answered. */
  readonly blockers: readonly {
    readonly code: string;
    readonly title: string;
    readonly detail: string;
    readonly retry: Retry;
    readonly status: number;
    readonly pointer?: string;
    readonly params?: Readonly<Record<string, unknown>>;
  }[];
}

/** The answer to a change that is no action, and of which can be asked beforehand what it would do: `dryRun`. */
export class Answer<T> extends Reply<T> {
  declare readonly rehearsable: true;
}

/** The verbs of a client, with what each takes; each answers what it would do. */
export type DryRuns<C> = {
  readonly [V in Exclude<keyof C, 'dryRun'> as C[V] extends (
    ...given: never[]
  ) => { readonly cancel: unknown; readonly wait: unknown } | { readonly rehearsable: true }
    ? V
    : never]: C[V] extends (...given: infer A) => unknown ? (...given: A) => Reply<DryRun> : never;
};
