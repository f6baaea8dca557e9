import type { Condition, PermissionFact } from '../../kernel/index.ts';
import type { Rule } from './role.ts';

/** What a caller has been given: rules, and where they hold. */
export interface Grant {
  readonly level: 'project' | 'account' | 'cloud';
  readonly accountId: string;
  readonly inProjectId?: string;
  readonly rules: readonly Rule[];
  /** For explanations. */
  readonly bindingId: string;
  readonly role: string;
}

/** Everything, or the rows for which it holds. */
export type Reach = 'all' | Condition;

/** Where a grant holds for a permission, whatever its rules say. */
export function reachOf(
  { scope, kind, isRead }: PermissionFact,
  grant: Pick<Grant, 'level' | 'accountId' | 'inProjectId'>,
  at: { readonly projectId: string; readonly accountId: string },
): Reach | undefined {
  if (grant.level === 'cloud') return 'all';
  if (grant.accountId !== at.accountId) return undefined;
  if (scope === 'cloud') {
    if (kind?.name === 'account' && isRead) return is('id', at.accountId);
    return kind?.tenantsRead === true && isRead ? 'all' : undefined;
  }
  if (grant.level === 'account') return 'all';
  const { inProjectId = '' } = grant;
  if (scope === 'project') return inProjectId === at.projectId ? 'all' : undefined;
  // Of what belongs to the account, a project's role reaches what is about the project.
  if (kind?.name === 'project') return is('id', inProjectId);
  return kind?.name === 'roleBinding' || kind?.name === 'quotaRequest' ? is('inProjectId', inProjectId) : undefined;
}

export const is = (field: string, value: string): Condition => ({ field, op: '=', value });
