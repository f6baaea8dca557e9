import { Type } from 'typebox';
import { create, defineKind, type Id, resourceName, updateAction } from '../../kernel/index.ts';
import { given, nameOr } from '../naming.ts';
import { rowDeletion } from '../row-only.ts';
import { project } from './project.ts';
import { limitedCounters, limitsField, type StartingQuota } from './quota-limits.ts';
import { creation, moveAtOnce } from './row-verbs.ts';

const description = Type.Optional(Type.String({ maxLength: 1024 }));

export const account = defineKind({
  name: 'account',
  plural: 'accounts',
  description: 'A tenant: owns projects, and has users, groups and roles of its own.',
  scope: 'cloud',
  schema: Type.Object({ description, limits: limitsField }),
  states: { available: ['disabled', 'deleting'], disabled: ['available', 'deleting'], deleting: ['available', 'disabled', 'deleted'] },
  initial: 'available',
});

export const accountActions = (starting: StartingQuota) => [
  creation(account, {
    description: 'Makes an account, with a project `default`.',
    input: Type.Object({ name: Type.Optional(resourceName()), description }),
    rows: ({ id, input, mint }) => {
      const accountId = id as unknown as Id<'account'>;
      const projectId = mint('project');
      const [own, first] = [starting('account', accountId, accountId), starting('project', projectId, accountId)];
      return [
        create(account, { ...given(input), ...own.fields, id, name: nameOr(input.name, account, id) }),
        create(project, { ...first.fields, id: projectId, accountId, name: 'default' }),
        ...own.statements,
        ...first.statements,
      ];
    },
  }),
  updateAction(account, ['description']),
  moveAtOnce(account, 'disable', {
    description: 'Lets nobody of the account in; its machines go on.',
    input: Type.Object({}),
    from: ['available'],
    to: 'disabled',
  }),
  moveAtOnce(account, 'enable', {
    description: 'Lets the users of the account in again.',
    input: Type.Object({}),
    from: ['disabled'],
    to: 'available',
  }),
];

export const accountDeletion = rowDeletion(account, ['available', 'disabled'], limitedCounters('account'));
