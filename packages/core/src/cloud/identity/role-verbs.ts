import { type Static, Type } from 'typebox';
import {
  CloudError,
  create,
  expectStanding,
  type Id,
  isUuid,
  type Principal,
  type Reader,
  resourceName,
  type Statement,
  updateAction,
  usable,
} from '../../kernel/index.ts';
import { given, nameOr } from '../naming.ts';
import { rowDeletion } from '../row-only.ts';
import { group } from './group.ts';
import { project } from './project.ts';
import { level, type Rule, role, roleBinding, rules } from './role.ts';
import { BUILT_IN_ROLES, type Roles } from './roles.ts';
import { creation } from './row-verbs.ts';
import { serviceAccount, user } from './user.ts';

const description = Type.Optional(Type.String({ maxLength: 1024 }));
const uuid = Type.String({ format: 'uuid' });

const bindingInput = Type.Object({
  name: Type.Optional(resourceName()),
  role: Type.String({ maxLength: 63, description: 'The name of a built-in role, or the name or id of one of the account.' }),
  level: Type.Optional(level),
  projectId: Type.Optional(
    Type.String({ format: 'uuid', description: 'With the level `project`. Default: the project that is worked in.' }),
  ),
  userId: Type.Optional(uuid),
  groupId: Type.Optional(uuid),
  serviceAccountId: Type.Optional(uuid),
});

export const roleActions = (roles: Roles) => [
  creation(role, {
    description: 'Makes a role.',
    input: Type.Object({ name: Type.Optional(resourceName()), description, rules }),
    rows: ({ id, input, principal }) => {
      roles.assertRules(input.rules, principal);
      const name = nameOr(input.name, role, id);
      if (Object.hasOwn(BUILT_IN_ROLES, name))
        throw new CloudError('name_taken', 'A built-in role has this name.', { pointer: '/name', params: { field: 'name', kind: 'role' } });
      return [create(role, { ...given(input), id, accountId: principal.accountId, name })];
    },
  }),
  updateAction(role, ['description', 'rules'], async ({ id, input, principal }) => {
    const { rules: asked } = input as { readonly rules?: readonly Rule[] };
    if (asked !== undefined) await roles.assertChange(id, asked, principal);
  }),
  creation(roleBinding, {
    description: 'Gives a role to a user, a group or a service account.',
    input: bindingInput,
    rows: async ({ id, input, principal, reader }) => {
      const subject = await subjectOf(reader, input, principal);
      const at: Static<typeof level> = input.level ?? 'project';
      const inProject =
        at === 'project' ? await usable(reader, project, input.projectId ?? principal.projectId, principal, '/projectId') : undefined;
      const named = await roleNamed(reader, input.role, principal);
      const binding = { ...named, level: at, ...given({ inProjectId: inProject?.id }) };
      await roles.assertCovered(principal, { bindings: [binding] });
      const row = { ...binding, ...subject, id, accountId: principal.accountId, name: nameOr(input.name, roleBinding, id) };
      return [...standing({ ...binding, ...subject }), create(roleBinding, row as never)];
    },
  }),
];

async function roleNamed(reader: Reader, name: string, principal: Principal) {
  if (Object.hasOwn(BUILT_IN_ROLES, name)) return { builtIn: name };
  const [byName] = await reader.list(
    role,
    {
      and: [
        { field: 'accountId', op: '=', value: principal.accountId },
        { field: 'name', op: '=', value: name },
      ],
    },
    { limit: 1 },
  );
  if (byName === undefined && !isUuid(name))
    throw new CloudError('not_found', `No role ${name}. Built in are ${Object.keys(BUILT_IN_ROLES).join(', ')}.`, { pointer: '/role' });
  const found = await usable(reader, role, byName?.id ?? name, principal, '/role');
  return { roleId: found.id };
}

const REFERS = { roleId: role, inProjectId: project, userId: user, groupId: group, serviceAccountId: serviceAccount } as const;

/** All that the binding refers to. */
const standing = (binding: { readonly [K in keyof typeof REFERS]?: string }): readonly Statement[] =>
  (Object.keys(REFERS) as (keyof typeof REFERS)[]).flatMap((field) =>
    binding[field] === undefined ? [] : [expectStanding(REFERS[field], binding[field])],
  );

type Subject = { readonly userId: Id<'user'> } | { readonly groupId: Id<'group'> } | { readonly serviceAccountId: Id<'serviceAccount'> };

async function subjectOf(reader: Reader, input: Static<typeof bindingInput>, principal: Principal): Promise<Subject> {
  const { userId, groupId, serviceAccountId } = input;
  if ([userId, groupId, serviceAccountId].filter((id) => id !== undefined).length !== 1)
    throw new CloudError('invalid_input', 'Give one of userId, groupId and serviceAccountId.', { pointer: '' });
  if (userId !== undefined) return { userId: (await usable(reader, user, userId, principal, '/userId')).id };
  if (groupId !== undefined) return { groupId: (await usable(reader, group, groupId, principal, '/groupId')).id };
  return { serviceAccountId: (await usable(reader, serviceAccount, serviceAccountId ?? '', principal, '/serviceAccountId')).id };
}

export const roleDeletions = [rowDeletion(role, ['available']), rowDeletion(roleBinding, ['available'])];
