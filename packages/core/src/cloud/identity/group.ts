import { Type } from 'typebox';
import { create, defineKind, ref, resourceName, updateAction, usable } from '../../kernel/index.ts';
import { given, nameOr } from '../naming.ts';
import { rowDeletion } from '../row-only.ts';
import type { Roles } from './roles.ts';
import { creation } from './row-verbs.ts';
import { user } from './user.ts';

const description = Type.Optional(Type.String({ maxLength: 1024 }));
const uuid = Type.String({ format: 'uuid' });

export const group = defineKind({
  name: 'group',
  plural: 'groups',
  description: 'Users who have the same roles.',
  scope: 'account',
  schema: Type.Object({
    description,
    externalId: Type.Optional(
      Type.String({ maxLength: 512, description: 'Which group it is at an identity provider: its users are in it while they are there.' }),
    ),
  }),
  states: { available: ['deleting'], deleting: ['available', 'deleted'] },
  initial: 'available',
  unique: [['accountId', 'externalId']],
});

export const membership = defineKind({
  name: 'membership',
  plural: 'memberships',
  description: 'That a user is in a group.',
  scope: 'account',
  schema: Type.Object({ groupId: ref('group', 'cascade'), userId: ref('user', 'cascade') }),
  states: { available: ['deleting'], deleting: ['available', 'deleted'] },
  initial: 'available',
  unique: [['groupId', 'userId']],
});

export const groupActions = (roles: Roles) => [
  creation(group, {
    description: 'Makes a group.',
    input: Type.Object({ name: Type.Optional(resourceName()), description, externalId: group.schema.properties.externalId }),
    rows: ({ id, input, principal: { accountId } }) => [
      create(group, { ...given(input), id, accountId, name: nameOr(input.name, group, id) }),
    ],
  }),
  updateAction(group, ['description']),
  creation(membership, {
    description: 'Puts a user into a group.',
    input: Type.Object({ name: Type.Optional(resourceName()), groupId: uuid, userId: uuid }),
    rows: async ({ id, input, principal, reader }) => {
      const into = await usable(reader, group, input.groupId, principal, '/groupId');
      const who = await usable(reader, user, input.userId, principal, '/userId');
      // What a group may, its members may: only who has it himself gives it.
      await roles.assertCovered(principal, { groupIds: [into.id] });
      const fields = { groupId: into.id, userId: who.id, accountId: principal.accountId };
      return [
        { op: 'expect', table: group.name, key: into.id, expect: { state: 'available' } },
        { op: 'expect', table: user.name, key: who.id, expect: { state: ['enabled', 'disabled'] } },
        create(membership, { ...fields, id, name: nameOr(input.name, membership, id) }),
      ];
    },
  }),
];

export const groupDeletions = [rowDeletion(group, ['available']), rowDeletion(membership, ['available'])];
