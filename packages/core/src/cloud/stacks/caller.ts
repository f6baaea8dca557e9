import { ANY_PROJECT, type Condition, type Id, Permissions, type Principal, type Registry } from '../../kernel/index.ts';

/**
 * Who asked for a stack, as it was when that was accepted: what is done for it later, perhaps after a restart, is done in the same name and with the same
 * rights, within the project of the stack.
 */
export interface Caller {
  readonly actor: string;
  readonly projectId: Id<'project'>;
  readonly accountId: Id<'account'>;
  readonly permissions: readonly string[] | 'all';
  readonly limits: Readonly<Record<string, Condition>>;
}

export function callerOf(registry: Registry, principal: Principal): Caller {
  const { actor, projectId, accountId } = principal;
  const names = new Permissions(registry).all().flatMap(({ name }) => (name === ANY_PROJECT ? [] : [name]));
  const allowed = names.filter((name) => principal.allows(name));
  const limits = allowed.flatMap((name) => {
    const limit = principal.limits?.(name);
    return limit === undefined ? [] : [[name, limit] as const];
  });
  const permissions = allowed.length === names.length ? 'all' : allowed;
  return { actor, projectId, accountId, permissions, limits: Object.fromEntries(limits) };
}

/** It is nobody's right to see other projects through a stack. */
export function principalOf({ actor, projectId, accountId, permissions, limits }: Caller): Principal {
  const allowed = permissions === 'all' ? undefined : new Set(permissions);
  return {
    actor,
    projectId,
    accountId,
    allows: (permission) => permission !== ANY_PROJECT && allowed?.has(permission) !== false,
    limits: (permission) => limits[permission],
  };
}

/** What a stack has begun it takes back, whether or not its caller may delete. */
export const undoingPrincipalOf = ({ actor, projectId, accountId }: Caller): Principal => ({
  actor,
  projectId,
  accountId,
  allows: (permission) => permission !== ANY_PROJECT,
});
