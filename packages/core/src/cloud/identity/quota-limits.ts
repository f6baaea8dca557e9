import { type TProperties, Type } from 'typebox';
import {
  type AnyKind,
  CloudError,
  type KernelServices,
  type QuotaScope,
  quotaKey,
  type RowBase,
  type Statement,
} from '../../kernel/index.ts';
import { DEFAULT_ACCOUNT_ID } from './principal.ts';

/** By counter, e.g. `{ vcpus: 64 }`. */
export type Limits = Readonly<Record<string, number>>;
/** The same with `null` for limits that are lifted. */
export type LimitChanges = Readonly<Record<string, number | null>>;

const amount = () => Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** The limits that a project or account has now; a counter that is not named has none. */
export const limitsField = Type.Optional(
  Type.Unsafe<Limits>(Type.Record(Type.String(), amount(), { description: 'Quotas, by counter; without a limit where none is named.' })),
);

export const limitChanges = (options: TProperties & { readonly description?: string } = {}) =>
  Type.Unsafe<LimitChanges>(
    Type.Record(Type.String(), Type.Union([amount(), Type.Null()]), {
      minProperties: 1,
      maxProperties: 64,
      description: 'By counter, e.g. `vcpus`; `null` lifts a limit. One below what is in use only stops growth.',
      ...options,
    }),
  );

type Kernel = KernelServices['kernel'];

const countsFor = (kind: AnyKind, scope: QuotaScope): boolean => scope === 'account' || kind.scope === 'project';

/** What there is to limit: of an account all that its projects count, and what belongs to no project. */
export function countersOf(kernel: Kernel, scope: QuotaScope): readonly string[] {
  const counting = kernel()
    .registry.kinds()
    .filter((kind) => countsFor(kind, scope));
  return [...new Set(counting.flatMap(({ quota = {} }) => Object.keys(quota)))].sort();
}

/** @throws CloudError invalid_input for a counter that there is not */
export function refuseUnknown(kernel: Kernel, scope: QuotaScope, changes: LimitChanges): void {
  const known = countersOf(kernel, scope);
  const unknown = Object.keys(changes).find((counter) => !known.includes(counter));
  if (unknown !== undefined)
    throw new CloudError('invalid_input', `There is no quota ${unknown} of ${scope}s. There are: ${known.join(', ')}.`, {
      pointer: `/limits/${unknown}`,
    });
}

export const merged = (before: Limits = {}, changes: LimitChanges): Limits =>
  Object.fromEntries(Object.entries({ ...before, ...changes }).filter((entry): entry is [string, number] => entry[1] !== null));

/** Sets the limits that the store guards. */
export const limitStatements = (scope: QuotaScope, id: string, changes: LimitChanges): readonly Statement[] =>
  Object.entries(changes).map(([counter, limit]) => ({ op: 'limit', counter: quotaKey({ scope, id, counter }), limit }));

/** What new projects and accounts begin with. */
export interface QuotaSettings {
  readonly project: Limits;
  readonly account: Limits;
}

export type StartingQuota = (
  scope: QuotaScope,
  id: string,
  accountId: string,
) => { readonly fields: { readonly limits?: Limits }; readonly statements: readonly Statement[] };

/** The operator's own begin without limits. */
export const startingQuota =
  (settings: QuotaSettings): StartingQuota =>
  (scope, id, accountId) => {
    const limits = accountId === DEFAULT_ACCOUNT_ID ? {} : settings[scope];
    return { fields: Object.keys(limits).length === 0 ? {} : { limits }, statements: limitStatements(scope, id, limits) };
  };

/** The counters that are forgotten with their owner. */
export const limitedCounters =
  (scope: QuotaScope) =>
  (row: RowBase): readonly string[] =>
    Object.keys((row as { readonly limits?: Limits }).limits ?? {}).map((counter) => quotaKey({ scope, id: row.id, counter }));
