import { inProject, lacks, looksElsewhere, type Principal } from './access.ts';
import type { Action } from './action.ts';
import { CloudError } from './errors.ts';
import type { JsonObject } from './json.ts';
import type { RowBase } from './kind.ts';
import { matches, valueAt } from './query/matches.ts';
import { equals, type Reader } from './reader.ts';
import type { Registry } from './registry.ts';
import type { Condition, Statement } from './store.ts';

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

interface Change {
  readonly id: string;
  readonly row: RowBase | undefined;
  readonly input: unknown;
  readonly statements: readonly Statement[];
}

/**
 * Refuses a row that a role would not let its maker, or who changes it, touch afterwards: limits hold for what comes of a change as well.
 * @throws CloudError `permission_denied`
 */
export async function assertWithin(
  { kind, name, verb, permission, target }: Action,
  { id, row, input, statements }: Change,
  principal: Principal,
  ports: Ports,
): Promise<void> {
  const limit = principal.limits?.(permission);
  if (limit === undefined) return;
  const inserted = (table: string) => insertedRows(table, statements);
  if (target === 'collection') {
    const made = inserted(kind.name).find((one) => one.id === id);
    if (made === undefined || matches(made, limit, inserted)) return;
  } else if (verb === 'update') {
    const made = { ...row, ...(input as object) } as JsonObject;
    const beside = await rowsBeside(made, limit, ports);
    if (matches(made, limit, (table) => beside.get(table) ?? [])) return;
  } else return;
  throw lacks(permission, principal, `${name} makes what your roles do not reach`);
}

/** The rows of other tables that the condition looks at from this row. */
async function rowsBeside(
  row: JsonObject,
  limit: Condition,
  { registry, reader }: Ports,
): Promise<ReadonlyMap<string, readonly JsonObject[]>> {
  const found = new Map<string, readonly JsonObject[]>();
  for (const { table, local, remote } of looksElsewhere(limit)) {
    const value = valueAt(row, local);
    const kind = registry.kind(table);
    const texts = typeof value === 'string' ? await reader.texts(kind, equals(remote, value)) : [];
    found.set(table, [...(found.get(table) ?? []), ...texts.map((text) => JSON.parse(text) as JsonObject)]);
  }
  return found;
}

const insertedRows = (table: string, statements: readonly Statement[]): readonly JsonObject[] =>
  statements.flatMap((statement) => (statement.op === 'insert' && statement.table === table ? [statement.row] : []));
