import { inProject, lacks, type Principal } from './access.ts';
import type { Action } from './action.ts';
import { CloudError } from './errors.ts';
import type { JsonObject } from './json.ts';
import type { AnyKind, RowBase } from './kind.ts';
import { matches } from './query/matches.ts';
import type { Reader } from './reader.ts';
import type { Registry } from './registry.ts';
import type { Statement } from './store.ts';

interface Ports {
  readonly registry: Registry;
  readonly reader: Reader;
}

/** The caller at work where the row is: the operator may have chosen another project. */
export async function ownerOf({ registry, reader }: Ports, row: RowBase | undefined, principal: Principal): Promise<Principal> {
  const { projectId } = row ?? {};
  if (projectId === undefined || projectId === principal.projectId) return principal;
  const kind = registry.findKind('project');
  const { accountId = principal.accountId } = (kind && (await reader.find(kind, projectId))) ?? {};
  return inProject(principal, projectId, accountId);
}

/** Guards that who gets a new row is still there. */
export function ownerGuard({ registry }: Ports, { kind, target }: Action, { projectId, accountId }: Principal): readonly Statement[] {
  if (kind.scope === 'cloud' || target !== 'collection') return [];
  const [table, key] = kind.scope === 'project' ? ['project', projectId] : ['account', accountId];
  const owner = registry.findKind(table);
  return owner === undefined ? [] : [{ op: 'expect', table, key, expect: { state: owner.initial } }];
}

/** What a failed guard of these means; undefined when it was another. */
export function ownerGone(guards: readonly Statement[], failed: Statement | undefined): CloudError | undefined {
  if (failed === undefined || !guards.includes(failed) || failed.op !== 'expect') return undefined;
  return new CloudError('not_found', `There is no ${failed.table} to make it in; choose one with the header X-Pileus-Project.`, {
    params: { header: 'X-Pileus-Project' },
  });
}

/**
 * Refuses a row that a role would not let its maker, or who changes it, touch afterwards: limits hold for what comes of a change as well.
 * @throws CloudError `permission_denied`
 */
export function assertWithin(
  { kind, name, verb, permission, target }: Action,
  {
    id,
    row,
    input,
    statements,
  }: { readonly id: string; readonly row: RowBase | undefined; readonly input: unknown; readonly statements: readonly Statement[] },
  principal: Principal,
): void {
  const limit = principal.limits?.(permission);
  if (limit === undefined) return;
  const made =
    target === 'collection' ? insertedRow(kind, id, statements) : verb === 'update' ? { ...row, ...(input as object) } : undefined;
  if (made !== undefined && !matches(made as JsonObject, limit))
    throw lacks(permission, principal, `${name} makes what your roles do not reach`);
}

const insertedRow = (kind: AnyKind, id: string, statements: readonly Statement[]): JsonObject | undefined =>
  statements.flatMap((statement) =>
    statement.op === 'insert' && statement.table === kind.name && statement.row.id === id ? [statement.row] : [],
  )[0];
