import { CloudError } from './errors.ts';
import type { Id } from './id.ts';
import type { JsonObject } from './json.ts';
import type { AnyKind, RowBase, RowOf } from './kind.ts';
import { matches } from './query/matches.ts';
import type { Reader } from './reader.ts';
import type { Condition } from './store.ts';

/** Who asks. `allows` answers for the permission named on an action, deny by default. */
export interface Principal {
  /** Stable name for audit and idempotency scope, e.g. `key:0192…`, `user:0192…` or `system`. */
  readonly actor: string;
  /** What new rows belong to. */
  readonly projectId: Id<'project'>;
  /** The account of that project. */
  readonly accountId: Id<'account'>;
  /** Whether it may be used at all, on some row. */
  allows(permission: string): boolean;
  /** Rows it may be used on: those for which this holds. Absent = all that the principal sees. */
  limits?(permission: string): Condition | undefined;
}

/** Lets the operator read and act in every project. */
export const ANY_PROJECT = 'project.any';

export const readPermission = (kind: Pick<AnyKind, 'name'>): string => `${kind.name}.read`;

export interface Reach {
  /** Rows of every project and account, for who has `project.any`. */
  readonly allProjects?: boolean;
}

/**
 * The condition that is part of every list, count, group and join: rows of the caller's project or account, and of those what his roles allow.
 * @returns undefined when all rows are visible
 */
export function visibleRows(
  kind: AnyKind,
  principal: Principal,
  permission: string = readPermission(kind),
  { allProjects = false }: Reach = {},
): Condition | undefined {
  const own = allProjects && principal.allows(ANY_PROJECT) ? undefined : ownRows(kind, principal);
  const limit = principal.limits?.(permission);
  if (own === undefined || limit === undefined) return own ?? limit;
  return { and: [own, limit] };
}

/**
 * Whether the row is there for this caller: for reads, actions and events. What is not is answered as if it did not exist, after the same look.
 * The row is the one to judge; `reader` is asked for what lies beside it. Unless `allProjects` says otherwise, who may read every project does.
 */
export async function isVisible(
  kind: AnyKind,
  row: RowBase,
  principal: Principal,
  permission: string,
  _reader: Reader,
  { allProjects = true }: Reach = {},
): Promise<boolean> {
  const isThere = isOwn(kind, row, principal) || (allProjects && principal.allows(ANY_PROJECT));
  return isThere && isWithin(row, principal.limits?.(permission));
}

/**
 * A live row that a change uses beside its own, as it stands for the owner of what is changed: not what the operator could see beyond.
 * @throws CloudError `not_found` with the pointer of the field that named it
 */
export async function usable<K extends AnyKind>(
  reader: Reader,
  kind: K,
  id: string,
  principal: Principal,
  pointer?: string,
): Promise<RowOf<K>> {
  const row = await reader.find(kind, id);
  const isThere = row !== undefined && row.deletedAt === undefined;
  if (isThere && isOwn(kind, row, principal) && isWithin(row, principal.limits?.(readPermission(kind)))) return row;
  throw new CloudError('not_found', `No ${kind.name} ${id}.`, pointer === undefined ? {} : { pointer });
}

export const lacks = (permission: string): CloudError =>
  new CloudError('permission_denied', `This key lacks the permission ${permission}.`, { params: { permission } satisfies JsonObject });

/** The same caller at work in another project than the one he has chosen. */
export const inProject = (principal: Principal, projectId: Id<'project'>, accountId: Id<'account'>): Principal => ({
  actor: principal.actor,
  projectId,
  accountId,
  allows: (permission) => principal.allows(permission),
  limits: (permission) => principal.limits?.(permission),
});

function ownRows(kind: AnyKind, { projectId, accountId }: Principal): Condition | undefined {
  if (kind.scope === 'cloud') return undefined;
  return kind.scope === 'project' ? { field: 'projectId', op: '=', value: projectId } : { field: 'accountId', op: '=', value: accountId };
}

function isOwn(kind: AnyKind, row: RowBase, { projectId, accountId }: Principal): boolean {
  if (kind.scope === 'cloud') return true;
  return kind.scope === 'project' ? row.projectId === projectId : row.accountId === accountId;
}

const isWithin = (row: RowBase, limit: Condition | undefined): boolean =>
  limit === undefined || matches(row as unknown as JsonObject, limit);
