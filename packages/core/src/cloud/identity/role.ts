import { type Static, Type } from 'typebox';
import { defineKind, type RowOf, ref } from '../../kernel/index.ts';

const description = Type.Optional(Type.String({ maxLength: 1024 }));

export const rule = Type.Object({
  permissions: Type.Array(Type.String({ maxLength: 128 }), {
    minItems: 1,
    maxItems: 200,
    description: 'E.g. `instance.start`, `instance.*`, `*.read` or `*`.',
  }),
  when: Type.Optional(
    Type.String({
      maxLength: 4096,
      description: "A filter: only rows for which it holds, e.g. `name like 'web-%'` or `tags.env = 'dev'`.",
    }),
  ),
});
export type Rule = Static<typeof rule>;

export const rules = Type.Array(rule, { minItems: 1, maxItems: 50 });

export const role = defineKind({
  name: 'role',
  plural: 'roles',
  description: 'What those it is bound to may do. There are built-in ones beside.',
  scope: 'account',
  schema: Type.Object({ description, rules }),
  states: { available: ['deleting'], deleting: ['available', 'deleted'] },
  initial: 'available',
});

export const level = Type.Union([Type.Literal('project'), Type.Literal('account'), Type.Literal('cloud')]);

export const roleBinding = defineKind({
  name: 'roleBinding',
  plural: 'role-bindings',
  description: 'That a user, a group or a service account has a role: in one project, in all of the account, or in the whole cloud.',
  scope: 'account',
  schema: Type.Object({
    builtIn: Type.Optional(Type.String({ description: 'The name of a built-in role.' })),
    roleId: Type.Optional(ref('role', 'restrict')),
    level,
    inProjectId: Type.Optional(ref('project', 'cascade')),
    userId: Type.Optional(ref('user', 'cascade')),
    groupId: Type.Optional(ref('group', 'cascade')),
    serviceAccountId: Type.Optional(ref('serviceAccount', 'cascade')),
  }),
  states: { available: ['deleting'], deleting: ['available', 'deleted'] },
  initial: 'available',
});
export type RoleBinding = RowOf<typeof roleBinding>;
