import { Type } from 'typebox';
import { AUTHENTICATED, type Endpoint, type KernelServices } from '../../kernel/index.ts';
import { explain, explanation, question } from './explain.ts';
import { BUILT_IN_ROLES, type Roles } from './roles.ts';

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
    summary: 'Tells whether the caller, or somebody else, may do something, what was looked at, and which role would let him.',
    permission: AUTHENTICATED,
    body: question,
    answer: explanation,
    handle: (request) => explain(services, roles, request),
  },
];
