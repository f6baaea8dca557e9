import { type Static, Type } from 'typebox';
import {
  AUTHENTICATED,
  type Endpoint,
  type EndpointRequest,
  isMeant,
  isVisible,
  type KernelServices,
  readPermission,
} from '../../kernel/index.ts';
import { role } from './role.ts';
import { BUILT_IN_ROLES, type Roles, unknownPermission } from './roles.ts';

const question = Type.Object({
  permission: Type.String({ maxLength: 128, description: 'E.g. `instance.start`.' }),
  resourceId: Type.Optional(Type.String({ format: 'uuid', description: 'Whether it holds for this row.' })),
});

const binding = Type.Object({
  id: Type.String(),
  role: Type.String(),
  level: Type.String(),
  inProjectId: Type.Union([Type.String(), Type.Null()]),
});

const explanation = Type.Object({
  permission: Type.String(),
  allowed: Type.Boolean(),
  reason: Type.String(),
  level: Type.String({ description: 'At least at this level a role has to be bound: project, account or cloud.' }),
  bindings: Type.Array(binding, { description: 'Those of the caller, which were looked at.' }),
  grantedBy: Type.Array(Type.String(), { description: 'Roles that hold it: built-in ones, and those of the account.' }),
});

const identityAnswer = Type.Object({
  actor: Type.String(),
  accountId: Type.String(),
  projectId: Type.String(),
  permissions: Type.Array(Type.String(), { description: 'All that it may, on some row at least.' }),
});

const builtInAnswer = Type.Object({
  items: Type.Array(
    Type.Object({
      name: Type.String(),
      description: Type.String(),
      levels: Type.Array(Type.String()),
      permissions: Type.Array(Type.String()),
    }),
  ),
});

/** Who the caller is, what he may, and why not. */
export const accessEndpoints = (services: KernelServices, roles: Roles): readonly Endpoint[] => [
  {
    type: 'value',
    method: 'GET',
    path: '/access',
    summary: 'Answers who asks, where, and what he may.',
    permission: AUTHENTICATED,
    answer: identityAnswer,
    handle: async ({ principal }) => ({
      actor: principal.actor,
      accountId: principal.accountId,
      projectId: principal.projectId,
      permissions: roles.permissions.all().flatMap(({ name }) => (principal.allows(name) ? [name] : [])),
    }),
  },
  {
    type: 'value',
    method: 'GET',
    path: '/access/roles',
    summary: 'Answers the built-in roles.',
    permission: AUTHENTICATED,
    answer: builtInAnswer,
    handle: async () => ({
      items: Object.entries(BUILT_IN_ROLES).map(([name, { description, levels }]) => ({
        name,
        description,
        levels,
        permissions: roles.permissionsOf(name),
      })),
    }),
  },
  {
    type: 'value',
    method: 'POST',
    path: '/access/explain',
    summary: 'Tells whether the caller may do something, what was looked at, and which role would let him.',
    permission: AUTHENTICATED,
    body: question,
    answer: explanation,
    handle: (request) => explain(services, roles, request),
  },
];

async function explain(
  { reader }: KernelServices,
  roles: Roles,
  { principal, body }: EndpointRequest,
): Promise<Static<typeof explanation>> {
  const { permission, resourceId } = body as Static<typeof question>;
  const fact = roles.permissions.find(permission);
  if (fact === undefined) throw unknownPermission(permission, '/permission');
  const told = principal.explain?.(permission) as Partial<Static<typeof explanation>> | undefined;
  const own = principal.allows(readPermission(role))
    ? await reader.list(role, { field: 'accountId', op: '=', value: principal.accountId })
    : [];
  const named = own.filter(({ rules }) => rules.some(({ permissions }) => permissions.some((pattern) => isMeant(pattern, permission))));
  const common = {
    permission,
    level: fact.scope as string,
    bindings: told?.bindings ?? [],
    grantedBy: [...(told?.grantedBy ?? ['operator']), ...named.map(({ name }) => name)],
  };
  if (!principal.allows(permission))
    return { ...common, allowed: false, reason: told?.reason ?? 'No role that is bound to the caller holds it here.' };
  if (resourceId === undefined || fact.kind === undefined) {
    const isLimited = principal.limits?.(permission) !== undefined;
    return { ...common, allowed: true, reason: isLimited ? 'A role holds it, for some rows only.' : 'A role holds it.' };
  }
  const row = principal.allows(readPermission(fact.kind)) ? await reader.find(fact.kind, resourceId) : undefined;
  // What is not there for the caller is said to be absent, whoever's it is.
  if (row === undefined || !(await isVisible(fact.kind, row, principal, readPermission(fact.kind), reader)))
    return { ...common, allowed: false, reason: `No ${fact.kind.name} ${resourceId}.` };
  const allowed = await isVisible(fact.kind, row, principal, permission, reader);
  return {
    ...common,
    allowed,
    reason: allowed ? 'A role holds it for this row.' : 'The row is outside of what the roles of the caller let him change.',
  };
}
