/** Whose usage is counted: a project's, and that of all projects of an account together. */
export type QuotaScope = 'project' | 'account';

export interface QuotaCounter {
  readonly scope: QuotaScope;
  /** Of the project or account. */
  readonly id: string;
  /** As kinds declare it, e.g. `vcpus`. */
  readonly counter: string;
}

/** What a change does to one counter. */
export interface QuotaChange extends QuotaCounter {
  /** Negative for what is given back. */
  readonly by: number;
}

/** The same, with what the store says of the counter. */
export interface QuotaEffect extends QuotaChange {
  readonly used: number;
  /** `null` = none. */
  readonly limit: number | null;
}

const PREFIX = 'quota/';

export const quotaKey = ({ scope, id, counter }: QuotaCounter): string => `${PREFIX}${scope}/${id}/${counter}`;

/** All counters of a project or account begin so. */
export const quotaPrefix = (scope: QuotaScope, id: string): string => `${PREFIX}${scope}/${id}/`;

/** The counter that a key of the store stands for, if it is one of a quota. */
export function quotaOf(key: string): QuotaCounter | undefined {
  if (!key.startsWith(PREFIX)) return undefined;
  const [scope, id, counter] = key.slice(PREFIX.length).split('/');
  if ((scope !== 'project' && scope !== 'account') || id === undefined || counter === undefined) return undefined;
  return { scope, id, counter };
}
