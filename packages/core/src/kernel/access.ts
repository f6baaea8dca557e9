import { inWords } from './article.ts';
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
  /** Why it may not be used: what was looked at, and what would grant it. Absent where there is nothing to tell. */
  explain?(permission: string): JsonObject;
  /** The user or service account behind it. */
  readonly subject?: { readonly kind: 'user' | 'serviceAccount'; readonly id: string };
  /** The row of the key or session it was proven by. */
  readonly credentialId?: string;
  /** Only for some of what its subject may: it hands out no rights of the subject's. */
  readonly isRestricted?: boolean;
  /** The same caller by what is known of him now, the same object while nothing has changed. Rejects when he is let in no more. Absent where nothing changes. */
  renewed?(): Principal | Promise<Principal>;
}

/** For what goes on for long: who asked, as he is now. @throws CloudError when he is let in no more */
export const renewed = (principal: Principal): Principal | Promise<Principal> => principal.renewed?.() ?? principal;

/** Lets the operator read and act in every project. */
export const ANY_PROJECT = 'project.any';

export const readPermission = (kind: Pick<AnyKind, 'name'>): string => `${kind.name}.read`;

export interface Reach {
  /** Rows of every project and account, for who has `project.any`. */
  readonly allProjects?: boolean;
}

/**
 * The condition that is part of every list, count, group and join: rows of the caller's project or account, those that are shared with it, and of all these
 * what his roles allow.
 * @returns undefined when all rows are visible
 */
export function visibleRows(
  kind: AnyKind,
  principal: Principal,
  permission: string = readPermission(kind),
  { allProjects = false, ownOnly = false }: Reach & { readonly ownOnly?: boolean } = {},
): Condition | undefined {
  const own = allProjects && principal.allows(ANY_PROJECT) ? undefined : ownRows(kind, principal);
  const shared = own === undefined || ownOnly ? undefined : sharedRows(kind, principal, permission);
  const there = own !== undefined && shared !== undefined ? { or: [own, shared] } : own;
  const and = [there, principal.limits?.(permission), forOperators(kind, principal)].filter((part) => part !== undefined);
  return and.length <= 1 ? and[0] : { and };
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
  reader: Reader,
  { allProjects = true }: Reach = {},
): Promise<boolean> {
  if (!(await isWithin(kind, row, forOperators(kind, principal), reader))) return false;
  if (!(await isWithin(kind, row, principal.limits?.(permission), reader))) return false;
  if (isOwn(kind, row, principal) || (allProjects && principal.allows(ANY_PROJECT))) return true;
  const shared = sharedRows(kind, principal, permission);
  return shared !== undefined && isWithin(kind, row, shared, reader);
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
  if (
    row !== undefined &&
    row.deletedAt === undefined &&
    (await isVisible(kind, row, principal, readPermission(kind), reader, { allProjects: false }))
  )
    return row;
  throw absent(kind, id, pointer);
}

/** The same for one that is changed with it: one's own, not one that is only shared. @throws CloudError `not_found` */
export async function changeable<K extends AnyKind>(
  reader: Reader,
  kind: K,
  id: string,
  principal: Principal,
  pointer?: string,
): Promise<RowOf<K>> {
  const row = await usable(reader, kind, id, principal, pointer);
  if (isOwn(kind, row, principal)) return row;
  throw absent(kind, id, pointer);
}

/** Rows that tell by this field the id of something else, e.g. volumes that of their pool. */
export interface Telling {
  readonly kind: AnyKind;
  readonly field: string;
}

/**
 * The same for what is the operator's, e.g. a host: who does not see it may name it all the same where a row of his own, which he sees, tells him its id.
 * @throws CloudError `not_found` with the pointer of the field that named it
 */
export async function nameable<K extends AnyKind>(
  reader: Reader,
  kind: K,
  id: string,
  principal: Principal,
  { pointer, toldBy }: { readonly pointer?: string; readonly toldBy: readonly Telling[] },
): Promise<RowOf<K>> {
  if (principal.allows(readPermission(kind))) return usable(reader, kind, id, principal, pointer);
  for (const { kind: telling, field } of toldBy) {
    if (!principal.allows(readPermission(telling))) continue;
    const own = visibleRows(telling, principal, readPermission(telling), { ownOnly: true });
    const and: readonly Condition[] = [{ field, op: '=', value: id }, ...(own === undefined ? [] : [own])];
    if ((await reader.texts(telling, { and }, { limit: 1 })).length > 0) return reader.get(kind, id, pointer);
  }
  throw absent(kind, id, pointer);
}

const absent = (kind: AnyKind, id: string, pointer: string | undefined): CloudError =>
  new CloudError('not_found', `No ${inWords(kind.name)} ${id}.`, pointer === undefined ? {} : { pointer });

/** @param detail for the log */
export const lacks = (permission: string, principal?: Principal, detail?: string): CloudError =>
  new CloudError('permission_denied', whyNot(permission, principal?.allows(permission) === true), {
    params: { permission, ...principal?.explain?.(permission) } satisfies JsonObject,
    ...(detail === undefined ? {} : { detail }),
  });

/** Who has it under a condition would look for what he has in vain. */
const whyNot = (permission: string, isHeld: boolean): string =>
  isHeld ? `This key has the permission ${permission} for some only, and not for this.` : `This key lacks the permission ${permission}.`;

/** The same caller at work in another project than the one he has chosen. */
export const inProject = (principal: Principal, projectId: Id<'project'>, accountId: Id<'account'>): Principal => ({
  ...principal,
  projectId,
  accountId,
  allows: (permission) => principal.allows(permission),
  limits: (permission) => principal.limits?.(permission),
});

function ownRows(kind: AnyKind, { projectId, accountId }: Principal): Condition | undefined {
  if (kind.scope === 'cloud') return undefined;
  return kind.scope === 'project' ? { field: 'projectId', op: '=', value: projectId } : { field: 'accountId', op: '=', value: accountId };
}

/** What holds for the rows that are not the operator's alone, for who is none. */
function forOperators({ operatorsIf }: AnyKind, principal: Principal): Condition | undefined {
  if (operatorsIf === undefined || principal.allows(ANY_PROJECT)) return undefined;
  return { field: operatorsIf, op: '=', value: false };
}

function isOwn(kind: AnyKind, row: RowBase, { projectId, accountId }: Principal): boolean {
  if (kind.scope === 'cloud') return true;
  return kind.scope === 'project' ? row.projectId === projectId : row.accountId === accountId;
}

/** Rows that a share lets others see. None of it lets them change anything. */
function sharedRows(kind: AnyKind, { projectId, accountId }: Principal, permission: string): Condition | undefined {
  if (kind.shareable === undefined || permission !== readPermission(kind)) return undefined;
  const through = kind.shareable === true ? undefined : kind.refs.find(({ field }) => field === kind.shareable);
  const and: readonly Condition[] = [
    { field: 'resourceKind', op: '=', value: through?.kind ?? kind.name },
    { field: 'audience', op: 'in', value: [projectId, accountId, 'all'] },
  ];
  return { exists: { table: 'share', local: through?.field ?? 'id', remote: 'resourceId', where: { and } } };
}

/** What looks into other tables is asked of the store, about this row. */
async function isWithin(kind: AnyKind, row: RowBase, limit: Condition | undefined, reader: Reader): Promise<boolean> {
  if (limit === undefined) return true;
  if (looksElsewhere(limit).length === 0) return matches(row as unknown as JsonObject, limit);
  const itself: Condition = { field: 'id', op: '=', value: row.id };
  return (await reader.texts(kind, { and: [itself, limit] }, { limit: 1, deleted: true })).length > 0;
}

type Existence = Extract<Condition, { readonly exists: unknown }>['exists'];

/** Where a condition looks beside the row itself. */
export function looksElsewhere(condition: Condition): readonly Existence[] {
  if ('exists' in condition) return [condition.exists];
  if ('not' in condition) return looksElsewhere(condition.not);
  const parts = 'and' in condition ? condition.and : 'or' in condition ? condition.or : [];
  return parts.flatMap(looksElsewhere);
}
