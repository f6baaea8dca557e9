import { Type } from 'typebox';
import {
  type Action,
  change,
  defineAction,
  type Id,
  type KernelServices,
  NOTHING_TO_UNDO,
  type QuotaScope,
  type Reader,
  type RowOf,
  type Statement,
  saga,
} from '../../kernel/index.ts';
import { account } from './account.ts';
import { project } from './project.ts';
import { type LimitChanges, type Limits, limitChanges, limitStatements, merged, refuseUnknown } from './quota-limits.ts';

/** Whose limits: kinds by what they are to quotas. */
const OWNERS = { project, account } as const;

export interface QuotaOwner {
  readonly scope: QuotaScope;
  readonly id: string;
}

export const ownerRow = ({ scope, id }: QuotaOwner, reader: Reader): Promise<RowOf<typeof project> | RowOf<typeof account>> =>
  scope === 'project' ? reader.get(project, id) : reader.get(account, id);

/** The limits as they will be, on the row for all to see and where the store guards them. */
export const limitsSet = ({ scope, id }: QuotaOwner, limits: Limits, changes: LimitChanges): readonly Statement[] => [
  change(OWNERS[scope], id as Id<never>, { limits: Object.keys(limits).length === 0 ? null : limits }),
  ...limitStatements(scope, id, changes),
];

interface SetParams extends QuotaOwner {
  readonly changes: LimitChanges;
}

const setQuota = saga<Pick<KernelServices, 'reader'>, SetParams>('quota.set', 1)
  // At the head of the queue: what went before may have changed others of them.
  .effect('look', {
    do: async ({ ctx, params }): Promise<{ readonly limits: Limits }> => ({
      limits: merged((await ownerRow(params, ctx.reader)).limits, params.changes),
    }),
    undo: NOTHING_TO_UNDO,
  })
  .write('limits', { do: ({ params, out }) => limitsSet(params, out.look.limits, params.changes), undo: NOTHING_TO_UNDO })
  .build();

/** Who may say how much an account may use. */
export const SET_ACCOUNT_QUOTA = 'account.setQuota';
/** Who may share out among projects what an account may use. */
export const GRANT_QUOTA = 'quota.grant';

/** `setQuota` of projects and of accounts. */
export const quotaActions = (services: KernelServices): readonly Action[] =>
  (['project', 'account'] as const).map((scope) =>
    defineAction({
      kind: OWNERS[scope],
      verb: 'setQuota',
      description: `Sets or lifts limits of the ${scope}${scope === 'account' ? ', for all of its projects together' : ''}.`,
      permission: scope === 'account' ? SET_ACCOUNT_QUOTA : GRANT_QUOTA,
      target: 'resource',
      input: Type.Object({ limits: limitChanges() }),
      accept: ({ id, input: { limits: changes } }) => {
        refuseUnknown(services.kernel, scope, changes);
        return { params: { scope, id, changes }, statements: [] };
      },
      saga: setQuota,
      context: () => services,
    }),
  );
